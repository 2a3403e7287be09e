"""However a payment is heard of: twice, out of order, never, late; it is credited once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from osiris.errors import StoreUnavailable
from osiris.flows import topup
from osiris.ledger.expiry import months_later
from osiris.ledger.order import CREDITED, CRYPTO, EXPIRED, PENDING, QRIS
from osiris.ledger.payment import ENDED
from osiris.payment_errors import ProviderUnavailable
from osiris.store.transport import TransactionConflict
from tests.builders import canceled, lost, preceded_by, repeated, repeated_late, unreachable
from tests.flows.topup_customer import DAY_MS, HOUR_MS, MINUTE_MS, Customer, payment_id

if TYPE_CHECKING:
    from tests.builders import Fault

BOTH = pytest.mark.parametrize("method", [QRIS, CRYPTO])


@BOTH
def test_a_webhook_that_comes_again_changes_nothing(ada: Customer, method: str) -> None:
    """Duplicate: the second finds the payment's figures where they belong."""
    order = ada.order(method=method)
    ada.pay(order)
    for _ in range(5):
        ada.told(order)
    assert (ada.state(order), ada.postings) == (CREDITED, [("purchase", 100)])


def test_webhooks_may_come_in_any_order(ada: Customer) -> None:
    """Disorder: each asks for the status as it is, so the first to come credits."""
    order = ada.order(method=CRYPTO)
    ada.pay(order)
    ada.told(order)
    ada.world.pass_ms(HOUR_MS)
    ada.told(order)
    assert ada.postings == [("purchase", 100)]
    # What the provider says goes back in time: nothing that was received is unsaid.
    ada.provider(order).detect(payment_id(order))
    ada.told(order)
    assert (ada.state(order), ada.postings) == (CREDITED, [("purchase", 100)])


def test_two_webhooks_at_once_credit_once(ada: Customer) -> None:
    """The second credits between the first's reading and its transaction."""
    order = ada.order()
    ada.pay(order)
    ada.world.meet("TransactWriteItems", preceded_by(lambda: ada.told(order)))
    ada.told(order)
    assert ada.postings == [("purchase", 100)]


def test_two_parts_at_once_are_both_credited(ada: Customer) -> None:
    """Payments of one order don't undo each other; the expiry moves once."""
    order = ada.order("1000")
    ada.pay(order, 1)
    ada.pay(order, 2)
    ada.world.meet("TransactWriteItems", preceded_by(lambda: ada.told(order, 2)))
    ada.told(order, 1)
    assert ada.dollars == 1000
    assert ada.key.expires_at_ms == months_later(ada.world.now_ms, 1)


@BOTH
def test_the_watch_finds_a_lost_webhook(ada: Customer, method: str) -> None:
    """Within minutes, whoever lost it."""
    order = ada.order(method=method)
    ada.pay(order)
    ada.watched(order)
    assert ada.state(order) == CREDITED


def test_the_owner_finds_a_lost_webhook(ada: Customer) -> None:
    """Reading an open order asks its provider, for all who wait at most every 10 s."""
    order, app = ada.order(), ada.world.app
    asked = ada.provider(order).asked
    asked.clear()
    for wait_ms, times in ((0, 1), (0, 1), (9_999, 1), (1, 2), (10_000, 3)):
        ada.world.pass_ms(wait_ms)
        topup.read(app, "ada", order.id)
        assert len(asked) == times
    ada.pay(order)
    assert topup.read(app, "ada", order.id).order.credited_nano == 0
    ada.world.pass_ms(10_000)
    assert topup.read(app, "ada", order.id).order.credited_nano == order.amount_nano


def test_an_order_read_by_two_is_asked_about_once(ada: Customer) -> None:
    """The second comes between the first's reading and its claim to ask."""
    order, app = ada.order(), ada.world.app
    asked = ada.provider(order).asked
    asked.clear()
    ada.world.meet("UpdateItem", preceded_by(lambda: topup.read(app, "ada", order.id)))
    topup.read(app, "ada", order.id)
    assert len(asked) == 1


def test_an_old_order_is_not_asked_about(ada: Customer) -> None:
    """Eight days after its end nobody asks: not its owner's reading, not the watch."""
    order, app = ada.order(), ada.world.app
    for _ in range(12):
        ada.watched(order, after_ms=DAY_MS)
    asked = ada.provider(order).asked
    asked.clear()
    topup.read(app, "ada", order.id)
    ada.watched(order, after_ms=30 * DAY_MS)
    assert asked == []
    assert ada.state(order) == EXPIRED


@pytest.mark.parametrize("days", [0, 1, 7])
def test_rupiah_after_the_end_are_credited_at_the_quote(ada: Customer, days: int) -> None:
    """Late: the price was agreed on, whatever the rate is now."""
    order = ada.order()
    ada.watched(order, after_ms=HOUR_MS)
    assert ada.state(order) == EXPIRED
    ada.world.pass_ms(days * DAY_MS)
    for source in ada.money.sources:
        source.rupiah_per_dollar *= 2
    ada.pay(order)
    ada.watched(order, after_ms=DAY_MS)
    assert (ada.state(order), ada.dollars) == (CREDITED, 100)


@pytest.mark.parametrize(("late_ms", "dollars"), [(5 * MINUTE_MS, 100), (11 * MINUTE_MS, 80)])
def test_coins_after_the_end_are_credited_at_the_rate(
    ada: Customer, late_ms: int, dollars: int
) -> None:
    """Late by more than ten minutes: at what they are worth when we learn of them."""
    order = ada.order(method=CRYPTO)
    ada.world.pass_ms(20 * MINUTE_MS + late_ms)
    ada.provider(order).coin_dollars *= 4
    ada.provider(order).coin_dollars /= 5
    ada.pay(order)
    ada.told(order)
    assert ada.dollars == dollars


def test_coins_seen_in_time_keep_the_quote(ada: Customer) -> None:
    """However long the chain takes: when it was first seen counts."""
    order = ada.order(method=CRYPTO)
    ada.provider(order).detect(payment_id(order))
    ada.told(order)
    assert ada.state(order) == PENDING
    ada.world.pass_ms(3 * HOUR_MS)
    ada.provider(order).coin_dollars /= 2
    ada.pay(order)
    ada.told(order)
    assert ada.dollars == 100


def test_what_was_seen_and_never_came_is_no_credit(ada: Customer) -> None:
    """A transfer that the chain dropped ends where it began."""
    order = ada.order(method=CRYPTO)
    ada.provider(order).detect(payment_id(order))
    ada.told(order)
    ada.provider(order).change(payment_id(order), state=ENDED, told="expired")
    ada.watched(order, after_ms=HOUR_MS)
    assert (ada.state(order), ada.postings) == (EXPIRED, [])


@pytest.mark.parametrize("fault", [repeated, repeated_late, canceled])
def test_a_repeated_transaction_credits_once(ada: Customer, fault: Fault) -> None:
    """By the transport, or by us after a conflict."""
    order = ada.order()
    ada.pay(order)
    ada.world.meet("TransactWriteItems", fault)
    ada.told(order)
    assert ada.postings == [("purchase", 100)]


@pytest.mark.parametrize("fault", [lost, unreachable])
def test_a_webhook_that_failed_comes_again(ada: Customer, fault: Fault) -> None:
    """Its transaction was done, or was not: the next time it is, once."""
    order = ada.order()
    ada.pay(order)
    ada.world.meet("TransactWriteItems", fault)
    with pytest.raises(StoreUnavailable):
        ada.told(order)
    ada.told(order)
    assert ada.postings == [("purchase", 100)]


def test_lasting_conflicts_are_not_taken_for_a_refusal(ada: Customer) -> None:
    """After a bounded number of tries the provider is asked to come again."""
    order = ada.order()
    ada.pay(order)
    ada.world.meet("TransactWriteItems", *[canceled] * 6)
    with pytest.raises(TransactionConflict):
        ada.told(order)
    assert ada.postings == []
    ada.told(order)
    assert ada.postings == [("purchase", 100)]


def test_a_provider_away_is_asked_again(ada: Customer) -> None:
    """A webhook is told to come again; the watch tries later, and keeps the order open."""
    order = ada.order()
    ada.pay(order)
    ada.provider(order).away = True
    with pytest.raises(ProviderUnavailable):
        ada.told(order)
    ada.watched(order, after_ms=HOUR_MS)
    assert (ada.state(order), ada.postings) == (PENDING, [])
    assert ada.line("ask_failed")["ProviderFailed"] == 1
    assert topup.read(ada.world.app, "ada", order.id).order.state == PENDING
    ada.provider(order).away = False
    ada.watched(order, after_ms=HOUR_MS)
    assert (ada.state(order), ada.dollars) == (CREDITED, 100)
