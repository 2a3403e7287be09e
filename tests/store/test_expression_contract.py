"""The grammar and the meaning of expressions, the same on every engine: the fake can't drift.

Each case is one UpdateItem on the same item. The rules are AWS's (Developer Guide: "Condition and
filter expressions, operators, and functions", "Using update expressions in DynamoDB"); where an
engine is known to be wrong its case is expected to fail (known_deviations.py).
"""

from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from osiris.store.transport import ConditionFailed
from tests.dynamodb.plain import plain_item
from tests.store.lab import ITEM, Lab, refused

GONE = object()
REFUSED = "refused"


# ------------------------------------------------------------------------------- conditions


class Condition(NamedTuple):
    text: str
    holds: bool | str


CONDITIONS = [
    Condition("n = :five", True),
    Condition("n = :five_padded", True),
    Condition("n = :six", False),
    Condition("n = :five_text", False),
    Condition("n <> :six", True),
    Condition("n <> :five", False),
    Condition("n <> :five_text", True),
    Condition("n < :six", True),
    Condition("n < :five", False),
    Condition("n <= :five", True),
    Condition("n > :five", False),
    Condition("n > :minus", True),
    Condition("n >= :five", True),
    Condition("n > zero", True),
    Condition("fraction > :half AND fraction < :two", True),
    Condition("huge < :most", True),
    Condition("n < :five_text", False),
    Condition("s < :gamma", True),
    Condition("s > :alpha AND s >= :beta AND s <= :beta", True),
    Condition("b = :b", True),
    Condition("yes = :yes", True),
    Condition("nothing = :null", True),
    Condition("letters = :a_b", True),
    Condition("letters = :a", False),
    Condition("holds = :map", True),
    Condition("holds = :map_other", False),
    Condition("#window = :list", True),
    # what is not there
    Condition("nowhere = :five", False),
    Condition("nowhere <> :five", True),
    Condition("nowhere < :five", False),
    Condition("nowhere > :zero", False),
    Condition("nowhere <= :five", False),
    Condition("nowhere >= :zero", False),
    Condition("nowhere = never", False),
    Condition("NOT nowhere > :zero", True),
    Condition("holds.#r3 = :seven", False),
    Condition("#window[3] <= :five", False),
    Condition("#window[0] <= :five", False),
    Condition("nowhere BETWEEN :zero AND :five", False),
    Condition("nowhere IN (:zero, :five)", False),
    Condition("size(nowhere) < :five", False),
    Condition("size(nowhere) >= :zero", False),
    Condition("size(nowhere) = :zero", False),
    # document paths
    Condition("holds.#r1 = :seven", True),
    Condition("holds.r1 = :seven", True),
    Condition("#window[2] > #window[1]", True),
    Condition("deep.#list[1].x = :two", True),
    Condition("deep.#list[0].x = :two", False),
    Condition("n.x = :two", False),
    Condition("n[0] = :two", False),
    # ranges and lists of values
    Condition("n BETWEEN :five AND :six", True),
    Condition("n BETWEEN zero AND huge", True),
    Condition("n BETWEEN :zero AND :one", False),
    Condition("s BETWEEN :alpha AND :gamma", True),
    Condition("n IN (:one, :five)", True),
    Condition("n IN (:one, :beta)", False),
    # functions
    Condition("attribute_exists(n)", True),
    Condition("attribute_exists(nowhere)", False),
    Condition("attribute_not_exists(holds.#r3)", True),
    Condition("attribute_not_exists(holds.#r1)", False),
    Condition("attribute_not_exists(nowhere.#r1)", True),
    Condition("attribute_exists(#window[2])", True),
    Condition("attribute_not_exists(#window[3])", True),
    Condition("attribute_exists(nothing)", True),
    Condition("attribute_type(n, :type_n)", True),
    Condition("attribute_type(s, :type_n)", False),
    Condition("attribute_type(nowhere, :type_n)", False),
    Condition("begins_with(s, :be)", True),
    Condition("begins_with(s, :gamma)", False),
    Condition("begins_with(n, :be)", False),
    Condition("begins_with(b, :b_start)", True),
    Condition("begins_with(nowhere, :be)", False),
    Condition("contains(s, :a_text)", True),
    Condition("contains(letters, :a_text)", True),
    Condition("contains(letters, :gamma)", False),
    Condition("contains(figures, :two)", True),
    Condition("contains(#window, :five)", False),
    Condition("contains(nowhere, :two)", False),
    Condition("size(holds) = :two", True),
    Condition("size(#window) > size(holds)", True),
    Condition("size(letters) = :two", True),
    Condition("size(s) < :five", True),
    Condition("size(b) = :five", True),
    Condition("size(empty_map) = :zero", True),
    Condition("size(empty_list) < :one", True),
    Condition("size(n) < :six", False),
    Condition("(attribute_not_exists(nowhere) OR size(nowhere) < :five)", True),
    Condition("(attribute_not_exists(letters) OR size(letters) < :five)", True),
    Condition("(attribute_not_exists(letters) OR size(letters) < :two)", False),
    # logic
    Condition("n = :five AND s = :beta", True),
    Condition("n = :five AND s = :alpha", False),
    Condition("n = :six OR s = :beta", True),
    Condition("n = :six OR s = :alpha", False),
    Condition("NOT n = :six", True),
    Condition("NOT (n = :five OR n = :six)", False),
    Condition("n = :five OR n = :six AND s = :alpha", True),
    Condition("(n = :five OR n = :six) AND s = :alpha", False),
    Condition("NOT n = :six AND s = :beta", True),
    Condition("n = :five and not s = :alpha", True),
    Condition("n BETWEEN :zero AND :six AND s = :beta", True),
    # what is refused
    Condition("n = :five AND", REFUSED),
    Condition("n == :five", REFUSED),
    Condition("n", REFUSED),
    Condition("status = :five", REFUSED),
    Condition("window[1] = :five", REFUSED),
    Condition("holds.status = :five", REFUSED),
    Condition("((n = :five))", REFUSED),
    Condition("n < :yes", REFUSED),
    Condition("n > :map", REFUSED),
    Condition("n BETWEEN :six AND :five", REFUSED),
    Condition("n BETWEEN :five AND :beta", REFUSED),
    Condition("n IN ()", REFUSED),
    Condition("begins_with(s, :five)", REFUSED),
    Condition("attribute_type(n, :type_odd)", REFUSED),
    Condition("attribute_exists(:five)", REFUSED),
    Condition("attribute_exists(n) = :yes", REFUSED),
    Condition("size(n)", REFUSED),
    Condition("n = n", REFUSED),
    Condition("odd(n) = :five", REFUSED),
    Condition("if_not_exists(n, :five) = :five", REFUSED),
    Condition("n + :one = :six", REFUSED),
    Condition("_n = :five", REFUSED),
    Condition("size(:list) = :five", REFUSED),
    Condition("begins_with(odd(s), :be)", REFUSED),
    Condition("attribute_exists(size(n))", REFUSED),
    Condition("attribute_exists(n, s)", REFUSED),
    Condition("size(holds, n) = :five", REFUSED),
]


@pytest.mark.parametrize("case", CONDITIONS, ids=lambda case: case.text)
def test_condition(case: Condition, lab: Lab) -> None:
    """A condition holds, does not (and brings the whole item), or is refused: as on AWS."""
    key = lab.put()

    def write() -> object:
        return lab.update(
            key,
            "SET touched = :one",
            ConditionExpression=case.text,
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )

    with lab.unless_known(case.text):
        if case.holds == REFUSED:
            assert refused(write)
        elif case.holds:
            write()
        else:
            with pytest.raises(ConditionFailed) as failed:
                write()
            assert plain_item(failed.value.item or {}) == ITEM | key
        assert lab.get(key) == ITEM | key | ({"touched": 1} if case.holds is True else {})


# ---------------------------------------------------------------------------------- updates


class Update(NamedTuple):
    text: str
    changes: dict[str, Any] | str


UPDATES = [
    Update("SET n = :six", {"n": 6}),
    Update("SET n = n + :one", {"n": 6}),
    Update("SET n = n - :six", {"n": -1}),
    Update("SET n = :six - n", {"n": 1}),
    Update("SET n = n + :minus", {"n": 2}),
    Update("SET n = n + :half", {"n": Decimal("5.5")}),
    Update("SET huge = huge + :one", {"huge": ITEM["huge"] + 1}),
    Update("SET fresh = n", {"fresh": 5}),
    Update("SET fresh = n + zero, zero = :one", {"fresh": 5, "zero": 1}),
    Update("SET fresh = if_not_exists(nowhere, :one)", {"fresh": 1}),
    Update("SET n = if_not_exists(n, :one) + :one", {"n": 6}),
    Update("SET fresh = if_not_exists(nowhere, :one) + if_not_exists(n, :two)", {"fresh": 6}),
    # all is read before anything is written
    Update("SET n = zero, zero = n", {"n": 0, "zero": 5}),
    Update("SET fresh = n REMOVE n", {"fresh": 5, "n": GONE}),
    Update("SET #window[0] = #window[1], #window[1] = #window[0]", {"window": [20, 10, 30]}),
    # lists
    Update("SET #window[1] = :five", {"window": [10, 5, 30]}),
    Update("SET #window[1] = #window[1] + :one", {"window": [10, 21, 30]}),
    Update("SET #window[3] = :five", {"window": [10, 20, 30, 5]}),
    Update("SET #window[90] = :five", {"window": [10, 20, 30, 5]}),
    Update("SET #window[90] = :six, #window[70] = :five", {"window": [10, 20, 30, 5, 6]}),
    Update("SET #window = list_append(#window, :list_one)", {"window": [10, 20, 30, 40]}),
    Update("SET #window = list_append(:list_one, #window)", {"window": [40, 10, 20, 30]}),
    Update(
        "SET fresh = list_append(if_not_exists(nowhere, :list), :list_one)",
        {"fresh": [10, 20, 30, 40]},
    ),
    Update("REMOVE #window[1]", {"window": [10, 30]}),
    Update("REMOVE #window[0], #window[2]", {"window": [20]}),
    Update("REMOVE #window[9]", {}),
    Update("REMOVE #window[1] SET #window[2] = :five", {"window": [10, 5]}),
    # maps
    Update("SET holds.#r3 = :five", {"holds": {"r1": 7, "r2": 9, "r3": 5}}),
    Update("SET holds.#r1 = holds.#r2 - :one", {"holds": {"r1": 8, "r2": 9}}),
    Update("REMOVE holds.#r1", {"holds": {"r2": 9}}),
    Update("REMOVE holds.#r1, holds.#r2", {"holds": {}}),
    Update("REMOVE holds.#r3", {}),
    Update("SET holds.#r3 = :one REMOVE holds.#r1", {"holds": {"r2": 9, "r3": 1}}),
    Update("SET deep.#list[1].x = :five", {"deep": {"list": [1, {"x": 5}], "map": {"y": "z"}}}),
    Update("SET #dotted = :one", {"a.b": 1}),
    Update("SET n = :map", {"n": {"r1": 7, "r2": 9}}),
    Update("REMOVE n, nowhere", {"n": GONE}),
    # ADD and DELETE
    Update("ADD n :one", {"n": 6}),
    Update("ADD fresh :one", {"fresh": 1}),
    Update("ADD letters :c", {"letters": frozenset({"a", "b", "c"})}),
    Update("ADD figures :two_three", {"figures": frozenset({1, 2, 3})}),
    Update("ADD fresh :a_b", {"fresh": frozenset({"a", "b"})}),
    Update("DELETE letters :a", {"letters": frozenset({"b"})}),
    Update("DELETE letters :a_b", {"letters": GONE}),
    Update("DELETE nowhere :a_b", {}),
    Update(
        "set n = :six remove s add zero :one delete letters :a",
        {"n": 6, "s": GONE, "zero": 1, "letters": frozenset({"b"})},
    ),
    # what is refused
    Update("SET n = n + :one - :one", REFUSED),
    Update("SET n = :one + :one + :one", REFUSED),
    Update("SET n = (n + :one)", REFUSED),
    Update("SET n = nowhere", REFUSED),
    Update("SET n = nowhere + :one", REFUSED),
    Update("SET n = n + :beta", REFUSED),
    Update("SET n = s + :one", REFUSED),
    Update("SET huge = huge + :half", REFUSED),
    Update("SET nowhere.x = :one", REFUSED),
    Update("SET nowhere[0] = :one", REFUSED),
    Update("SET holds[0] = :one", REFUSED),
    Update("SET #window.x = :one", REFUSED),
    Update("SET n.x = :one", REFUSED),
    Update("REMOVE nowhere.x", REFUSED),
    Update("SET n = :one, n = :two", REFUSED),
    Update("SET holds = :empty, holds.#r1 = :one", REFUSED),
    Update("SET holds.#r1 = :one REMOVE holds", REFUSED),
    Update("SET holds.#r1 = :one, holds[0] = :one", REFUSED),
    Update("SET n = :one SET zero = :one", REFUSED),
    Update("SET pk = :beta", REFUSED),
    Update("REMOVE pk", REFUSED),
    Update("SET status = :one", REFUSED),
    Update("SET window[0] = :one", REFUSED),
    Update("SET n = :one,", REFUSED),
    Update("SET :one = n", REFUSED),
    Update("SET n", REFUSED),
    Update("SET #window = list_append(#window, :one)", REFUSED),
    Update("SET #window = list_append(nowhere, :list_one)", REFUSED),
    Update("SET n = odd(n)", REFUSED),
    Update("ADD n :beta", REFUSED),
    Update("ADD s :one", REFUSED),
    Update("ADD #window :list", REFUSED),
    Update("ADD letters :two_three", REFUSED),
    Update("DELETE n :one", REFUSED),
    Update("HOLD n", REFUSED),
]


@pytest.mark.parametrize("case", UPDATES, ids=lambda case: case.text)
def test_update(case: Update, lab: Lab) -> None:
    """An update leaves just what AWS would leave, or is refused and leaves the item as it was."""
    key = lab.put()
    with lab.unless_known(case.text):
        if isinstance(case.changes, str):
            assert refused(lab.update, key, case.text)
            assert lab.get(key) == ITEM | key
            return
        answer = lab.update(key, case.text, ReturnValues="ALL_NEW")
        changed = ITEM | key | case.changes
        expected = {name: value for name, value in changed.items() if value is not GONE}
        assert plain_item(answer["Attributes"]) == expected
        assert lab.get(key) == expected
