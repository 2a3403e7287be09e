"""New orders: each with the place that it takes of its key, and the promise that it keeps.

An order's place is the one open order of a kind that a key can have; its promise is what an
Idempotency-Key made. Both name the order, and give way once that order has ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from osiris.store.order_items import order_item, place_pk, promise_pk
from osiris.store.transaction import transact
from osiris.store.values import plain_item, typed, typed_item

if TYPE_CHECKING:
    from osiris.ledger.order import Order
    from osiris.store.transport import Payload, Transport

ORDER_CONDITIONS = {
    # An order created again, late, does not set one that was paid meanwhile back to its beginning.
    "order_is_new": "attribute_not_exists(pk)",
}

PLACE_CONDITIONS = {
    # Of two orders of a kind at once a key gets one, unless the one that it had has ended.
    "no_other_order_is_open": "(attribute_not_exists(pk) OR order_id = :ended)",
}

PROMISE_CONDITIONS = {
    # Of two calls with one Idempotency-Key one makes the order, and the other finds it.
    "no_other_order_is_promised": "(attribute_not_exists(pk) OR order_id = :ended)",
}

# As long as Stripe keeps them, and as our documents promise.
PROMISE_LIFE_S = 86_400


class Promise(NamedTuple):
    """An account's Idempotency-Key by its digest, and that of the body it came with."""

    digest: str
    body_digest: str


class Taken(NamedTuple):
    """The orders that stand in the way of a new one; empty where none does."""

    place: str
    promise: str
    body_digest: str


NOTHING_TAKEN = Taken("", "", "")


class NewOrders:
    """Orders as they come to be, in their table."""

    def __init__(self, transport: Transport, table: str) -> None:
        self._transport = transport
        self._table = table

    def create(
        self, order: Order, *, due_at_ms: int, promise: Promise | None, ended: Taken
    ) -> Taken | None:
        """Put a new order: all of it, or nothing; None when it stands.

        Else the orders that the key's place, and the promise, name; those `ended` give way.
        """
        writes = [
            {"Put": self._new(order_item(order, due_at_ms))},
            {"Put": self._named(order, ended.place)},
        ]
        if promise is not None:
            writes.append({"Put": self._promised(order, promise, ended.promise)})
        refused = transact(self._transport, writes)
        if not refused or 0 in refused:
            # Its id is fresh: one that stands was put by an earlier try, its reply lost.
            return None
        place, kept = (plain_item(refused.get(number) or {}) for number in (1, 2))
        return Taken(
            place.get("order_id", ""), kept.get("order_id", ""), kept.get("body_digest", "")
        )

    def placed(self, key_id: str, method: str) -> str:
        """The order that has the key's place for this method, open or ended; empty for none."""
        item = self._item(place_pk(key_id, method))
        return "" if item is None else str(plain_item(item)["order_id"])

    def promised(self, account_id: str, promise: Promise) -> Taken | None:
        """What the Idempotency-Key was used for, or None."""
        item = self._item(promise_pk(account_id, promise.digest))
        if item is None:
            return None
        found = plain_item(item)
        return Taken("", found["order_id"], found["body_digest"])

    def _item(self, pk: str) -> Payload | None:
        answer = self._transport.call(
            "GetItem",
            {"TableName": self._table, "Key": {"pk": typed(pk)}, "ConsistentRead": True},
        )
        return answer.get("Item")

    def _new(self, item: Payload) -> Payload:
        return {
            "TableName": self._table,
            "Item": item,
            "ConditionExpression": " AND ".join(ORDER_CONDITIONS.values()),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def _named(self, order: Order, ended: str) -> Payload:
        item = {"pk": place_pk(order.key_id, order.method), "order_id": order.id}
        return self._unless_named(item, ended, PLACE_CONDITIONS)

    def _promised(self, order: Order, promise: Promise, ended: str) -> Payload:
        item = {
            "pk": promise_pk(order.account_id, promise.digest),
            "order_id": order.id,
            "body_digest": promise.body_digest,
            "expires_at_s": order.created_at_ms // 1000 + PROMISE_LIFE_S,
        }
        return self._unless_named(item, ended, PROMISE_CONDITIONS)

    def _unless_named(
        self, item: dict[str, Any], ended: str, conditions: dict[str, str]
    ) -> Payload:
        return {
            "TableName": self._table,
            "Item": typed_item(item),
            "ConditionExpression": " AND ".join(conditions.values()),
            "ExpressionAttributeValues": {":ended": typed(ended)},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
