"""The Midtrans simulator keeps to the provider's documented protocol."""

from __future__ import annotations

import datetime
import hashlib
import http.client
import threading
from typing import TYPE_CHECKING, Any

import pytest

from local.payments import MidtransSimulator
from local.payments.midtrans import emv
from local.payments.midtrans.record import signature
from tests.local.payments.wire import Answer, Receiver, basic, call, until

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "SB-Mid-server-TESTKEY0000"
DAY_S = 86_400


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def midtrans(receiver: Receiver) -> Iterator[MidtransSimulator]:
    with MidtransSimulator(server_key=KEY, webhook_url=receiver.url) as simulator:
        yield simulator


def charge(
    midtrans: MidtransSimulator,
    order_id: str = "ord1-1",
    rupiah: Any = 1_791_700,
    headers: dict[str, str] | None = None,
    **more: Any,
) -> Answer:
    body = {
        "payment_type": "qris",
        "transaction_details": {"order_id": order_id, "gross_amount": rupiah},
        **more,
    }
    return call(midtrans.url, "POST", "/v2/charge", body, {**basic(KEY), **(headers or {})})


def act(
    midtrans: MidtransSimulator, id: str, action: str, body: Any = None, method: str = "POST"
) -> Answer:
    return call(midtrans.url, method, f"/v2/{id}/{action}", body, basic(KEY))


def status(midtrans: MidtransSimulator, id: str = "ord1-1") -> Any:
    return act(midtrans, id, "status", method="GET").body


def simulate(
    midtrans: MidtransSimulator, what: str, webhook: str = "normal", **more: Any
) -> Answer:
    wish = {"order": "ord1", "part": 1, "what": what, "webhook": webhook, **more}
    answer = call(midtrans.url, "POST", "/simulate", wish)
    assert midtrans.courier.wait()
    return answer


def told(receiver: Receiver) -> list[str]:
    return [body["transaction_status"] for body in receiver.bodies]


@pytest.mark.parametrize(
    ("order_id", "code", "amount", "key", "start"),
    [
        ("1111", "200", "100000.00", "askvnoibnosifnboseofinbofinfgbiufglnbfg", "edc076b2"),
        ("topup-000000000001", "201", "1791700.00", KEY, "d4e39370"),
        ("topup-000000000001", "200", "1791700.00", KEY, "a2d2fdcd"),
        ("topup-000000000001", "202", "1791700.00", KEY, "c3c2e9a3"),
    ],
)
def test_signatures_are_the_golden_ones(
    order_id: str, code: str, amount: str, key: str, start: str
) -> None:
    """The formula gives the published value, and those of a test key."""
    signed = signature(order_id, code, amount, key)
    assert signed.startswith(start)
    assert len(signed) == 128


@pytest.mark.parametrize(
    "text",
    [
        "00020101021126570011ID.DANA.WWW011893600915302259148102090225914810303UMI51440014"
        "ID.CO.QRIS.WWW0215ID10200176114730303UMI5204581253033605802ID5922Warung Sayur Bu Sugeng"
        "6010Kab. Demak610559567630458C7",
        "00020101021226610014COM.GO-JEK.WWW01189360091400000000010210G0000000010303UMI51440014"
        "ID.CO.QRIS.WWW0215ID10000000000010303UMI520457345303360540716500005802ID5917"
        "CONTOH API CREDIT6007JAKARTA61051011062395028A120261123000000TESTTESTTEID0703A016304"
        "5447",
    ],
)
def test_crc_is_that_of_known_codes(text: str) -> None:
    """Two known QRIS texts have the CRC that is computed here, and no other."""
    assert emv.is_valid(text)
    assert not emv.is_valid(text.replace("UMI", "UME", 1))
    assert emv.parse(text)["53"] == "360"


def test_crc_of_the_standard_text() -> None:
    """CRC-16/CCITT-FALSE of 123456789 is 29B1."""
    assert emv.crc16("123456789") == "29B1"


def test_a_charge_has_the_documented_answer(midtrans: MidtransSimulator) -> None:
    """Pending, amounts as text, times in GMT+7, a valid QR text and pictures of it."""
    answer = charge(midtrans)
    body = answer.body
    assert (answer.status, body["status_code"], body["gross_amount"]) == (200, "201", "1791700.00")
    assert body["transaction_status"] == "pending"
    assert emv.is_valid(body["qr_string"])
    assert emv.parse(body["qr_string"])["54"] == "1791700"
    made = datetime.datetime.fromisoformat(body["transaction_time"] + "+07:00")
    ends = datetime.datetime.fromisoformat(body["expiry_time"] + "+07:00")
    assert abs(made.timestamp() * 1000 - midtrans.clock.now_ms()) < 60_000
    assert ends - made == datetime.timedelta(minutes=15)
    for action in body["actions"]:
        path = action["url"].removeprefix(midtrans.url)
        picture = call(midtrans.url, "GET", path)
        assert picture.raw.startswith(b"\x89PNG\r\n\x1a\n")
        assert picture.headers["Content-Type"] == "image/png"


def test_custom_expiry_counts_from_the_order_time(midtrans: MidtransSimulator) -> None:
    """`order_time` with its offset, plus the duration in its unit."""
    expiry = {"order_time": "2031-01-01 00:00:00 +0700", "expiry_duration": 2, "unit": "hour"}
    assert charge(midtrans, custom_expiry=expiry).body["expiry_time"] == "2031-01-01 02:00:00"
    assert status(midtrans)["transaction_status"] == "pending"


@pytest.mark.parametrize(
    ("rupiah", "more", "code"),
    [
        (10_000_001, {}, 400),
        (0, {}, 400),
        (1000.5, {}, 400),
        (1000.0, {}, 400),
        ("1000", {}, 400),
        (True, {}, 400),
        (1000, {"item_details": [{"price": 999, "quantity": 1}]}, 400),
        (1000, {"item_details": "x"}, 400),
        (1000, {"custom_expiry": {"expiry_duration": 19, "unit": "second"}}, 400),
        (1000, {"custom_expiry": {"expiry_duration": 8, "unit": "day"}}, 400),
        (1000, {"custom_expiry": {"order_time": "now", "expiry_duration": 1}}, 400),
        (1000, {"qris": {"acquirer": "nobody"}}, 400),
        (1000, {"payment_type": "gopay"}, 402),
    ],
)
def test_charges_that_are_refused(
    midtrans: MidtransSimulator, rupiah: Any, more: dict[str, Any], code: int
) -> None:
    """Each wrong field has its code, in the status and in the body, and nothing is made."""
    answer = charge(midtrans, rupiah=rupiah, **more)
    assert (answer.status, answer.body["status_code"]) == (code, str(code))
    assert act(midtrans, "ord1-1", "status", method="GET").status == 404


def test_the_largest_amount_and_its_items_are_taken(midtrans: MidtransSimulator) -> None:
    """Ten million rupiah can be charged when the items sum to them."""
    items = [{"price": 4_000_000, "quantity": 2}, {"price": 2_000_000, "quantity": 1}]
    assert charge(midtrans, rupiah=10_000_000, item_details=items).status == 200


def test_errors_of_the_account(midtrans: MidtransSimulator) -> None:
    """401 for a wrong key, 402 for an inactive channel, 406 for an order_id in use."""
    wrong = call(midtrans.url, "POST", "/v2/charge", {}, basic("SB-Mid-server-other"))
    assert (wrong.status, wrong.body["status_code"]) == (401, "401")
    midtrans.switches.channel_inactive = True
    assert charge(midtrans).status == 402
    midtrans.switches.channel_inactive = False
    assert charge(midtrans).status == 200
    assert charge(midtrans).status == 406
    assert act(midtrans, "ord1-1", "cancel").status == 200
    assert charge(midtrans).status == 200


def test_errors_may_come_with_http_200(midtrans: MidtransSimulator) -> None:
    """By a switch for all, by a fault for one: the code is in the body alone."""
    midtrans.switches.errors_at_200 = True
    answer = act(midtrans, "nobody", "status", method="GET")
    assert (answer.status, answer.body["status_code"]) == (200, "404")
    midtrans.faults.add("body_4xx", "/v2/charge")
    answer = charge(midtrans)
    assert (answer.status, answer.body["status_code"]) == (200, "400")
    assert charge(midtrans).body["status_code"] == "201"


def test_an_idempotency_key_replays_for_five_minutes(midtrans: MidtransSimulator) -> None:
    """The first answer comes again whatever the body says; later the order_id decides."""
    key = {"Idempotency-Key": "k1"}
    first = charge(midtrans, headers=key)
    assert charge(midtrans, "ord2-1", headers=key).raw == first.raw
    midtrans.clock.advance(301)
    assert charge(midtrans, headers=key).status == 406


def test_a_refused_request_leaves_no_answer_behind(midtrans: MidtransSimulator) -> None:
    """Only successes are kept, and a key that is too long is ignored."""
    key = {"Idempotency-Key": "k2"}
    assert charge(midtrans, rupiah=0, headers=key).status == 400
    assert charge(midtrans, headers=key).status == 200
    long = {"Idempotency-Key": "k" * 47}
    assert charge(midtrans, "ord3-1", headers=long).status == 200
    assert charge(midtrans, "ord3-1", headers=long).status == 406


def test_a_request_in_process_answers_202(midtrans: MidtransSimulator) -> None:
    """A second request with the key of one that is still worked on is put off."""
    key = {"Idempotency-Key": "k3"}
    midtrans.faults.add("slow", "/v2/charge", seconds=0.3)
    answers: list[Answer] = []
    first = threading.Thread(target=lambda: answers.append(charge(midtrans, headers=key)))
    first.start()
    until(lambda: "k3" in midtrans._answered)
    assert charge(midtrans, headers=key).status == 202
    first.join()
    assert charge(midtrans, headers=key).raw == answers[0].raw


def test_connections_drop_before_and_after_the_charge(midtrans: MidtransSimulator) -> None:
    """Dropped before, there is no transaction; dropped after, there is one that nobody told of."""
    midtrans.faults.add("drop_before", "/v2/charge")
    with pytest.raises((http.client.HTTPException, OSError)):
        charge(midtrans)
    assert act(midtrans, "ord1-1", "status", method="GET").status == 404
    midtrans.faults.add("drop_after", "/v2/charge")
    with pytest.raises((http.client.HTTPException, OSError)):
        charge(midtrans)
    assert status(midtrans)["transaction_status"] == "pending"


def test_a_payment_is_told_signed_and_counted(
    midtrans: MidtransSimulator, receiver: Receiver
) -> None:
    """Pending, then settlement: signed by the formula, found by both ids, in the truth."""
    id = charge(midtrans, custom_field1="abc").body["transaction_id"]
    assert simulate(midtrans, "pay").body["status"] == "settlement"
    assert told(receiver) == ["pending", "settlement"]
    _, headers, _ = receiver.got[1]
    body = receiver.bodies[1]
    text = f"ord1-1200{body['gross_amount']}{KEY}"
    assert body["signature_key"] == hashlib.sha512(text.encode()).hexdigest()
    assert headers["User-Agent"] == "Veritrans"
    assert body["custom_field1"] == "abc"
    assert status(midtrans, id)["settlement_time"] == body["settlement_time"]
    assert [(r.amount, r.currency, r.kind) for r in midtrans.received] == [
        ("1791700", "idr", "received")
    ]


@pytest.mark.parametrize(
    ("what", "paid"), [("less", 600), ("more", 1500), ("fee", 1007), ("late", 1000), ("pay", 1000)]
)
def test_what_was_really_paid_is_the_amount(
    midtrans: MidtransSimulator, receiver: Receiver, what: str, paid: int
) -> None:
    """Status, webhook and truth have the amount that came, and its signature."""
    charge(midtrans, rupiah=1000)
    simulate(midtrans, what)
    assert status(midtrans)["gross_amount"] == f"{paid}.00" == receiver.bodies[-1]["gross_amount"]
    assert [receipt.amount for receipt in midtrans.received] == [str(paid)]
    code = signature("ord1-1", "200", f"{paid}.00", KEY)
    assert receiver.bodies[-1]["signature_key"] == code


def test_a_late_payment_comes_after_the_expiry(
    midtrans: MidtransSimulator, receiver: Receiver
) -> None:
    """The code expires and is told of, then the settlement comes."""
    charge(midtrans)
    simulate(midtrans, "late")
    assert told(receiver) == ["pending", "expire", "settlement"]
    assert receiver.bodies[1]["status_code"] == "202"
    assert receiver.bodies[2]["settlement_time"] > receiver.bodies[2]["expiry_time"]


def test_a_code_paid_twice_brings_money_once(
    midtrans: MidtransSimulator, receiver: Receiver
) -> None:
    """The issuer returns the second payment; the same settlement is told again."""
    charge(midtrans)
    simulate(midtrans, "twice")
    assert told(receiver) == ["pending", "settlement", "settlement"]
    assert len(midtrans.received) == 1
    assert simulate(midtrans, "pay").status == 409


def test_expiry_comes_by_a_batch_that_lags(midtrans: MidtransSimulator, receiver: Receiver) -> None:
    """Past its deadline a transaction is still pending, and can be paid, until the batch comes."""
    midtrans.switches.expiry_lag_s = 60
    charge(midtrans, "ord1-1")
    charge(midtrans, "ord2-1")
    midtrans.clock.advance(15 * 60 + 30)
    assert status(midtrans)["transaction_status"] == "pending"
    assert simulate(midtrans, "pay").body["status"] == "settlement"
    midtrans.clock.advance(60)
    gone = status(midtrans, "ord2-1")
    assert (gone["transaction_status"], gone["status_code"]) == ("expire", "407")
    assert midtrans.courier.wait()
    assert receiver.bodies[-1]["transaction_status"] == "expire"
    assert status(midtrans, "ord1-1")["transaction_status"] == "settlement"


def test_cancel_and_expire_are_for_pending_ones(
    midtrans: MidtransSimulator, receiver: Receiver
) -> None:
    """200 and 407 are their successes, 412 what a paid one answers; both are told with 202."""
    charge(midtrans, "ord1-1")
    charge(midtrans, "ord2-1")
    charge(midtrans, "ord3-1")
    cancelled = act(midtrans, "ord2-1", "cancel")
    assert cancelled.body["transaction_status"] == "cancel"
    expired = act(midtrans, "ord3-1", "expire")
    assert (expired.status, expired.body["status_code"]) == (200, "407")
    simulate(midtrans, "pay")
    assert act(midtrans, "ord1-1", "cancel").body["status_code"] == "412"
    assert act(midtrans, "ord1-1", "expire").status == 412
    codes = {body["transaction_status"]: body["status_code"] for body in receiver.bodies}
    assert codes == {"pending": "201", "cancel": "202", "expire": "202", "settlement": "200"}


def test_a_refund_is_told_twice_and_made_once(
    midtrans: MidtransSimulator, receiver: Receiver
) -> None:
    """Partial then full; the bank's word is in the second webhook; a key is made good once."""
    charge(midtrans, rupiah=1000)
    assert act(midtrans, "ord1-1", "refund", {"refund_key": "a"}).status == 412
    simulate(midtrans, "pay")
    part = {"refund_key": "a", "amount": 400, "reason": "why not"}
    for _ in range(2):
        answer = act(midtrans, "ord1-1", "refund", part)
        assert answer.body["transaction_status"] == "partial_refund"
    assert act(midtrans, "ord1-1", "refund", {**part, "amount": 500}).status == 406
    assert act(midtrans, "ord1-1", "refund", {"refund_key": "b", "amount": 601}).status == 414
    act(midtrans, "ord1-1", "refund", {"refund_key": "c", "amount": 600, "reason": ""})
    assert midtrans.courier.wait()
    assert told(receiver)[2:] == ["partial_refund", "partial_refund", "refund", "refund"]
    first, second = receiver.bodies[2]["refunds"][0], receiver.bodies[3]["refunds"][0]
    assert "bank_confirmed_at" not in first
    assert second["bank_confirmed_at"] and second["refund_amount"] == "400.00"
    assert receiver.bodies[-1]["refund_amount"] == "1000.00"
    shared = {body["signature_key"] for body in receiver.bodies[1:]}
    assert len(shared) == 1  # the settlement's and the refunds' are one
    kinds = [(receipt.kind, receipt.amount) for receipt in midtrans.received]
    assert kinds == [("received", "1000"), ("returned", "400"), ("returned", "600")]


def test_refunds_have_their_time_and_their_means(midtrans: MidtransSimulator) -> None:
    """Off-us seven days, on-us forty-five; without balance none; ShopeePay's only whole."""
    charge(midtrans, "ord1-1", rupiah=1000, qris={"acquirer": "airpay shopee"})
    simulate(midtrans, "pay")
    assert act(midtrans, "ord1-1", "refund", {"refund_key": "a", "amount": 1}).status == 412
    midtrans.switches.insufficient_balance = True
    assert act(midtrans, "ord1-1", "refund", {"refund_key": "a"}).status == 412
    midtrans.switches.insufficient_balance = False
    charge(midtrans, "ord2-1", rupiah=1000)
    simulate(midtrans, "pay", order="ord2")
    midtrans.switches.off_us = False
    charge(midtrans, "ord3-1", rupiah=1000)
    simulate(midtrans, "pay", order="ord3")
    midtrans.clock.advance(8 * DAY_S)
    assert act(midtrans, "ord2-1", "refund", {"refund_key": "b"}).status == 412
    assert act(midtrans, "ord3-1", "refund", {"refund_key": "c"}).status == 200
    assert act(midtrans, "ord1-1", "refund", {"refund_key": "a"}).status == 200


@pytest.mark.parametrize("what", ["chargeback", "partial_chargeback", "refund", "partial_refund"])
def test_money_goes_back_by_the_dashboard(midtrans: MidtransSimulator, what: str) -> None:
    """Refunds and chargebacks take back all, or forty percent, and only what was paid."""
    charge(midtrans, rupiah=1000)
    assert simulate(midtrans, what).status == 409
    simulate(midtrans, "pay")
    assert simulate(midtrans, what).body["status"] == what
    assert midtrans.received[-1].amount == ("400" if what.startswith("partial") else "1000")


def test_fields_can_be_missing_or_strange(midtrans: MidtransSimulator) -> None:
    """qr_string and expiry_time may lack, the status may be upper-case, fields may be new."""
    for name in ("no_qr_string", "no_expiry_time", "upper_case_status", "unknown_fields"):
        set_to = call(midtrans.url, "POST", "/switches", {name: True})
        assert set_to.body[name] is True
    body = charge(midtrans).body
    assert not {"qr_string", "expiry_time"} & set(body)
    assert body["transaction_status"] == "PENDING"
    assert "promo" in body


def test_webhooks_go_where_the_charge_says(midtrans: MidtransSimulator, receiver: Receiver) -> None:
    """An override replaces the configured address, an appended one joins it; three at most."""
    hosts = ",".join(f"{receiver.url}/{n}" for n in range(4))
    charge(midtrans, "ord1-1", headers={"X-Override-Notification": hosts})
    charge(midtrans, "ord2-1", headers={"X-Append-Notification": f"{receiver.url}/more"})
    assert midtrans.courier.wait()
    paths = sorted(path for path, _, _ in receiver.got)
    assert paths == ["/hook", "/hook/0", "/hook/1", "/hook/2", "/hook/more"]


def test_a_webhook_can_come_before_the_answer(
    midtrans: MidtransSimulator, receiver: Receiver
) -> None:
    """By a switch a charge is paid, and told of, before its own answer says pending."""
    midtrans.switches.paid_before_answer = True
    assert charge(midtrans).body["transaction_status"] == "pending"
    assert told(receiver) == ["pending", "settlement"]


def test_the_newest_attempt_of_a_part_is_meant(midtrans: MidtransSimulator) -> None:
    """`order-part-attempt` with the highest attempt; other parts and orders are not touched."""
    for reference in ("ord1-1", "ord1-1-2", "ord1-1-10", "ord1-11", "xord1-1"):
        charge(midtrans, reference)
    assert simulate(midtrans, "pay").body["order"] == "ord1-1-10"
    assert simulate(midtrans, "pay", part=3).status == 404


def test_unknown_wishes_are_told_what_is_known(midtrans: MidtransSimulator) -> None:
    """A wish that QRIS does not have gets 400 with the list; nonsense gets 400, too."""
    charge(midtrans)
    answer = simulate(midtrans, "wrong_coin")
    assert answer.status == 400
    assert "pay" in answer.body["known"]["what"]
    assert "disorder" in answer.body["known"]["webhook"]
    assert simulate(midtrans, "pay", "by pigeon").status == 400
    for body in (b"[]", b"{", b'{"what": []}', b'{"what": "pay", "part": "x"}'):
        assert call(midtrans.url, "POST", "/simulate", body).status == 400
