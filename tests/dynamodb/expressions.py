"""Expressions evaluated: each text becomes, once, a closure over (item, names, values).

What AWS does and this keeps, because conditions of money writes rest on it:

- a missing attribute makes every comparison false but `<>`, which is true of it and of another
  type; `size()` of a missing attribute makes its comparison false;
- an update reads everything from the item as it was, then writes; indexes of a list are those
  before the update; beyond the end means append, in the order of the indexes;
- an update never makes a parent: SET into a map that is not there is refused.

Values are never changed in place: an update gives a new item which shares what did not change.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from operator import ge, gt, le, lt
from typing import Any, NamedTuple

from tests.dynamodb.syntax import (
    Action,
    Condition,
    Function,
    Logic,
    Operand,
    Path,
    Placeholder,
    Test,
    parse_condition,
    parse_projection,
    parse_update,
)
from tests.dynamodb.values import (
    Item,
    ValidationException,
    Value,
    added,
    in_order,
    negated,
    number_of,
    ordering_key,
    tag_of,
    value_bytes,
)

type Names = Mapping[str, str]
type Values = Mapping[str, Value]
type Steps = tuple[str | int, ...]
type _Reader = Callable[[Item, Names, Values], Value | None]
type _Truth = Callable[[Item, Names, Values], bool]

_ORDERED = ("S", "N", "B")
_TYPES = ("S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}


class Compiled(NamedTuple):
    """An expression and what it uses; `checks` look at the values alone, whatever the item."""

    names: frozenset[str]
    values: frozenset[str]
    checks: tuple[Callable[[Values], None], ...] = ()
    holds: _Truth = lambda item, names, values: True
    actions: tuple[tuple[Action, _Reader], ...] = ()
    paths: tuple[Path, ...] = ()


NOTHING = Compiled(frozenset(), frozenset())


@lru_cache(maxsize=4096)
def compile_condition(text: str | None) -> Compiled:
    if text is None:
        return NOTHING
    tree = parse_condition(text)
    checks: list[Callable[[Values], None]] = []
    truth = _truth(tree, checks)
    used = list(_operands(tree))
    return _compiled(used)._replace(checks=tuple(checks), holds=truth)


@lru_cache(maxsize=4096)
def compile_update(text: str | None) -> Compiled:
    if text is None:
        return NOTHING
    actions = parse_update(text)
    used = [part for action in actions for part in (action.path, action.value, action.second)]
    checks = [check for action in actions for check in _action_checks(action)]
    compiled = _compiled([part for part in used if part is not None])
    paths = tuple(action.path for action in actions)
    readers = tuple((action, _action_reader(action)) for action in actions)
    return compiled._replace(checks=tuple(checks), actions=readers, paths=paths)


@lru_cache(maxsize=4096)
def compile_projection(text: str | None) -> Compiled:
    if text is None:
        return NOTHING
    return _compiled(list(parse_projection(text)))


def check_use(names: Names, values: Values, *expressions: Compiled) -> None:
    """Refuse names and values that are not defined, or defined and not used, and bad operands."""
    used_names: frozenset[str] = frozenset().union(*[part.names for part in expressions])
    used_values: frozenset[str] = frozenset().union(*[part.values for part in expressions])
    for kind, used, given in (("Names", used_names, names), ("Values", used_values, values)):
        if used != given.keys():
            raise ValidationException(
                f"ExpressionAttribute{kind}: used {sorted(used)}, defined {sorted(given)}"
            )
    for part in expressions:
        for check in part.checks:
            check(values)


# -- what an expression uses


def _compiled(used: Iterable[Operand]) -> Compiled:
    parts = [leaf for operand in used for leaf in _leaves(operand)]
    paths = tuple(part for part in parts if isinstance(part, Path))
    return Compiled(
        names=frozenset(
            step
            for path in paths
            for step in path.steps
            if isinstance(step, str) and step.startswith("#")
        ),
        values=frozenset(part.name for part in parts if isinstance(part, Placeholder)),
        paths=paths,
    )


def _leaves(operand: Operand) -> Iterable[Path | Placeholder]:
    if isinstance(operand, Function):
        for part in operand.operands:
            yield from _leaves(part)
    else:
        yield operand


def _operands(tree: Condition) -> Iterable[Operand]:
    if isinstance(tree, Test):
        yield from tree.operands
    else:
        for part in tree.parts:
            yield from _operands(part)


# -- paths


def resolve(path: Path, names: Names) -> Steps:
    """The steps with placeholders replaced."""
    return tuple(
        [names[step] if isinstance(step, str) and step[0] == "#" else step for step in path.steps]
    )


def read(item: Item, steps: Steps) -> Value | None:
    """The value at a resolved path, None when there is none."""
    first = steps[0]
    assert isinstance(first, str)
    value = item.get(first)
    for step in steps[1:]:
        if value is None:
            return None
        if isinstance(step, str):
            value = value["M"].get(step) if "M" in value else None
        else:
            inside = value.get("L", ())
            value = inside[step] if step < len(inside) else None
    return value


def _reader(operand: Operand) -> _Reader:
    if isinstance(operand, Placeholder):
        name = operand.name
        return lambda item, names, values: values[name]
    if isinstance(operand, Function):
        return _FUNCTIONS[operand.name](*[_reader(part) for part in operand.operands])
    if len(operand.steps) > 1:
        return lambda item, names, values: read(item, resolve(operand, names))
    first = operand.steps[0]
    assert isinstance(first, str)
    if first[0] == "#":
        return lambda item, names, values: item.get(names[first])
    return lambda item, names, values: item.get(first)


def _size(inner: _Reader) -> _Reader:
    def size(item: Item, names: Names, values: Values) -> Value | None:
        value = inner(item, names, values)
        if value is None or tag_of(value) in ("N", "BOOL", "NULL"):
            return None
        content = next(iter(value.values()))
        return {"N": str(len(content.encode() if "S" in value else content))}

    return size


# -- conditions


def _truth(tree: Condition, checks: list[Callable[[Values], None]]) -> _Truth:
    if isinstance(tree, Logic):
        return _logic(tree.name, [_truth(part, checks) for part in tree.parts])
    checks += _test_checks(tree)
    readers = [_reader(operand) for operand in tree.operands]
    if tree.name in _COMPARE:
        return _ordered(_COMPARE[tree.name], *readers)
    if tree.name == "<>":
        sized = any(isinstance(operand, Function) for operand in tree.operands)
        return _differs(*readers, sized=sized)
    return _TESTS[tree.name](*readers)


def _logic(word: str, parts: list[_Truth]) -> _Truth:
    if word == "NOT":
        (part,) = parts
        return lambda item, names, values: not part(item, names, values)
    if word == "AND":
        return lambda item, names, values: all(part(item, names, values) for part in parts)
    return lambda item, names, values: any(part(item, names, values) for part in parts)


def _equals(left: _Reader, right: _Reader) -> _Truth:
    def equals(item: Item, names: Names, values: Values) -> bool:
        value = left(item, names, values)
        return value is not None and value == right(item, names, values)

    return equals


def _differs(left: _Reader, right: _Reader, *, sized: bool) -> _Truth:
    def differs(item: Item, names: Names, values: Values) -> bool:
        a, b = left(item, names, values), right(item, names, values)
        if a is None or b is None:
            return not sized
        return a != b

    return differs


def _ordered(compare: Callable[[Any, Any], bool], left: _Reader, right: _Reader) -> _Truth:
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


def _between(subject: _Reader, low: _Reader, high: _Reader) -> _Truth:
    return _logic("AND", [_ordered(ge, subject, low), _ordered(le, subject, high)])


def _in(subject: _Reader, *among: _Reader) -> _Truth:
    return _logic("OR", [_equals(subject, one) for one in among])


def _exists(subject: _Reader) -> _Truth:
    return lambda item, names, values: subject(item, names, values) is not None


def _not_exists(subject: _Reader) -> _Truth:
    return lambda item, names, values: subject(item, names, values) is None


def _attribute_type(subject: _Reader, wanted: _Reader) -> _Truth:
    def attribute_type(item: Item, names: Names, values: Values) -> bool:
        value, tag = subject(item, names, values), wanted(item, names, values)
        return value is not None and tag is not None and tag_of(value) == tag["S"]

    return attribute_type


def _begins_with(subject: _Reader, start: _Reader) -> _Truth:
    def begins_with(item: Item, names: Names, values: Values) -> bool:
        a, b = subject(item, names, values), start(item, names, values)
        if a is None or b is None or tag_of(a) != tag_of(b) or tag_of(a) not in ("S", "B"):
            return False
        return bool(next(iter(a.values())).startswith(next(iter(b.values()))))

    return begins_with


def _contains(subject: _Reader, part: _Reader) -> _Truth:
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


_TESTS: dict[str, Callable[..., _Truth]] = {
    "=": _equals,
    "BETWEEN": _between,
    "IN": _in,
    "attribute_exists": _exists,
    "attribute_not_exists": _not_exists,
    "attribute_type": _attribute_type,
    "begins_with": _begins_with,
    "contains": _contains,
}


def _test_checks(test: Test) -> list[Callable[[Values], None]]:
    """What AWS refuses by the values alone, even where the condition would be false anyway."""
    given = [part.name for part in test.operands if isinstance(part, Placeholder)]
    if test.name in _COMPARE:
        return [_type_check(name, _ORDERED) for name in given]
    if test.name == "BETWEEN":
        bounds = [part.name for part in test.operands[1:] if isinstance(part, Placeholder)]
        order = [_bounds_check(*bounds)] if len(bounds) == 2 else []
        return [*[_type_check(name, _ORDERED) for name in given], *order]
    if test.name == "begins_with":
        return [_type_check(name, ("S", "B")) for name in given]
    if test.name == "attribute_type":
        return [_type_name_check(test.operands[1])]
    if test.name in ("attribute_exists", "attribute_not_exists") and given:
        raise ValidationException(f"{test.name} requires a document path")
    return []


def _type_check(name: str, allowed: tuple[str, ...]) -> Callable[[Values], None]:
    def check(values: Values) -> None:
        if tag_of(values[name]) not in allowed:
            raise ValidationException(f"Incorrect operand type; {name} is {tag_of(values[name])}")

    return check


def _bounds_check(low: str, high: str) -> Callable[[Values], None]:
    def check(values: Values) -> None:
        if tag_of(values[low]) != tag_of(values[high]):
            raise ValidationException("BETWEEN requires bounds of one type")
        if ordering_key(values[low]) > ordering_key(values[high]):
            raise ValidationException("BETWEEN requires its upper bound not below its lower")

    return check


def _type_name_check(operand: Operand) -> Callable[[Values], None]:
    if not isinstance(operand, Placeholder):
        raise ValidationException("attribute_type takes the type as a value")
    name = operand.name

    def check(values: Values) -> None:
        if values[name].get("S") not in _TYPES:
            raise ValidationException(f"Invalid attribute type name found; {values[name]}")

    return check


# -- updates


class Edits(dict[str | int, Any]):
    """What an update writes, as a tree of steps; a leaf is the new value, None to remove.

    `size_max` bounds the bytes it can add to an item, so that sizes are rarely counted.
    """

    size_max = 0


def resolved_paths(update: Compiled, names: Names, key_names: Iterable[str]) -> list[Steps]:
    """The paths an update writes; refuses key attributes and paths that overlap or conflict."""
    paths = [resolve(action.path, names) for action, _ in update.actions]
    firsts = {path[0] for path in paths}
    for name in key_names:
        if name in firsts:
            raise ValidationException(f"Cannot update attribute {name}: part of the key")
    if len(firsts) < len(paths):
        for index, path in enumerate(paths):
            for other in paths[:index]:
                _check_apart(path, other)
    return paths


def _check_apart(one: Steps, other: Steps) -> None:
    for left, right in zip(one, other, strict=False):
        if left != right:
            if isinstance(left, str) != isinstance(right, str):
                raise ValidationException(f"Two document paths conflict: {one}, {other}")
            return
    raise ValidationException(f"Two document paths overlap with each other: {one}, {other}")


def edits_of(
    update: Compiled, paths: list[Steps], item: Item, names: Names, values: Values, *, is_new: bool
) -> Edits:
    """Everything the update writes, read from the item as it is."""
    edits = Edits()
    for (action, reader), path in zip(update.actions, paths, strict=True):
        if is_new and action.clause == "REMOVE":
            continue  # whatever the path, AWS finds nothing to remove and does not mind
        value = reader(item, names, values)
        node = edits
        for step in path[:-1]:
            node = node.setdefault(step, Edits())
        last = path[-1]
        node[last] = value
        if value is not None:
            edits.size_max += value_bytes(value) + 1
            edits.size_max += len(last.encode()) if isinstance(last, str) else 0
    return edits


def edited(old: dict[str, Value], edits: Edits) -> dict[str, Value]:
    """The map with the edits made; the one given stays as it is."""
    new = dict(old)
    for step, edit in edits.items():
        assert isinstance(step, str)
        if edit is None:
            new.pop(step, None)
        elif isinstance(edit, Edits):
            new[step] = _edited_inside(new.get(step), edit)
        else:
            new[step] = edit
    return new


def _edited_inside(value: Value | None, edits: Edits) -> Value:
    in_list = isinstance(next(iter(edits)), int)
    if value is not None and in_list and "L" in value:
        return {"L": _edited_list(value["L"], edits)}
    if value is not None and not in_list and "M" in value:
        return {"M": edited(value["M"], edits)}
    raise ValidationException(
        "The document path provided in the update expression is invalid for update"
    )


def _edited_list(old: list[Value], edits: Edits) -> list[Value]:
    new: list[Value | None] = [*old]
    for index in sorted(step for step in edits if isinstance(step, int)):
        edit = edits[index]
        inside = old[index] if index < len(old) else None
        if isinstance(edit, Edits):
            edit = _edited_inside(inside, edit)
        if inside is None:
            new.append(edit)
        else:
            new[index] = edit
    return [value for value in new if value is not None]


def _action_reader(action: Action) -> _Reader:
    """What the action writes, from the item as it was; None removes."""
    if action.clause == "REMOVE":
        return lambda item, names, values: None
    assert action.value is not None
    value = _present(_reader(action.value))
    if action.clause in ("ADD", "DELETE"):
        combine = _added if action.clause == "ADD" else _without
        old = _reader(action.path)
        return lambda item, names, values: combine(
            old(item, names, values), value(item, names, values)
        )
    if action.second is None:
        return value
    return _sum(value, _present(_reader(action.second)), minus=action.sign == "-")


def _present(reader: _Reader) -> Callable[[Item, Names, Values], Value]:
    def present(item: Item, names: Names, values: Values) -> Value:
        value = reader(item, names, values)
        if value is None:
            raise ValidationException(
                "The provided expression refers to an attribute that does not exist in the item"
            )
        return value

    return present


def _sum(
    left: Callable[[Item, Names, Values], Value],
    right: Callable[[Item, Names, Values], Value],
    *,
    minus: bool,
) -> _Reader:
    def total(item: Item, names: Names, values: Values) -> Value:
        a, b = left(item, names, values), right(item, names, values)
        if "N" not in a or "N" not in b:
            raise ValidationException("An operand in the update expression has an incorrect type")
        return {"N": added(a["N"], negated(b["N"]) if minus else b["N"])}

    return total


def _if_not_exists(first: _Reader, other: _Reader) -> _Reader:
    def if_not_exists(item: Item, names: Names, values: Values) -> Value | None:
        value = first(item, names, values)
        return other(item, names, values) if value is None else value

    return if_not_exists


def _list_append(first: _Reader, second: _Reader) -> _Reader:
    first, second = _present(first), _present(second)

    def list_append(item: Item, names: Names, values: Values) -> Value:
        a, b = first(item, names, values), second(item, names, values)
        if a is None or b is None or "L" not in a or "L" not in b:
            raise ValidationException("list_append takes two lists")
        return {"L": [*a["L"], *b["L"]]}

    return list_append


_FUNCTIONS: dict[str, Callable[..., _Reader]] = {
    "size": _size,
    "if_not_exists": _if_not_exists,
    "list_append": _list_append,
}


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


def _action_checks(action: Action) -> list[Callable[[Values], None]]:
    sets = ("SS", "NS", "BS")
    if isinstance(action.value, Placeholder) and action.clause in ("ADD", "DELETE"):
        allowed = sets if action.clause == "DELETE" else ("N", *sets)
        return [_type_check(action.value.name, allowed)]
    if action.sign:
        both = (action.value, action.second)
        return [_type_check(part.name, ("N",)) for part in both if isinstance(part, Placeholder)]
    return []


# -- projections


def projected(item: Item, paths: Iterable[Steps]) -> Item:
    """The parts of the item at these paths; what is missing is left out, lists close up."""
    wanted = Edits()
    for path in paths:
        node = wanted
        for step in path[:-1]:
            node = node.setdefault(step, Edits())
        node[path[-1]] = None
    return _projected_map(item, wanted)


def _projected_map(old: dict[str, Value], wanted: Edits) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for step, inner in wanted.items():
        if isinstance(step, str):
            value = _projected_value(old.get(step), inner)
            if value is not None:
                found[step] = value
    return found


def _projected_value(value: Value | None, wanted: Edits | None) -> Value | None:
    if value is None or wanted is None:
        return value
    if "M" in value:
        inside = _projected_map(value["M"], wanted)
        return {"M": inside} if inside else None
    if "L" in value:
        parts = [
            _projected_value(value["L"][index], wanted[index])
            for index in sorted(step for step in wanted if isinstance(step, int))
            if index < len(value["L"])
        ]
        found = [part for part in parts if part is not None]
        return {"L": found} if found else None
    return None
