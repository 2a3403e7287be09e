"""The NOWPayments simulator keeps to the provider's documented protocol."""

from __future__ import annotations

import http.client
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from local.payments import NowPaymentsSimulator
from local.payments.nowpayments.javascript import signature
from tests.local.payments.wire import Answer, Receiver, call

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY, SECRET = "key-of-a-test", "secret-of-a-test"
QUOTE_S, WEEK_S = 20 * 60, 7 * 86_400
GOOD = ["confirming", "confirmed", "sending", "finished"]
PARTIAL = ["confirming", "confirmed", "partially_paid"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def provider() -> Iterator[NowPaymentsSimulator]:
    with NowPaymentsSimulator(api_key=KEY, ipn_secret=SECRET) as simulator:
        simulator.prices.set_usd("ltc", Decimal(100))
        yield simulator


def ask(provider: NowPaymentsSimulator, method: str, path: str, body: Any = None) -> Answer:
    return call(provider.url, method, path, body, {"x-api-key": KEY})


def create(
    provider: NowPaymentsSimulator, receiver: Receiver | None = None, **more: Any
) -> dict[str, Any]:
    body = {
        "price_amount": 100,
        "price_currency": "usd",
        "pay_currency": "ltc",
        "order_id": "ord1-1",
        **({} if receiver is None else {"ipn_callback_url": receiver.url}),
        **more,
    }
    answer = ask(provider, "POST", "/v1/payment", body)
    assert answer.status == 201, answer.raw
    created: dict[str, Any] = answer.body
    return created


def get(provider: NowPaymentsSimulator, id: Any) -> Any:
    return ask(provider, "GET", f"/v1/payment/{id}").body


def simulate(
    provider: NowPaymentsSimulator, what: str, webhook: str = "normal", **more: Any
) -> Answer:
    wish = {"order": "ord1", "part": 1, "what": what, "webhook": webhook, **more}
    answer = call(provider.url, "POST", "/simulate", wish)
    assert provider.courier.wait()
    return answer


def told(receiver: Receiver) -> list[str]:
    return [body["payment_status"] for body in receiver.bodies]


def test_a_key_is_needed_but_for_the_status(provider: NowPaymentsSimulator) -> None:
    """403 with a code for a wrong or missing key; the list of payments wants a login, too."""
    assert call(provider.url, "GET", "/v1/status").body == {"message": "OK"}
    refused = call(provider.url, "GET", "/v1/currencies", headers={"x-api-key": "x"})
    assert (refused.status, refused.body["code"]) == (403, "INVALID_API_KEY")
    assert ask(provider, "GET", "/v1/payment/").status == 401
    assert ask(provider, "GET", "/v1/payment/1").status == 404


def test_the_coins_are_listed_in_each_form(provider: NowPaymentsSimulator) -> None:
    """At least 360 of them; the merchant's own list may be spelled in another way."""
    codes = ask(provider, "GET", "/v1/currencies?fixed_rate=true").body["currencies"]
    assert len(codes) >= 360
    assert {"btc", "eth", "usdttrc20", "usdterc20", "usdtbsc", "xrp", "xlm", "ton"} <= set(codes)
    full = ask(provider, "GET", "/v1/full-currencies").body["currencies"]
    assert {coin["code"] for coin in full if coin["extra_id_exists"]} >= {"XRP", "XLM"}
    assert ask(provider, "GET", "/v1/merchant/coins").body == {"currencies": codes}
    provider.switches.coins_selected_upper = True
    selected = ask(provider, "GET", "/v1/merchant/coins").body["selectedCurrencies"]
    assert [code.lower() for code in selected] == codes


def test_estimates_go_both_ways(provider: NowPaymentsSimulator) -> None:
    """Dollars to coins and back, as a number or as text; rupiah are not known."""
    there = "/v1/estimate?amount=250&currency_from=usd&currency_to=ltc"
    back = "/v1/estimate?amount=2.5&currency_from=ltc&currency_to=usd"
    assert ask(provider, "GET", there).body["estimated_amount"] == 2.5
    assert ask(provider, "GET", back).body["estimated_amount"] == 250
    provider.switches.estimate_string = True
    assert ask(provider, "GET", there).body["estimated_amount"] == "2.50000000"
    call(provider.url, "POST", "/prices", {"ltc": "50"})
    assert ask(provider, "GET", there).body["estimated_amount"] == "5.00000000"
    for query in ("amount=1&currency_from=idr&currency_to=ltc", "currency_from=usd&amount=x"):
        assert ask(provider, "GET", f"/v1/estimate?{query}").status == 400
    assert call(provider.url, "POST", "/prices", {"nothing": "1"}).status == 400


def test_minimums_are_told_and_kept(provider: NowPaymentsSimulator) -> None:
    """A smaller price is an AMOUNT_MINIMAL_ERROR; a fixed rate has a minimum of its own."""
    query = "/v1/min-amount?currency_from=ltc&fiat_equivalent=usd"
    least = ask(provider, "GET", query).body
    assert (least["min_amount"], least["fiat_equivalent"]) == (0.02, 2)
    assert ask(provider, "GET", query + "&is_fixed_rate=true").body["min_amount"] == 0.04
    provider.switches.target_needed = True
    assert ask(provider, "GET", query).status == 400
    body = {"price_amount": 1.99, "price_currency": "usd", "pay_currency": "ltc"}
    refused = ask(provider, "POST", "/v1/payment", body)
    assert (refused.status, refused.body["code"]) == (400, "AMOUNT_MINIMAL_ERROR")


@pytest.mark.parametrize(
    "wrong",
    [
        {"price_currency": "idr"},
        {"pay_currency": "nocoin"},
        {"price_amount": "NaN"},
        {"price_amount": None},
        {"price_amount": -1},
        {"pay_currency": "shib", "price_amount": 2500},
    ],
)
def test_payments_that_are_refused(provider: NowPaymentsSimulator, wrong: dict[str, Any]) -> None:
    """Unknown currencies, no amounts, and more than a coin's maximum."""
    body = {"price_amount": 100, "price_currency": "usd", "pay_currency": "ltc", **wrong}
    assert ask(provider, "POST", "/v1/payment", body).status == 400


def test_a_retry_makes_a_second_payment(provider: NowPaymentsSimulator) -> None:
    """There is no idempotency: the same order has two addresses, and the newest one is meant."""
    first, second = create(provider), create(provider)
    assert first["payment_id"] != second["payment_id"]
    assert first["pay_address"] != second["pay_address"]
    assert simulate(provider, "pay").body["payment_id"] == second["payment_id"]


def test_ids_are_text_when_created_and_numbers_later(
    provider: NowPaymentsSimulator, receiver: Receiver
) -> None:
    """As documented; a memo is given for coins that need one, and only for those."""
    made = create(provider, receiver)
    assert isinstance(made["payment_id"], str) and isinstance(made["purchase_id"], str)
    assert (made["pay_amount"], made["payment_status"]) == (1, "waiting")
    assert made["payin_extra_id"] is None
    later = get(provider, made["payment_id"])
    assert later["payment_id"] == int(made["payment_id"])
    assert isinstance(later["purchase_id"], int)
    assert (later["burning_percent"], later["payment_extra_ids"]) == ("null", [])
    assert "actually_paid_at_fiat" not in later
    assert create(provider, pay_currency="xrp")["payin_extra_id"].isdecimal()


def test_a_payment_walks_through_its_statuses(
    provider: NowPaymentsSimulator, receiver: Receiver
) -> None:
    """One signed notification for each; the money is in the truth with its worth."""
    made = create(provider, receiver, order_description="Kredit – é")
    simulate(provider, "pay")
    assert told(receiver) == GOOD
    for _, headers, body in receiver.got:
        assert headers["x-nowpayments-sig"] == signature(body, SECRET)
    last = receiver.bodies[-1]
    assert (last["actually_paid"], last["actually_paid_at_fiat"], last["outcome_amount"]) == (
        *(1, 100),
        0.995,
    )
    assert b"0.000083" in receiver.got[-1][2]
    assert last["order_description"] == "Kredit – é"
    receipt = provider.received[0]
    assert (receipt.payment_id, receipt.amount, receipt.usd, receipt.currency) == (
        *(made["payment_id"], "1"),
        *("100", "ltc"),
    )


@pytest.mark.parametrize(
    ("what", "cover", "end", "paid"),
    [
        ("less", 0.0, "partially_paid", 0.6),
        ("more", 0.0, "finished", 1.5),
        ("fee", 0.0, "partially_paid", 0.997),
        ("fee", 0.5, "finished", 0.997),
        ("below_minimum", 0.0, "failed", 0.0005),
    ],
)
def test_amounts_decide_how_it_ends(
    provider: NowPaymentsSimulator,
    receiver: Receiver,
    what: str,
    cover: float,
    end: str,
    paid: float,
) -> None:
    """Too little is part-paid unless covered, too much finished, next to nothing failed."""
    provider.switches.cover_percent = cover
    made = create(provider, receiver)
    simulate(provider, what)
    now = get(provider, made["payment_id"])
    assert (now["payment_status"], now["actually_paid"]) == (end, paid)
    assert told(receiver)[-1] == end
    assert len(provider.received) == (0 if end == "failed" else 1)


def test_a_second_deposit_is_a_child_at_the_present_price(
    provider: NowPaymentsSimulator, receiver: Receiver
) -> None:
    """A payment of its own below the first, which lists it; its price mirrors what arrived."""
    made = create(provider, receiver)
    simulate(provider, "pay")
    provider.prices.set_usd("ltc", Decimal(50))
    done = simulate(provider, "second_deposit", amount="0.5").body
    child_id = int(done["payment_ids"][1])
    assert get(provider, made["payment_id"])["payment_extra_ids"] == [child_id]
    child = get(provider, child_id)
    assert child["parent_payment_id"] == int(made["payment_id"])
    assert (child["price_amount"], child["pay_amount"], child["origin_type"]) == (
        *(25, 0.5),
        "REPEATED",
    )
    assert receiver.bodies[-1]["parent_payment_id"] == int(made["payment_id"])
    assert [receipt.usd for receipt in provider.received] == ["100", "25"]


def test_paying_twice_brings_the_whole_twice(
    provider: NowPaymentsSimulator, receiver: Receiver
) -> None:
    """Both deposits count; the account's default decides the child's status."""
    provider.switches.repeat_status = "partially_paid"
    create(provider, receiver)
    done = simulate(provider, "twice").body
    assert [one["status"] for one in done["payments"]] == ["finished", "partially_paid"]
    assert told(receiver) == [*GOOD, *PARTIAL]
    assert [receipt.amount for receipt in provider.received] == ["1", "1"]


def test_another_coin_is_a_child_or_goes_unseen(
    provider: NowPaymentsSimulator, receiver: Receiver
) -> None:
    """By default a part-paid child in that coin; by a switch nothing, until it is pushed."""
    made = create(provider, receiver)
    done = simulate(provider, "wrong_coin", coin="usdttrc20").body["payments"]
    assert [(one["status"], one["currency"]) for one in done] == [
        ("waiting", "ltc"),
        ("partially_paid", "usdttrc20"),
    ]
    assert provider.received[0].currency == "usdttrc20"
    provider.switches.wrong_coin_manual = True
    create(provider, receiver, order_id="ord2-1")
    assert len(simulate(provider, "wrong_coin", order="ord2").body["payments"]) == 1
    provider.clock.advance(WEEK_S + 60)
    assert get(provider, made["payment_id"])["payment_status"] == "expired"
    pushed = simulate(provider, "push", order="ord2").body["payments"]
    assert [one["status"] for one in pushed] == ["expired", "partially_paid"]


def test_a_fixed_rate_lasts_twenty_minutes(provider: NowPaymentsSimulator) -> None:
    """Then the payment expires; another one lives for a week, with a quote that can be renewed."""
    fixed = create(provider, is_fee_paid_by_user=True)
    free = create(provider, order_id="ord2-1")
    assert fixed["is_fixed_rate"] is True
    assert fixed["valid_until"] == fixed["expiration_estimate_date"]
    provider.clock.advance(QUOTE_S + 60)
    assert get(provider, fixed["payment_id"])["payment_status"] == "expired"
    assert get(provider, free["payment_id"])["payment_status"] == "waiting"
    provider.prices.set_usd("ltc", Decimal(50))
    path = f"/v1/payment/{free['payment_id']}/update-merchant-estimate"
    assert ask(provider, "POST", path).body["pay_amount"] == 2
    provider.clock.advance(WEEK_S)
    assert get(provider, free["payment_id"])["payment_status"] == "expired"


def test_late_deposits_are_booked_at_once_or_by_a_push(
    provider: NowPaymentsSimulator, receiver: Receiver
) -> None:
    """The payment expires, then the money comes: seen, or not until somebody pushes it."""
    create(provider, receiver)
    simulate(provider, "late")
    assert told(receiver) == ["expired", *GOOD]
    made = create(provider, order_id="ord2-1")
    simulate(provider, "late_unseen", order="ord2")
    assert get(provider, made["payment_id"])["payment_status"] == "expired"
    assert simulate(provider, "push", order="ord2").body["status"] == "finished"
    assert simulate(provider, "push", order="ord2").status == 409


def test_a_missing_memo_hides_the_deposit(provider: NowPaymentsSimulator) -> None:
    """Nothing is detected until it is pushed; coins without memos cannot lack one."""
    create(provider)
    assert simulate(provider, "no_memo").status == 400
    create(provider, pay_currency="xlm", order_id="ord2-1")
    assert simulate(provider, "no_memo", order="ord2").body["status"] == "waiting"
    assert provider.received == []
    assert simulate(provider, "push", order="ord2").body["status"] == "finished"


def test_confirmations_can_be_slow(provider: NowPaymentsSimulator, receiver: Receiver) -> None:
    """A minute of the clock between the steps; the money counts from its sending."""
    made = create(provider, receiver)
    simulate(provider, "confirm_slowly")
    sent_ms = provider.clock.now_ms()
    for expected in GOOD[1:]:
        assert provider.received == []
        provider.clock.advance(60)
        assert get(provider, made["payment_id"])["payment_status"] == expected
    assert provider.courier.wait()
    assert told(receiver) == GOOD
    assert abs(provider.received[0].at_ms - sent_ms) < 30_000


def test_refunds_cancellations_and_strange_statuses(provider: NowPaymentsSimulator) -> None:
    """Finished then refunded; cancelled only when part-paid; a status that nobody documents."""
    create(provider)
    assert simulate(provider, "refund").status == 409
    simulate(provider, "pay")
    assert simulate(provider, "cancel").status == 409
    assert simulate(provider, "refund").body["status"] == "refunded"
    assert [receipt.kind for receipt in provider.received] == ["received", "returned"]
    create(provider, order_id="ord2-1")
    simulate(provider, "less", order="ord2")
    assert simulate(provider, "cancel", order="ord2").body["status"] == "cancelled"
    create(provider, order_id="ord3-1")
    assert simulate(provider, "unknown_status", order="ord3").body["status"] == "under_review"
    create(provider, order_id="ord4-1")
    assert simulate(provider, "wrong_network", order="ord4").body["status"] == "expired"
    assert simulate(provider, "partial_refund").status == 400


@pytest.mark.parametrize(
    ("case", "end"), [("success", "finished"), ("failed", "failed"), ("partially_paid",) * 2]
)
def test_the_sandbox_case_plays_itself(
    provider: NowPaymentsSimulator, receiver: Receiver, case: str, end: str
) -> None:
    """`case` at the creation emulates the course, with notifications."""
    made = create(provider, receiver, case=case)
    assert provider.courier.wait()
    assert get(provider, made["payment_id"])["payment_status"] == end == told(receiver)[-1]


def test_types_drift_by_switches(provider: NowPaymentsSimulator, receiver: Receiver) -> None:
    """Ids, amounts, nulls, the status's case, spelling of numbers: each can be another's."""
    for name, value in (
        *(("payment_id_as", "string"), ("price_amount_string", True), ("null_strings", True)),
        *(("upper_case_status", True), ("unknown_fields", True), ("number_spelling", "python")),
        ("signed_arrays", "object"),
    ):
        assert call(provider.url, "POST", "/switches", {name: value}).status == 200
    made = create(provider, receiver)
    simulate(provider, "pay")
    got = get(provider, made["payment_id"])
    assert (got["payment_id"], got["price_amount"]) == (made["payment_id"], "100")
    assert (got["payment_status"], got["invoice_id"]) == ("FINISHED", "null")
    simulate(provider, "second_deposit")
    simulate(provider, "replay")
    _, headers, raw = receiver.got[3]
    assert b'"actually_paid":1.0,' in raw and b"8.3e-05" in raw
    assert headers["x-nowpayments-sig"] == signature(raw, SECRET, "object")
    for wrong in ({"nothing": 1}, {"null_strings": 1}):
        assert call(provider.url, "POST", "/switches", wrong).status == 400


def test_faults_strike_single_requests(provider: NowPaymentsSimulator) -> None:
    """A burst of 429, an error, a page for JSON, and an answer lost after the payment was made."""
    provider.faults.add("429", "/v1/estimate", times=2)
    provider.faults.add("500", "/v1/currencies")
    provider.faults.add("garbage", "/v1/currencies")
    query = "/v1/estimate?amount=1&currency_from=usd&currency_to=ltc"
    assert [ask(provider, "GET", query).status for _ in range(3)] == [429, 429, 200]
    assert ask(provider, "GET", "/v1/currencies").status == 500
    with pytest.raises(json.JSONDecodeError):
        _ = ask(provider, "GET", "/v1/currencies").body
    provider.faults.add("drop_after", "/v1/payment", method="POST")
    with pytest.raises((http.client.HTTPException, OSError)):
        create(provider)
    assert simulate(provider, "pay").body["status"] == "finished"
    assert call(provider.url, "POST", "/faults", {"kind": "flood"}).status == 400


def test_without_a_secret_nobody_is_notified(receiver: Receiver) -> None:
    """As the provider does; the state changes all the same."""
    with NowPaymentsSimulator(api_key=KEY, ipn_secret="") as provider:
        create(provider, receiver)
        assert simulate(provider, "pay").body["status"] == "finished"
        assert receiver.got == []
