"""The watch over orders: providers are asked about those that are due, whatever webhooks did.

An order is due soon after it was made, then after gaps that grow with its age, until eight days
after its end. Run by a schedule; safe to run twice at once.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, NamedTuple

from osiris.errors import ChangedMeanwhile, NotFound, OsirisError
from osiris.flows import outbox
from osiris.flows.payment import confirm
from osiris.ledger.order import EXPIRED, GAP_MS_MAX, PENDING, QUOTED, next_check_at_ms
from osiris.payment_errors import ProviderUnavailable, WebhookDiffers
from osiris.telemetry import PROVIDER_FAILED
from osiris.times import MINUTE_MS

if TYPE_CHECKING:
    from osiris.app.full import FullApp
    from osiris.ledger.order import Order

# A page of the index. What a run leaves waits for the next one.
PAGE = 100
# Well below the function's 15 minutes.
RUN_MS_MAX = 10 * MINUTE_MS
TIMEOUT_MS = 5_000
# All questions about one order.
ORDER_MS_MAX = MINUTE_MS
# A provider that is silent so often in a row is left alone for the rest of the run.
SILENT_MAX = 3
# Further deposits to one address are payments of their own.
DEPOSITS_MAX = 20


class Watched(NamedTuple):
    """What a run did: orders asked about, those that could not be, events sent."""

    asked: int = 0
    failed: int = 0
    events: int = 0


class Asked(NamedTuple):
    """How asking about an order went: whether all could be asked, and whether nobody answered."""

    complete: bool
    silent: bool


def watch(app: FullApp) -> Watched:
    """Look at all that is due. Raises StoreUnavailable: what was done until then stays done.

    What stays due, as events do while the bus is away, keeps nothing behind it waiting.
    """
    total, after, bus_is_away = Watched(), None, False
    silent: Counter[str] = Counter()
    ends_at_ms = app.now_ms() + RUN_MS_MAX
    while app.now_ms() < ends_at_ms:
        due = app.orders.due(app.now_ms(), most=PAGE, after=after)
        events = 0 if bus_is_away else outbox.send(app, due.events)
        bus_is_away = events < len(due.events)
        asked = failed = 0
        for order_id in due.orders:
            if app.now_ms() >= ends_at_ms:
                break
            asked += 1
            failed += not _watched(app, order_id, silent)
        total = Watched(total.asked + asked, total.failed + failed, total.events + events)
        after = due.after
        if after is None:
            break
    if any(total):
        app.telemetry.line("watched", **total._asdict())
    return total


def ask(app: FullApp, order: Order, *, timeout_ms: int, order_ms_max: int = ORDER_MS_MAX) -> Asked:
    """Ask about each payment of the order and do what follows.

    Its parts come first, for they name further deposits; then deposits that are new; then those
    that are known. No question begins after `order_ms_max`.
    """
    ends_at_ms = app.now_ms() + order_ms_max
    first = deque(part.payment_id for part in order.parts if part.payment_id)
    known = [id.partition("#")[2] for id in sorted(order.payment_ids)]
    later = deque(id for id in known if id not in first)
    asked: set[str] = set()
    failed = answered = 0
    while (first or later) and len(asked) < DEPOSITS_MAX + len(order.parts):
        payment_id = first.popleft() if first else later.popleft()
        if payment_id in asked:
            continue
        if app.now_ms() >= ends_at_ms:
            failed += 1
            break
        asked.add(payment_id)
        try:
            children = confirm(app, order.provider, payment_id, timeout_ms=timeout_ms)
            answered += 1
            first += [id for id in children if id not in later]
        except OsirisError as error:
            is_silent = isinstance(error, ProviderUnavailable)
            answered += not is_silent
            failed += not isinstance(error, NotFound | WebhookDiffers)
            app.telemetry.line(
                "ask_failed",
                metrics=[PROVIDER_FAILED],
                order_id=order.id,
                code=error.code,
                details=error.details,
            )
    return Asked(complete=not failed, silent=bool(failed) and not answered)


def _watched(app: FullApp, order_id: str, silent: Counter[str]) -> bool:
    """Look at one order; whether all could be asked.

    One that nobody can read or ask about keeps no other waiting: it is due again in a day, and the
    line that tells of it counts as a failed provider's.
    """
    try:
        return _watch_order(app, order_id, silent)
    except OsirisError:
        raise
    except Exception as error:  # noqa: BLE001 - each order is an edge of its own
        app.telemetry.line(
            "watch_failed",
            metrics=[PROVIDER_FAILED],
            order_id=order_id,
            error=type(error).__name__,
        )
        app.orders.schedule(order_id, app.now_ms() + GAP_MS_MAX)
        return False


def _watch_order(app: FullApp, order_id: str, silent: Counter[str]) -> bool:
    order = app.orders.read(order_id)
    if order is None:
        return True
    if silent[order.provider] >= SILENT_MAX:
        return False
    complete, is_silent = ask(app, order, timeout_ms=TIMEOUT_MS)
    silent[order.provider] = silent[order.provider] + 1 if is_silent else 0
    now_ms = app.now_ms()
    if complete and order.state in (QUOTED, PENDING) and now_ms >= order.expires_at_ms:
        _expire(app, order)
    next_at_ms = next_check_at_ms(order, now_ms)
    if not order.was_started and now_ms >= order.expires_at_ms:
        next_at_ms = 0
    app.orders.schedule(order.id, next_at_ms)
    return complete


def _expire(app: FullApp, order: Order) -> None:
    try:
        app.orders.end(order, EXPIRED)
    except ChangedMeanwhile:
        return
