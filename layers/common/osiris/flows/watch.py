"""The watch over orders: providers are asked about those that are due, whatever webhooks did.

An order is due soon after it was made, then after gaps that grow with its age, until eight days
after its end. Run by a schedule; safe to run twice at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from osiris.errors import ChangedMeanwhile, NotFound, OsirisError
from osiris.flows import outbox
from osiris.flows.payment import confirm
from osiris.ledger.order import EXPIRED, GAP_MS_MAX, PENDING, QUOTED, next_check_at_ms
from osiris.payment_errors import WebhookDiffers
from osiris.telemetry import PROVIDER_FAILED

if TYPE_CHECKING:
    from osiris.app.full import FullApp
    from osiris.ledger.order import Order

# A page of the index; what it leaves waits for the next one.
PAGE = 100
PAGES_MAX = 20
TIMEOUT_MS = 5_000
# Further deposits to one address are payments of their own.
DEPOSITS_MAX = 20


class Watched(NamedTuple):
    """What a run did: orders asked about, those that could not be, events sent."""

    asked: int = 0
    failed: int = 0
    events: int = 0


def watch(app: FullApp) -> Watched:
    """Look at all that is due. Raises StoreUnavailable: what was done until then stays done."""
    total, after = Watched(), None
    for _ in range(PAGES_MAX):
        due = app.orders.due(app.now_ms(), most=PAGE, after=after)
        failed = sum(not _watched(app, order_id) for order_id in due.orders)
        events = outbox.send(app, due.events)
        total = Watched(total.asked + len(due.orders), total.failed + failed, total.events + events)
        # What stays due, as events do while the bus is away, keeps nothing behind it waiting.
        after = due.after
        if after is None:
            break
    if any(total):
        app.telemetry.line("watched", **total._asdict())
    return total


def ask(app: FullApp, order: Order, *, timeout_ms: int) -> bool:
    """Ask about each payment of the order and do what follows; whether all could be asked."""
    known = [id.partition("#")[2] for id in sorted(order.payment_ids)]
    waiting = [*(part.payment_id for part in order.parts if part.payment_id), *known]
    asked: set[str] = set()
    failed = 0
    while waiting and len(asked) < DEPOSITS_MAX + len(order.parts):
        payment_id = waiting.pop(0)
        if payment_id in asked:
            continue
        asked.add(payment_id)
        try:
            waiting += confirm(app, order.provider, payment_id, timeout_ms=timeout_ms)
        except OsirisError as error:
            failed += not isinstance(error, NotFound | WebhookDiffers)
            app.telemetry.line(
                "ask_failed",
                metrics=[PROVIDER_FAILED],
                order_id=order.id,
                code=error.code,
                details=error.details,
            )
    return not failed


def _watched(app: FullApp, order_id: str) -> bool:
    """Look at one order; whether all could be asked. One that can't be read keeps no other waiting.

    It is due again in a day, and the line that tells of it counts as a failed provider's.
    """
    try:
        return _watch_order(app, order_id)
    except AssertionError:
        app.telemetry.line("watch_failed", metrics=[PROVIDER_FAILED], order_id=order_id)
        app.orders.schedule(order_id, app.now_ms() + GAP_MS_MAX)
        return False


def _watch_order(app: FullApp, order_id: str) -> bool:
    order = app.orders.read(order_id)
    if order is None:
        return True
    complete = ask(app, order, timeout_ms=TIMEOUT_MS)
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
