"""Top-ups in the hands of their owner: order, read, list, cancel.

An order is stored before its provider hears of it, and can be paid once both know: a process that
dies in between leaves an order that nobody can pay, which the next call with the same
Idempotency-Key takes up. Paying is confirmed by `flows.payment`.
"""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from osiris import ids
from osiris.errors import ChangedMeanwhile, InvalidRequest, OsirisError, TrialNotToppedUp
from osiris.flows import keys, quote
from osiris.flows.patience import patiently
from osiris.flows.watch import ask
from osiris.ledger.key import TRIAL
from osiris.ledger.order import (
    CANCELLED,
    CRYPTO,
    EXPIRED,
    MAY_BE_SEEN,
    PENDING,
    QRIS,
    QUOTED,
    Order,
    next_check_at_ms,
    reference,
    shown_state,
)
from osiris.money import NANO_PER_DOLLAR
from osiris.payment_errors import (
    IdempotencyMismatch,
    OrderEnded,
    OrderNotFound,
    OrderOpen,
    ProviderUnavailable,
    TooManyOrders,
)
from osiris.payments import Bill, ReferenceTaken
from osiris.store.new_orders import NOTHING_TAKEN, Promise, Taken
from osiris.times import HOUR_MS, MINUTE_MS

if TYPE_CHECKING:
    from osiris.app.full import FullApp
    from osiris.ledger.order import Part
    from osiris.ledger.payment import Payment

# An owner who waits for a payment has its provider asked so often.
ASK_AGAIN_MS = 10_000
ASK_TIMEOUT_MS = 3_000
# All that an owner waits for a provider, well below API Gateway's 29 s.
ASK_MS_MAX = 10_000
# Each order costs its provider a call or more, and a question now and then for eight days.
ORDERS_AN_HOUR_MAX = 20
RETRY_AFTER_S = 60
# A reference that is taken belongs to a try of ours whose answer was lost.
ATTEMPTS_MAX = 3
# An order that stands in the way may end while it is looked at.
CREATE_TRIES_MAX = 3
PAGE_MAX = 50
IDEMPOTENCY_KEY_LENGTH_MAX = 255


class Wish(NamedTuple):
    """What is to be bought: a package of so many dollars for a key, and how it is to be paid."""

    package: str
    key_id: str
    method: str
    coin: str

    @property
    def digest(self) -> str:
        """What tells one wish from another."""
        return hashlib.sha256(json.dumps(self).encode()).hexdigest()


class Shown(NamedTuple):
    """An order with its payments, for its owner."""

    order: Order
    payments: list[Payment]


def create(
    app: FullApp,
    account_id: str,
    wish: Wish,
    *,
    idempotency_key: str,
    webhooks_url: str,
    email: str = "",
) -> Shown:
    """A new order that can be paid, or the one that the Idempotency-Key made before.

    `email` is the owner's verified address, kept where this stack sends mails.

    Raises InvalidRequest, KeyNotFound or TrialNotToppedUp; OrderOpen or TooManyOrders;
    IdempotencyMismatch; PaymentsNotOffered, BillRefused, RateUnavailable or ProviderUnavailable,
    when nothing was ordered.
    """
    dollars = quote.chosen(app, wish.package)
    key = keys.read(app, account_id, wish.key_id)
    if key.kind == TRIAL:
        raise TrialNotToppedUp
    if email and app.settings.mail_from:
        patiently(app, partial(app.accounts.set_email, account_id, email))
    promise = _promise(idempotency_key, wish)
    # Read before the promise: an order that has the place by this very promise is then found by it.
    placed = app.orders.placed(wish.key_id, wish.method)
    ended = NOTHING_TAKEN
    if promise is not None and (earlier := app.orders.promised(account_id, promise)) is not None:
        order = _kept(app, earlier, promise)
        if order is not None:
            return _payable(app, order, webhooks_url)
        ended = earlier
    _check_pace(app, account_id)
    _check_place(app, placed)
    ended = ended._replace(place=placed)
    order = _quoted(app, account_id, wish, dollars)
    for _ in range(CREATE_TRIES_MAX):
        due_at_ms = next_check_at_ms(order, app.now_ms())
        taken = app.orders.create(order, due_at_ms=due_at_ms, promise=promise, ended=ended)
        if taken is None:
            return _payable(app, order, webhooks_url)
        if promise is not None and taken.promise:
            kept = _kept(app, taken, promise)
            if kept is not None:
                return _payable(app, kept, webhooks_url)
        _check_place(app, taken.place)
        ended = Taken(taken.place or ended.place, taken.promise or ended.promise, "")
    raise ChangedMeanwhile


def read(app: FullApp, account_id: str, order_id: str) -> Shown:
    """An order of the account; its provider is asked before, now and then. Raises OrderNotFound."""
    order = _own(app, account_id, order_id)
    now_ms = app.now_ms()
    ask_before_ms = now_ms - ASK_AGAIN_MS
    if (
        order.is_watched(now_ms)
        and order.asked_at_ms <= ask_before_ms
        and app.orders.ask(order.id, now_ms=now_ms, ask_before_ms=ask_before_ms)
    ):
        ask(app, order, timeout_ms=ASK_TIMEOUT_MS, order_ms_max=ASK_MS_MAX)
        order = _own(app, account_id, order_id)
    return Shown(order, app.orders.payments(order))


def list_orders(
    app: FullApp, account_id: str, *, after_id: str, most: int
) -> tuple[list[Order], str]:
    """A page of the account's orders, newest first, and where the next one begins."""
    if after_id and not ids.is_order_id(after_id):
        raise InvalidRequest("'after' must be the 'next' of an earlier page.", param="after")
    return app.orders.of_account(account_id, before_id=after_id, most=min(most, PAGE_MAX))


def open_orders(app: FullApp, account_id: str, key_id: str) -> list[Order]:
    """The key's orders that wait to be paid."""
    now_ms = app.now_ms()
    # An account makes fewer orders in the time for which any of them is open.
    orders, _ = list_orders(app, account_id, after_id="", most=ORDERS_AN_HOUR_MAX)
    return [order for order in orders if order.key_id == key_id and order.is_open(now_ms)]


def list_shown(
    app: FullApp, account_id: str, *, after_id: str, most: int
) -> tuple[list[Shown], str]:
    """A page of `list_orders`, each order with its payments where they tell more than it does."""
    orders, after = list_orders(app, account_id, after_id=after_id, most=most)
    shown = [
        Shown(order, app.orders.payments(order) if shown_state(order) in MAY_BE_SEEN else [])
        for order in orders
    ]
    return shown, after


def cancel(app: FullApp, account_id: str, order_id: str) -> Shown:
    """End an order that nothing was paid for. Raises OrderNotFound or OrderEnded.

    Money that comes all the same is credited, as for any order.
    """
    order = _own(app, account_id, order_id)
    if shown_state(order) == PENDING:
        # Before any code of it is cancelled: one may be paid already.
        ask(app, order, timeout_ms=ASK_TIMEOUT_MS, order_ms_max=ASK_MS_MAX)
        order = _own(app, account_id, order_id)
    if shown_state(order) not in (QUOTED, PENDING):
        raise OrderEnded
    provider = app.providers.of(order.provider)
    certain = [provider.cancel(part.payment_id) for part in order.parts if part.payment_id]
    if not all(certain):
        ask(app, order, timeout_ms=ASK_TIMEOUT_MS, order_ms_max=ASK_MS_MAX)
        order = _own(app, account_id, order_id)
    try:
        # Paid at this very moment or not: its codes are dead now.
        order = app.orders.end(order, CANCELLED)
    except ChangedMeanwhile as error:
        raise OrderEnded from error
    return Shown(order, app.orders.payments(order))


def _own(app: FullApp, account_id: str, order_id: str) -> Order:
    order = app.orders.read(order_id) if ids.is_order_id(order_id) else None
    if order is None or order.account_id != account_id:
        raise OrderNotFound
    return order


def _promise(idempotency_key: str, wish: Wish) -> Promise | None:
    if not idempotency_key:
        return None
    if len(idempotency_key) > IDEMPOTENCY_KEY_LENGTH_MAX:
        raise InvalidRequest(
            f"An Idempotency-Key has {IDEMPOTENCY_KEY_LENGTH_MAX} characters at most."
        )
    digest = hashlib.sha256(idempotency_key.encode("utf-8", "surrogatepass")).hexdigest()
    return Promise(digest, wish.digest)


def _kept(app: FullApp, earlier: Taken, promise: Promise) -> Order | None:
    """The order that the Idempotency-Key made; None when that failed and it may make another."""
    if earlier.body_digest != promise.body_digest:
        raise IdempotencyMismatch
    order = app.orders.read(earlier.promise)
    assert order is not None, "a promise without its order"
    order = _unless_abandoned(app, order)
    return None if order.state in (CANCELLED, EXPIRED) and not order.was_started else order


def _check_place(app: FullApp, order_id: str) -> None:
    """Raises OrderOpen, with the order's id, when the key's earlier order is still open."""
    order = app.orders.read(order_id) if order_id else None
    if order is not None and _unless_abandoned(app, order).is_open(app.now_ms()):
        raise OrderOpen(f"{OrderOpen.message} It is {order.id}.")


def _unless_abandoned(app: FullApp, order: Order) -> Order:
    """The order; one that its maker did not start in time is ended, so that nobody starts it late
    when another has its place.
    """
    if order.state != QUOTED or order.is_open(app.now_ms()):
        return order
    try:
        return app.orders.end(order, CANCELLED)
    except ChangedMeanwhile:
        return _own(app, order.account_id, order.id)


def _check_pace(app: FullApp, account_id: str) -> None:
    """Raises TooManyOrders when the account has made many in the last hour."""
    orders, _ = app.orders.of_account(account_id, most=ORDERS_AN_HOUR_MAX)
    if len(orders) < ORDERS_AN_HOUR_MAX:
        return
    if orders[-1].created_at_ms > app.now_ms() - HOUR_MS:
        raise TooManyOrders(retry_after_s=RETRY_AFTER_S)


def _quoted(app: FullApp, account_id: str, wish: Wish, dollars: int) -> Order:
    now_ms = app.now_ms()
    order_id = ids.order_id(now_ms, app.entropy(16))
    provider = app.providers.name_for(wish.method)
    app.providers.check(provider)
    rate, rate_source, rate_at_ms = "", "", 0
    if wish.method == QRIS:
        parts, quoted = quote.for_rupiah(app, order_id, dollars)
        rate, rate_source = format(quoted.rupiah_per_dollar, "f"), quoted.source
        rate_at_ms = quoted.at_ms
    else:
        parts = quote.for_coin(app, order_id, dollars, wish.coin)
    return Order(
        id=order_id,
        account_id=account_id,
        key_id=wish.key_id,
        amount_nano=dollars * NANO_PER_DOLLAR,
        method=wish.method,
        provider=provider,
        coin=wish.coin.lower() if wish.method == CRYPTO else "",
        state=QUOTED,
        created_at_ms=now_ms,
        expires_at_ms=now_ms + app.settings.quote_minutes * MINUTE_MS,
        rate=rate,
        rate_source=rate_source,
        rate_at_ms=rate_at_ms,
        parts=parts,
    )


def _payable(app: FullApp, order: Order, webhooks_url: str) -> Shown:
    """The order, once its provider has taken each part; cancelled when the provider won't."""
    if order.state != QUOTED:
        return Shown(order, app.orders.payments(order))
    try:
        started = [_started(app, order, number, webhooks_url) for number in range(len(order.parts))]
    except OsirisError:
        _give_up(app, order)
        raise
    parts = tuple(part for part, _ in started)
    # A coin's price is the provider's, and holds for as long as the provider says.
    expires_at_ms = min(order.expires_at_ms, *(ends_at_ms for _, ends_at_ms in started))
    try:
        order = app.orders.start(order, parts, expires_at_ms)
    except ChangedMeanwhile:
        # Another call with the same Idempotency-Key was quicker: its payments are the ones shown.
        order = _own(app, order.account_id, order.id)
    return Shown(order, [])


def _started(app: FullApp, order: Order, index: int, webhooks_url: str) -> tuple[Part, int]:
    """The part as its provider has taken it, and until when it can be paid."""
    part = order.parts[index]
    for attempt in range(ATTEMPTS_MAX):
        bill = Bill(
            reference=reference(order.id, index + 1, attempt),
            price=Decimal(part.price),
            coin=order.coin,
            description=f"API credit of ${order.amount_nano // NANO_PER_DOLLAR}",
            lives_ms=order.expires_at_ms - app.now_ms(),
            now_ms=app.now_ms(),
            webhook_url=f"{webhooks_url}/{order.provider}" if webhooks_url else "",
        )
        try:
            started = app.providers.of(order.provider).start(bill)
        except ReferenceTaken:
            continue
        payable = part._replace(
            reference=bill.reference,
            payment_id=started.payment_id,
            amount=format(started.amount, "f"),
            currency=started.currency,
            qr_text=started.qr_text,
            address=started.address,
            memo=started.memo,
            network=started.network,
        )
        return payable, started.expires_at_ms
    raise ProviderUnavailable(details="every reference is taken")


def _give_up(app: FullApp, order: Order) -> None:
    """Free the key's place for another order; nobody was told how to pay this one."""
    try:
        app.orders.end(order, CANCELLED)
    except OsirisError as error:
        app.telemetry.line("order_left_open", order_id=order.id, details=error.details)
