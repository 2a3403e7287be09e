"""Whole tables, read segment by segment: for the reconciler and the audit, never for a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris.store.items import account_of, is_key, key_as_stored
from osiris.store.values import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris.ledger.key import Account, Key
    from osiris.store.transport import Payload, Transport


class Scans:
    """Consistent scans of the Keys and the Ledger table."""

    def __init__(self, transport: Transport, *, keys_table: str, ledger_table: str) -> None:
        self._transport = transport
        self._keys_table = keys_table
        self._ledger_table = ledger_table

    def keys_and_accounts(self, segment: int = 0, segments: int = 1) -> Iterator[Key | Account]:
        """The keys and accounts of one segment, right or wrong as they are stored."""
        for item in self._scan({"TableName": self._keys_table}, segment, segments):
            yield key_as_stored(item) if is_key(item) else account_of(item)

    def ledger_key_ids(self, segment: int = 0, segments: int = 1) -> Iterator[str]:
        """The key id of every entry in one segment of the ledger, repeated for each."""
        payload = {"TableName": self._ledger_table, "ProjectionExpression": "key_id"}
        for item in self._scan(payload, segment, segments):
            yield plain(item["key_id"])

    def _scan(self, payload: Payload, segment: int, segments: int) -> Iterator[Payload]:
        payload = {
            **payload,
            "ConsistentRead": True,
            "Segment": segment,
            "TotalSegments": segments,
        }
        while True:
            answer = self._transport.call("Scan", payload)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            payload["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
