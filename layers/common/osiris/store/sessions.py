"""Sessions of the pages that were signed out before their time was up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris.money import ceil_div
from osiris.store.values import typed_item

if TYPE_CHECKING:
    from osiris.store.transport import Transport

_KIND = "session"


class Sessions:
    """Revocations in the Catalogue table; its TTL removes them once they mean nothing."""

    def __init__(self, transport: Transport, table: str) -> None:
        self._transport = transport
        self._table = table

    def revoke(self, session_id: str, *, until_ms: int) -> None:
        """Never take this session again; `until_ms` is when it would have ended."""
        item = {"kind": _KIND, "id": session_id, "expires_at_s": ceil_div(until_ms, 1000)}
        self._transport.call("PutItem", {"TableName": self._table, "Item": typed_item(item)})

    def is_revoked(self, session_id: str) -> bool:
        """Whether it was signed out (consistent)."""
        answer = self._transport.call(
            "GetItem",
            {
                "TableName": self._table,
                "Key": typed_item({"kind": _KIND, "id": session_id}),
                "ConsistentRead": True,
            },
        )
        return "Item" in answer
