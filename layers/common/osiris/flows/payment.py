"""Confirming a payment: its provider is asked, and what it bought is credited, or taken back, once.

Webhooks, the watch over open orders, and an owner who reads an order all end here. Nothing that
they say counts but the provider's own status. The payment's figures move from those that were seen
to those that are due, in one transaction with the key and its entries: whoever comes second, or
comes again after a crash, finds nothing left to move.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from osiris import ids
from osiris.errors import ChangedMeanwhile
from osiris.flows.patience import CHANGES_MAX, patiently
from osiris.ledger import purchase
from osiris.ledger.credit import Source, purchased, taken_back
from osiris.ledger.key import DELETED
from osiris.ledger.order import KEY_DELETED, STATE_UNKNOWN, VALUE_UNKNOWN, place_of
from osiris.ledger.payment import ENDED, RECEIVED, WAITING, Payment
from osiris.money import NANO_PER_DOLLAR, dollars_from_nano, floor_product
from osiris.payment_errors import BillRefused, OrderNotFound, WebhookDiffers
from osiris.store.order_items import full_id
from osiris.store.outbox import Event
from osiris.telemetry import PAYMENT_UNDECIDED
from osiris.times import MINUTE_MS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from osiris.app.full import FullApp
    from osiris.ledger.credit import Posting
    from osiris.ledger.entry import Entry
    from osiris.ledger.key import Key
    from osiris.ledger.order import Order
    from osiris.ledger.payment import PaymentStatus
    from osiris.payments import Hint, Provider
    from osiris.store.transport import Payload

ORDER_CREDITED = "order.credited"
# What came beside the quote and is worth more than so many packages is looked at by a person.
BESIDE_PACKAGES_MAX = 10
# More forfeitures than expiries since one purchase, each with what a late hold gave back.
ENTRIES_MAX = 16
# No function runs for longer: an entry is dated by so much before it was posted, at most.
RUN_MS_MAX = 15 * MINUTE_MS


def confirm(
    app: FullApp, provider_name: str, payment_id: str, *, timeout_ms: int, hint: Hint | None = None
) -> tuple[str, ...]:
    """Ask the provider about a payment and do what follows; returns the ids of further deposits.

    Raises PaymentNotFound, OrderNotFound and WebhookDiffers, when there is nothing of ours to
    credit; ProviderUnavailable, StoreUnavailable and ChangedMeanwhile, when it should come again.
    """
    provider = app.providers.of(provider_name)
    status = provider.status(payment_id, timeout_ms=timeout_ms)
    if hint is not None:
        _check_hint(hint, status)
    order, number = _place(app, provider, status, timeout_ms)
    if order.provider != provider_name:
        raise WebhookDiffers(details="an order of another provider")
    seen = app.orders.payment(f"{status.provider}#{status.id}")
    problem = purchase.problem(order, order.parts[number - 1], status, seen)
    if problem:
        _leave_to_a_person(app, order, problem, status.id)
    # What is known of a payment is noted whatever has to be decided about it.
    if not problem or (seen is not None and status.state == ENDED):
        _move(app, order, number, provider, status, seen)
    return status.child_ids


def settle(
    app: FullApp,
    order_id: str,
    payment: Payment,
    seen: Payment | None,
    *,
    returned_by: str,
    key_id: str = "",
) -> bool:
    """Record a payment's figures over those seen, and move what they leave outstanding.

    It is credited to `key_id`, or else to the order's key; False when that key can't be credited.
    Raises ChangedMeanwhile when the payment, its order or the key are no longer as seen.
    """
    order = app.orders.read(order_id)
    if order is None:
        raise OrderNotFound
    if payment.outstanding_nano > 0:
        key = app.keys.read(key_id or payment.key_id or order.key_id)
        if key is not None and key.status != DELETED:
            _credit(app, order, key, payment, seen)
            return True
    elif payment.outstanding_nano < 0:
        key = app.keys.read(payment.key_id)
        assert key is not None, "credited to no key"
        _take_back(app, order, key, payment, seen, returned_by)
        return True
    writes = _payment_writes(app, order, payment, seen, returned_by=returned_by)
    patiently(app, partial(app.orders.post, writes))
    return payment.outstanding_nano == 0


def _check_hint(hint: Hint, status: PaymentStatus) -> None:
    """A genuine webhook may be old, but not about another payment, order, price or currency."""
    facts = {
        "payment": (hint.payment_id, status.id),
        "order": (hint.reference, status.reference),
        "amount": (hint.price, status.price),
        "currency": (hint.price_currency, status.price_currency),
    }
    differing = [name for name, (told, true) in facts.items() if told != true]
    if differing:
        raise WebhookDiffers(details=f"differs from the status by {', '.join(differing)}")


def _place(
    app: FullApp, provider: Provider, status: PaymentStatus, timeout_ms: int
) -> tuple[Order, int]:
    """The order and the part that the payment names, itself or by the payment it follows."""
    place = place_of(status.reference)
    if place is None and status.parent_id:
        place = place_of(provider.status(status.parent_id, timeout_ms=timeout_ms).reference)
    order = None if place is None else app.orders.read(place[0])
    if place is None or order is None or not 0 < place[1] <= len(order.parts):
        raise OrderNotFound(details=f"no order of ours: payment {status.id[:64]}")
    return order, place[1]


def _leave_to_a_person(app: FullApp, order: Order, problem: str, payment_id: str) -> None:
    if f"{problem}#{payment_id}" in order.resolved:
        return
    app.telemetry.line(
        "payment_undecided",
        metrics=[PAYMENT_UNDECIDED],
        order_id=order.id,
        payment_id=f"{order.provider}#{payment_id[:64]}",
        problem=problem,
    )
    if (order.problem, order.problem_of) != (problem, payment_id):
        app.orders.flag(order.id, problem, payment_id)


def _move(
    app: FullApp,
    order: Order,
    number: int,
    provider: Provider,
    status: PaymentStatus,
    seen: Payment | None,
) -> None:
    for _ in range(CHANGES_MAX):
        try:
            payment = _reckoned(app, order, number, provider, status, seen)
        except BillRefused:
            _leave_to_a_person(app, order, VALUE_UNKNOWN, status.id)
            return
        if payment is None:
            # A word that we don't know was in passing: the provider waits for the money.
            of_this = (order.problem, order.problem_of) == (STATE_UNKNOWN, status.id)
            if of_this and status.state == WAITING:
                app.orders.clear(order.id)
            return
        if payment == seen and (order.problem or not payment.outstanding_nano):
            return
        try:
            moved = settle(app, order.id, payment, seen, returned_by=_returned_by(status))
        except ChangedMeanwhile:
            seen = app.orders.payment(f"{status.provider}#{status.id}")
            continue
        if not moved:
            _leave_to_a_person(app, order, KEY_DELETED, status.id)
        elif order.problem_of == status.id and status.state != ENDED:
            app.orders.clear(order.id)
        return
    raise ChangedMeanwhile


def _returned_by(status: PaymentStatus) -> str:
    return status.returned_by if status.returned > 0 else ""


def _reckoned(
    app: FullApp,
    order: Order,
    number: int,
    provider: Provider,
    status: PaymentStatus,
    seen: Payment | None,
) -> Payment | None:
    """The payment's figures as they are due by its status; None while there is nothing to note."""
    if seen is None:
        if status.state in (WAITING, ENDED):
            return None
        seen_at_ms = status.paid_at_ms or app.now_ms()
        seen = Payment.first(status, order_id=order.id, part=number, seen_at_ms=seen_at_ms)
    bought = purchase.bought(order, order.parts[number - 1], status, seen)
    nano = bought.nano
    if bought.beside > 0:
        dollars = provider.value_dollars(status.currency, bought.beside)
        beside_nano = floor_product(NANO_PER_DOLLAR, dollars)
        if not 0 <= beside_nano <= BESIDE_PACKAGES_MAX * order.amount_nano:
            raise BillRefused(details="a value beyond belief")
        nano += beside_nano
    received = status.received if status.state == RECEIVED else seen.received
    return seen._replace(
        told=status.told,
        state=status.state,
        bought_nano=nano,
        received=max(seen.received, received),
        returned=max(seen.returned, status.returned),
    )


def _credit(app: FullApp, order: Order, key: Key, payment: Payment, seen: Payment | None) -> None:
    now_ms = app.now_ms()
    amount_nano = payment.outstanding_nano
    credited = payment._replace(
        key_id=key.id,
        credited_nano=payment.credited_nano + amount_nano,
        credited_at_ms=payment.credited_at_ms or now_ms,
    )
    counts = purchase.keeps_alive(order, credited)
    extends = counts and not order.extended_at_ms
    # Another key than the order's had nothing to do with when it was paid.
    paid_at_ms = payment.seen_at_ms if counts and key.id == order.key_id else now_ms
    posting = purchased(
        key,
        Source(order.id, full_id(payment)),
        amount_nano=amount_nano,
        extends=extends,
        paid_at_ms=paid_at_ms,
        since=_entries_since(app, key, paid_at_ms),
        entry_ids=_entry_ids(app, now_ms),
        now_ms=now_ms,
    )
    extended = posting.expires_at_ms != key.expires_at_ms or extends
    writes = _payment_writes(app, order, credited, seen, extended_at_ms=now_ms if extended else 0)
    event = _credited_event(order, posting, credited, now_ms)
    writes.append({"Put": app.outbox.put(event)})
    patiently(app, partial(app.postings.credit, key, posting, writes))
    _tell(app, "payment_credited", order, credited, amount_nano)


def _take_back(
    app: FullApp, order: Order, key: Key, payment: Payment, seen: Payment | None, returned_by: str
) -> None:
    now_ms = app.now_ms()
    amount_nano = -payment.outstanding_nano
    posting = taken_back(
        key,
        Source(order.id, full_id(payment)),
        type=returned_by,
        amount_nano=amount_nano,
        paid_at_ms=payment.seen_at_ms,
        credited_at_ms=payment.credited_at_ms,
        since=_entries_since(app, key, payment.credited_at_ms - RUN_MS_MAX),
        entry_ids=_entry_ids(app, now_ms),
        now_ms=now_ms,
    )
    less = payment._replace(taken_back_nano=payment.taken_back_nano + amount_nano)
    writes = _payment_writes(app, order, less, seen, returned_by=returned_by)
    patiently(app, partial(app.postings.take_back, key, posting, writes))
    _tell(app, "payment_taken_back", order, less, amount_nano)


def _payment_writes(
    app: FullApp,
    order: Order,
    payment: Payment,
    seen: Payment | None,
    *,
    returned_by: str = "",
    extended_at_ms: int = 0,
) -> list[Payload]:
    return [
        app.orders.payment_put(payment, seen),
        app.orders.sums_update(
            order, payment, seen, returned_by=returned_by, extended_at_ms=extended_at_ms
        ),
    ]


def _entries_since(app: FullApp, key: Key, since_ms: int) -> Iterable[Entry]:
    """The key's entries since then, where a forfeiture may be among them: few keys have any."""
    if key.forfeited_nano <= 0:
        return ()
    return app.ledger.entries(key.id, from_ms=since_ms)


def _entry_ids(app: FullApp, now_ms: int) -> list[str]:
    """One for the movement, the others for what is forfeited or given back beside it."""
    return [ids.entry_id(now_ms, app.entropy(16)) for _ in range(ENTRIES_MAX)]


def _credited_event(order: Order, posting: Posting, payment: Payment, now_ms: int) -> Event:
    entry = posting.entries[-1]
    detail = {
        "account_id": order.account_id,
        "key_id": payment.key_id,
        "order_id": order.id,
        "amount": dollars_from_nano(entry.amount_nano),
        "expires_at_ms": posting.expires_at_ms,
    }
    return Event(entry.id, ORDER_CREDITED, detail, now_ms)


def _tell(app: FullApp, event: str, order: Order, payment: Payment, amount_nano: int) -> None:
    app.telemetry.line(
        event,
        order_id=order.id,
        payment_id=full_id(payment),
        key_id=payment.key_id,
        amount_nano=amount_nano,
    )
