"""Rollups of closed hours, and how far the reconciler came with them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from osiris.ids import KEY_ID_LENGTH
from osiris.ledger.rollup import Rollup
from osiris.money import ceil_div
from osiris.store.values import plain_item, typed, typed_item
from osiris.times import HOUR_MS
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
        hour_model = f"{_hour_text(rollup.hour_ms)}#{rollup.model}"
        attributes = rollup._asdict() | {"hour_model": hour_model}
        self._transport.call("PutItem", {"TableName": self._table, "Item": typed_item(attributes)})

    def of_key(
        self, key_id: str, *, from_ms: int = 0, until_ms: int | None = None
    ) -> Iterator[Rollup]:
        """A key's rollups of the hours that begin in [from_ms, until_ms), in order (consistent).

        There is one for each hour and model that was used in it.
        """
        payload: Payload = {
            "TableName": self._table,
            "ConsistentRead": True,
            # An hour's text comes before that of its rollups, and after those of the hour before.
            "KeyConditionExpression": "key_id = :key AND hour_model BETWEEN :from AND :until",
            "ExpressionAttributeValues": {
                ":key": typed(key_id),
                ":from": typed(_hour_text(from_ms)),
                ":until": typed(_LAST if until_ms is None else _hour_text(until_ms)),
            },
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


# After every hour's text.
_LAST = "9999-12-31T24"


def _hour_text(at_ms: int) -> str:
    """The first hour that begins then or later."""
    hour_s = ceil_div(at_ms, HOUR_MS) * HOUR_MS // 1000
    return time.strftime("%Y-%m-%dT%H", time.gmtime(hour_s))
