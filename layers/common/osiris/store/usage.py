"""Rollups of closed hours, and how far the reconciler came with them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from osiris.ids import KEY_ID_LENGTH
from osiris.ledger.rollup import Rollup
from osiris.store.values import plain_item, typed, typed_item
from osiris.usage import Tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris.store.transport import Payload, Transport

# No key's id: shorter than one.
_PROGRESS = {"key_id": "reconciler", "hour_model": "rolled_until_ms"}
assert len(_PROGRESS["key_id"]) != KEY_ID_LENGTH


class UsageRollups:
    """Rollups in the Usage table."""

    def __init__(self, transport: Transport, table: str) -> None:
        self._transport = transport
        self._table = table

    def put(self, rollup: Rollup) -> None:
        """Write a rollup; every run writes the same."""
        hour = time.strftime("%Y-%m-%dT%H", time.gmtime(rollup.hour_ms // 1000))
        attributes = rollup._asdict() | {"hour_model": f"{hour}#{rollup.model}"}
        self._transport.call("PutItem", {"TableName": self._table, "Item": typed_item(attributes)})

    def of_key(self, key_id: str) -> Iterator[Rollup]:
        """A key's rollups, oldest hour first."""
        payload: Payload = {
            "TableName": self._table,
            "KeyConditionExpression": "key_id = :key",
            "ExpressionAttributeValues": {":key": typed(key_id)},
        }
        while True:
            answer = self._transport.call("Query", payload)
            for item in answer["Items"]:
                attributes = plain_item(item)
                del attributes["hour_model"]
                yield Rollup(**attributes)._replace(tokens=Tokens(*attributes["tokens"]))
            if "LastEvaluatedKey" not in answer:
                return
            payload["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def rolled_until_ms(self) -> int:
        """Up to when the hours of all keys are rolled up; 0 before the first run."""
        answer = self._transport.call(
            "GetItem",
            {"TableName": self._table, "Key": typed_item(_PROGRESS), "ConsistentRead": True},
        )
        item = answer.get("Item")
        return int(plain_item(item)["until_ms"]) if item else 0

    def set_rolled_until_ms(self, until_ms: int) -> None:
        """Remember it. A run beside this one may set it back: hours are then rolled up again."""
        item = typed_item({**_PROGRESS, "until_ms": until_ms})
        self._transport.call("PutItem", {"TableName": self._table, "Item": item})
