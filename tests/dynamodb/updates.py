"""Actions of an update: what each writes, read from the item as it was before the update."""

from collections.abc import Callable

from tests.dynamodb.operands import Check, Names, Reader, Values, present, reader, type_check
from tests.dynamodb.syntax import Action, Placeholder
from tests.dynamodb.values import (
    Item,
    ValidationException,
    Value,
    added,
    in_order,
    negated,
    tag_of,
)


def action_reader(action: Action) -> Reader:
    """What the action writes, from the item as it was; None removes."""
    if action.clause == "REMOVE":
        return lambda item, names, values: None
    assert action.value is not None
    value = present(reader(action.value))
    if action.clause in ("ADD", "DELETE"):
        combine = _added if action.clause == "ADD" else _without
        old = reader(action.path)
        return lambda item, names, values: combine(
            old(item, names, values), value(item, names, values)
        )
    if action.second is None:
        return value
    return _sum(value, present(reader(action.second)), minus=action.sign == "-")


def _sum(
    left: Callable[[Item, Names, Values], Value],
    right: Callable[[Item, Names, Values], Value],
    *,
    minus: bool,
) -> Reader:
    def total(item: Item, names: Names, values: Values) -> Value:
        a, b = left(item, names, values), right(item, names, values)
        if "N" not in a or "N" not in b:
            raise ValidationException("An operand in the update expression has an incorrect type")
        return {"N": added(a["N"], negated(b["N"]) if minus else b["N"])}

    return total


def _added(old: Value | None, given: Value) -> Value:
    if old is None:
        return given
    tag = tag_of(given)
    if tag != tag_of(old):
        raise ValidationException("An operand in the update expression has an incorrect data type")
    if tag == "N":
        return {"N": added(old["N"], given["N"])}
    return {tag: in_order(tag, list({*old[tag], *given[tag]}))}


def _without(old: Value | None, given: Value) -> Value | None:
    if old is None:
        return None
    tag = tag_of(given)
    if tag != tag_of(old):
        raise ValidationException("An operand in the update expression has an incorrect data type")
    left = [member for member in old[tag] if member not in given[tag]]
    return {tag: left} if left else None


def action_checks(action: Action) -> list[Check]:
    """What the action's values must be, whatever the item is."""
    sets = ("SS", "NS", "BS")
    if isinstance(action.value, Placeholder) and action.clause in ("ADD", "DELETE"):
        allowed = sets if action.clause == "DELETE" else ("N", *sets)
        return [type_check(action.value.name, allowed)]
    if action.sign:
        both = (action.value, action.second)
        return [type_check(part.name, ("N",)) for part in both if isinstance(part, Placeholder)]
    return []
