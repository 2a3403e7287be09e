"""The catalogue's models, read whole and kept for a minute by each process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris.store.items import model_item, model_of
from osiris.store.values import typed
from osiris.times import MINUTE_MS

if TYPE_CHECKING:
    from osiris.catalogue import Model
    from osiris.store.transport import Payload, Transport

CACHE_MS = MINUTE_MS


class Models:
    """Models in the Catalogue table."""

    def __init__(self, transport: Transport, table: str) -> None:
        self._transport = transport
        self._table = table
        self._cached: dict[str, Model] = {}
        self._cached_until_ms = 0

    def all(self, now_ms: int) -> dict[str, Model]:
        """Every model by its id, in the order of ids; at most a minute old."""
        if now_ms >= self._cached_until_ms:
            self._cached = self.read()
            self._cached_until_ms = now_ms + CACHE_MS
        return self._cached

    def read(self) -> dict[str, Model]:
        """Every model by its id, as the table has it now."""
        payload: Payload = {
            "TableName": self._table,
            "KeyConditionExpression": "kind = :model",
            "ExpressionAttributeValues": {":model": typed("model")},
            "ConsistentRead": True,
        }
        models: dict[str, Model] = {}
        while True:
            answer = self._transport.call("Query", payload)
            models |= {model.id: model for model in map(model_of, answer["Items"])}
            if "LastEvaluatedKey" not in answer:
                return models
            payload["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def put(self, model: Model) -> None:
        """Write the model over what stands under its id."""
        self._transport.call("PutItem", {"TableName": self._table, "Item": model_item(model)})

    def remove(self, model_id: str) -> None:
        """Take the model out; entries keep the prices that they were charged at."""
        key = {"kind": typed("model"), "id": typed(model_id)}
        self._transport.call("DeleteItem", {"TableName": self._table, "Key": key})
