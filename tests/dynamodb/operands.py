"""What an operand of an expression is in a given item: a path, a value, or a function of them."""

from collections.abc import Callable, Mapping

from tests.dynamodb.syntax import Function, Operand, Path, Placeholder
from tests.dynamodb.values import Item, ValidationException, Value, tag_of

type Names = Mapping[str, str]
type Values = Mapping[str, Value]
type Steps = tuple[str | int, ...]
type Reader = Callable[[Item, Names, Values], Value | None]
type Check = Callable[[Values], None]
"""Refuses values that AWS refuses whatever the item is."""


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


def reader(operand: Operand) -> Reader:
    """The operand as a closure over (item, names, values)."""
    if isinstance(operand, Placeholder):
        name = operand.name
        return lambda item, names, values: values[name]
    if isinstance(operand, Function):
        return _FUNCTIONS[operand.name](*[reader(part) for part in operand.operands])
    if len(operand.steps) > 1:
        return lambda item, names, values: read(item, resolve(operand, names))
    first = operand.steps[0]
    assert isinstance(first, str)
    if first[0] == "#":
        return lambda item, names, values: item.get(names[first])
    return lambda item, names, values: item.get(first)


def _size(inner: Reader) -> Reader:
    def size(item: Item, names: Names, values: Values) -> Value | None:
        value = inner(item, names, values)
        if value is None or tag_of(value) in ("N", "BOOL", "NULL"):
            return None
        content = next(iter(value.values()))
        return {"N": str(len(content.encode() if "S" in value else content))}

    return size


def _if_not_exists(first: Reader, other: Reader) -> Reader:
    def if_not_exists(item: Item, names: Names, values: Values) -> Value | None:
        value = first(item, names, values)
        return other(item, names, values) if value is None else value

    return if_not_exists


def _list_append(first: Reader, second: Reader) -> Reader:
    first, second = present(first), present(second)

    def list_append(item: Item, names: Names, values: Values) -> Value:
        a, b = first(item, names, values), second(item, names, values)
        if a is None or b is None or "L" not in a or "L" not in b:
            raise ValidationException("list_append takes two lists")
        return {"L": [*a["L"], *b["L"]]}

    return list_append


_FUNCTIONS: dict[str, Callable[..., Reader]] = {
    "size": _size,
    "if_not_exists": _if_not_exists,
    "list_append": _list_append,
}


def present(reader: Reader) -> Callable[[Item, Names, Values], Value]:
    """A reader that refuses what is not there."""

    def present(item: Item, names: Names, values: Values) -> Value:
        value = reader(item, names, values)
        if value is None:
            raise ValidationException(
                "The provided expression refers to an attribute that does not exist in the item"
            )
        return value

    return present


def type_check(name: str, allowed: tuple[str, ...]) -> Check:
    """That the value is of an allowed type."""

    def check(values: Values) -> None:
        if tag_of(values[name]) not in allowed:
            raise ValidationException(f"Incorrect operand type; {name} is {tag_of(values[name])}")

    return check
