"""Top-ups from order to credit, over the in-memory store and scripted providers."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from osiris.ledger.expiry import months_later
from osiris.ledger.order import CREDITED, CRYPTO, PART_PAID, PENDING, QRIS, shown_state
from tests.flows.topup_customer import DAY_MS, DOLLAR, MINUTE_MS, Customer

if TYPE_CHECKING:
    from osiris.store.outbox import Event

BOTH = pytest.mark.parametrize("method", [QRIS, CRYPTO])


@BOTH
def test_a_paid_order_is_credited_once(ada: Customer, method: str) -> None:
    """The key gets the package and a month; asking again changes nothing."""
    order = ada.order(method=method)
    assert order.state == PENDING
    ada.pay(order)
    paid_at_ms = ada.world.now_ms + MINUTE_MS
    for _ in range(3):
        order = ada.watched(order)
    assert shown_state(order) == CREDITED
    assert ada.key.balance_nano == ada.key.available_nano == 100 * DOLLAR
    assert ada.key.expires_at_ms == months_later(paid_at_ms, 1)
    assert ada.postings == [("purchase", 100)]


def test_an_order_says_how_it_is_paid(ada: Customer) -> None:
    """A QR code's text and whole rupiah at the rate quoted; an address and an amount of a coin."""
    order = ada.order()
    (part,) = order.parts
    assert (part.price, part.amount, part.currency, part.qr_text) == (
        "1791700",
        "1791700",
        "IDR",
        "qr",
    )
    assert (order.rate, order.rate_source) == ("17917", "er-api")
    assert order.expires_at_ms == ada.world.now_ms + 20 * MINUTE_MS
    coins = ada.order(method=CRYPTO)
    (part,) = coins.parts
    assert (part.price, part.amount, part.currency) == ("100", "0.00200000", "btc")
    assert part.address == f"address-of-{part.payment_id}"
    assert (coins.rate, coins.coin) == ("", "btc")


def test_a_large_package_is_several_payments(ada: Customer) -> None:
    """Each is credited as it is paid, all come to the package, and the expiry moves once."""
    order = ada.order("2500")
    assert len(order.parts) == 5
    assert max(int(part.price) for part in order.parts) <= 10_000_000
    assert sum(int(part.price) for part in order.parts) == 2500 * 17917
    ada.pay(order, part=2)
    order = ada.watched(order)
    assert shown_state(order) == PART_PAID
    expires_at_ms = ada.key.expires_at_ms
    for number in (1, 3, 4, 5):
        ada.pay(order, part=number)
    order = ada.watched(order)
    assert shown_state(order) == CREDITED
    assert ada.key.balance_nano == 2500 * DOLLAR
    assert ada.key.expires_at_ms == expires_at_ms


def test_a_part_after_the_credit_expired_extends_again(ada: Customer) -> None:
    """The first part moved the expiry; a month later a late one finds it gone, and moves it."""
    order = ada.order("1000")
    ada.pay(order, part=1)
    ada.told(order, part=1)
    ada.swept(after_ms=40 * DAY_MS)
    ada.pay(order, part=2)
    ada.told(order, part=2)
    assert ada.key.expires_at_ms == months_later(ada.world.now_ms, 1)
    assert ada.postings == [("purchase", 500), ("forfeiture", -500), ("purchase", 500)]
    assert ada.state(order) == CREDITED


def test_purchases_in_a_row_reach_three_months(ada: Customer) -> None:
    """Each adds a month, the fourth nothing; the money is added each time."""
    bought_at_ms = ada.world.now_ms
    expiries_ms = []
    for _ in range(4):
        ada.bought()
        expiries_ms.append(ada.key.expires_at_ms)
    assert expiries_ms == [months_later(bought_at_ms, months) for months in (1, 2, 3, 3)]
    assert ada.dollars == 400


@pytest.mark.parametrize(("share", "dollars"), [("0.6", "60"), ("1.5", "150")])
@BOTH
def test_less_and_more_are_credited_in_proportion(
    ada: Customer, method: str, share: str, dollars: str
) -> None:
    """Nothing that was received is dropped."""
    order = ada.order(method=method)
    ada.pay(order, share=share)
    order = ada.watched(order)
    assert abs(ada.dollars - Decimal(dollars)) < Decimal("0.001")
    assert shown_state(order) == (PART_PAID if share == "0.6" else CREDITED)


def test_an_order_credited_is_told_once(ada: Customer) -> None:
    """By an event of the same transaction, with what it brought and until when."""
    order = ada.order()
    ada.pay(order)
    for _ in range(3):
        ada.watched(order)
    (event,) = _events(ada)
    assert event.type == "order.credited"
    assert event.detail == {
        "account_id": "ada",
        "key_id": ada.key_id,
        "order_id": order.id,
        "amount": "100",
        "expires_at_ms": ada.key.expires_at_ms,
    }


def _events(ada: Customer) -> list[Event]:
    return ada.money.bus.events
