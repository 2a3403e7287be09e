"""Query and Scan of the in-memory engine: which rows, in which order, and one page of them."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from tests.dynamodb.expressions import compile_condition
from tests.dynamodb.operands import Values, resolve, type_check
from tests.dynamodb.syntax import Condition, Path, Placeholder, Test, parse_condition
from tests.dynamodb.tables import PAGE_BYTES_MAX, Index, Row, Table
from tests.dynamodb.values import Item, ValidationException, Value, accept_item, item_bytes

_RANGE_TESTS = frozenset(("=", "<", "<=", ">", ">=", "BETWEEN", "begins_with"))
_EMPTY: Mapping[str, str] = {}


class Page(NamedTuple):
    """`size` counts what was read, before the filter; `last_key` is where the next page begins."""

    rows: list[Row]
    size: int
    last_key: Item | None


def index_of(table: Table, name: str | None) -> Index | None:
    if name is None:
        return None
    if name not in table.indexes:
        raise ValidationException(f"The table does not have the specified index: {name}")
    return table.indexes[name]


# -- which rows


def query_rows(
    table: Table, index: Index | None, payload: Mapping[str, Any], values: Values
) -> list[Row]:
    """The rows of one partition that the key condition names, in the order asked for."""
    if index is not None and payload.get("ConsistentRead"):
        raise ValidationException("Consistent reads are not supported on global secondary indexes")
    keys = table.keys if index is None else index.keys
    names = payload.get("ExpressionAttributeNames", _EMPTY)
    text = payload["KeyConditionExpression"]
    wanted = _hash_value(table, text, keys, names, values)
    _check_filter(payload, keys, names)
    condition = compile_condition(text)
    rows = [
        row for row in _partition(table, index, wanted) if condition.holds(row.item, names, values)
    ]
    rows.sort(key=lambda row: table.query_order(row.item, index))
    return rows if payload.get("ScanIndexForward", True) else rows[::-1]


def scan_rows(table: Table, payload: Mapping[str, Any]) -> list[Row]:
    """The rows of a segment, in the order of their hashes."""
    rows = sorted(table.rows(), key=lambda row: table.scan_order(row.item))
    if "TotalSegments" not in payload and "Segment" not in payload:
        return rows
    segment, total = payload.get("Segment"), payload.get("TotalSegments")
    if not (isinstance(segment, int) and isinstance(total, int) and 0 <= segment < total):
        raise ValidationException(f"Segment {segment} of TotalSegments {total}")
    return [row for row in rows if table.hash_number(row.item) % total == segment]


def _partition(table: Table, index: Index | None, wanted: Value) -> Iterable[Row]:
    if index is None:
        return table.partitions.get(next(iter(wanted.values())), {}).values()
    entries = (index.entry(row) for row in table.rows())
    return [Row(entry, item_bytes(entry)) for entry in entries if entry is not None]


def _hash_value(
    table: Table, text: str, keys: tuple[str, ...], names: Mapping[str, str], values: Values
) -> Value:
    """The value that the hash key must equal; refuses what is no key condition."""
    found: Value | None = None
    seen: set[str] = set()
    for part in _conjuncts(parse_condition(text)):
        name = _tested_key(part, names)
        if name not in keys or name in seen:
            raise ValidationException(f"Query condition on {name}: {text!r}")
        seen.add(name)
        bounds = [bound.name for bound in part.operands[1:] if isinstance(bound, Placeholder)]
        for bound in bounds:
            type_check(bound, (table.types[name],))(values)
        if name == keys[0]:
            if part.name != "=":
                raise ValidationException("Query key condition not supported")
            found = values[bounds[0]]
    if found is None:
        raise ValidationException(f"Query condition missed key schema element: {keys[0]}")
    return found


def _conjuncts(tree: Condition) -> list[Test]:
    if isinstance(tree, Test):
        return [tree]
    if tree.name != "AND":
        raise ValidationException(f"Invalid operator used in KeyConditionExpression: {tree.name}")
    return [test for part in tree.parts for test in _conjuncts(part)]


def _tested_key(test: Test, names: Mapping[str, str]) -> str:
    subject, *others = test.operands
    is_path = isinstance(subject, Path) and len(subject.steps) == 1
    if test.name not in _RANGE_TESTS or not is_path:
        raise ValidationException(f"Invalid condition in KeyConditionExpression: {test.name}")
    if not all(isinstance(other, Placeholder) for other in others):
        raise ValidationException("KeyConditionExpressions compare keys with values")
    return str(resolve(subject, names)[0])  # type: ignore[arg-type]


def _check_filter(
    payload: Mapping[str, Any], keys: tuple[str, ...], names: Mapping[str, str]
) -> None:
    paths = compile_condition(payload.get("FilterExpression")).paths
    if any(resolve(path, names)[0] in keys for path in paths):
        raise ValidationException("Filter Expression can only contain non-primary key attributes")


# -- one page


def page(
    table: Table, payload: Mapping[str, Any], rows: list[Row], order: Callable[[Item], Any]
) -> Page:
    """From behind ExclusiveStartKey, `Limit` rows at most and no more than about 1 MB."""
    limit = payload.get("Limit")
    if limit is not None and limit < 1:
        raise ValidationException("Limit is at least 1")
    index = index_of(table, payload.get("IndexName"))
    rows = _behind(table, index, payload, rows, order)
    size = 0
    for count, row in enumerate(rows, start=1):
        size += row.size
        if count == limit or size >= PAGE_BYTES_MAX:
            names = {*table.keys, *(index.keys if index else ())}
            last = {name: row.item[name] for name in row.item if name in names}
            return Page(rows[:count], size, last)
    return Page(rows, size, None)


def _behind(
    table: Table,
    index: Index | None,
    payload: Mapping[str, Any],
    rows: list[Row],
    order: Callable[[Item], Any],
) -> list[Row]:
    given = payload.get("ExclusiveStartKey")
    if given is None:
        return rows
    start = accept_item(given)
    if start.keys() != {*table.keys, *(index.keys if index else ())}:
        raise ValidationException("The provided starting key is invalid")
    first = order(start)
    if payload.get("ScanIndexForward", True):
        return [row for row in rows if order(row.item) > first]
    return [row for row in rows if order(row.item) < first]
