"""Midtrans' adapter: charging, asking, cancelling and refunding, on a scripted origin."""

import base64
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from osiris.payment_errors import (
    BillRefused,
    PaymentNotFound,
    PaymentsNotOffered,
    ProviderUnavailable,
    RefundByHand,
)
from osiris.payments import Bill, Provider, ReferenceTaken, midtrans, provider
from osiris.payments import http as payment_http
from tests.unit.payments.provider_origin import (
    HOSTILE,
    NOW_MS,
    Script,
    cut,
    says,
    scripted,
    silent,
)

KEY = "SB-Mid-server-abc123cde456"
REFERENCE = "ord_0QWErTyu12345678-1"
QR_TEXT = "00020101021226610014COM.GO-JEK.WWW"
BILL = Bill(
    REFERENCE, Decimal(1_791_700), "", "Credit $100", 900_000, NOW_MS, "https://a.example/w"
)
CHARGED = {
    "status_code": "201",
    "status_message": "QRIS transaction is created",
    "transaction_id": "01bf5e23-7183-4cfe-862c-58a3f6e8f0a2",
    "order_id": REFERENCE,
    "gross_amount": "1791700.00",
    "currency": "IDR",
    "transaction_status": "pending",
    "fraud_status": "accept",
    "transaction_time": "2026-11-23 22:00:01",
    "expiry_time": "2026-11-23 22:15:01",
    "qr_string": QR_TEXT,
}


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    monkeypatch.setattr(midtrans, "CALL_TIMEOUT_MS", 150)
    with scripted() as made:
        made.secrets["midtrans-server-key"] = KEY
        yield made


@pytest.fixture
def adapter(script: Script) -> Iterator[Provider]:
    made = provider("midtrans", script.surroundings())
    yield made
    made._origin.close()  # type: ignore[attr-defined]


def without(*names: str) -> dict[str, Any]:
    """The charge's answer without these members."""
    return {name: value for name, value in CHARGED.items() if name not in names}


def test_a_bill_is_charged_by_qris(script: Script, adapter: Provider) -> None:
    """One POST with our reference, whole rupiah, its life in seconds and our webhook's address."""
    script.will(says(CHARGED))
    started = adapter.start(BILL)
    assert started.payment_id == REFERENCE
    assert (started.amount, started.currency) == (Decimal(1_791_700), "IDR")
    assert started.qr_text == QR_TEXT
    assert started.expires_at_ms == NOW_MS + 901_000
    (asked,) = script.asked
    assert asked.line == "POST /v2/charge HTTP/1.1"
    assert asked.headers["authorization"] == "Basic U0ItTWlkLXNlcnZlci1hYmMxMjNjZGU0NTY6"
    assert base64.b64decode("U0ItTWlkLXNlcnZlci1hYmMxMjNjZGU0NTY6").decode() == KEY + ":"
    assert asked.headers["idempotency-key"] == REFERENCE
    assert asked.headers["x-override-notification"] == "https://a.example/w"
    assert asked.members == {
        "payment_type": "qris",
        "transaction_details": {"order_id": REFERENCE, "gross_amount": 1791700},
        "item_details": [{"id": "credit", "price": 1791700, "quantity": 1, "name": "Credit $100"}],
        "qris": {"acquirer": "gopay"},
        "custom_expiry": {
            "order_time": "2026-11-23 22:00:00 +0700",
            "expiry_duration": 900,
            "unit": "second",
        },
    }


def test_an_answer_without_an_expiry_ends_when_we_asked(script: Script, adapter: Provider) -> None:
    """`expiry_time` is not documented: without it the end is ours; less than 20 s are 20."""
    script.will(says(without("expiry_time")), says(without("expiry_time")))
    assert adapter.start(BILL).expires_at_ms == NOW_MS + 900_000
    assert adapter.start(BILL._replace(lives_ms=5_000)).expires_at_ms == NOW_MS + 20_000
    assert script.asked[1].members["custom_expiry"]["expiry_duration"] == 20


@pytest.mark.parametrize("fault", [silent, cut])
def test_a_charge_of_unknown_outcome_is_repeated_under_its_key(
    script: Script, adapter: Provider, fault: Any
) -> None:
    """Twice at most, each time the same body and Idempotency-Key."""
    script.will(fault, fault, says(CHARGED))
    assert adapter.start(BILL).qr_text == QR_TEXT
    assert len({(asked.headers["idempotency-key"], asked.body) for asked in script.asked}) == 1
    assert len(script.asked) == 3
    script.will(fault, fault, fault)
    with pytest.raises(ProviderUnavailable):
        adapter.start(BILL)
    assert len(script.asked) == 6


def test_a_charge_in_process_is_waited_for(script: Script, adapter: Provider) -> None:
    """HTTP 202 says that the first call goes on; some waits later it is enough."""
    in_process = says(b"", 202)
    script.will(in_process, in_process, says(CHARGED, 201))
    assert adapter.start(BILL).payment_id == REFERENCE
    assert script.slept_ms == [midtrans.IN_PROCESS_WAIT_MS] * 2
    script.will(*[in_process] * (midtrans.IN_PROCESS_WAITS_MAX + 1))
    with pytest.raises(ProviderUnavailable):
        adapter.start(BILL)
    assert len(script.asked) == 3 + midtrans.IN_PROCESS_WAITS_MAX + 1


@pytest.mark.parametrize("status", [200, 406])
def test_a_reference_that_is_taken_is_told(script: Script, adapter: Provider, status: int) -> None:
    """406, be it HTTP's or the body's."""
    body = {"status_code": "406", "status_message": "order_id has already been taken"}
    script.will(says(body, status))
    with pytest.raises(ReferenceTaken):
        adapter.start(BILL)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"status_code": "400", "status_message": f"too much {KEY}\n"}),
        (400, {"status_code": "400", "status_message": "too much"}),
        (410, {}),
        (200, {"status_code": 410}),
        (200, {**CHARGED, "status_code": "202", "transaction_status": "deny"}),
    ],
)
def test_a_bill_it_will_not_take_is_refused(
    script: Script, adapter: Provider, status: int, body: Any
) -> None:
    """Its words go to the log alone, without our key."""
    script.will(says(body, status))
    with pytest.raises(BillRefused) as refused:
        adapter.start(BILL)
    assert refused.value.message == BillRefused.message
    assert refused.value.details is not None
    assert KEY not in refused.value.details
    assert refused.value.details.isprintable()


@pytest.mark.parametrize(
    "reply",
    [
        says({"status_code": "401"}, 401),
        says({"status_code": "401"}),
        says({"status_code": "402", "status_message": "not activated"}),
        says({"status_code": "500"}, 500),
        says({"status_code": "200"}, 502),
        says(b"<html>", 503),
        says({"status_code": "429"}, 429),
        says(without("qr_string")),
        says({**CHARGED, "qr_string": None}),
        says({**CHARGED, "qr_string": 7.5}),
        says({**CHARGED, "order_id": "another"}),
        says({**CHARGED, "gross_amount": "1.00"}),
        says({**CHARGED, "gross_amount": "NaN"}),
        says(b" " * 300_000),
    ],
)
def test_what_is_no_answer_is_unavailability(
    script: Script, adapter: Provider, reply: bytes
) -> None:
    """Our key, our account, their fault, another payment's answer, no QR text: later again."""
    script.will(reply, reply, reply)
    with pytest.raises(ProviderUnavailable) as failed:
        adapter.start(BILL)
    assert KEY not in (failed.value.details or "")


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_answer_is_unavailability(script: Script, adapter: Provider, body: bytes) -> None:
    """Nothing that is not an answer passes for one, charging or asking."""
    script.will(says(body), says(body))
    with pytest.raises(ProviderUnavailable):
        adapter.start(BILL)
    with pytest.raises(ProviderUnavailable):
        adapter.status(REFERENCE, timeout_ms=500)


def test_nobody_there_is_unavailability(script: Script) -> None:
    """A port where nobody listens: nothing was sent, and it is tried again in vain."""
    adapter = midtrans.Provider(script.surroundings()._replace(base_url="http://127.0.0.1:1"))
    with pytest.raises(ProviderUnavailable):
        adapter.start(BILL)
    with pytest.raises(ProviderUnavailable):
        adapter.status(REFERENCE, timeout_ms=500)


@pytest.mark.parametrize("secret", ["", " \n"])
def test_without_a_key_nothing_is_sent(script: Script, adapter: Provider, secret: str) -> None:
    """An empty secret is none."""
    script.secrets["midtrans-server-key"] = secret
    with pytest.raises(PaymentsNotOffered):
        adapter.start(BILL)
    with pytest.raises(PaymentsNotOffered):
        adapter.verify({}, b"{}")
    assert script.asked == []


def test_a_status_is_asked_by_our_reference(script: Script, adapter: Provider) -> None:
    """One GET; a connection that broke meanwhile costs a second, a silence does not."""
    script.will(says(CHARGED), cut, says(CHARGED), silent)
    assert adapter.status(REFERENCE, timeout_ms=500).state == "waiting"
    assert adapter.status(REFERENCE, timeout_ms=500).state == "waiting"
    with pytest.raises(ProviderUnavailable):
        adapter.status(REFERENCE, timeout_ms=100)
    assert [asked.line for asked in script.asked] == [f"GET /v2/{REFERENCE}/status HTTP/1.1"] * 4


@pytest.mark.parametrize("status", [200, 404])
def test_an_unknown_payment_is_told(script: Script, adapter: Provider, status: int) -> None:
    """404, be it HTTP's or the body's; an id that can be none of ours is not even asked."""
    script.will(says({"status_code": "404", "status_message": "doesn't exist"}, status))
    with pytest.raises(PaymentNotFound):
        adapter.status(REFERENCE, timeout_ms=500)
    for never in ("", "..", "a/b", "ä", "x" * 51):
        with pytest.raises(PaymentNotFound):
            adapter.status(never, timeout_ms=500)
    assert len(script.asked) == 1


@pytest.mark.parametrize(
    "body",
    [
        {**CHARGED, "order_id": "another"},
        {**CHARGED, "gross_amount": None},
        {**CHARGED, "gross_amount": "-1.00"},
        {**CHARGED, "transaction_status": None},
        {**CHARGED, "transaction_status": 7.5},
        {**CHARGED, "status_code": "500"},
        without("transaction_status"),
    ],
)
def test_a_status_that_can_not_be_read_is_unavailability(
    script: Script, adapter: Provider, body: Any
) -> None:
    """Another payment's, or one without its figures."""
    script.will(says(body))
    with pytest.raises(ProviderUnavailable):
        adapter.status(REFERENCE, timeout_ms=500)


def test_cancelling_says_whether_it_is_certain(script: Script, adapter: Provider) -> None:
    """Cancelled or unknown: certain. 412: it may have been paid meanwhile."""
    script.will(
        says({**CHARGED, "status_code": "200", "transaction_status": "cancel"}),
        says({"status_code": "404"}),
        says({"status_code": "412", "status_message": "cannot modify the status"}),
        says({"status_code": "500"}),
    )
    assert adapter.cancel(REFERENCE)
    assert adapter.cancel(REFERENCE)
    assert not adapter.cancel(REFERENCE)
    with pytest.raises(ProviderUnavailable):
        adapter.cancel(REFERENCE)
    assert script.asked[0].line == f"POST /v2/{REFERENCE}/cancel HTTP/1.1"
    assert script.asked[0].body == b""


def test_a_refund_is_made_once_for_its_key(script: Script, adapter: Provider) -> None:
    """Repeated under the same key after a cut; a key that was used before is done."""
    script.will(cut, says({"status_code": "200"}), says({"status_code": "406"}))
    for _ in range(2):
        adapter.refund(REFERENCE, amount=Decimal(5_000), key="ord_1-1-r1", reason="asked for")
    assert script.asked[0].line == f"POST /v2/{REFERENCE}/refund HTTP/1.1"
    for asked in script.asked:
        assert asked.members == {"refund_key": "ord_1-1-r1", "amount": 5000, "reason": "asked for"}


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("400", RefundByHand),
        ("412", RefundByHand),
        ("414", RefundByHand),
        ("404", PaymentNotFound),
        ("401", ProviderUnavailable),
        ("429", ProviderUnavailable),
        ("503", ProviderUnavailable),
    ],
)
def test_a_refund_it_will_not_make_is_for_a_person(
    script: Script, adapter: Provider, code: str, error: type[Exception]
) -> None:
    """Its refusal and its reason, apart from what may be different later."""
    script.will(says({"status_code": code, "status_message": "insufficient funds"}))
    with pytest.raises(error) as raised:
        adapter.refund(REFERENCE, amount=Decimal(5_000), key="r1", reason="")
    if error is RefundByHand:
        assert raised.value.details == f"midtrans: {code} insufficient funds"  # type: ignore[attr-defined]


def test_qris_has_no_coins(adapter: Provider) -> None:
    """Nothing to choose, no least amount, no rate."""
    assert (adapter.name, adapter.method) == ("midtrans", "qris")
    assert adapter.coins() == []
    assert adapter.least_dollars("") == 0
    with pytest.raises(BillRefused):
        adapter.value_dollars("btc", Decimal(1))


def test_production_is_where_no_other_address_is_set(script: Script) -> None:
    """An empty base URL stands for the provider's own; and the time-outs are for real calls."""
    made = midtrans.Provider(script.surroundings()._replace(base_url=""))
    assert made._origin._connection._netloc == "api.midtrans.com"
    assert payment_http.CALL_TIMEOUT_MS == 6_000
