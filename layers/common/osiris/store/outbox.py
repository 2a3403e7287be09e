"""The outbox: events that wait to be sent, each under a stable id, and are remembered for a while.

An event that tells of money is put by the transaction that moves it. Whoever finds the same thing
again (a sweep, a run of the reconciler) finds its event's id taken, and puts none.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from osiris.store.order_items import DUE, event_pk
from osiris.store.transport import ConditionFailed
from osiris.store.values import plain_item, typed, typed_item

if TYPE_CHECKING:
    from osiris.store.transport import Payload, Transport

EVENT_CONDITIONS = {
    # What is found again is told once.
    "event_is_new": "attribute_not_exists(pk)",
}

# Longer than any of them can be found again: an expiry lies at most three months ahead.
SENT_LIFE_S = 100 * 86_400


class Event(NamedTuple):
    """Something to be told: `type` is EventBridge's detail-type, `detail` its JSON."""

    id: str
    type: str
    detail: dict[str, Any]
    at_ms: int


class Outbox:
    """Events in the Orders table."""

    def __init__(self, transport: Transport, table: str) -> None:
        self._transport = transport
        self._table = table

    def put(self, event: Event) -> Payload:
        """The put of an event, as a part of a transaction."""
        item = {
            "pk": event_pk(event.id),
            "type": event.type,
            "detail": json.dumps(event.detail, separators=(",", ":")),
            "at_ms": event.at_ms,
            "queue": DUE,
            "due_at_ms": event.at_ms,
        }
        return {
            "TableName": self._table,
            "Item": typed_item(item),
            "ConditionExpression": " AND ".join(EVENT_CONDITIONS.values()),
        }

    def add(self, event: Event) -> bool:
        """Put an event by itself; whether it is new."""
        try:
            self._transport.call("PutItem", self.put(event))
        except ConditionFailed:
            return False
        return True

    def read(self, event_id: str) -> Event | None:
        """An event that waits (consistent); None when it was sent."""
        answer = self._transport.call(
            "GetItem",
            {
                "TableName": self._table,
                "Key": {"pk": typed(event_pk(event_id))},
                "ConsistentRead": True,
            },
        )
        if "queue" not in answer.get("Item", {}):
            return None
        item = plain_item(answer["Item"])
        return Event(event_id, item["type"], json.loads(item["detail"]), item["at_ms"])

    def sent(self, event_id: str, now_ms: int) -> None:
        """Take an event out of the outbox; its id stays taken for a while."""
        self._transport.call(
            "UpdateItem",
            {
                "TableName": self._table,
                "Key": {"pk": typed(event_pk(event_id))},
                "UpdateExpression": "SET expires_at_s = :until REMOVE queue, due_at_ms",
                "ExpressionAttributeValues": {":until": typed(now_ms // 1000 + SENT_LIFE_S)},
            },
        )
