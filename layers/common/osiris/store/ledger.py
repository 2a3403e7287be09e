"""The ledger's entries: put once, never changed, read by key and time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris.ids import time_text
from osiris.ledger.key import ACCOUNT_KEYS_MAX
from osiris.store.batch import read_batch
from osiris.store.items import entry_item, entry_of, entry_sort_key
from osiris.store.transport import ConditionFailed
from osiris.store.values import typed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from osiris.ledger.entry import Entry
    from osiris.store.transport import Payload, Transport

RECORD_CONDITIONS = {
    # The first writer decides what a request cost.
    "entry_is_new": "attribute_not_exists(entry_id)",
}

# After every id.
_LAST = "z" * 8


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

    def find(self, key_ids: Collection[str], entry_id: str) -> Entry | None:
        """The entry of this id, whichever of an account's keys it is of (consistent), or None."""
        assert len(key_ids) <= ACCOUNT_KEYS_MAX
        sort_key = typed(entry_sort_key(entry_id))
        wanted = [{"key_id": typed(key_id), "entry_id": sort_key} for key_id in sorted(key_ids)]
        found = map(entry_of, read_batch(self._transport, self._table, wanted))
        # The id of a charge and that of another entry may differ in their prefix alone.
        return next((entry for entry in found if entry.id == entry_id), None)

    def page(self, key_id: str, *, before_id: str | None, most: int) -> list[Entry]:
        """So many of a key's entries, newest first, that are older than this one (consistent).

        Fewer only where there are no more. `before_id` None begins with the newest.
        """
        payload: Payload = {
            "TableName": self._table,
            "ConsistentRead": True,
            "ScanIndexForward": False,
            "KeyConditionExpression": "key_id = :key AND entry_id < :before",
            "ExpressionAttributeValues": {
                ":key": typed(key_id),
                ":before": typed(_LAST if before_id is None else entry_sort_key(before_id)),
            },
        }
        found: list[Entry] = []
        # DynamoDB ends a page early at 1 MB.
        while len(found) < most:
            payload["Limit"] = most - len(found)
            answer = self._transport.call("Query", payload)
            found += map(entry_of, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                break
            payload["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        return found

    def entries(
        self,
        key_id: str,
        *,
        from_ms: int = 0,
        until_ms: int | None = None,
        newest_first: bool = False,
    ) -> Iterator[Entry]:
        """A key's entries whose ids were made in [from_ms, until_ms), in order (consistent)."""
        payload: Payload = {
            "TableName": self._table,
            "ConsistentRead": True,
            "ScanIndexForward": not newest_first,
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
