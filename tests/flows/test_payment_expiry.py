"""A payment and the key's expiry: what counts is when it was made, by the provider's time."""

from __future__ import annotations

from decimal import Decimal

import pytest

from osiris.ledger.expiry import months_later
from osiris.ledger.order import CRYPTO, QRIS
from tests.builders import preceded_by
from tests.flows.topup_customer import DAY_MS, HOUR_MS, MINUTE_MS, Customer

ALIVE_MS = 29 * DAY_MS
# Past the month that the first purchase brought, whichever month it was.
GONE_MS = 32 * DAY_MS


@pytest.mark.parametrize("method", [QRIS, CRYPTO])
@pytest.mark.parametrize("is_swept", [True, False])
def test_paid_before_the_expiry_and_told_after_it(
    ada: Customer, method: str, is_swept: bool
) -> None:
    """Nothing is lost: a forfeiture that was made meanwhile is given back."""
    ada.bought()
    ada.world.pass_ms(ALIVE_MS)
    order = ada.order(method=method)
    ada.pay(order)
    ada.world.pass_ms(GONE_MS - ALIVE_MS)
    if is_swept:
        ada.swept()
        assert ada.dollars == 0
    ada.told(order)
    ada.told(order)
    assert ada.dollars == 200
    assert ada.key.expires_at_ms == months_later(ada.world.now_ms, 1)
    undone = [("forfeiture", -100), ("adjustment", 100)] if is_swept else []
    assert sorted(ada.postings) == sorted([("purchase", 100), *undone, ("purchase", 100)])


@pytest.mark.parametrize("is_swept", [True, False])
def test_another_purchase_came_meanwhile(ada: Customer, is_swept: bool) -> None:
    """It forfeited what had expired when it was made; the one made before saves it after all."""
    ada.bought()
    ada.world.pass_ms(ALIVE_MS)
    early = ada.order(method=CRYPTO)
    ada.pay(early)
    ada.world.pass_ms(GONE_MS - ALIVE_MS)
    if is_swept:
        ada.swept()
    ada.bought()
    assert ada.dollars == 100
    ada.world.pass_ms(MINUTE_MS)
    expires_at_ms = ada.key.expires_at_ms
    ada.told(early)
    assert ada.dollars == 300
    assert ada.key.expires_at_ms == months_later(expires_at_ms, 1)


def test_two_payments_give_a_forfeiture_back_once(ada: Customer) -> None:
    """Both were made before the expiry and told after it."""
    ada.bought()
    ada.world.pass_ms(ALIVE_MS)
    orders = [ada.order(method=method) for method in (QRIS, CRYPTO)]
    for order in orders:
        ada.pay(order)
    ada.swept(after_ms=GONE_MS - ALIVE_MS)
    for order in orders:
        ada.world.pass_ms(MINUTE_MS)
        ada.told(order)
    assert ada.dollars == 300
    assert ada.postings.count(("adjustment", 100)) == 1


def test_paid_after_the_expiry(ada: Customer) -> None:
    """What had expired is forfeited by the same transaction, and the new credit stands alone."""
    ada.bought()
    ada.spent(30)
    ada.world.pass_ms(GONE_MS)
    ada.bought()
    assert ada.dollars == 100
    assert sorted(ada.postings) == [("forfeiture", -70), ("purchase", 100), ("purchase", 100)]
    assert ada.key.expires_at_ms == months_later(ada.world.now_ms, 1)


def test_a_sweep_between_reading_and_crediting(ada: Customer) -> None:
    """The forfeiture is seen, and what counts is still when it was paid."""
    ada.bought()
    ada.world.pass_ms(ALIVE_MS)
    order = ada.order()
    ada.pay(order)
    ada.world.pass_ms(GONE_MS - ALIVE_MS)
    ada.world.meet("TransactWriteItems", preceded_by(ada.swept))
    ada.told(order)
    assert ada.dollars == 200


def test_a_credit_between_reading_and_sweeping(ada: Customer) -> None:
    """Credit that was topped up meanwhile is not forfeited."""
    ada.bought()
    ada.world.pass_ms(ALIVE_MS)
    order = ada.order()
    ada.pay(order)
    ada.world.pass_ms(GONE_MS - ALIVE_MS)
    ada.world.meet("TransactWriteItems", preceded_by(lambda: ada.told(order)))
    assert ada.swept().forfeited == 0
    assert ada.dollars == 200


def test_a_debt_is_paid_first(ada: Customer) -> None:
    """A balance below zero is part of the balance: it is no credit to forfeit."""
    order = ada.bought()
    ada.spent(60)
    ada.provider(order).give_back(order.parts[0].payment_id)
    ada.told(order)
    assert ada.dollars == -60
    ada.swept(after_ms=GONE_MS)
    assert ada.dollars == -60
    ada.world.pass_ms(HOUR_MS)
    ada.bought()
    assert ada.dollars == 40


@pytest.mark.parametrize(("share", "extends"), [("0.01", False), ("0.49", False), ("0.5", True)])
def test_a_trifle_keeps_nothing_alive(ada: Customer, share: str, extends: bool) -> None:
    """Less than half of a part moves no expiry, and saves nothing that had expired when told."""
    ada.bought()
    expires_at_ms = ada.key.expires_at_ms
    order = ada.order(method=CRYPTO)
    ada.pay(order, share=share)
    ada.told(order)
    assert (ada.key.expires_at_ms > expires_at_ms) == extends
    expires_at_ms = ada.key.expires_at_ms
    ada.world.pass_ms(expires_at_ms - ada.world.now_ms - MINUTE_MS)
    late = ada.order(method=CRYPTO)
    ada.pay(late, share=share)
    ada.swept(after_ms=2 * MINUTE_MS)
    assert ada.dollars == 0
    ada.told(late)
    brought = Decimal(share) * 100
    assert ada.dollars == (100 + 2 * brought if extends else brought)
