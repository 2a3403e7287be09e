"""Writes that meet: on every engine, and on a real server by a hundred connections at once.

An engine that runs one call after the other wins these races by construction (ours does, and the
local cloud's event loop too); a DynamoDB given by OSIRIS_TEST_DYNAMODB has to earn them.
"""

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from osiris.store.transport import (
    ConditionFailed,
    TransactionCanceled,
    TransactionConflict,
    Transport,
)
from tests.dynamodb.plain import typed, typed_item
from tests.store.lab import Lab

CLIENTS = 100
SLOTS = 10


@pytest.fixture(autouse=True)
def _takes_threads(lab: Lab) -> None:
    if lab.engine.kind == "moto":
        pytest.skip("moto runs in this process without locks: it loses writes of several threads")


def at_once[T](lab: Lab, clients: int, work: Callable[[Transport, int], T]) -> list[T]:
    """What `work` gives for each client, all begun at the same moment, each with a transport."""
    start = threading.Barrier(clients)

    def one(number: int) -> T:
        transport = lab.engine.transport_of_a_thread()
        start.wait()
        return work(transport, number)

    with ThreadPoolExecutor(clients) as threads:
        return list(threads.map(one, range(clients)))


def written(transport: Transport, operation: str, payload: dict[str, Any]) -> bool:
    """Whether the condition held."""
    try:
        transport.call(operation, payload)
    except ConditionFailed:
        return False
    return True


def test_a_slot_lets_one_in(lab: Lab) -> None:
    """A hundred clients try ten slots in any order: ten get in, each by a slot of its own."""
    key = lab.put({"window": [0] * SLOTS, "holds": {}})

    def admit(transport: Transport, number: int) -> int | None:
        """The slot it got in by."""
        for slot in random.Random(number).sample(range(SLOTS), SLOTS):
            payload = {
                "TableName": lab.plain,
                "Key": typed_item(key),
                "ConditionExpression": f"#window[{slot}] = :free AND size(holds) < :most",
                "UpdateExpression": f"SET #window[{slot}] = :me, holds.#me = :me",
                "ExpressionAttributeNames": {"#window": "window", "#me": f"client-{number}"},
                "ExpressionAttributeValues": typed_item(
                    {":free": 0, ":most": SLOTS, ":me": number + 1}
                ),
            }
            if written(transport, "UpdateItem", payload):
                return slot
        return None

    slots = [slot for slot in at_once(lab, CLIENTS, admit) if slot is not None]
    assert sorted(slots) == list(range(SLOTS))
    item = lab.get(key) or {}
    assert sorted(item["window"]) == sorted(item["holds"].values())


def test_an_item_is_made_once(lab: Lab) -> None:
    """Of a hundred puts on the condition that there is none, one is done."""
    key = lab.new_key()

    def put(transport: Transport, number: int) -> bool:
        payload = {
            "TableName": lab.plain,
            "Item": typed_item(key | {"by": number}),
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        return written(transport, "PutItem", payload)

    done = at_once(lab, CLIENTS, put)
    assert done.count(True) == 1
    assert lab.get(key) == key | {"by": done.index(True)}


def test_no_addition_is_lost(lab: Lab) -> None:
    """Twenty clients add ten times each: two hundred, whoever was first."""
    key = lab.put({"n": 0})

    def add(transport: Transport, number: int) -> None:
        for _ in range(10):
            transport.call(
                "UpdateItem",
                {
                    "TableName": lab.plain,
                    "Key": typed_item(key),
                    "UpdateExpression": "SET n = n + :one",
                    "ExpressionAttributeValues": {":one": typed(1)},
                },
            )

    at_once(lab, 20, add)
    assert lab.get(key) == key | {"n": 200}


def test_a_transaction_moves_both_or_neither(lab: Lab) -> None:
    """Twenty clients move five dollars one by one: the sum never changes, five moves are done."""
    purse, till = lab.put({"n": 5}), lab.put({"n": 0})

    def change(key: dict[str, Any], sign: str, condition: str) -> dict[str, Any]:
        values = {":one": typed(1)} | ({":zero": typed(0)} if ":zero" in condition else {})
        return {
            "Update": {
                "TableName": lab.plain,
                "Key": typed_item(key),
                "UpdateExpression": f"SET n = n {sign} :one",
                "ConditionExpression": condition,
                "ExpressionAttributeValues": values,
            }
        }

    writes = [change(purse, "-", "n > :zero"), change(till, "+", "attribute_exists(n)")]

    def move(transport: Transport, number: int) -> bool:
        while True:
            try:
                transport.call("TransactWriteItems", {"TransactItems": writes})
            except TransactionConflict:
                continue
            except TransactionCanceled as canceled:
                if not canceled.conflict:
                    return False
            else:
                return True

    assert at_once(lab, 20, move).count(True) == 5
    assert (lab.get(purse), lab.get(till)) == (purse | {"n": 0}, till | {"n": 5})
