"""Documents edited and projected along paths.

Values are never changed in place: an edit gives a new document, which shares what did not change.
"""

from collections.abc import Iterable
from typing import Any

from tests.dynamodb.operands import Steps
from tests.dynamodb.values import Item, ValidationException, Value


class Edits(dict[str | int, Any]):
    """What an update writes, as a tree of steps; a leaf is the new value, None to remove.

    `size_max` bounds the bytes it can add to an item, so that sizes are rarely counted.
    """

    size_max = 0

    def put(self, path: Steps, value: Value | None) -> None:
        """Add a leaf; paths are apart (`check_apart`)."""
        node = self
        for step in path[:-1]:
            node = node.setdefault(step, Edits())
        node[path[-1]] = value


def check_apart(paths: list[Steps]) -> None:
    """Refuse paths of which one leads through another, or takes a map for a list."""
    if len({path[0] for path in paths}) < len(paths):
        for index, path in enumerate(paths):
            for other in paths[:index]:
                _check_apart(path, other)


def _check_apart(one: Steps, other: Steps) -> None:
    for left, right in zip(one, other, strict=False):
        if left != right:
            if isinstance(left, str) != isinstance(right, str):
                raise ValidationException(f"Two document paths conflict: {one}, {other}")
            return
    raise ValidationException(f"Two document paths overlap with each other: {one}, {other}")


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


def projected(item: Item, paths: Iterable[Steps]) -> Item:
    """The parts of the item at these paths; what is missing is left out, lists close up."""
    wanted = Edits()
    for path in paths:
        wanted.put(path, None)
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
