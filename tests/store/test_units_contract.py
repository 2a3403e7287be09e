"""Consumed units, the same on every engine: what a request costs us is a number of them.

Developer Guide: "DynamoDB item sizes and formats", "DynamoDB read and write operations".
"""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from tests.dynamodb.plain import typed, typed_item
from tests.store.lab import Lab, with_used


def units(answer: dict[str, Any]) -> float | list[float]:
    """The units of an answer; of several tables, a list."""
    consumed = answer["ConsumedCapacity"]
    if isinstance(consumed, list):
        return [table["CapacityUnits"] for table in consumed]
    return float(consumed["CapacityUnits"])


def sized(key: dict[str, Any], size_bytes: int) -> dict[str, Any]:
    """An item of just this size."""
    room = size_bytes - sum(len(name + text) for name, text in key.items()) - len("x")
    return key | {"x": "x" * room}


@pytest.mark.parametrize(
    ("size_bytes", "write", "read"),
    [(100, 1, 1), (1024, 1, 1), (1025, 2, 1), (4096, 4, 1), (4097, 5, 2)],
)
def test_units_follow_the_size(size_bytes: int, write: int, read: int, lab: Lab) -> None:
    """A write costs a unit for each KB begun of the larger item; a read for each 4 KB."""
    key = lab.new_key()
    total = {"TableName": lab.plain, "ReturnConsumedCapacity": "TOTAL"}
    one = {"Key": typed_item(key), **total}
    with lab.unless_known(f"units of {size_bytes} bytes"):
        put = lab.call("PutItem", Item=typed_item(sized(key, size_bytes)), **total)
        assert units(put) == write
        assert units(lab.call("GetItem", ConsistentRead=True, **one)) == read
        assert units(lab.call("GetItem", **one)) == Decimal(read) / 2
        update = with_used({"UpdateExpression": "SET x = :gamma", **one})
        assert units(lab.call("UpdateItem", **update)) == write
        assert units(lab.call("DeleteItem", **one)) == 1


@pytest.mark.parametrize(("elements", "write"), [(100, 1), (112, 1), (113, 2)])
def test_units_count_numbers_by_their_digits(elements: int, write: int, lab: Lab) -> None:
    """A time of 13 digits has 8 bytes and 1 more as an element; a list has 3 of its own."""
    key = {"pk": "0123"}
    assert len("pk0123x") + 3 + 112 * 9 <= 1024 < len("pk0123x") + 3 + 113 * 9
    item = typed_item(key | {"x": [1_795_512_345_678] * elements})
    with lab.unless_known(f"units of {elements} numbers"):
        payload = {"TableName": lab.plain, "Item": item, "ReturnConsumedCapacity": "TOTAL"}
        lab.call("DeleteItem", TableName=lab.plain, Key=typed_item(key))
        assert units(lab.call("PutItem", **payload)) == write


def test_units_of_an_index(lab: Lab) -> None:
    """Entering and leaving a keys-only index costs one, moving in it two, anything else nothing."""
    key = {"pk": str(uuid4()), "sk": "a"}

    def update(expression: str, **values: Any) -> float | list[float]:
        payload = {
            "TableName": lab.ranged,
            "Key": typed_item(key),
            "UpdateExpression": expression,
            "ReturnConsumedCapacity": "TOTAL",
        }
        names = {name: name[1:] for name in ("#day", "#at") if name in expression}
        if names:
            payload["ExpressionAttributeNames"] = names
        if values:
            payload["ExpressionAttributeValues"] = typed_item(
                {f":{name}": value for name, value in values.items()}
            )
        return units(lab.call("UpdateItem", **payload))

    with lab.unless_known("units of an index"):
        assert update("SET n = :n", n=1) == 1
        assert update("SET #day = :day", day="mon") == 1
        assert update("SET #at = :at", at=1) == 2
        assert update("SET n = :n", n=2) == 1
        assert update("SET #at = :at", at=2) == 3
        assert update("REMOVE #day") == 2


def test_units_of_a_transaction(lab: Lab) -> None:
    """Every write of a transaction costs twice, and so does a check."""
    with lab.unless_known("units of a transaction"):
        puts = [sized(lab.new_key(), size) for size in (50, 1025)]
        writes = [{"Put": {"TableName": lab.plain, "Item": typed_item(item)}} for item in puts]
        check = {
            "TableName": lab.plain,
            "Key": typed_item(lab.put()),
            "ConditionExpression": "attribute_exists(pk)",
        }
        answer = lab.call(
            "TransactWriteItems",
            TransactItems=[*writes, {"ConditionCheck": check}],
            ReturnConsumedCapacity="TOTAL",
        )
        assert units(answer) == [2 + 4 + 2]


def test_units_of_a_query(lab: Lab) -> None:
    """What a page read, together, by 4 KB; half of it when not consistent."""
    partition = f"units-{uuid4()}"
    for number in range(5):
        item = typed_item(sized({"pk": partition, "sk": str(number)}, 1000))
        lab.call("PutItem", TableName=lab.ranged, Item=item)
    payload = {
        "TableName": lab.ranged,
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": typed(partition)},
        "ReturnConsumedCapacity": "TOTAL",
    }
    with lab.unless_known("units of a query"):
        assert units(lab.call("Query", ConsistentRead=True, **payload)) == 2
        assert units(lab.call("Query", **payload)) == 1
