"""Orders in the operator's hands: look, give a payment a home, refund."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris.errors import ChangedMeanwhile, InvalidRequest, KeyNotFound, TrialNotToppedUp
from osiris.flows.patience import CHANGES_MAX
from osiris.flows.payment import confirm, settle
from osiris.ledger.key import DELETED, PAID
from osiris.ledger.order import KEY_DELETED, Order, place_of
from osiris.ledger.payment import REFUND, RUPIAH, Payment
from osiris.payment_errors import OrderNotFound, PaymentNotFound
from osiris.store.order_items import full_id

if TYPE_CHECKING:
    from decimal import Decimal

    from osiris.app.full import FullApp
    from osiris.ledger.key import Key

TIMEOUT_MS = 10_000
GONE = "There is no such key, or it is deleted."


def find(app: FullApp, order_id: str) -> tuple[Order, list[Payment]]:
    """An order of any account, and its payments. Raises OrderNotFound."""
    order = app.orders.read(order_id)
    if order is None:
        raise OrderNotFound("There is no such order.")
    return order, app.orders.payments(order)


def undecided(app: FullApp) -> list[Order]:
    """The orders about which a person has to decide something, oldest first."""
    orders = (found for found in app.orders.scan() if isinstance(found, Order) and found.problem)
    return sorted(orders, key=lambda order: order.id)


def newest(app: FullApp, *, most: int) -> list[Order]:
    """The newest orders of all accounts, newest first."""
    orders = (found for found in app.orders.scan() if isinstance(found, Order))
    return sorted(orders, key=lambda order: order.id, reverse=True)[:most]


def assign(
    app: FullApp, order_id: str, key_id: str, *, payment_id: str = "", amount_nano: int = 0
) -> int:
    """Credit what the order's payments left outstanding to a key; returns the nano-dollars.

    A payment that could not be valued is given its value by hand: `payment_id` (the provider's id
    of it) and `amount_nano`. Raises OrderNotFound, KeyNotFound, TrialNotToppedUp, InvalidRequest.
    """
    _check_home(app.keys.read(key_id))
    order, payments = find(app, order_id)
    if payment_id:
        return _assign_by_hand(app, order, key_id, payment_id, amount_nano)
    total_nano = sum(_assign_payment(app, order, full_id(paid), key_id) for paid in payments)
    if total_nano and order.problem == KEY_DELETED:
        app.orders.clear(order.id)
    return total_nano


def resolve(app: FullApp, order_id: str) -> str:
    """Take an order's problem for decided; returns it, empty when there was none.

    It is not reported again for the same cause. Raises OrderNotFound.
    """
    order, _ = find(app, order_id)
    if order.problem:
        app.orders.resolve(order)
    return order.problem


def refund(
    app: FullApp,
    order_id: str,
    payment_id: str,
    *,
    amount: Decimal | None,
    manual: bool,
    kind: str = REFUND,
    reason: str = "",
) -> Payment:
    """Give a payment back, or so much of it in its own currency; returns it as it is then.

    The provider does it, or it was done by hand (`manual`): then it is recorded. Raises
    PaymentNotFound, InvalidRequest, RefundByHand.
    """
    order, _ = find(app, order_id)
    id = f"{order.provider}#{payment_id}"
    payment = _own_payment(app, order, id)
    left = payment.received - payment.returned
    amount = left if amount is None else amount
    if not 0 < amount <= left:
        raise InvalidRequest(f"What can be given back is up to {left:f} {payment.currency}.")
    if payment.currency == RUPIAH and amount != int(amount):
        raise InvalidRequest("Rupiah have no decimals.")
    if manual:
        _record_return(app, order, payment, amount, kind)
    else:
        # Until the provider has told of it, a repeat is the same refund; another amount is not.
        key = f"{payment_id}-{payment.returned:f}-{amount:f}".replace(".", "_")
        app.providers.of(order.provider).refund(payment_id, amount=amount, key=key, reason=reason)
        confirm(app, order.provider, payment_id, timeout_ms=TIMEOUT_MS)
    if order.problem == KEY_DELETED and not _is_outstanding(app, order.id):
        app.orders.clear(order.id)
    return _own_payment(app, order, id)


def _check_home(key: Key | None) -> None:
    if key is None or key.status == DELETED:
        raise KeyNotFound(GONE)
    if key.kind != PAID:
        raise TrialNotToppedUp


def _is_outstanding(app: FullApp, order_id: str) -> bool:
    _, payments = find(app, order_id)
    return any(payment.outstanding_nano for payment in payments)


def _own_payment(app: FullApp, order: Order, id: str) -> Payment:
    payment = app.orders.payment(id)
    if payment is None or payment.order_id != order.id:
        raise PaymentNotFound("There is no such payment of this order.")
    return payment


def _assign_payment(app: FullApp, order: Order, id: str, key_id: str) -> int:
    for _ in range(CHANGES_MAX):
        payment = app.orders.payment(id)
        assert payment is not None
        outstanding_nano = payment.outstanding_nano
        if outstanding_nano <= 0:
            return 0
        try:
            moved = settle(app, order.id, payment, payment, returned_by="", key_id=key_id)
        except ChangedMeanwhile:
            continue
        if not moved:
            raise KeyNotFound(GONE)
        return outstanding_nano
    raise ChangedMeanwhile


def _assign_by_hand(
    app: FullApp, order: Order, key_id: str, payment_id: str, amount_nano: int
) -> int:
    status = app.providers.of(order.provider).status(payment_id, timeout_ms=TIMEOUT_MS)
    place = place_of(status.reference)
    if place is not None and place[0] != order.id:
        raise InvalidRequest("This payment names another order.")
    received = status.received or status.held
    if received <= 0:
        raise InvalidRequest("The provider has received nothing by this payment.")
    seen = app.orders.payment(f"{status.provider}#{status.id}")
    if seen is not None and seen.bought_nano:
        raise InvalidRequest("This payment was valued before. Leave --amount out.")
    part = place[1] if place else 1
    seen_at_ms = status.paid_at_ms or app.now_ms()
    first = seen or Payment.first(status, order_id=order.id, part=part, seen_at_ms=seen_at_ms)
    payment = first._replace(received=received, bought_nano=amount_nano)
    if not settle(app, order.id, payment, seen, returned_by="", key_id=key_id):
        raise KeyNotFound(GONE)
    if order.problem_of in ("", status.id):
        app.orders.clear(order.id)
    return amount_nano


def _record_return(
    app: FullApp, order: Order, payment: Payment, amount: Decimal, kind: str
) -> None:
    returned = payment.returned + amount
    for _ in range(CHANGES_MAX):
        less = payment._replace(returned=returned)
        try:
            settle(app, order.id, less, payment, returned_by=kind)
        except ChangedMeanwhile:
            payment = _own_payment(app, order, full_id(payment))
            if payment.returned >= returned:
                return
            continue
        return
    raise ChangedMeanwhile
