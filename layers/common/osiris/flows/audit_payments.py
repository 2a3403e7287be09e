"""The audit of money in: every payment against its entries, every order against its payments.

Payments may move meanwhile: a difference counts once it stands between two readings of the payment,
or of the order, that are the same.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from osiris.ledger.audit import Difference, Tally, order_differences, payment_differences
from osiris.ledger.order import Order
from osiris.store.order_items import full_id

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from osiris.app.full import FullApp
    from osiris.ledger.payment import Payment

READS_MAX = 10


def audit_payments(
    app: FullApp, paid: Mapping[str, Mapping[str, int]]
) -> tuple[int, list[Difference]]:
    """How many payments there are, and what is wrong with them and their orders.

    `paid` has, for each payment, what its entries come to in each key.
    """
    orders: dict[str, Order] = {}
    payments: dict[str, Payment] = {}
    by_order: dict[str, list[Payment]] = defaultdict(list)
    for found in app.orders.scan():
        if isinstance(found, Order):
            orders[found.id] = found
        else:
            payments[full_id(found)] = found
            by_order[found.order_id].append(found)
    differences: list[Difference] = []
    for payment_id in sorted(payments.keys() | paid.keys()):
        by_key = paid.get(payment_id, {})
        differences += _audit_payment(app, payment_id, payments.get(payment_id), by_key)
    for order_id in sorted(orders.keys() | by_order.keys()):
        differences += _audit_order(app, order_id, orders.get(order_id), by_order[order_id])
    return len(payments), differences


def _audit_payment(
    app: FullApp, payment_id: str, payment: Payment | None, by_key: Mapping[str, int]
) -> list[Difference]:
    found = payment_differences(payment_id, payment, sum(by_key.values()))
    key_ids = set(by_key)
    for _ in range(READS_MAX):
        if not found:
            break
        payment = app.orders.payment_as_stored(payment_id)
        key_ids |= {payment.key_id} - {""} if payment else set()
        found = payment_differences(payment_id, payment, _paid_nano(app, payment_id, key_ids))
        if app.orders.payment_as_stored(payment_id) == payment:
            break
    return found


def _paid_nano(app: FullApp, payment_id: str, key_ids: Collection[str]) -> int:
    return sum(Tally(app.ledger.entries(key_id)).paid_nano[payment_id] for key_id in key_ids)


def _audit_order(
    app: FullApp, order_id: str, order: Order | None, payments: list[Payment]
) -> list[Difference]:
    found = _order_differences(order_id, order, payments)
    for _ in range(READS_MAX):
        if not found:
            break
        order = app.orders.read_as_stored(order_id)
        if order is not None:
            # Those that it does not name, too: it may have forgotten one.
            payment_ids = order.payment_ids | set(map(full_id, payments))
            payments = [read for id in payment_ids if (read := app.orders.payment_as_stored(id))]
        found = _order_differences(order_id, order, payments)
        if app.orders.read_as_stored(order_id) == order:
            break
    return found


def _order_differences(
    order_id: str, order: Order | None, payments: list[Payment]
) -> list[Difference]:
    if order is None:
        return [Difference("I4", order_id, "order", "an order of these payments", None)]
    return order_differences(order, payments)
