"""What only the in-memory engine promises: strictness, isolation from its callers, forks."""

from typing import Any

import pytest

from tests.dynamodb.engine import (
    MemoryDynamoDB,
    ResourceInUseException,
    ResourceNotFoundException,
)
from tests.dynamodb.values import ValidationException

SCHEMA: dict[str, Any] = {
    "TableName": "table",
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
}
KEY = {"pk": {"S": "a"}}


@pytest.fixture
def dynamodb() -> MemoryDynamoDB:
    """An engine with one table and one item."""
    engine = MemoryDynamoDB([SCHEMA])
    item = KEY | {"list": {"L": [{"N": "1"}]}}
    engine.call("PutItem", {"TableName": "table", "Item": item})
    return engine


@pytest.mark.parametrize(
    ("operation", "payload"),
    [
        ("DescribeTable", {"TableName": "table"}),
        ("GetItem", {"TableName": "table", "Key": KEY, "AttributesToGet": ["pk"]}),
        ("GetItem", {"TableName": "table", "Key": KEY, "ReturnConsumedCapacity": "INDEXES"}),
        ("UpdateItem", {"TableName": "table", "Key": KEY, "AttributeUpdates": {}}),
        ("Scan", {"TableName": "table", "Select": "ALL_ATTRIBUTES"}),
        ("TransactWriteItems", {"TransactItems": [{"Get": {"TableName": "table", "Key": KEY}}]}),
    ],
)
def test_what_it_does_not_know_it_refuses(
    operation: str, payload: dict[str, Any], dynamodb: MemoryDynamoDB
) -> None:
    """An operation or parameter that it would have to ignore is never let pass."""
    with pytest.raises(ValidationException):
        dynamodb.call(operation, payload)


def test_tables_are_made_once_and_known_by_name(dynamodb: MemoryDynamoDB) -> None:
    """A second CreateTable and an unknown table have AWS's own errors."""
    with pytest.raises(ResourceInUseException):
        dynamodb.call("CreateTable", SCHEMA)
    with pytest.raises(ResourceNotFoundException):
        dynamodb.call("GetItem", {"TableName": "other", "Key": KEY})


def test_nobody_holds_a_part_of_its_tables(dynamodb: MemoryDynamoDB) -> None:
    """What was sent, what was answered and what `tables` shows may be changed at will."""
    sent = {"L": [{"N": "1"}]}
    update = {
        "TableName": "table",
        "Key": KEY,
        "UpdateExpression": "SET a = :sent, b = :sent",
        "ExpressionAttributeValues": {":sent": sent},
        "ReturnValues": "ALL_NEW",
    }
    answered = dynamodb.call("UpdateItem", update)["Attributes"]
    kept = dynamodb.tables
    sent["L"].append({"N": "2"})
    answered["a"]["L"].append({"N": "3"})
    answered["b"]["L"][0]["N"] = "4"
    dynamodb.items("table")[0]["list"]["L"].clear()
    assert dynamodb.tables == kept
    assert kept["table"][0]["b"] == {"L": [{"N": "1"}]}


def test_a_fork_goes_its_own_way(dynamodb: MemoryDynamoDB) -> None:
    """Neither sees what is written to the other afterwards."""
    fork = dynamodb.fork()
    dynamodb.call("DeleteItem", {"TableName": "table", "Key": KEY})
    fork.call("PutItem", {"TableName": "table", "Item": {"pk": {"S": "b"}}})
    assert dynamodb.items("table") == []
    assert {item["pk"]["S"] for item in fork.items("table")} == {"a", "b"}


def test_a_refused_call_changes_nothing(dynamodb: MemoryDynamoDB) -> None:
    """Of a batch and of a transaction with one impossible write, none is done."""
    before = dynamodb.tables
    put = {"TableName": "table", "Item": {"pk": {"S": "new"}}}
    wrong = {"TableName": "table", "Key": KEY, "UpdateExpression": "SET pk = list"}
    with pytest.raises(ValidationException):
        dynamodb.call("TransactWriteItems", {"TransactItems": [{"Put": put}, {"Update": wrong}]})
    requests = [{"PutRequest": {"Item": put["Item"]}}, {"PutRequest": {"Item": {}}}]
    with pytest.raises(ValidationException):
        dynamodb.call("BatchWriteItem", {"RequestItems": {"table": requests}})
    assert dynamodb.tables == before
