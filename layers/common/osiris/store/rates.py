"""Rates of the rupiah, as they were last read from each source."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from osiris.store.values import plain_item, typed, typed_item

if TYPE_CHECKING:
    from osiris.store.transport import Transport

_KIND = "rate"


class KeptRate(NamedTuple):
    """What a source said: rupiah for a dollar, by the source's own time; 0 while it never did.

    `tried_at_ms` is when it was last asked, with or without success.
    """

    source: str
    rupiah_per_dollar: Decimal
    at_ms: int
    tried_at_ms: int


class KeptRates:
    """Rates in the Catalogue table."""

    def __init__(self, transport: Transport, table: str) -> None:
        self._transport = transport
        self._table = table

    def all(self) -> dict[str, KeptRate]:
        """The rates by their source, in one read."""
        answer = self._transport.call(
            "Query",
            {
                "TableName": self._table,
                "KeyConditionExpression": "kind = :kind",
                "ExpressionAttributeValues": {":kind": typed(_KIND)},
            },
        )
        rates = {}
        for item in map(plain_item, answer["Items"]):
            decimal = Decimal(item["rupiah_per_dollar"])
            rates[item["id"]] = KeptRate(item["id"], decimal, item["at_ms"], item["tried_at_ms"])
        return rates

    def put(self, rate: KeptRate) -> None:
        """Write a source's rate over what stood there."""
        item = {
            "kind": _KIND,
            "id": rate.source,
            "rupiah_per_dollar": format(rate.rupiah_per_dollar, "f"),
            "at_ms": rate.at_ms,
            "tried_at_ms": rate.tried_at_ms,
        }
        self._transport.call("PutItem", {"TableName": self._table, "Item": typed_item(item)})
