"""Where the contract's raw calls are made: two small tables on one engine, and values to send."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from osiris.errors import StoreUnavailable
from tests.dynamodb.plain import plain_item, typed, typed_item
from tests.dynamodb.servers import Engine
from tests.dynamodb.values import ValidationException
from tests.store.known_deviations import reason_of

_numbers = count(1)

ITEM: dict[str, Any] = {
    "n": 5,
    "zero": 0,
    "fraction": Decimal("1.5"),
    "huge": 12345678901234567890123456789012345678,
    "s": "beta",
    "b": b"\x00beta",
    "yes": True,
    "nothing": None,
    "letters": frozenset({"a", "b"}),
    "figures": frozenset({1, 2}),
    "window": [10, 20, 30],
    "holds": {"r1": 7, "r2": 9},
    "deep": {"list": [1, {"x": 2}], "map": {"y": "z"}},
    "empty_map": {},
    "empty_list": [],
}
NAMES = {
    "#window": "window",
    "#status": "status",
    "#r1": "r1",
    "#r2": "r2",
    "#r3": "r3",
    "#dotted": "a.b",
    "#list": "list",
}
VALUES: dict[str, Any] = {
    ":zero": 0,
    ":one": 1,
    ":two": 2,
    ":five": 5,
    ":five_padded": Decimal("5.0"),
    ":six": 6,
    ":minus": -3,
    ":half": Decimal("0.5"),
    ":most": 10**38 - 1,
    ":five_text": "5",
    ":alpha": "alpha",
    ":be": "be",
    ":beta": "beta",
    ":gamma": "gamma",
    ":b": b"\x00beta",
    ":b_start": b"\x00b",
    ":yes": True,
    ":null": None,
    ":a_b": frozenset({"a", "b"}),
    ":a": frozenset({"a"}),
    ":c": frozenset({"c"}),
    ":a_text": "a",
    ":two_three": frozenset({2, 3}),
    ":map": {"r1": 7, "r2": 9},
    ":map_other": {"r1": 7},
    ":list": [10, 20, 30],
    ":list_one": [40],
    ":type_n": "N",
    ":type_odd": "X",
    ":seven": 7,
    ":empty": {},
}


class Lab:
    """Two tables of one engine: `plain` (pk) and `ranged` (pk, sk, and an index by day, at)."""

    def __init__(self, engine: Engine, prefix: str) -> None:
        self.engine = engine
        self.plain = f"{prefix}plain"
        self.ranged = f"{prefix}ranged"
        engine.create({"plain": _plain_schema(self.plain), "ranged": _ranged_schema(self.ranged)})

    def call(self, operation: str, **payload: Any) -> dict[str, Any]:
        return self.engine.transport.call(operation, payload)

    def new_key(self) -> dict[str, Any]:
        """A key that no test has used."""
        return {"pk": f"item-{next(_numbers)}"}

    def put(self, item: Mapping[str, Any] = ITEM) -> dict[str, Any]:
        """Put the item under a new key of the plain table; returns that key."""
        key = self.new_key()
        self.call("PutItem", TableName=self.plain, Item=typed_item({**item, **key}))
        return key

    def update(self, key: dict[str, Any], update: str | None, **more: Any) -> dict[str, Any]:
        """UpdateItem on the plain table with just the names and values that its texts use."""
        payload = {"TableName": self.plain, "Key": typed_item(key), **more}
        if update is not None:
            payload["UpdateExpression"] = update
        return self.call("UpdateItem", **with_used(payload))

    def get(self, key: dict[str, Any]) -> dict[str, Any] | None:
        answer = self.call(
            "GetItem", TableName=self.plain, Key=typed_item(key), ConsistentRead=True
        )
        return plain_item(answer["Item"]) if "Item" in answer else None

    @contextmanager
    def unless_known(self, case: str) -> Iterator[None]:
        """Skip a case that this engine is known to get wrong, once it did; fail if it did not."""
        reason = reason_of(self.engine.kind, case)
        if reason is None:
            yield
            return
        try:
            yield
        except (Exception, pytest.fail.Exception):  # noqa: BLE001  whatever it breaks on
            pytest.skip(f"{self.engine.kind} {reason}")
        pytest.fail(f"{self.engine.name} is right about {case!r}: not a known deviation any more")


def with_used(payload: dict[str, Any]) -> dict[str, Any]:
    """The payload with those of NAMES and VALUES that its expressions use."""
    text = " ".join(str(payload[name]) for name in payload if name.endswith("Expression"))
    used = set(re.findall(r"[#:]\w+", text))
    names = {name: NAMES[name] for name in sorted(used) if name in NAMES}
    values = {name: typed(VALUES[name]) for name in sorted(used) if name in VALUES}
    if names:
        payload.setdefault("ExpressionAttributeNames", names)
    if values:
        payload.setdefault("ExpressionAttributeValues", values)
    return payload


def _plain_schema(name: str) -> dict[str, Any]:
    return {
        "TableName": name,
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    }


def _ranged_schema(name: str) -> dict[str, Any]:
    def keys(first: str, second: str) -> list[dict[str, str]]:
        return [
            {"AttributeName": first, "KeyType": "HASH"},
            {"AttributeName": second, "KeyType": "RANGE"},
        ]

    types = {"pk": "S", "sk": "S", "day": "S", "at": "N"}
    return {
        "TableName": name,
        "KeySchema": keys("pk", "sk"),
        "AttributeDefinitions": [
            {"AttributeName": attribute, "AttributeType": tag} for attribute, tag in types.items()
        ],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "by_day",
                "KeySchema": keys("day", "at"),
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
        "BillingMode": "PAY_PER_REQUEST",
    }


def refused(call: Callable[..., object], *arguments: Any, **more: Any) -> bool:
    """Whether the engine says ValidationException (or boto3 finds it before it is sent)."""
    try:
        call(*arguments, **more)
    except ValidationException:
        return True
    except StoreUnavailable as error:
        assert "alidation" in str(error.details), error.details
        return True
    return False
