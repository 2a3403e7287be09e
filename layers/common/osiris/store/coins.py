"""The coins that a provider takes, as it last listed them: some hundreds, in one item."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from osiris.store.values import plain_item, typed_item

if TYPE_CHECKING:
    from osiris.store.transport import Transport

_KIND = "coins"


class CoinLists:
    """Lists of coins in the Catalogue table, each a list of rows of texts and numbers."""

    def __init__(self, transport: Transport, table: str) -> None:
        self._transport = transport
        self._table = table

    def read(self, provider: str) -> tuple[list[list[object]], int]:
        """The provider's rows and when they were read; ([], 0) when they never were."""
        answer = self._transport.call(
            "GetItem",
            {"TableName": self._table, "Key": typed_item({"kind": _KIND, "id": provider})},
        )
        item = answer.get("Item")
        if item is None:
            return [], 0
        found = plain_item(item)
        return json.loads(found["rows"]), int(found["at_ms"])

    def put(self, provider: str, rows: list[list[object]], at_ms: int) -> None:
        """Write the rows over those that stood there."""
        item = {
            "kind": _KIND,
            "id": provider,
            "rows": json.dumps(rows, separators=(",", ":")),
            "at_ms": at_ms,
        }
        self._transport.call("PutItem", {"TableName": self._table, "Item": typed_item(item)})
