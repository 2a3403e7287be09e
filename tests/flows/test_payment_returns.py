"""Refunds and chargebacks: taken back once, however often told, and no dollar lost twice."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from osiris.flows import keys
from osiris.ledger.entry import CHARGEBACK, REFUND
from osiris.ledger.order import (
    CHARGED_BACK,
    CREDITED,
    CRYPTO,
    PART_PAID,
    QRIS,
    REFUNDED,
)
from tests.builders import admitted, lost, preceded_by, repeated_late
from tests.flows.topup_customer import DAY_MS, DOLLAR, HOUR_MS, MINUTE_MS, Customer, payment_id

if TYPE_CHECKING:
    from tests.builders import Fault

GONE_MS = 32 * DAY_MS
BOTH = pytest.mark.parametrize("method", [QRIS, CRYPTO])


@BOTH
@pytest.mark.parametrize(("by", "state"), [(REFUND, REFUNDED), (CHARGEBACK, CHARGED_BACK)])
def test_money_that_went_back_is_taken_back_once(
    ada: Customer, method: str, by: str, state: str
) -> None:
    """However often it is told; the owner sees why, the expiry stays."""
    order = ada.bought(method=method)
    expires_at_ms = ada.key.expires_at_ms
    ada.world.pass_ms(HOUR_MS)
    ada.provider(order).give_back(payment_id(order), by=by)
    for _ in range(3):
        ada.told(order)
    ada.watched(order)
    assert (ada.state(order), ada.dollars) == (state, 0)
    assert ada.postings == [("purchase", 100), (by, -100)]
    assert ada.key.expires_at_ms == expires_at_ms


def test_the_balance_may_go_below_zero(ada: Customer) -> None:
    """What was spent is owed, and what is held is still paid."""
    order = ada.bought()
    ada.spent(70)
    admitted(ada.world, ada.key, 10 * DOLLAR)
    ada.provider(order).give_back(payment_id(order), by=CHARGEBACK)
    ada.told(order)
    assert ada.dollars == -70
    assert ada.key.available_nano == -80 * DOLLAR


def test_partial_refunds_are_taken_back_by_the_difference(ada: Customer) -> None:
    """Each adds to those before; all together undo the whole, to the last nano-dollar."""
    order = ada.bought()
    gone = 0
    for rupiah, state in (
        (597_233, CREDITED),
        (1, CREDITED),
        (597_233, CREDITED),
        (597_233, REFUNDED),
    ):
        ada.world.pass_ms(MINUTE_MS)
        ada.provider(order).give_back(payment_id(order), Decimal(rupiah))
        gone += rupiah
        for _ in range(2):
            ada.told(order)
        left_nano = 100 * DOLLAR - 100 * DOLLAR * gone // 1_791_700
        assert (ada.state(order), ada.key.balance_nano) == (state, left_nano)
    assert ada.dollars == 0
    assert len(ada.postings) == 5


def test_a_part_is_refunded_by_itself(ada: Customer) -> None:
    """The others of its order stay credited."""
    order = ada.bought("1000")
    ada.provider(order).give_back(payment_id(order, 2))
    ada.told(order, 2)
    assert (ada.state(order), ada.dollars) == (CREDITED, 500)
    ada.provider(order).give_back(payment_id(order, 1))
    ada.told(order, 1)
    assert (ada.state(order), ada.dollars) == (REFUNDED, 0)


def test_refund_after_forfeiture(ada: Customer) -> None:
    """What was forfeited since the purchase is given back before, up to the refund."""
    order = ada.bought()
    ada.spent(30)
    ada.swept(after_ms=GONE_MS)
    ada.provider(order).give_back(payment_id(order))
    for _ in range(2):
        ada.told(order)
    assert ada.dollars == -30
    assert sorted(ada.postings) == [
        ("adjustment", 70),
        ("forfeiture", -70),
        ("purchase", 100),
        ("refund", -100),
    ]
    assert ada.state(order) == REFUNDED


def test_a_forfeiture_is_given_back_to_one_refund(ada: Customer) -> None:
    """Two purchases expired together: each refund brings back its own part, and no more."""
    orders = [ada.bought(), ada.bought(method=CRYPTO)]
    ada.spent(150)
    ada.swept(after_ms=3 * GONE_MS)
    for order in orders:
        ada.world.pass_ms(MINUTE_MS)
        ada.provider(order).give_back(payment_id(order))
        ada.told(order)
    # Of $200 she spent $150, lost $50, and got $200 back: she owes $150.
    assert ada.dollars == -150
    adjusted = [dollars for type, dollars in ada.postings if type == "adjustment"]
    assert adjusted == [50]


def test_credit_that_expired_before_the_purchase_stays_forfeited(ada: Customer) -> None:
    """Also where the purchase's own transaction forfeited it."""
    ada.bought()
    ada.world.pass_ms(GONE_MS)
    order = ada.bought()
    assert ada.dollars == 100
    ada.world.pass_ms(MINUTE_MS)
    ada.provider(order).give_back(payment_id(order))
    ada.told(order)
    assert (ada.dollars, ada.state(order)) == (0, REFUNDED)


def test_a_forfeiture_that_the_purchase_gave_back_is_not_counted(ada: Customer) -> None:
    """Paid before the expiry, told after it, forfeited a month later, refunded at last."""
    ada.bought()
    ada.world.pass_ms(29 * DAY_MS)
    order = ada.order()
    ada.pay(order)
    ada.swept(after_ms=3 * DAY_MS)
    ada.told(order)
    ada.spent(150)
    ada.swept(after_ms=GONE_MS)
    assert ada.dollars == 0
    ada.provider(order).give_back(payment_id(order))
    ada.told(order)
    # Of the $50 that were forfeited since, all is given back.
    assert ada.dollars == -50


def test_refund_before_credit(ada: Customer) -> None:
    """It came and went before we heard of it: an order refunded, and no entry."""
    order = ada.order()
    ada.pay(order)
    ada.provider(order).give_back(payment_id(order))
    ada.told(order)
    ada.told(order)
    assert (ada.state(order), ada.postings) == (REFUNDED, [])
    assert ada.key.expires_at_ms == 0


def test_partial_refund_before_credit(ada: Customer) -> None:
    """What is left is credited; the rest is taken back when it goes, too."""
    order = ada.order()
    ada.pay(order)
    ada.provider(order).give_back(payment_id(order), Decimal(895_850))
    ada.told(order)
    assert (ada.state(order), ada.dollars) == (PART_PAID, 50)
    ada.world.pass_ms(MINUTE_MS)
    ada.provider(order).give_back(payment_id(order))
    ada.told(order)
    assert (ada.state(order), ada.postings) == (REFUNDED, [("purchase", 50), ("refund", -50)])


def test_a_replay_after_a_refund_changes_nothing(ada: Customer) -> None:
    """The provider's status says refunded, whatever an old webhook says."""
    order = ada.bought()
    ada.world.pass_ms(MINUTE_MS)
    ada.provider(order).give_back(payment_id(order))
    for _ in range(3):
        ada.told(order)
    # Even a provider that forgets its refund brings no credit back.
    ada.provider(order).change(payment_id(order), returned=Decimal(0), returned_by="")
    ada.told(order)
    assert ada.postings == [("purchase", 100), ("refund", -100)]


def test_a_refund_of_a_deleted_keys_purchase(ada: Customer) -> None:
    """The deletion forfeited it: given back before, so that the key ends at zero."""
    order = ada.bought()
    ada.spent(30)
    ada.world.pass_ms(MINUTE_MS)
    keys.delete(ada.world.app, "ada", ada.key_id, confirmed_name="laptop")
    ada.world.pass_ms(MINUTE_MS)
    ada.provider(order).give_back(payment_id(order))
    ada.told(order)
    assert ada.state(order) == REFUNDED
    assert ada.postings[-2:] != [("refund", -100)]
    assert ada.dollars == -30


def test_a_refund_told_twice_at_once(ada: Customer) -> None:
    """The second comes between the first's reading and its transaction."""
    order = ada.bought()
    ada.provider(order).give_back(payment_id(order))
    ada.world.meet("TransactWriteItems", preceded_by(lambda: ada.told(order)))
    ada.told(order)
    assert sorted(ada.postings) == [("purchase", 100), ("refund", -100)]


def test_two_refunds_at_once_give_a_forfeiture_back_once(ada: Customer) -> None:
    """They are of two payments; the key's figure of what it forfeited stands between them."""
    one, other = ada.bought(), ada.bought(method=CRYPTO)
    ada.spent(150)
    ada.swept(after_ms=3 * GONE_MS)
    for order in (one, other):
        ada.provider(order).give_back(payment_id(order))
    ada.world.meet("TransactWriteItems", preceded_by(lambda: ada.told(other)))
    ada.told(one)
    assert ada.dollars == -150


@pytest.mark.parametrize("fault", [repeated_late, lost])
def test_a_repeated_take_back_is_one(ada: Customer, fault: Fault) -> None:
    """Whatever became of the reply."""
    order = ada.bought()
    ada.provider(order).give_back(payment_id(order))
    ada.world.meet("TransactWriteItems", fault)
    ada.watched(order)
    ada.watched(order, after_ms=HOUR_MS)
    assert ada.dollars == 0


def test_a_take_back_while_requests_run(ada: Customer) -> None:
    """A balance that moves meanwhile is no conflict: only the sums count."""
    order = ada.bought()
    ada.provider(order).give_back(payment_id(order))
    ada.world.meet("TransactWriteItems", preceded_by(lambda: ada.spent(10)))
    ada.told(order)
    assert ada.dollars == -10
    assert len(ada.postings) == 2
