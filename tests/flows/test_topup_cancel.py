"""Cancelling an order: in each of its states, and against a payment that comes meanwhile."""

from __future__ import annotations

import pytest

from osiris.errors import StoreUnavailable
from osiris.flows import topup
from osiris.ledger.order import (
    CANCELLED,
    CREDITED,
    CRYPTO,
    PART_PAID,
    PENDING,
    QRIS,
    QUOTED,
    REFUNDED,
)
from osiris.ledger.payment import ENDED, WAITING
from osiris.payment_errors import OrderEnded, ProviderUnavailable
from tests.builders import preceded_by, unreachable
from tests.flows.topup_customer import MINUTE_MS, Customer, payment_id

BOTH = pytest.mark.parametrize("method", [QRIS, CRYPTO])


def cancel(ada: Customer, order_id: str) -> str:
    """The order's state after it was cancelled."""
    return topup.cancel(ada.world.app, "ada", order_id).order.state


@BOTH
def test_a_pending_order_is_cancelled(ada: Customer, method: str) -> None:
    """And frees its key's place; the provider is told where it can be."""
    order = ada.order(method=method)
    assert cancel(ada, order.id) == CANCELLED
    told = ada.provider(order).payments[payment_id(order)].state
    assert (told == ENDED) == (method == QRIS)
    assert ada.order(method=method).id != order.id


def test_each_part_is_cancelled(ada: Customer) -> None:
    """No QR code of it can be paid any more."""
    order = ada.order("2500")
    cancel(ada, order.id)
    assert {paid.state for paid in ada.provider(order).payments.values()} == {ENDED}


def test_an_order_that_was_never_started(ada: Customer) -> None:
    """There is nothing to tell the provider."""
    ada.world.meet("UpdateItem", unreachable)
    with pytest.raises(StoreUnavailable):
        ada.order()
    (order,), _ = topup.list_orders(ada.world.app, "ada", after_id="", most=9)
    assert order.state == QUOTED
    assert cancel(ada, order.id) == CANCELLED


@BOTH
def test_what_has_ended_is_not_cancelled(ada: Customer, method: str) -> None:
    """Credited, in part or wholly, refunded, expired, cancelled before."""
    order = ada.bought(method=method)
    provider = ada.provider(order)
    with pytest.raises(OrderEnded):
        cancel(ada, order.id)
    provider.give_back(payment_id(order))
    ada.told(order)
    assert ada.state(order) == REFUNDED
    with pytest.raises(OrderEnded):
        cancel(ada, order.id)
    half = ada.order(method=method)
    ada.pay(half, share="0.5")
    ada.told(half)
    assert ada.state(half) == PART_PAID
    with pytest.raises(OrderEnded):
        cancel(ada, half.id)
    ada.world.pass_ms(30 * MINUTE_MS)
    cancelled = ada.order(method=method)
    cancel(ada, cancelled.id)
    with pytest.raises(OrderEnded):
        cancel(ada, cancelled.id)
    expired = ada.order(method=method)
    ada.watched(expired, after_ms=30 * MINUTE_MS)
    with pytest.raises(OrderEnded):
        cancel(ada, expired.id)


@BOTH
def test_a_payment_that_came_first_wins(ada: Customer, method: str) -> None:
    """The provider can't cancel what is paid: it is credited instead, though no webhook came."""
    order = ada.order(method=method)
    ada.pay(order)
    with pytest.raises(OrderEnded):
        cancel(ada, order.id)
    assert (ada.state(order), ada.dollars) == (CREDITED, 100)


@BOTH
def test_a_payment_told_while_it_is_cancelled(ada: Customer, method: str) -> None:
    """The quote's end and the credit don't undo each other: the money is there."""
    order = ada.order(method=method)

    def paid() -> None:
        ada.provider(order).pay(payment_id(order))
        ada.told(order)

    ada.world.meet("UpdateItem", preceded_by(paid))
    cancel(ada, order.id)
    assert (ada.state(order), ada.dollars) == (CREDITED, 100)


def test_a_part_that_is_paid_keeps_the_others_alive(ada: Customer) -> None:
    """What nobody told us yet is asked before any code is cancelled."""
    order = ada.order("2500")
    ada.pay(order, part=2)
    with pytest.raises(OrderEnded):
        cancel(ada, order.id)
    assert ada.state(order) == PART_PAID
    assert ada.provider(order).payments[payment_id(order, 1)].state == WAITING


def test_a_part_paid_while_others_are_cancelled_ends_the_order(
    ada: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its codes are dead, so it is shown to be over, and the key's place is free."""
    order = ada.order("2500")
    provider = ada.provider(order)
    once = provider.cancel

    def cancel_late(id: str) -> bool:
        if id == payment_id(order, 3):
            provider.pay(id)
        return once(id)

    monkeypatch.setattr(provider, "cancel", cancel_late)
    cancel(ada, order.id)
    stored = ada.stored(order)
    assert (stored.state, ada.state(order), ada.dollars) == (CANCELLED, PART_PAID, 500)
    assert ada.order("2500").id != order.id


@BOTH
def test_money_for_a_cancelled_order_is_credited(ada: Customer, method: str) -> None:
    """It was really received; the watch still asks."""
    order = ada.order(method=method)
    cancel(ada, order.id)
    ada.pay(order)
    ada.watched(order)
    assert (ada.state(order), ada.dollars) == (CREDITED, 100)


def test_two_who_cancel_at_once(ada: Customer) -> None:
    """One does; the other hears that it has ended."""
    order = ada.order()
    ada.world.meet("UpdateItem", preceded_by(lambda: cancel(ada, order.id)))
    with pytest.raises(OrderEnded):
        cancel(ada, order.id)
    assert ada.state(order) == CANCELLED


def test_a_provider_away_cancels_nothing(ada: Customer) -> None:
    """The order stays as it is; the customer is told to try again."""
    order = ada.order()
    ada.provider(order).away = True
    with pytest.raises(ProviderUnavailable):
        cancel(ada, order.id)
    assert ada.state(order) == PENDING


def test_a_coin_is_cancelled_while_its_provider_is_away(
    ada: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no such call: the order ends here, and what comes is credited later."""
    order = ada.order(method=CRYPTO)
    ada.pay(order)
    provider = ada.provider(order)
    monkeypatch.setattr(provider, "cancel", lambda _: False)
    provider.away = True
    assert cancel(ada, order.id) == CANCELLED
    provider.away = False
    ada.watched(order)
    assert (ada.state(order), ada.dollars) == (CREDITED, 100)
