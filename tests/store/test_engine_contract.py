"""What the store relies on in DynamoDB's operations, the same on every engine.

Raw calls, so that the fake can't drift: single items, batches, transactions. The rules are AWS's
(API Reference; Developer Guide: "Working with items", "Transactions"). known_deviations.py lists
what an engine is known to get wrong.
"""

from typing import Any
from uuid import uuid4

import pytest

from osiris.errors import StoreUnavailable
from osiris.store.transport import ConditionFailed, TransactionCanceled
from tests.dynamodb.engine import IdempotentParameterMismatchException
from tests.dynamodb.plain import plain_item, typed, typed_item
from tests.store.lab import ITEM, Lab, refused, with_used

# ------------------------------------------------------------------------------ single items


def test_a_put_replaces_the_whole_item_and_returns_the_old_one(lab: Lab) -> None:
    """What the new item does not have is gone; ALL_OLD is what it replaced, nothing at first."""
    key = lab.new_key()
    put = {"TableName": lab.plain, "ReturnValues": "ALL_OLD"}
    first = lab.call("PutItem", Item=typed_item(key | {"a": 1}), **put)
    second = lab.call("PutItem", Item=typed_item(key | {"b": 2}), **put)
    assert "Attributes" not in first
    assert plain_item(second["Attributes"]) == key | {"a": 1}
    assert lab.get(key) == key | {"b": 2}


def test_every_type_comes_back_as_it_went_in(lab: Lab) -> None:
    """Texts, numbers, bytes, sets, lists, maps, null; empty texts, lists and maps too."""
    item = ITEM | {"empty_text": "", "empty_bytes": b"", "bytes": frozenset({b"x", b"y"})}
    key = lab.put(item)
    assert lab.get(key) == item | key


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("007", "7"), ("1.50", "1.5"), ("-0", "0"), ("1e3", "1000"), ("-12.0", "-12")],
)
def test_a_number_is_kept_without_what_does_not_change_it(sent: str, kept: str, lab: Lab) -> None:
    """A number's text is brought into one form."""
    key = lab.new_key()
    with lab.unless_known("a number's form"):
        lab.call("PutItem", TableName=lab.plain, Item=typed_item(key) | {"n": {"N": sent}})
        answer = lab.call("GetItem", TableName=lab.plain, Key=typed_item(key), ConsistentRead=True)
        assert answer["Item"]["n"] == {"N": kept}


@pytest.mark.parametrize(
    "attribute",
    [{"SS": []}, {"SS": ["a", "a"]}, {"N": "five"}, {"N": "1" * 39}, {"N": ""}, {"NULL": False}],
    ids=str,
)
def test_a_value_that_is_none_is_refused(attribute: dict[str, Any], lab: Lab) -> None:
    """Empty sets, twice the same member, what is no number, more than 38 digits."""
    key = lab.new_key()
    with lab.unless_known(f"value {attribute}"):
        item = typed_item(key) | {"x": attribute}
        assert refused(lab.call, "PutItem", TableName=lab.plain, Item=item)
        assert lab.get(key) is None


@pytest.mark.parametrize(
    "key",
    [{}, {"pk": ""}, {"pk": 5}, {"pk": "a", "more": "b"}, {"other": "a"}],
    ids=str,
)
def test_a_key_that_is_not_the_tables_is_refused(key: dict[str, Any], lab: Lab) -> None:
    """A key has just the table's key attributes, of their types, not empty."""
    with lab.unless_known(f"key {key}"):
        assert refused(lab.get, key)
        assert refused(lab.update, key, "SET n = :one")
        assert refused(lab.call, "DeleteItem", TableName=lab.plain, Key=typed_item(key))


def test_an_index_key_of_another_type_is_refused(lab: Lab) -> None:
    """An attribute that an index is sorted by has the index's type, or is not there."""
    for wrong in (typed_item({"day": 5}), typed_item({"at": "five"})):
        item = typed_item({"pk": "typed", "sk": "a"}) | wrong
        with lab.unless_known("index keys of another type"):
            assert refused(lab.call, "PutItem", TableName=lab.ranged, Item=item)


def test_what_is_not_there_is_not_in_the_answer(lab: Lab) -> None:
    """A GetItem of nothing has no Item."""
    assert lab.get(lab.new_key()) is None


def test_a_projection_shows_the_paths_asked_for(lab: Lab) -> None:
    """Of maps the members named, of lists the elements; what is not there is left out."""
    key = lab.put()
    payload = {
        "TableName": lab.plain,
        "Key": typed_item(key),
        "ProjectionExpression": "n, holds.#r2, #window[2], nowhere, deep.nowhere",
    }
    with lab.unless_known("projection of an element"):
        answer = lab.call("GetItem", **with_used(payload))
        assert plain_item(answer["Item"]) == {"n": 5, "holds": {"r2": 9}, "window": [30]}


def test_an_update_makes_an_item_that_is_not_there(lab: Lab) -> None:
    """It then has its key and what was set; there is nothing old to return."""
    key = lab.new_key()
    answer = lab.update(key, "SET n = :one, zero = if_not_exists(n, :two)", ReturnValues="ALL_OLD")
    assert "Attributes" not in answer
    assert lab.get(key) == key | {"n": 1, "zero": 2}


def test_an_update_can_say_what_was_and_what_is(lab: Lab) -> None:
    """ALL_OLD and ALL_NEW are whole items; UPDATED_OLD and UPDATED_NEW what was written."""
    for wanted, expected in (
        ("ALL_OLD", ITEM),
        ("ALL_NEW", ITEM | {"n": 6, "fresh": 1}),
        ("UPDATED_OLD", {"n": 5}),
        ("UPDATED_NEW", {"n": 6, "fresh": 1}),
    ):
        key = lab.put()
        answer = lab.update(key, "SET n = :six, fresh = :one", ReturnValues=wanted)
        shown = expected | key if wanted.startswith("ALL") else expected
        assert plain_item(answer["Attributes"]) == shown, wanted
        assert lab.update(key, "SET n = :six").get("Attributes") is None


def test_a_failed_condition_brings_the_item_only_when_asked(lab: Lab) -> None:
    """ALL_OLD brings the item, of all three writes; unasked, or where there is none, nothing."""
    key = lab.put({"n": 5})
    for operation, more in (
        ("PutItem", {"Item": typed_item(key)}),
        ("UpdateItem", {"Key": typed_item(key)}),
        ("DeleteItem", {"Key": typed_item(key)}),
    ):
        payload = {"TableName": lab.plain, "ConditionExpression": "n = :six", **more}
        asked = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        with pytest.raises(ConditionFailed) as silent:
            lab.call(operation, **with_used(dict(payload)))
        with pytest.raises(ConditionFailed) as telling:
            lab.call(operation, **with_used(payload | asked))
        assert silent.value.item is None
        assert plain_item(telling.value.item or {}) == key | {"n": 5}
    with pytest.raises(ConditionFailed) as nothing:
        lab.update(
            lab.new_key(),
            "SET n = :one",
            ConditionExpression="attribute_exists(pk)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert not nothing.value.item


def test_a_put_if_absent_is_done_once(lab: Lab) -> None:
    """`attribute_not_exists` of the key lets the first writer in and nobody after."""
    key = lab.new_key()
    payload = {"TableName": lab.plain, "ConditionExpression": "attribute_not_exists(pk)"}
    lab.call("PutItem", Item=typed_item(key | {"n": 1}), **payload)
    with pytest.raises(ConditionFailed):
        lab.call("PutItem", Item=typed_item(key | {"n": 2}), **payload)
    assert lab.get(key) == key | {"n": 1}


def test_a_delete_takes_the_item_away_and_minds_no_absence(lab: Lab) -> None:
    """It returns the old item when asked; a second one finds nothing and does not fail."""
    key = lab.put({"n": 1})
    delete = {"TableName": lab.plain, "Key": typed_item(key), "ReturnValues": "ALL_OLD"}
    assert plain_item(lab.call("DeleteItem", **delete)["Attributes"]) == key | {"n": 1}
    assert "Attributes" not in lab.call("DeleteItem", **delete)
    assert lab.get(key) is None


@pytest.mark.parametrize(
    "more",
    [
        {"ExpressionAttributeValues": {":one": typed(1), ":two": typed(2)}},
        {"ExpressionAttributeValues": {":two": typed(2)}},
        {"ExpressionAttributeNames": {"#n": "n"}},
        {"ExpressionAttributeNames": {}},
        {"ConditionExpression": "#n = :one"},
        {"ExpressionAttributeValues": {":one": {"SS": []}}},
        {"ReturnValues": "ALL"},
    ],
    ids=str,
)
def test_names_and_values_are_just_those_used(more: dict[str, Any], lab: Lab) -> None:
    """One too many, one too few, or an impossible one is refused; nothing is written."""
    key = lab.put({"n": 5})
    payload: dict[str, Any] = {"ExpressionAttributeValues": {":one": typed(1)}, **more}
    with lab.unless_known(f"used {more}"):
        assert refused(lab.update, key, "SET n = :one", **payload)
        assert lab.get(key) == key | {"n": 5}


def test_an_item_has_400_kb_at_most(lab: Lab) -> None:
    """Names and values count: one byte more is refused, of a put and of an update."""
    key = lab.new_key()
    room = 400 * 1024 - len("pk" + key["pk"]) - len("x")
    larger = typed_item(key | {"x": "x" * (room + 1)})
    with lab.unless_known("400 KB"):
        lab.call("PutItem", TableName=lab.plain, Item=typed_item(key | {"x": "x" * room}))
        assert refused(lab.update, key, "SET y = :gamma")
        assert refused(lab.call, "PutItem", TableName=lab.plain, Item=larger)


# ------------------------------------------------------------------------------ several at once


def test_a_batch_writes_and_reads_many(lab: Lab) -> None:
    """25 puts and deletes, 100 reads; what is not there is left out."""
    keys = [lab.new_key() for _ in range(10)]
    gone = lab.put({"n": 0})
    puts = [{"PutRequest": {"Item": typed_item(key | {"n": 1})}} for key in keys]
    delete = {"DeleteRequest": {"Key": typed_item(gone)}}
    written = lab.call("BatchWriteItem", RequestItems={lab.plain: [*puts, delete]})
    assert written["UnprocessedItems"] == {}
    asked = [typed_item(key) for key in (*keys, gone)]
    read = lab.call("BatchGetItem", RequestItems={lab.plain: {"Keys": asked}})
    found = [plain_item(item) for item in read["Responses"][lab.plain]]
    assert sorted(item["pk"] for item in found) == sorted(key["pk"] for key in keys)


def test_a_batch_writes_an_item_once(lab: Lab) -> None:
    """Two writes of the same item, or none at all, are refused and nothing is written."""
    key = lab.new_key()
    put = {"PutRequest": {"Item": typed_item(key)}}
    assert refused(lab.call, "BatchWriteItem", RequestItems={lab.plain: [put, put]})
    assert lab.get(key) is None


def test_a_transaction_is_done_as_a_whole(lab: Lab) -> None:
    """Put, update, delete and check, each on its own condition, in one."""
    put, update, delete, check = lab.new_key(), lab.put(), lab.put(), lab.put()
    lab.call("TransactWriteItems", TransactItems=_transaction(lab, put, update, delete, check))
    assert lab.get(put) == put | {"n": 1}
    assert lab.get(update) == ITEM | update | {"n": 6}
    assert lab.get(delete) is None
    assert lab.get(check) == ITEM | check


def test_a_transaction_is_not_done_at_all(lab: Lab) -> None:
    """One condition that fails stops it: a reason for each write, with the item when asked."""
    put, update, delete, check = lab.new_key(), lab.put(), lab.put(), lab.put({"n": 0})
    writes = _transaction(lab, put, update, delete, check)
    writes[1]["Update"]["ConditionExpression"] = "n = :one"
    writes[1]["Update"]["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    with pytest.raises(TransactionCanceled) as canceled:
        lab.call("TransactWriteItems", TransactItems=writes)
    codes = [code for code, _ in canceled.value.reasons]
    assert codes == ["None", "ConditionalCheckFailed", "None", "ConditionalCheckFailed"]
    assert plain_item(canceled.value.reasons[1][1] or {}) == ITEM | update
    assert not canceled.value.reasons[3][1]
    assert not canceled.value.conflict
    assert lab.get(put) is None
    assert lab.get(update) == ITEM | update
    assert lab.get(delete) == ITEM | delete


def _transaction(
    lab: Lab,
    put: dict[str, Any],
    update: dict[str, Any],
    delete: dict[str, Any],
    check: dict[str, Any],
) -> list[dict[str, Any]]:
    def on(key: dict[str, Any], **more: Any) -> dict[str, Any]:
        return with_used({"TableName": lab.plain, "Key": typed_item(key), **more})

    item = {"TableName": lab.plain, "Item": typed_item(put | {"n": 1})}
    return [
        {"Put": item | {"ConditionExpression": "attribute_not_exists(pk)"}},
        {"Update": on(update, UpdateExpression="SET n = n + :one")},
        {"Delete": on(delete, ConditionExpression="n = :five")},
        {"ConditionCheck": on(check, ConditionExpression="n = :five")},
    ]


def test_a_transaction_with_a_token_is_done_once(lab: Lab) -> None:
    """The same token and writes are answered as done; the same token for others is refused."""
    key, token = lab.put({"n": 0}), str(uuid4())

    def transact(update: str) -> None:
        write = with_used(
            {"TableName": lab.plain, "Key": typed_item(key), "UpdateExpression": update}
        )
        lab.call("TransactWriteItems", TransactItems=[{"Update": write}], ClientRequestToken=token)

    with lab.unless_known("a transaction's token"):
        for _ in range(3):
            transact("SET n = n + :one")
        assert lab.get(key) == key | {"n": 1}
        with pytest.raises((IdempotentParameterMismatchException, StoreUnavailable)):
            transact("SET n = n + :two")
        assert lab.get(key) == key | {"n": 1}


def test_a_transaction_names_an_item_once_and_a_hundred_at_most(lab: Lab) -> None:
    """Two writes of one item, none, or 101 are refused."""
    key = lab.new_key()
    put = {"Put": {"TableName": lab.plain, "Item": typed_item(key)}}
    many = [
        {"Put": {"TableName": lab.plain, "Item": typed_item(lab.new_key())}} for _ in range(101)
    ]
    for case, writes in (("twice", [put, put]), ("none", []), ("101", many)):
        with lab.unless_known(f"transaction {case}"):
            assert refused(lab.call, "TransactWriteItems", TransactItems=writes)
    assert lab.get(key) is None
