"""Conditions: a tree of tests becomes one closure that says whether an item meets them.

A missing attribute makes every comparison false but `<>`, which is true of it and of a value of
another type; `size()` of a missing attribute makes its comparison false.
"""

from collections.abc import Callable
from operator import ge, gt, le, lt
from typing import Any

from tests.dynamodb.operands import Check, Names, Reader, Values, reader, type_check
from tests.dynamodb.syntax import Condition, Function, Logic, Operand, Path, Placeholder, Test
from tests.dynamodb.values import Item, ValidationException, number_of, ordering_key, tag_of

type Truth = Callable[[Item, Names, Values], bool]

_ORDERED = ("S", "N", "B")
_TYPES = ("S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}


def truth(tree: Condition, checks: list[Check]) -> Truth:
    """Whether the condition holds; what its values must be is added to `checks`."""
    if isinstance(tree, Logic):
        return _logic(tree.name, [truth(part, checks) for part in tree.parts])
    checks += _test_checks(tree)
    readers = [reader(operand) for operand in tree.operands]
    if tree.name in _COMPARE:
        return _ordered(_COMPARE[tree.name], *readers)
    if tree.name == "<>":
        sized = any(isinstance(operand, Function) for operand in tree.operands)
        return _differs(*readers, sized=sized)
    return _TESTS[tree.name](*readers)


def _logic(word: str, parts: list[Truth]) -> Truth:
    if word == "NOT":
        (part,) = parts
        return lambda item, names, values: not part(item, names, values)
    if word == "AND":
        return lambda item, names, values: all(part(item, names, values) for part in parts)
    return lambda item, names, values: any(part(item, names, values) for part in parts)


def _equals(left: Reader, right: Reader) -> Truth:
    def equals(item: Item, names: Names, values: Values) -> bool:
        value = left(item, names, values)
        return value is not None and value == right(item, names, values)

    return equals


def _differs(left: Reader, right: Reader, *, sized: bool) -> Truth:
    def differs(item: Item, names: Names, values: Values) -> bool:
        a, b = left(item, names, values), right(item, names, values)
        if a is None or b is None:
            return not sized
        return a != b

    return differs


def _ordered(compare: Callable[[Any, Any], bool], left: Reader, right: Reader) -> Truth:
    def ordered(item: Item, names: Names, values: Values) -> bool:
        a, b = left(item, names, values), right(item, names, values)
        if a is None or b is None:
            return False
        if "N" in a and "N" in b:
            return compare(number_of(a["N"]), number_of(b["N"]))
        if tag_of(a) != tag_of(b) or tag_of(a) not in _ORDERED:
            return False
        return compare(ordering_key(a), ordering_key(b))

    return ordered


def _between(subject: Reader, low: Reader, high: Reader) -> Truth:
    return _logic("AND", [_ordered(ge, subject, low), _ordered(le, subject, high)])


def _in(subject: Reader, *among: Reader) -> Truth:
    return _logic("OR", [_equals(subject, one) for one in among])


def _exists(subject: Reader) -> Truth:
    return lambda item, names, values: subject(item, names, values) is not None


def _not_exists(subject: Reader) -> Truth:
    return lambda item, names, values: subject(item, names, values) is None


def _attribute_type(subject: Reader, wanted: Reader) -> Truth:
    def attribute_type(item: Item, names: Names, values: Values) -> bool:
        value, tag = subject(item, names, values), wanted(item, names, values)
        return value is not None and tag is not None and tag_of(value) == tag["S"]

    return attribute_type


def _begins_with(subject: Reader, start: Reader) -> Truth:
    def begins_with(item: Item, names: Names, values: Values) -> bool:
        a, b = subject(item, names, values), start(item, names, values)
        if a is None or b is None or tag_of(a) != tag_of(b) or tag_of(a) not in ("S", "B"):
            return False
        return bool(next(iter(a.values())).startswith(next(iter(b.values()))))

    return begins_with


def _contains(subject: Reader, part: Reader) -> Truth:
    def contains(item: Item, names: Names, values: Values) -> bool:
        whole, member = subject(item, names, values), part(item, names, values)
        if whole is None or member is None:
            return False
        if "L" in whole:
            return member in whole["L"]
        ((tag, content),) = whole.items()
        wanted, inside = next(iter(member.items()))
        return wanted in ("S", "N", "B") and tag in (wanted, wanted + "S") and inside in content

    return contains


_TESTS: dict[str, Callable[..., Truth]] = {
    "=": _equals,
    "BETWEEN": _between,
    "IN": _in,
    "attribute_exists": _exists,
    "attribute_not_exists": _not_exists,
    "attribute_type": _attribute_type,
    "begins_with": _begins_with,
    "contains": _contains,
}


def _test_checks(test: Test) -> list[Check]:
    """What AWS refuses by the values alone, even where the condition would be false anyway."""
    given = [part.name for part in test.operands if isinstance(part, Placeholder)]
    if test.name in _COMPARE:
        return [type_check(name, _ORDERED) for name in given]
    if test.name == "BETWEEN":
        bounds = [part.name for part in test.operands[1:] if isinstance(part, Placeholder)]
        order = [_bounds_check(*bounds)] if len(bounds) == 2 else []
        return [*[type_check(name, _ORDERED) for name in given], *order]
    if test.name == "begins_with":
        return [type_check(name, ("S", "B")) for name in given]
    if test.name == "attribute_type":
        return [_type_name_check(test.operands[1])]
    first = test.operands[0]
    if test.name in ("attribute_exists", "attribute_not_exists") and not isinstance(first, Path):
        raise ValidationException(f"{test.name} requires a document path")
    return []


def _bounds_check(low: str, high: str) -> Check:
    def check(values: Values) -> None:
        if tag_of(values[low]) != tag_of(values[high]):
            raise ValidationException("BETWEEN requires bounds of one type")
        if ordering_key(values[low]) > ordering_key(values[high]):
            raise ValidationException("BETWEEN requires its upper bound not below its lower")

    return check


def _type_name_check(operand: Operand) -> Check:
    if not isinstance(operand, Placeholder):
        raise ValidationException("attribute_type takes the type as a value")
    name = operand.name

    def check(values: Values) -> None:
        if values[name].get("S") not in _TYPES:
            raise ValidationException(f"Invalid attribute type name found; {values[name]}")

    return check
