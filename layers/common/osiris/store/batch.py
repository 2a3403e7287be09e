"""BatchGetItem, asked again for what it left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osiris.store.transport import Payload, Transport

# What DynamoDB reads in one call, and how often keys that it left out are asked for again.
BATCH_MAX = 100
_READS_MAX = 5


def read_batch(transport: Transport, table: str, keys: Sequence[Payload]) -> list[Payload]:
    """The items of these keys that are there (consistent), in no order; BATCH_MAX keys at most.

    Raises StoreUnavailable when DynamoDB leaves some out again and again.
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
    """
    assert len(keys) <= BATCH_MAX
    wanted = keys
    found: list[Payload] = []
    for _ in range(_READS_MAX):
        if not wanted:
            return found
        request = {table: {"Keys": wanted, "ConsistentRead": True}}
        answer = transport.call("BatchGetItem", {"RequestItems": request})
        found += answer["Responses"].get(table, [])
        wanted = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
    if wanted:
        raise StoreUnavailable(details=f"BatchGetItem left items of {table} out")
    return found
