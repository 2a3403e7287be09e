"""Queries and scans, the same on every engine: which items, in which order, in which pages."""

from typing import Any
from uuid import uuid4

import pytest

from tests.dynamodb.plain import plain_item, typed, typed_item
from tests.store.lab import Lab, refused

DAYS = ("mon", "tue")


def fill(lab: Lab, partition: str, size: int = 12) -> list[dict[str, Any]]:
    """Items a00…, in order; every second one has the index's keys, latest first."""
    items = []
    for number in range(size):
        item: dict[str, Any] = {"pk": partition, "sk": f"a{number:02}", "n": number}
        if number % 2 == 0:
            item |= {"day": f"{partition}-{DAYS[number // 2 % 2]}", "at": 1000 - number}
        items.append(item)
        lab.call("PutItem", TableName=lab.ranged, Item=typed_item(item))
    return items


def pages(lab: Lab, operation: str, **payload: Any) -> list[list[dict[str, Any]]]:
    """Every page's items."""
    found = []
    while True:
        answer = lab.call(operation, TableName=lab.ranged, **payload)
        assert answer["Count"] == len(answer["Items"])
        found.append([plain_item(item) for item in answer["Items"]])
        if "LastEvaluatedKey" not in answer:
            return found
        payload["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def queried(lab: Lab, condition: str, values: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    payload = {
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": typed_item(values),
        "ConsistentRead": "IndexName" not in more,
        **more,
    }
    return [item for page in pages(lab, "Query", **payload) for item in page]


@pytest.mark.parametrize(
    ("condition", "numbers"),
    [
        ("", range(12)),
        (" AND sk = :a03", [3]),
        (" AND sk < :a03", range(3)),
        (" AND sk <= :a03", range(4)),
        (" AND sk > :a09", [10, 11]),
        (" AND sk >= :a09", [9, 10, 11]),
        (" AND sk BETWEEN :a03 AND :a09", range(3, 10)),
        (" AND begins_with(sk, :a1)", [10, 11]),
        (" AND sk = :b", []),
    ],
)
def test_a_query_finds_its_part_of_the_partition_in_order(
    condition: str, numbers: list[int], lab: Lab
) -> None:
    """Each key condition, forward and backward, whole and in pages, without gap or repetition."""
    partition = f"query-{uuid4()}"
    items = fill(lab, partition)
    known = {":a03": "a03", ":a09": "a09", ":a1": "a1", ":b": "b"}
    values = {name: text for name, text in known.items() if name in condition.split(" ")}
    values |= {name: text for name, text in known.items() if f"{name})" in condition}
    values |= {":pk": partition}
    expected = [items[number] for number in numbers]
    found = queried(lab, "pk = :pk" + condition, values)
    assert found == expected
    backward = queried(lab, "pk = :pk" + condition, values, ScanIndexForward=False)
    assert backward == expected[::-1]
    assert queried(lab, "pk = :pk" + condition, values, Limit=2) == expected
    in_pages = queried(lab, "pk = :pk" + condition, values, Limit=3, ScanIndexForward=False)
    assert in_pages == expected[::-1]


def test_a_filter_comes_after_the_limit(lab: Lab) -> None:
    """Limit counts what is read, not what is kept; a page can be empty and not the last."""
    partition = f"filter-{uuid4()}"
    fill(lab, partition)
    found = pages(
        lab,
        "Query",
        KeyConditionExpression="pk = :pk",
        FilterExpression="n >= :five AND n < :eight",
        ExpressionAttributeValues=typed_item({":pk": partition, ":five": 5, ":eight": 8}),
        Limit=4,
    )
    assert [[item["n"] for item in page] for page in found][:3] == [[], [5, 6, 7], []]


def test_an_index_holds_the_items_that_have_its_keys(lab: Lab) -> None:
    """Sparse and keys only, in the order of its own range key, in pages too."""
    partition = f"index-{uuid4()}"
    items = fill(lab, partition)
    keys = ("pk", "sk", "day", "at")
    monday = [
        {name: item[name] for name in keys}
        for item in reversed(items)
        if item.get("day") == f"{partition}-mon"
    ]
    names = {"#day": "day", "#at": "at"}
    for more in ({}, {"Limit": 1}, {"Limit": 2}):
        found = queried(
            lab,
            "#day = :day AND #at <= :now",
            {":day": f"{partition}-mon", ":now": 1000},
            IndexName="by_day",
            ExpressionAttributeNames=names,
            **more,
        )
        assert found == monday
    lab.call(
        "UpdateItem",
        TableName=lab.ranged,
        Key=typed_item({"pk": partition, "sk": items[0]["sk"]}),
        UpdateExpression="REMOVE #day",
        ExpressionAttributeNames={"#day": "day"},
    )
    values = {":day": f"{partition}-mon"}
    names = {"#day": "day"}
    found = queried(lab, "#day = :day", values, IndexName="by_day", ExpressionAttributeNames=names)
    assert found == monday[:-1]


@pytest.mark.parametrize(
    "condition",
    ["sk = :a", "pk > :a", "pk = :a OR sk = :a", "pk = :a AND n = :a", "pk = :a AND sk <> :a"],
)
def test_a_query_needs_its_partition_and_asks_for_one_range(condition: str, lab: Lab) -> None:
    """Anything else in a key condition is refused."""
    payload = {"TableName": lab.ranged, "ExpressionAttributeValues": {":a": typed("a")}}
    with lab.unless_known(f"query {condition}"):
        assert refused(lab.call, "Query", KeyConditionExpression=condition, **payload)


def test_the_segments_of_a_scan_are_the_table(lab: Lab) -> None:
    """Each item is in one segment, once, whatever the page's size."""
    partitions = [f"scan-{uuid4()}" for _ in range(10)]
    for partition in partitions:
        fill(lab, partition, size=3)
    found = [
        item["pk"] + item["sk"]
        for segment in range(3)
        for page in pages(lab, "Scan", Segment=segment, TotalSegments=3, Limit=4)
        for item in page
    ]
    whole = [item["pk"] + item["sk"] for page in pages(lab, "Scan") for item in page]
    assert sorted(found) == sorted(whole)
    assert len(set(found)) == len(found)
    assert {name for name in found if name.startswith("scan-")} >= {
        f"{partition}a0{number}" for partition in partitions for number in range(3)
    }


def test_a_scan_filters_by_what_is_there(lab: Lab) -> None:
    """A FilterExpression on a nested size: what the reconciler asks."""
    names = [lab.put({"holds": holds})["pk"] for holds in ({}, {"r1": 1}, {"r1": 1, "r2": 2})]
    lab.put({"n": 1})
    payload = {
        "TableName": lab.plain,
        "FilterExpression": "size(holds) > :zero AND pk IN (:a, :b, :c)",
        "ExpressionAttributeValues": typed_item(
            {":zero": 0} | dict(zip((":a", ":b", ":c"), names, strict=True))
        ),
        "ProjectionExpression": "pk",
        "ConsistentRead": True,
    }
    with lab.unless_known("a filter on the size of what some items lack"):
        answer = lab.call("Scan", **payload)
        assert sorted(plain_item(item)["pk"] for item in answer["Items"]) == sorted(names[1:])
