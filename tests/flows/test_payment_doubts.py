"""What a provider says and nobody should simply believe; what is left for a person."""

from __future__ import annotations

from decimal import Decimal

import pytest

from osiris.flows import keys, orders
from osiris.flows.credit import grant
from osiris.ledger.order import (
    CRYPTO,
    KEY_DELETED,
    NOT_ACCEPTED,
    QRIS,
    UNDONE,
    VALUE_UNKNOWN,
)
from osiris.ledger.payment import ENDED
from osiris.money import NANO_PER_DOLLAR
from tests.flows.topup_customer import DAY_MS, MINUTE_MS, Customer, payment_id

DOLLAR = NANO_PER_DOLLAR


@pytest.mark.parametrize(("share", "dollars"), [("0.01", 1), ("0.949", 94), ("0.951", 100)])
def test_a_price_that_is_called_met_must_nearly_be(ada: Customer, share: str, dollars: int) -> None:
    """A provider's "finished" turns no trifle into a package: it covers 5 % at most."""
    order = ada.order(method=CRYPTO)
    ada.pay(order, share=share)
    ada.provider(order).change(payment_id(order), complete=True)
    ada.told(order)
    assert int(ada.dollars) == dollars


def test_money_that_the_provider_did_not_accept(ada: Customer) -> None:
    """Below its minimum, or not recognised: nothing is credited, and a person is told."""
    order = ada.order(method=CRYPTO)
    ada.provider(order).detect(payment_id(order))
    ada.told(order)
    ada.provider(order).change(
        payment_id(order), state=ENDED, told="failed", held=Decimal("0.0001")
    )
    order = ada.watched(order)
    assert (order.problem, order.problem_of) == (NOT_ACCEPTED, payment_id(order))
    assert ada.dollars == 0
    assert (
        orders.assign(
            ada.world.app,
            order.id,
            ada.key_id,
            payment_id=payment_id(order),
            amount_nano=5 * DOLLAR,
        )
        == 5 * DOLLAR
    )
    assert (ada.dollars, ada.stored(order).problem) == (5, "")


def test_a_credited_payment_that_was_never_paid(ada: Customer) -> None:
    """The provider's other word moves nothing by itself: a person is told."""
    order = ada.bought()
    ada.provider(order).change(payment_id(order), state=ENDED, told="deny", received=Decimal(0))
    order = ada.watched(order)
    assert (order.problem, ada.dollars) == (UNDONE, 100)


def test_a_value_beyond_belief_is_looked_at(ada: Customer) -> None:
    """Ten packages' worth beside the quote is the most that is credited unseen."""
    order = ada.bought(method=CRYPTO)
    provider = ada.provider(order)
    provider.deposit(payment_id(order), Decimal("0.02"))
    order = ada.watched(order)
    assert (ada.dollars, order.problem) == (1_100, "")
    provider.coin_dollars *= 10**12
    provider.deposit(payment_id(order), Decimal("0.02"))
    order = ada.watched(order, after_ms=DAY_MS)
    assert (ada.dollars, order.problem) == (1_100, VALUE_UNKNOWN)


def test_a_key_that_did_not_order_gets_no_expired_credit_back(ada: Customer) -> None:
    """A payment given to another key counts from now on, whenever it was made."""
    app = ada.world.app
    order = ada.order()
    ada.pay(order)
    keys.delete(app, "ada", ada.key_id)
    ada.told(order)
    other = ada._replace(key_id=keys.create(app, "ada", name="other").key.id)
    grant(app, other.key_id, amount_nano=2_500 * DOLLAR, days=1)
    other.swept(after_ms=2 * DAY_MS)
    assert orders.assign(app, order.id, other.key_id) == 100 * DOLLAR
    assert other.dollars == 100


def test_what_is_decided_is_decided_for_that_payment_alone(ada: Customer) -> None:
    """The next part that comes for the deleted key is told of as the first one was."""
    app = ada.world.app
    order = ada.order("2500")
    keys.delete(app, "ada", ada.key_id)
    for part in (1, 2):
        ada.pay(order, part)
        ada.told(order, part)
        order = ada.stored(order)
        assert (order.problem, order.problem_of) == (KEY_DELETED, payment_id(order, part))
        assert orders.resolve(app, order.id) == KEY_DELETED
        order = ada.watched(order, after_ms=DAY_MS)
        assert order.problem == ""
        assert orders.resolve(app, order.id) == ""


def test_two_refunds_that_are_not_told_yet_are_two(ada: Customer) -> None:
    """Another amount is another refund, though the provider has not told of the first one."""
    order = ada.bought()
    provider = ada.provider(order)
    told = provider.payments[payment_id(order)]
    for amount in (100_000, 500_000):
        orders.refund(
            ada.world.app, order.id, payment_id(order), amount=Decimal(amount), manual=False
        )
        provider.payments[payment_id(order)] = told
    assert sorted(provider.refunds.values()) == [100_000, 500_000]


@pytest.mark.parametrize("method", [QRIS, CRYPTO])
def test_a_quote_ends_no_later_than_its_provider_says(
    ada: Customer, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """A coin's price is no option for hours."""
    provider = ada.money.providers.of("midtrans" if method == QRIS else "nowpayments")
    start = provider.start
    early_ms = ada.world.now_ms + 5 * MINUTE_MS
    monkeypatch.setattr(
        provider, "start", lambda bill: start(bill)._replace(expires_at_ms=early_ms)
    )
    assert ada.order(method=method).expires_at_ms == early_ms


def test_a_payment_without_a_time_came_when_we_heard(
    ada: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the quote's life it buys at the quote, whatever the coin is worth by then."""
    provider = ada.money.providers.crypto
    monkeypatch.setattr(provider, "coin_dollars", provider.coin_dollars)
    order = ada.order(method=CRYPTO)
    ada.pay(order)
    provider.change(payment_id(order), paid_at_ms=0)
    provider.coin_dollars *= Decimal("0.5")
    ada.told(order)
    assert ada.dollars == 100


def test_new_deposits_are_asked_about_before_old_ones(ada: Customer) -> None:
    """However many were made to one address, and though no webhook told of any."""
    order = ada.bought(method=CRYPTO)
    provider = ada.provider(order)
    for _ in range(2):
        for _ in range(15):
            provider.deposit(payment_id(order), Decimal("0.001"))
        order = ada.watched(order, after_ms=DAY_MS)
    assert ada.dollars == 100 + 30 * 50
