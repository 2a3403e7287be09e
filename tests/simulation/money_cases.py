"""Small cases of money in, whole: what has happened before is one history, what follows is all."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from osiris.flows import coins, rates, topup
from osiris.flows.topup import Wish
from osiris.ledger.order import CRYPTO, QRIS
from osiris.ledger.payment import CHARGEBACK, REFUND
from osiris.store.new_orders import NOTHING_TAKEN
from tests.simulation.cases import ANSWER, CRASHES, REPLIES, Case
from tests.simulation.histories import LAPSE_MS, TOKEN_NANO, Setting

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.functions import Process
    from tests.simulation.histories import History

DAY_MS = 86_400_000
BEFORE_MS = 25 * 3_600_000
AHEAD_MS = 400
# Packages of one dollar come in one part, those of two in two.
RUPIAH_PER_DOLLAR = Decimal(6_000_000)
# What is tried in the longer cases; all faults are by the command.
SOME = ("crash_after",)
OLD_CREDIT_NANO = 20 * TOKEN_NANO


def _setting(*, balance_nano: int = OLD_CREDIT_NANO, expires_in_ms: int = DAY_MS) -> Setting:
    return Setting(
        limit=1,
        open_max=1,
        balance_nano=balance_nano,
        processes=99,
        expires_in_ms=expires_in_ms,
        lapse_ms=LAPSE_MS,
        tokens_work=False,
        eager=True,
        reduced=True,
    )


def _prices(process: Process) -> None:
    rates.refreshed(process.app)
    coins.all_coins(process.app)


def _begin(history: History) -> None:
    """Rates and coins are known."""
    history.world.tills.price_rupiah(RUPIAH_PER_DOLLAR)
    history.before(lambda: history.top_ups.run("prices", _prices))


def _ordered(history: History, package: str = "1", method: str = QRIS) -> None:
    """An order that can be paid."""
    _begin(history)
    history.before(lambda: history.top_ups.order(method, package))


def _paid(history: History, package: str = "1", method: str = QRIS) -> list[str]:
    """An order that is paid whole, and nobody told us; the full ids of its payments."""
    _ordered(history, package, method)
    order = history.world.rules.money.orders.orders[history.top_ups.order_ids()[-1]]
    full_ids = [f"{order['provider']}#{part['payment_id']}" for part in order["parts"]]
    for full_id in full_ids:
        assert history.top_ups.pay(full_id)
    return full_ids


def _credited(history: History, package: str = "1", method: str = QRIS) -> list[str]:
    """An order that was credited."""
    full_ids = _paid(history, package, method)
    history.before(lambda: _confirm(history, full_ids))
    return full_ids


def _confirm(history: History, full_ids: list[str]) -> None:
    for full_id in full_ids:
        history.top_ups.confirm(full_id)


def _return(history: History, full_id: str, share: str = "1", by: str = REFUND) -> None:
    till, own = history.world.tills.of(full_id)
    assert till.return_some(own, share, by)


def _pass_expiry(history: History, *, left_ms: int = -1) -> None:
    """The clock comes to so long before the key's expiry; a sweep was there just before."""
    key = history.world.rules.items[f"key#{history.owner.key_ids[0]}"]
    history.world.move_clock(key["expires_at_ms"] - BEFORE_MS)
    history.before(history.top_ups.sweep)
    history.world.move_clock(key["expires_at_ms"] - left_ms)


# -- what follows at once


def payment_told_twice(history: History, package: str = "1") -> None:
    """One payment is told by two webhooks; of a larger package it is the further part."""
    full_ids = _paid(history, package)
    history.before(lambda: _confirm(history, full_ids[:-1]))
    _confirm(history, [full_ids[-1]] * 2)


def parts_told_at_once(history: History) -> None:
    """Both parts of an order are told at once."""
    _confirm(history, _paid(history, "2"))


def payment_and_sweep(history: History, *, paid_late: bool) -> None:
    """A payment is told after the expiry, while the sweeper runs; it may have been made before."""
    _ordered(history)
    [full_id] = history.top_ups.payable()
    if not paid_late:
        history.top_ups.pay(full_id)
    _pass_expiry(history)
    if paid_late:
        history.top_ups.pay(full_id)
    history.top_ups.confirm(full_id)
    history.top_ups.sweep()


def further_part_and_sweep(history: History) -> None:
    """A further part is told as the expiry passes, with nothing left of the first.

    The sweeper's clock is ahead, so that it is over for one and not for the other.
    """
    first, second = _paid(history, "2")
    history.before(lambda: history.top_ups.confirm(first))
    _return(history, first)
    history.before(lambda: history.top_ups.confirm(first))
    _pass_expiry(history, left_ms=AHEAD_MS // 2)
    history.top_ups.confirm(second)
    history.top_ups.sweep()


def refund_and_sweep(history: History) -> None:
    """A refund is told after the expiry, while the sweeper runs."""
    [full_id] = _credited(history)
    _return(history, full_id)
    _pass_expiry(history)
    history.top_ups.confirm(full_id)
    history.top_ups.sweep()


def take_backs_after_a_forfeiture(history: History) -> None:
    """What was left of two payments was forfeited, and both go back at once."""
    full_ids = [*_credited(history), *_credited(history, method=CRYPTO)]
    history.before(lambda: history.request(ANSWER))
    _pass_expiry(history)
    history.before(history.top_ups.sweep)
    for full_id, by in zip(full_ids, (REFUND, CHARGEBACK), strict=True):
        _return(history, full_id, by=by)
    _confirm(history, full_ids)


def refund_told_twice(history: History) -> None:
    """A part of a payment goes back, told by two webhooks."""
    [full_id] = _credited(history)
    _return(history, full_id, "0.5")
    _confirm(history, [full_id] * 2)


def payment_and(*changes: str) -> Callable[[History], None]:
    """A payment is told beside changes of its key."""

    def plan(history: History) -> None:
        [full_id] = _paid(history)
        history.top_ups.confirm(full_id)
        for change in changes:
            history.change(change)

    return plan


def refund_and_deletion(history: History) -> None:
    """A payment goes back while its key is deleted."""
    [full_id] = _credited(history)
    _return(history, full_id)
    history.top_ups.confirm(full_id)
    history.change("confirm")


def orders_at_once(*promises: str) -> Callable[[History], None]:
    """Orders of a kind for one key, each with an Idempotency-Key or none."""

    def plan(history: History) -> None:
        _begin(history)
        for promise in promises:
            history.top_ups.order(QRIS, "1", promise=promise)

    return plan


def _quoted(history: History, process: Process) -> None:
    wish = Wish("1", history.owner.key_ids[0], CRYPTO, "btc")
    order = topup._quoted(process.app, "ada", wish, 1)
    due_at_ms = process.app.now_ms()
    process.app.orders.create(order, due_at_ms=due_at_ms, promise=None, ended=NOTHING_TAKEN)


def started_by_two(history: History) -> None:
    """An order whose maker died is started by two."""
    _begin(history)
    history.before(lambda: history.top_ups.run("quote", partial(_quoted, history)))
    for _ in range(2):
        history.top_ups.start_again()


def promised_and_cancelled(history: History) -> None:
    """An order is made twice with one Idempotency-Key, and cancelled meanwhile."""
    orders_at_once("promise", "promise")(history)
    history.top_ups.cancel()


def read_by_two(history: History) -> None:
    """Two wait for one order."""
    _paid(history)
    for _ in range(2):
        history.top_ups.read()


def sweeps(history: History) -> None:
    """Two sweeps a day before the expiry, and as it passes."""
    _credited(history)
    _pass_expiry(history, left_ms=DAY_MS)
    for _ in range(2):
        history.top_ups.sweep()


MONEY_CASES = {
    "a payment told twice": Case(payment_told_twice, _setting(), ("crash_after", "late")),
    "a further part told twice": Case(
        partial(payment_told_twice, package="2"), _setting(), ("lost",)
    ),
    "two parts told at once": Case(parts_told_at_once, _setting(), CRASHES),
    "a payment after the expiry, a sweep": Case(
        partial(payment_and_sweep, paid_late=True), _setting(), SOME
    ),
    "a payment told after the expiry, a sweep": Case(
        partial(payment_and_sweep, paid_late=False), _setting(), SOME
    ),
    "a further part, a sweep": Case(
        further_part_and_sweep,
        # The first six are those of what came before.
        _setting(balance_nano=0)._replace(skews_ms=(0, 0, 0, 0, 0, 0, AHEAD_MS)),
        SOME,
    ),
    "a refund, a sweep": Case(refund_and_sweep, _setting(), SOME),
    "two take-backs after a forfeiture": Case(
        take_backs_after_a_forfeiture, _setting(balance_nano=0), SOME
    ),
    "a refund told twice": Case(refund_told_twice, _setting(), CRASHES),
    "a payment, a deletion": Case(payment_and("confirm"), _setting(), (*CRASHES, *REPLIES)),
    "a payment, a grant": Case(payment_and("grant"), _setting(), (*CRASHES, *REPLIES)),
    "a refund, a deletion": Case(refund_and_deletion, _setting(), (*CRASHES, "late")),
    "two orders for one key": Case(orders_at_once("", ""), _setting(), CRASHES),
    "two orders with one promise": Case(orders_at_once("promise", "promise"), _setting(), CRASHES),
    "an order, two faults": Case(
        orders_at_once(""), _setting(), (*CRASHES, *REPLIES), faults_max=2
    ),
    "an order promised twice, cancelled": Case(promised_and_cancelled, _setting(), ()),
    "an order started by two": Case(started_by_two, _setting(), (*CRASHES, "lost")),
    "an order read by two": Case(read_by_two, _setting(), ("crash_after",)),
    "two sweeps": Case(sweeps, _setting(), CRASHES),
}
