"""Which keys expire when: the index by day, and how far the sweeper has come with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from osiris.store.values import plain_item, typed, typed_item

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris.store.transport import Payload, Transport

_PROGRESS = {"kind": "sweeper", "id": "progress"}


class Progress(NamedTuple):
    """`day` is the first that may still have keys (days since 1970), 0 before the first sweep.

    Owners of keys that expire until `warned_until_ms` and the time of the warning were warned.
    """

    day: int = 0
    warned_until_ms: int = 0


class Expiries:
    """The index `expiry` of the Keys table, and the sweeper's progress in the Catalogue."""

    def __init__(self, transport: Transport, keys_table: str, catalogue_table: str) -> None:
        self._transport = transport
        self._keys_table = keys_table
        self._catalogue_table = catalogue_table

    def of_day(self, day: int, *, after_ms: int, until_ms: int) -> Iterator[str]:
        """The ids of keys whose expiry lies on that day and in (after, until], soonest first.

        Deleted keys are among them while they hold or have anything. The index is behind by
        moments.
        """
        if after_ms >= until_ms:
            return  # a clock that was set back; DynamoDB takes no such range
        payload: Payload = {
            "TableName": self._keys_table,
            "IndexName": "expiry",
            "KeyConditionExpression": (
                "expiry_day = :day AND expires_at_ms BETWEEN :from AND :until"
            ),
            "ExpressionAttributeValues": {
                ":day": typed(str(day)),
                ":from": typed(after_ms + 1),
                ":until": typed(until_ms),
            },
        }
        while True:
            answer = self._transport.call("Query", payload)
            for item in answer["Items"]:
                yield plain_item({"pk": item["pk"]})["pk"].removeprefix("key#")
            if "LastEvaluatedKey" not in answer:
                return
            payload["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def progress(self) -> Progress:
        """How far the sweeps have come."""
        answer = self._transport.call(
            "GetItem",
            {
                "TableName": self._catalogue_table,
                "Key": typed_item(_PROGRESS),
                "ConsistentRead": True,
            },
        )
        item = answer.get("Item")
        if item is None:
            return Progress()
        found = plain_item(item)
        return Progress(found["day"], found["warned_until_ms"])

    def set_progress(self, progress: Progress) -> None:
        """Remember it. A sweep beside this one may set it back: what was done is found done."""
        item = typed_item(_PROGRESS | progress._asdict())
        self._transport.call("PutItem", {"TableName": self._catalogue_table, "Item": item})
