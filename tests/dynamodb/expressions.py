"""Expressions compiled: each text becomes, once, closures over (item, names, values).

What AWS does and this keeps, because conditions of money writes rest on it, stands where it is
done: `conditions` (what is missing), `updates` (everything is read first), `documents` (paths and
indexes of lists), `syntax` (the grammar).
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from tests.dynamodb.conditions import Truth, truth
from tests.dynamodb.documents import Edits, check_apart
from tests.dynamodb.operands import Check, Names, Reader, Steps, Values, resolve
from tests.dynamodb.syntax import (
    Action,
    Condition,
    Function,
    Operand,
    Path,
    Placeholder,
    Test,
    parse_condition,
    parse_projection,
    parse_update,
)
from tests.dynamodb.updates import action_checks, action_reader
from tests.dynamodb.values import NUMBER_BYTES_MAX, Item, ValidationException, value_bytes


class Compiled(NamedTuple):
    """An expression and what it uses; `checks` look at the values alone, whatever the item."""

    names: frozenset[str]
    values: frozenset[str]
    checks: tuple[Check, ...] = ()
    holds: Truth = lambda item, names, values: True
    actions: tuple[tuple[Action, Reader], ...] = ()
    paths: tuple[Path, ...] = ()


NOTHING = Compiled(frozenset(), frozenset())


@lru_cache(maxsize=4096)
def compile_condition(text: str | None) -> Compiled:
    if text is None:
        return NOTHING
    tree = parse_condition(text)
    checks: list[Check] = []
    holds = truth(tree, checks)
    return _compiled(_operands(tree))._replace(checks=tuple(checks), holds=holds)


@lru_cache(maxsize=4096)
def compile_update(text: str | None) -> Compiled:
    if text is None:
        return NOTHING
    actions = parse_update(text)
    used = [part for action in actions for part in (action.path, action.value, action.second)]
    checks = [check for action in actions for check in action_checks(action)]
    compiled = _compiled([part for part in used if part is not None])
    paths = tuple(action.path for action in actions)
    readers = tuple((action, action_reader(action)) for action in actions)
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


def resolved_paths(update: Compiled, names: Names, key_names: Iterable[str]) -> list[Steps]:
    """The paths an update writes; refuses key attributes and paths that overlap or conflict."""
    paths = [resolve(action.path, names) for action, _ in update.actions]
    firsts = {path[0] for path in paths}
    for name in key_names:
        if name in firsts:
            raise ValidationException(f"Cannot update attribute {name}: part of the key")
    check_apart(paths)
    return paths


def edits_of(
    update: Compiled, paths: list[Steps], item: Item, names: Names, values: Values, *, is_new: bool
) -> Edits:
    """Everything the update writes, read from the item as it is."""
    edits = Edits()
    for (action, reader), path in zip(update.actions, paths, strict=True):
        if is_new and action.clause == "REMOVE":
            continue  # whatever the path, AWS finds nothing to remove and does not mind
        value = reader(item, names, values)
        edits.put(path, value)
        if value is not None:
            size = NUMBER_BYTES_MAX if "N" in value else value_bytes(value)
            edits.size_max += size + 1 + len(str(path[-1]).encode())
    return edits


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
