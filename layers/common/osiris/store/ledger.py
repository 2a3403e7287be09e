"""The ledger's entries: put once, never changed, read by key and time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris.ids import time_text
from osiris.store.items import entry_item, entry_of, entry_sort_key
from osiris.store.transport import ConditionFailed
from osiris.store.values import typed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris.ledger.entry import Entry
    from osiris.store.transport import Payload, Transport

RECORD_CONDITIONS = {
    # The first writer decides what a request cost.
    "entry_is_new": "attribute_not_exists(entry_id)",
}


class Ledger:
    """Entries in their table."""

    def __init__(self, transport: Transport, table: str) -> None:
        self._transport = transport
        self._table = table

    def record(self, entry: Entry) -> Entry:
        """Put the entry, unless one with its id stands; returns the one that stands."""
        try:
            self._transport.call("PutItem", self.put(entry))
        except ConditionFailed as taken:
            assert taken.item is not None
            return entry_of(taken.item)
        return entry

    def put(self, entry: Entry) -> Payload:
        """The put of an entry, alone or as a part of a transaction."""
        return {
            "TableName": self._table,
            "Item": entry_item(entry),
            "ConditionExpression": " AND ".join(RECORD_CONDITIONS.values()),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def read(self, key_id: str, entry_id: str) -> Entry | None:
        """One entry of a key (consistent), or None."""
        answer = self._transport.call(
            "GetItem",
            {
                "TableName": self._table,
                "Key": {"key_id": typed(key_id), "entry_id": typed(entry_sort_key(entry_id))},
                "ConsistentRead": True,
            },
        )
        item = answer.get("Item")
        return None if item is None else entry_of(item)

    def entries(
        self, key_id: str, *, from_ms: int = 0, until_ms: int | None = None
    ) -> Iterator[Entry]:
        """A key's entries whose ids were made in [from_ms, until_ms), oldest first (consistent)."""
        payload: Payload = {
            "TableName": self._table,
            "ConsistentRead": True,
            "KeyConditionExpression": "key_id = :key AND entry_id BETWEEN :from AND :until",
            "ExpressionAttributeValues": {
                ":key": typed(key_id),
                ":from": typed(time_text(from_ms)),
                ":until": typed(_LAST if until_ms is None else time_text(until_ms)),
            },
        }
        while True:
            answer = self._transport.call("Query", payload)
            yield from map(entry_of, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            payload["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


_LAST = "z" * 8
