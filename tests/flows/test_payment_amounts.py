"""Money that is not what was asked: too little, too much, again, in another coin, with a fee."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from osiris.ledger.order import CREDITED, CRYPTO, PART_PAID
from osiris.payment_errors import ProviderUnavailable
from tests.flows.topup_customer import HOUR_MS, Customer, payment_id

if TYPE_CHECKING:
    from osiris.ledger.order import Order


def received(ada: Customer, order: Order, rupiah: int) -> None:
    """So many rupiah come, and are told of."""
    ada.pay(order)
    amount = Decimal(rupiah)
    ada.provider(order).change(payment_id(order), received=amount, price=amount)
    ada.told(order)


@pytest.mark.parametrize(
    ("rupiah", "dollars"),
    [
        (1_791_700, "100"),
        (1_791_701, "100"),
        (1_809_617, "100"),
        (1_809_618, "101.000055812"),
        (2_687_550, "150"),
        (895_850, "50"),
    ],
)
def test_a_fee_on_top_is_no_credit(ada: Customer, rupiah: int, dollars: str) -> None:
    """A fee added to the amount: up to one percent above the price buys the package, no more."""
    order = ada.order()
    received(ada, order, rupiah)
    assert ada.dollars == Decimal(dollars)


def test_too_little_is_credited_in_proportion(ada: Customer) -> None:
    """QRIS and crypto; the rest may still come to the same order, and to the package."""
    order = ada.order(method=CRYPTO)
    ada.pay(order, share="0.6")
    ada.told(order)
    assert (ada.state(order), ada.dollars) == (PART_PAID, 60)
    ada.provider(order).deposit(payment_id(order), Decimal("0.0008"))
    ada.watched(order)
    assert (ada.state(order), ada.dollars) == (CREDITED, 100)
    assert ada.postings == [("purchase", 60), ("purchase", 40)]


def test_a_small_lack_that_the_provider_covers_is_none(ada: Customer) -> None:
    """It says that the price is met: so it is."""
    order = ada.order(method=CRYPTO)
    ada.pay(order, share="0.997")
    ada.provider(order).change(payment_id(order), complete=True)
    ada.told(order)
    assert (ada.state(order), ada.dollars) == (CREDITED, 100)


def test_too_much_in_coins_is_valued_when_it_comes(ada: Customer) -> None:
    """The quote's amount buys the package, the rest goes at the rate; and once."""
    order = ada.order(method=CRYPTO)
    ada.provider(order).coin_dollars /= 2
    ada.pay(order, share="1.5")
    for _ in range(3):
        ada.told(order)
    assert (ada.state(order), ada.dollars) == (CREDITED, 125)


def test_a_second_deposit_is_credited_at_the_rate(ada: Customer) -> None:
    """It is a payment of its own: found by its webhook, or by its parent, and credited once."""
    order = ada.order(method=CRYPTO)
    ada.pay(order)
    ada.told(order)
    ada.provider(order).coin_dollars /= 2
    second = ada.provider(order).deposit(payment_id(order), Decimal("0.002"))
    third = ada.provider(order).deposit(payment_id(order), Decimal("0.001"))
    ada.told_of(order, second)
    ada.watched(order)
    ada.told_of(order, third)
    assert (ada.state(order), ada.dollars) == (CREDITED, 175)
    assert ada.stored(order).payment_ids == {
        f"nowpayments#{id}" for id in (payment_id(order), second, third)
    }


def test_a_second_deposit_years_after_finds_its_order(ada: Customer) -> None:
    """A webhook alone is enough: the address is known for ever."""
    order = ada.bought(method=CRYPTO)
    ada.world.pass_ms(1000 * 24 * HOUR_MS)
    late = ada.provider(order).deposit(payment_id(order), Decimal("0.002"))
    ada.told_of(order, late)
    assert ada.postings[-1] == ("purchase", 100)


@pytest.mark.parametrize("names_order", [True, False])
def test_another_coin_is_credited_at_its_rate(ada: Customer, names_order: bool) -> None:
    """A deposit of the wrong coin, which may name its order by its parent alone."""
    order = ada.order(method=CRYPTO)
    deposit = ada.provider(order).deposit(payment_id(order), Decimal("0.0016"), coin="eth")
    if not names_order:
        ada.provider(order).change(deposit, reference="")
    ada.told_of(order, deposit)
    ada.told_of(order, deposit)
    assert (ada.state(order), ada.dollars) == (PART_PAID, 80)


def test_a_deposit_that_cannot_be_valued_waits(
    ada: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No rate, no credit, and nothing noted: whoever asks next begins anew."""
    order = ada.bought(method=CRYPTO)
    provider = ada.provider(order)
    deposit = provider.deposit(payment_id(order), Decimal("0.001"))

    def away(_currency: str, _amount: Decimal) -> Decimal:
        raise ProviderUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(provider, "value_dollars", away)
        with pytest.raises(ProviderUnavailable):
            ada.told_of(order, deposit)
    assert ada.dollars == 100
    ada.watched(order)
    assert ada.dollars == 150


def test_the_same_payment_in_two_steps(ada: Customer) -> None:
    """What is credited is the difference: QRIS never does this, a provider to come may."""
    order = ada.order()
    received(ada, order, 895_850)
    ada.world.pass_ms(1)
    received(ada, order, 1_791_700)
    assert ada.postings == [("purchase", 50), ("purchase", 50)]
    assert ada.state(order) == CREDITED
