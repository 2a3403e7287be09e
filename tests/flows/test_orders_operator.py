"""Orders in the operator's hands: refunds by the provider or by hand, and lists."""

from __future__ import annotations

from decimal import Decimal

import pytest

from osiris.errors import InvalidRequest, StoreUnavailable
from osiris.flows import orders
from osiris.ledger.entry import CHARGEBACK
from osiris.ledger.order import CHARGED_BACK, CREDITED, CRYPTO, QRIS, REFUNDED
from osiris.payment_errors import (
    OrderNotFound,
    PaymentNotFound,
    ProviderUnavailable,
    RefundByHand,
)
from tests.builders import preceded_by, unreachable
from tests.flows.topup_customer import MINUTE_MS, Customer, payment_id


def refunded(
    ada: Customer, order_id: str, id: str, amount: str | None = None, **ways: object
) -> Decimal:
    """What the payment has given back in all."""
    payment = orders.refund(
        ada.world.app,
        order_id,
        id,
        amount=None if amount is None else Decimal(amount),
        **{"manual": False, **ways},  # type: ignore[arg-type]
    )
    return payment.returned


def test_the_provider_gives_it_back(ada: Customer) -> None:
    """All of it; the balance follows at once, without a webhook."""
    order = ada.bought()
    ada.world.pass_ms(1)
    assert refunded(ada, order.id, payment_id(order)) == 1_791_700
    assert (ada.state(order), ada.dollars) == (REFUNDED, 0)
    ada.told(order)
    assert ada.postings[1:] == [("refund", -100)]


def test_a_part_is_given_back(ada: Customer) -> None:
    """So many rupiah, as often as wished, and no more than there is."""
    order = ada.bought()
    assert refunded(ada, order.id, payment_id(order), "895850") == 895_850
    assert ada.dollars == 50
    ada.world.pass_ms(MINUTE_MS)
    assert refunded(ada, order.id, payment_id(order), "447925") == 1_343_775
    with pytest.raises(InvalidRequest, match="up to 447925 IDR"):
        refunded(ada, order.id, payment_id(order), "447926")
    assert refunded(ada, order.id, payment_id(order)) == 1_791_700
    for amount in (None, "1", "0", "-1"):
        with pytest.raises(InvalidRequest):
            refunded(ada, order.id, payment_id(order), amount)
    assert (ada.state(order), ada.dollars) == (REFUNDED, 0)


def test_a_refund_whose_reply_was_lost_is_made_once(ada: Customer) -> None:
    """A repeat has the same key at the provider until we have heard of the first."""
    order = ada.bought()
    ada.world.meet("TransactWriteItems", unreachable)
    with pytest.raises(StoreUnavailable):
        refunded(ada, order.id, payment_id(order), "895850")
    assert ada.dollars == 100
    refunded(ada, order.id, payment_id(order), "895850")
    assert ada.dollars == 50
    assert list(ada.money.providers.qris.refunds.values()) == [Decimal(895_850)]


def test_a_provider_that_is_away_gives_nothing_back(ada: Customer) -> None:
    """And nothing is taken."""
    order = ada.bought()
    ada.provider(order).away = True
    with pytest.raises(ProviderUnavailable):
        refunded(ada, order.id, payment_id(order))
    assert (ada.state(order), ada.dollars) == (CREDITED, 100)


def test_a_coin_is_given_back_by_hand(ada: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider can't; a person sends it, and records it, once or by and by."""
    order = ada.bought(method=CRYPTO)
    id = payment_id(order)

    def by_hand(*_: object, **__: object) -> None:
        raise RefundByHand

    monkeypatch.setattr(ada.money.providers.crypto, "refund", by_hand)
    with pytest.raises(RefundByHand):
        refunded(ada, order.id, id)
    assert refunded(ada, order.id, id, "0.0005", manual=True) == Decimal("0.0005")
    assert ada.dollars == 75
    # The provider's status knows nothing of it, and takes nothing back of what was recorded.
    ada.told(order)
    assert ada.dollars == 75
    assert refunded(ada, order.id, id, manual=True) == Decimal("0.002")
    assert (ada.state(order), ada.dollars) == (REFUNDED, 0)


def test_a_chargeback_is_recorded_by_hand(ada: Customer) -> None:
    """It is shown as what it was."""
    order = ada.bought()
    ada.world.pass_ms(1)
    refunded(ada, order.id, payment_id(order), manual=True, kind=CHARGEBACK)
    assert ada.state(order) == CHARGED_BACK
    assert ada.postings[1:] == [("chargeback", -100)]


def test_a_return_recorded_twice_at_once_is_one(ada: Customer) -> None:
    """Both mean the same money: the one that comes second finds it recorded."""
    order = ada.bought()
    id = payment_id(order)
    ada.world.meet(
        "TransactWriteItems",
        preceded_by(lambda: refunded(ada, order.id, id, "895850", manual=True)),
    )
    refunded(ada, order.id, id, "895850", manual=True)
    assert ada.dollars == 50


def test_only_an_orders_own_payment_is_given_back(ada: Customer) -> None:
    """Not another's, not an unknown one, not of an order that does not exist."""
    order, other = ada.bought(), ada.bought()
    for order_id, id, error in (
        (order.id, payment_id(other), PaymentNotFound),
        (order.id, "p99", PaymentNotFound),
        ("ord_0000000000000000", payment_id(order), OrderNotFound),
    ):
        with pytest.raises(error):
            refunded(ada, order_id, id)


def test_rupiah_are_given_back_whole(ada: Customer) -> None:
    """There is no coin below one."""
    order = ada.bought()
    with pytest.raises(InvalidRequest, match="no decimals"):
        refunded(ada, order.id, payment_id(order), "1.5")


def test_the_newest_orders_of_all(ada: Customer) -> None:
    """Of every account, newest first; those a person has to look at are a list of their own."""
    made = []
    for method in (QRIS, CRYPTO, QRIS):
        made.append(ada.bought(method=method).id)
        ada.world.pass_ms(1)
    app = ada.world.app
    assert [order.id for order in orders.newest(app, most=2)] == made[:0:-1]
    assert orders.undecided(app) == []
    order, payments = orders.find(app, made[0])
    assert (order.id, len(payments)) == (made[0], 1)
