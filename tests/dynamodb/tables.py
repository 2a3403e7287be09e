"""A table of the in-memory engine: its schema, its rows, and what reading and writing it costs."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from zlib import crc32

from tests.dynamodb.values import (
    Item,
    ValidationException,
    accept,
    item_bytes,
    ordering_key,
    tag_of,
)

ITEM_BYTES_MAX = 400 * 1024
PAGE_BYTES_MAX = 1024 * 1024
HASH_KEY_BYTES_MAX = 2048
RANGE_KEY_BYTES_MAX = 1024
WRITE_UNIT_BYTES = 1024
READ_UNIT_BYTES = 4096

type Place = tuple[Any, Any]


class Row:
    """An item, never changed in place, and its size: exactly when asked, else an upper bound."""

    __slots__ = ("_size", "item", "size_max")

    def __init__(self, item: Item, size_max: int) -> None:
        self.item = item
        self._size: int | None = None
        self.size_max = size_max
        if size_max > ITEM_BYTES_MAX:
            self.size_max = self.size
            if self.size > ITEM_BYTES_MAX:
                raise ValidationException("Item size has exceeded the maximum allowed size")

    @property
    def size(self) -> int:
        if self._size is None:
            self._size = item_bytes(self.item)
        return self._size


class Index(NamedTuple):
    """A global secondary index; `attributes` None means that all are projected."""

    name: str
    keys: tuple[str, ...]
    attributes: frozenset[str] | None

    def entry(self, row: Row | None) -> Item | None:
        """What the index holds of the row: nothing unless it has all the index's keys."""
        if row is None or not all(name in row.item for name in self.keys):
            return None
        if self.attributes is None:
            return row.item
        return {name: row.item[name] for name in row.item if name in self.attributes}


class Table:
    """`partitions` holds the rows by the content of their hash key, then of their range key."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.name: str = schema["TableName"]
        self.keys = _key_names(schema["KeySchema"])
        types = {part["AttributeName"]: part["AttributeType"] for part in _definitions(schema)}
        indexes = schema.get("GlobalSecondaryIndexes", [])
        self.indexes = {index["IndexName"]: _index(index, self.keys) for index in indexes}
        used = {*self.keys, *[name for index in self.indexes.values() for name in index.keys]}
        if used != types.keys():
            raise ValidationException(f"AttributeDefinitions {sorted(types)}, used {sorted(used)}")
        self.types: dict[str, str] = types
        self._index_types = {name: tag for name, tag in types.items() if name not in self.keys}
        self.partitions: dict[Any, dict[Any, Row]] = {}

    # -- keys

    def key(self, given: object) -> Item:
        """An accepted copy of a key that has just the table's key attributes."""
        if not isinstance(given, dict) or given.keys() != set(self.keys):
            raise ValidationException("The provided key element does not match the schema")
        key = {name: accept(value) for name, value in given.items()}
        self._check_key(key)
        return key

    def _check_key(self, item: Item) -> None:
        limits = (HASH_KEY_BYTES_MAX, RANGE_KEY_BYTES_MAX)
        for name, bytes_max in zip(self.keys, limits, strict=False):
            value = item.get(name)
            if value is None or tag_of(value) != self.types[name]:
                raise ValidationException(f"Missing or mistyped key {name} in the item: {value}")
            content = value[self.types[name]]
            if not 1 <= len(content.encode() if "S" in value else content) <= bytes_max:
                raise ValidationException(f"The key {name} is empty or too long: {content!r}")

    def place(self, item: Item) -> Place:
        first = next(iter(item[self.keys[0]].values()))
        if len(self.keys) == 1:
            return first, ""
        return first, next(iter(item[self.keys[1]].values()))

    # -- rows

    def row(self, place: Place) -> Row | None:
        partition = self.partitions.get(place[0])
        return None if partition is None else partition.get(place[1])

    def put_row(self, item: Item) -> Row:
        """A new item as a row, if AWS would take it."""
        self._check_key(item)
        return self.updated_row(item, item_bytes(item))

    def updated_row(self, item: Item, size_max: int) -> Row:
        """An item whose key is known to be right as a row, if AWS would take it."""
        for name, tag in self._index_types.items():
            if name in item and (tag_of(item[name]) != tag or item[name][tag] in ("", b"")):
                raise ValidationException(f"Type mismatch for Index Key {name}: {item[name]}")
        return Row(item, size_max)

    def store(self, place: Place, row: Row | None) -> None:
        """Put the row at its place; None takes away what is there."""
        if row is not None:
            self.partitions.setdefault(place[0], {})[place[1]] = row
        elif partition := self.partitions.get(place[0]):
            partition.pop(place[1], None)

    def rows(self) -> Iterable[Row]:
        return (row for partition in self.partitions.values() for row in partition.values())

    def copy(self) -> "Table":
        """A table with the same rows, which then goes its own way."""
        other = object.__new__(Table)
        other.__dict__.update(self.__dict__)
        other.partitions = {name: dict(rows) for name, rows in self.partitions.items()}
        return other

    # -- orders

    def hash_number(self, item: Item) -> int:
        """A number that spreads partitions, as DynamoDB's own hash does: scans follow it."""
        content = next(iter(item[self.keys[0]].values()))
        return crc32(content if isinstance(content, bytes) else content.encode())

    def scan_order(self, item: Item) -> tuple[Any, ...]:
        return (self.hash_number(item), *[ordering_key(item[name]) for name in self.keys])

    def query_order(self, item: Item, index: Index | None) -> tuple[Any, ...]:
        names = self.keys[1:] if index is None else (*index.keys[1:], *self.keys)
        return tuple([ordering_key(item[name]) for name in names])

    # -- costs

    def write_units(self, old: Row | None, new: Row | None) -> tuple[float, float]:
        """Of the table itself, and of its indexes."""
        sizes = [row.size for row in (old, new) if row is not None]
        indexes = sum([_index_units(index, old, new) for index in self.indexes.values()])
        return write_units(max(sizes, default=0)), indexes


def write_units(size_bytes: int) -> float:
    return float(max(1, -(-size_bytes // WRITE_UNIT_BYTES)))


def read_units(size_bytes: int, *, consistent: bool) -> float:
    units = max(1, -(-size_bytes // READ_UNIT_BYTES))
    return units * (1.0 if consistent else 0.5)


def _index_units(index: Index, old: Row | None, new: Row | None) -> float:
    """One write to add, drop or change an entry in place, two to move it, none to leave it."""
    before, after = index.entry(old), index.entry(new)
    if before == after:
        return 0.0
    units = [write_units(item_bytes(entry)) for entry in (before, after) if entry is not None]
    if before is None or after is None:
        return units[0]
    moved = any(before[name] != after[name] for name in index.keys)
    return sum(units) if moved else max(units)


def _definitions(schema: Mapping[str, Any]) -> list[dict[str, str]]:
    definitions: list[dict[str, str]] = schema["AttributeDefinitions"]
    return definitions


def _key_names(key_schema: list[dict[str, str]]) -> tuple[str, ...]:
    by_type = {part["KeyType"]: part["AttributeName"] for part in key_schema}
    if len(by_type) != len(key_schema) or "HASH" not in by_type:
        raise ValidationException(f"Invalid KeySchema: {key_schema}")
    return tuple(by_type[kind] for kind in ("HASH", "RANGE") if kind in by_type)


def _index(schema: Mapping[str, Any], table_keys: tuple[str, ...]) -> Index:
    keys = _key_names(schema["KeySchema"])
    projection = schema["Projection"]
    if projection["ProjectionType"] == "ALL":
        return Index(schema["IndexName"], keys, None)
    attributes = {*keys, *table_keys, *projection.get("NonKeyAttributes", ())}
    return Index(schema["IndexName"], keys, frozenset(attributes))
