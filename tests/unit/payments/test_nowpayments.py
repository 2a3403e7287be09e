"""NOWPayments' adapter: creating, asking and valuing, on a scripted origin."""

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
from osiris.payments import Bill, Provider, nowpayments, provider
from tests.unit.payments.provider_origin import (
    HOSTILE,
    NOW_MS,
    Script,
    cut,
    says,
    scripted,
    silent,
)

KEY = "TESTKEY-NOWPAYMENTS"
REFERENCE = "ord_0QWErTyu12345678-1"
BILL = Bill(
    REFERENCE, Decimal(100), "usdttrc20", "Credit – $100", 1_200_000, NOW_MS, "https://a.example/n"
)
CREATED: dict[str, Any] = {
    "payment_id": "5745459419",
    "payment_status": "waiting",
    "pay_address": "TSszwFcbpkrZ2H85ZKsB6bEV5ffAv6kKai",
    "price_amount": 100,
    "price_currency": "usd",
    "pay_amount": 100.25317,
    "pay_currency": "usdttrc20",
    "order_id": REFERENCE,
    "created_at": "2026-11-23T15:00:00.000Z",
    "updated_at": "2026-11-23T15:00:00.000Z",
    "purchase_id": "5837122679",
    "payin_extra_id": None,
    "network": "trx",
    "burning_percent": "null",
    "expiration_estimate_date": "2026-11-23T15:20:00.418Z",
    "valid_until": "2026-11-30T15:00:00.418Z",
}
BUSY = says({"statusCode": 429, "code": "TOO_MANY_REQUESTS"}, 429)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    monkeypatch.setattr(nowpayments, "CALL_TIMEOUT_MS", 150)
    with scripted() as made:
        made.secrets["nowpayments-api-key"] = f" {KEY}\n"
        made.secrets["nowpayments-ipn-secret"] = "test_ipn_secret"
        yield made


@pytest.fixture
def adapter(script: Script) -> Iterator[Provider]:
    made = provider("nowpayments", script.surroundings())
    yield made
    made._origin.close()  # type: ignore[attr-defined]


def test_a_payment_is_created_at_a_fixed_rate(script: Script, adapter: Provider) -> None:
    """One POST: dollars by their own digits, our reference and webhook, nothing but ASCII."""
    script.will(says(CREATED, 201))
    started = adapter.start(BILL)
    assert started.payment_id == "5745459419"
    assert (str(started.amount), started.currency) == ("100.25317", "usdttrc20")
    assert started.address == started.qr_text == CREATED["pay_address"]
    assert (started.memo, started.network) == ("", "trx")
    assert started.expires_at_ms == NOW_MS + 1_200_418
    (asked,) = script.asked
    assert asked.line == "POST /v1/payment HTTP/1.1"
    assert asked.headers["x-api-key"] == KEY
    assert asked.body.isascii()
    assert asked.members == {
        "price_amount": 100,
        "price_currency": "usd",
        "pay_currency": "usdttrc20",
        "order_id": REFERENCE,
        "order_description": "Credit  $100",
        "is_fixed_rate": True,
        "is_fee_paid_by_user": False,
        "ipn_callback_url": "https://a.example/n",
    }


def test_a_price_of_cents_is_sent_by_its_digits(script: Script, adapter: Provider) -> None:
    """No float stands between the price and the body."""
    script.will(says(CREATED), says(CREATED))
    for price, text in ((Decimal("1E+2"), b"100"), (Decimal("100.00"), b"100.00")):
        adapter.start(BILL._replace(price=price))
        assert script.asked[-1].body.startswith(b'{"price_amount":' + text + b",")


def test_numbers_may_be_texts(script: Script, adapter: Provider) -> None:
    """Ids and amounts come as either; a memo is passed on; the end may be told otherwise."""
    drifted = {
        **CREATED,
        "payment_id": 5745459419,
        "price_amount": "100.00",
        "price_currency": "USD",
        "pay_amount": "0.000000123456789012",
        "pay_currency": "USDTTRC20",
        "payin_extra_id": 987654,
        "expiration_estimate_date": None,
        "network": "TRX",
    }
    without_end = {**drifted, "valid_until": "valid_until_timestamp"}
    script.will(says(drifted, 201), says(without_end, 201))
    started = adapter.start(BILL)
    assert (started.payment_id, started.memo, started.network) == ("5745459419", "987654", "trx")
    assert f"{started.amount:f}" == "0.000000123456789012"
    assert started.expires_at_ms == NOW_MS + 7 * 86_400_000 + 418
    assert adapter.start(BILL).expires_at_ms == NOW_MS + BILL.lives_ms


@pytest.mark.parametrize(
    ("coin", "network", "text"),
    [
        ("btc", "btc", "bitcoin:ADDRESS?amount=0.00000001"),
        ("ltc", None, "litecoin:ADDRESS?amount=0.00000001"),
        ("doge", "doge", "dogecoin:ADDRESS?amount=0.00000001"),
        ("btc", "bsc", "ADDRESS"),
        ("eth", "eth", "ADDRESS"),
        ("xrp", "xrp", "ADDRESS"),
    ],
)
def test_a_qr_code_is_an_uri_where_wallets_know_one(
    script: Script, adapter: Provider, coin: str, network: str | None, text: str
) -> None:
    """With the amount written out; the bare address for every other coin or network."""
    created = {**CREATED, "pay_currency": coin, "network": network, "pay_amount": 1e-8}
    script.will(says({**created, "pay_address": "ADDRESS"}, 201))
    assert adapter.start(BILL._replace(coin=coin)).qr_text == text


@pytest.mark.parametrize("fault", [silent, cut])
def test_a_creation_of_unknown_outcome_is_not_repeated(
    script: Script, adapter: Provider, fault: Any
) -> None:
    """A second would be a second payment; and no kept connection is trusted with it."""
    script.will(says({"currencies": []}), says({"currencies": []}), fault)
    adapter.coins()
    with pytest.raises(ProviderUnavailable):
        adapter.start(BILL)
    assert len(script.asked) == 3


def test_a_creation_that_was_not_sent_is_tried_again(script: Script, adapter: Provider) -> None:
    """Nobody there: once more, then unavailability."""
    away = nowpayments.Provider(script.surroundings()._replace(base_url="http://127.0.0.1:1"))
    with pytest.raises(ProviderUnavailable):
        away.start(BILL)


def test_a_busy_provider_is_waited_for(script: Script, adapter: Provider) -> None:
    """429 says that nothing was done: twice again after short waits, then unavailability."""
    script.will(BUSY, BUSY, says(CREATED, 201), BUSY, says(CREATED), BUSY, BUSY, BUSY)
    assert adapter.start(BILL).payment_id == "5745459419"
    assert adapter.status("5745459419", timeout_ms=500).state == "waiting"
    with pytest.raises(ProviderUnavailable):
        adapter.status("5745459419", timeout_ms=500)
    assert len(script.asked) == 8
    assert script.slept_ms == [250, 600, 250, 250, 600]


@pytest.mark.parametrize("status", [400, 422])
def test_a_bill_it_will_not_take_is_refused(script: Script, adapter: Provider, status: int) -> None:
    """Its words go to the log alone, without our key."""
    body = {"status": False, "code": "AMOUNT_MINIMAL_ERROR", "message": f"too little\n{KEY}"}
    script.will(says(body, status))
    with pytest.raises(BillRefused) as refused:
        adapter.start(BILL)
    assert refused.value.message == BillRefused.message
    assert refused.value.details == f"nowpayments: {status} AMOUNT_MINIMAL_ERROR too little …"
    with pytest.raises(BillRefused):
        adapter.start(BILL._replace(coin="usdt&x=1"))
    assert len(script.asked) == 1


@pytest.mark.parametrize(
    "reply",
    [
        says({"code": "INVALID_API_KEY"}, 403),
        says({"code": "INTERNAL_ERROR"}, 500),
        says(b"<html>", 502),
        says({**CREATED, "order_id": "another"}, 201),
        says({**CREATED, "price_amount": 99}, 201),
        says({**CREATED, "price_currency": "eur"}, 201),
        says({**CREATED, "pay_currency": "btc"}, 201),
        says({**CREATED, "pay_amount": 0}, 201),
        says({**CREATED, "pay_amount": None}, 201),
        says({**CREATED, "pay_amount": "NaN"}, 201),
        says({**CREATED, "pay_amount": -1}, 201),
        says({**CREATED, "pay_address": ""}, 201),
        says({**CREATED, "payment_id": None}, 201),
        says({**CREATED, "payment_id": "../x"}, 201),
        *(says(body, 201) for body in HOSTILE.values()),
    ],
)
def test_what_is_no_answer_is_unavailability(
    script: Script, adapter: Provider, reply: bytes
) -> None:
    """Our key, their fault, another payment's answer, nothing to pay, no JSON: later again."""
    script.will(reply)
    with pytest.raises(ProviderUnavailable) as failed:
        adapter.start(BILL)
    assert KEY not in (failed.value.details or "")
    assert len(script.asked) == 1


def test_a_status_is_asked_by_the_payments_id(script: Script, adapter: Provider) -> None:
    """One GET; a connection that broke meanwhile costs a second, a silence does not."""
    script.will(says({**CREATED, "payment_id": 5745459419}), cut, says(CREATED), silent)
    assert adapter.status("5745459419", timeout_ms=500).state == "waiting"
    assert adapter.status("5745459419", timeout_ms=500).state == "waiting"
    with pytest.raises(ProviderUnavailable):
        adapter.status("5745459419", timeout_ms=100)
    assert [asked.line for asked in script.asked] == ["GET /v1/payment/5745459419 HTTP/1.1"] * 4


def test_an_unknown_payment_is_told(script: Script, adapter: Provider) -> None:
    """404; an id that can be none is not even asked; another payment's answer is no answer."""
    script.will(says({"statusCode": 404}, 404), says(CREATED))
    with pytest.raises(PaymentNotFound):
        adapter.status("1", timeout_ms=500)
    for never in ("", "..", "a/b", "ä"):
        with pytest.raises(PaymentNotFound):
            adapter.status(never, timeout_ms=500)
    with pytest.raises(ProviderUnavailable):
        adapter.status("1", timeout_ms=500)
    assert len(script.asked) == 2


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_status_is_unavailability(script: Script, adapter: Provider, body: bytes) -> None:
    """Nothing that is not a status passes for one."""
    script.will(says(body))
    with pytest.raises(ProviderUnavailable):
        adapter.status("5745459419", timeout_ms=500)


def test_nothing_can_be_cancelled_or_refunded(script: Script, adapter: Provider) -> None:
    """There are no such calls."""
    assert not adapter.cancel("5745459419")
    with pytest.raises(RefundByHand):
        adapter.refund("5745459419", amount=Decimal(1), key="k", reason="")
    assert script.asked == []


def test_the_least_is_told_in_dollars(script: Script, adapter: Provider) -> None:
    """At a fixed rate; some coins want the payout's named; a coin's amount is valued."""
    script.will(
        says({"min_amount": 3.5, "fiat_equivalent": 3.4999}),
        says({"message": "currency_to is required"}, 400),
        says({"min_amount": "0.0001", "fiat_equivalent": "8.15"}),
        says({"min_amount": 1e-7, "fiat_equivalent": None}),
        says({"estimated_amount": "0.011"}),
    )
    assert adapter.least_dollars("usdttrc20") == Decimal("3.4999")
    assert adapter.least_dollars("btc") == Decimal("8.15")
    assert adapter.least_dollars("btc") == Decimal("0.011")
    asked = "GET /v1/min-amount?currency_from=btc&fiat_equivalent=usd&is_fixed_rate=true"
    assert script.asked[1].line == f"{asked} HTTP/1.1"
    assert script.asked[2].line == f"{asked}&currency_to=btc HTTP/1.1"
    estimate = "GET /v1/estimate?amount=0.0000001&currency_from=btc&currency_to=usd HTTP/1.1"
    assert script.asked[4].line == estimate


def test_a_coin_it_does_not_take_is_refused(script: Script, adapter: Provider) -> None:
    """400 both ways, of the least and of the value; anything else is unavailability."""
    no = says({"code": "CURRENCY_NOT_FOUND"}, 400)
    script.will(no, no, no, says({}, 500), says({"estimated_amount": None}))
    with pytest.raises(BillRefused):
        adapter.least_dollars("x&y=1")
    assert "currency_from=x%26y%3D1&" in script.asked[0].line
    with pytest.raises(BillRefused):
        adapter.value_dollars("x", Decimal(1))
    for _ in range(2):
        with pytest.raises(ProviderUnavailable):
            adapter.value_dollars("btc", Decimal(1))


def test_a_value_is_the_provider_s_estimate(script: Script, adapter: Provider) -> None:
    """The amount is written out; the answer is exact, a number or a text."""
    script.will(says({"estimated_amount": 12.98513924}), says({"estimated_amount": "13.00982534"}))
    assert adapter.value_dollars("btc", Decimal("1E-8")) == Decimal("12.98513924")
    assert adapter.value_dollars("btc", Decimal("1E+2")) == Decimal("13.00982534")
    assert "amount=0.00000001&" in script.asked[0].line
    assert "amount=100&" in script.asked[1].line


@pytest.mark.parametrize("secret", ["", "  \n"])
def test_without_secrets_nothing_is_done(script: Script, adapter: Provider, secret: str) -> None:
    """An empty secret is none, for calls and for webhooks."""
    script.secrets = {"nowpayments-api-key": secret, "nowpayments-ipn-secret": secret}
    with pytest.raises(PaymentsNotOffered):
        adapter.start(BILL)
    with pytest.raises(PaymentsNotOffered):
        adapter.verify({}, b"{}")
    assert script.asked == []


def test_a_secret_that_no_header_takes_is_unavailability(script: Script, adapter: Provider) -> None:
    """Nothing is sent, and nothing tells the secret."""
    script.secrets["nowpayments-api-key"] = "line\nbreak"
    with pytest.raises(ProviderUnavailable) as failed:
        adapter.start(BILL)
    assert "break" not in (failed.value.details or "").replace("line break", "")
    assert script.asked == []
