"""DynamoDB in memory, for the simulation and the contract suite: the store's real calls run on it.

`MemoryDynamoDB(schemas).call(operation, payload)` evaluates the payload's own expressions, so a
condition that is missing from a write is missing here too. It is strict: what it does not know it
refuses (`ValidationException`), it never lets pass. Every call is atomic; answers share nothing
with the tables. Its behaviour is held to that of other engines by tests/store.
"""

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from threading import Lock
from typing import Any, NamedTuple

from osiris.store.transport import ConditionFailed, TransactionCanceled
from tests.dynamodb.documents import check_apart, edited, projected
from tests.dynamodb.expressions import (
    NOTHING,
    Compiled,
    check_use,
    compile_condition,
    compile_projection,
    compile_update,
    edits_of,
    resolved_paths,
)
from tests.dynamodb.operands import Names, Steps, Values, resolve
from tests.dynamodb.parameters import check_parameters, check_return_values
from tests.dynamodb.reading import index_of, page, query_rows, scan_rows
from tests.dynamodb.tables import Place, Row, Table, read_units
from tests.dynamodb.values import (
    Item,
    ValidationException,
    Value,
    accept,
    accept_item,
    copied,
    item_bytes,
)

type Payload = dict[str, Any]

TRANSACTION_WRITES_MAX = 100
BATCH_WRITES_MAX = 25
BATCH_READS_MAX = 100
TOKEN_LENGTH_MAX = 36
_EMPTY: Mapping[str, Any] = {}


class ResourceNotFoundException(Exception):
    """No such table."""


class ResourceInUseException(Exception):
    """The table exists already."""


class IdempotentParameterMismatchException(Exception):
    """The transaction's token was used before, for something else."""


class _Write(NamedTuple):
    """A write that was looked at and not yet applied."""

    table: Table
    place: Place
    old: Row | None
    new: Row | None
    holds: bool
    wants_old: bool
    paths: list[Steps]

    def apply(self) -> None:
        if self.new is not self.old:
            self.table.store(self.place, self.new)

    def refused_item(self) -> Item | None:
        """What comes along with a failed condition."""
        return copied(self.old.item) if self.wants_old and self.old is not None else None


class MemoryDynamoDB:
    """Tables by CreateTable payloads; a transport of the store."""

    def __init__(self, schemas: Iterable[Mapping[str, Any]] = ()) -> None:
        self._tables: dict[str, Table] = {}
        self._tokens: dict[str, tuple[Payload, Payload]] = {}
        self._lock = Lock()
        self._operations: dict[str, Callable[[Payload], Payload]] = {
            "CreateTable": self._create_table,
            "GetItem": self._get_item,
            "PutItem": lambda payload: self._write("PutItem", payload, self._put),
            "UpdateItem": lambda payload: self._write("UpdateItem", payload, self._update),
            "DeleteItem": lambda payload: self._write("DeleteItem", payload, self._delete),
            "Query": self._query,
            "Scan": self._scan,
            "TransactWriteItems": self._transact_write_items,
            "BatchWriteItem": self._batch_write_item,
            "BatchGetItem": self._batch_get_item,
        }
        for schema in schemas:
            self._create_table(dict(schema))

    def call(self, operation: str, payload: Payload) -> Payload:
        """The answer of AWS, or the transport's exceptions."""
        check_parameters(operation, payload)
        answer = self._operations[operation]
        if payload.get("ReturnConsumedCapacity", "NONE") not in ("NONE", "TOTAL"):
            raise ValidationException("the engine counts units as NONE or TOTAL only")
        with self._lock:
            return answer(payload)

    @property
    def tables(self) -> dict[str, list[Item]]:
        """Copies of all items by table, in the order of a scan."""
        return {name: self.items(name) for name in self._tables}

    def items(self, table_name: str) -> list[Item]:
        """Copies of a table's items, in the order of a scan."""
        table = self._table(table_name)
        return sorted([copied(row.item) for row in table.rows()], key=table.scan_order)

    def fork(self) -> "MemoryDynamoDB":
        """Another engine in the same state, which then goes its own way; costs little."""
        other = MemoryDynamoDB()
        other._tables = {name: table.copy() for name, table in self._tables.items()}
        other._tokens = dict(self._tokens)
        return other

    def _table(self, name: str) -> Table:
        try:
            return self._tables[name]
        except KeyError:
            raise ResourceNotFoundException(f"no table {name}") from None

    def _create_table(self, payload: Payload) -> Payload:
        table = Table(payload)
        if table.name in self._tables:
            raise ResourceInUseException(table.name)
        self._tables[table.name] = table
        return {"TableDescription": {"TableName": table.name, "TableStatus": "ACTIVE"}}

    # -- reads

    def _get_item(self, payload: Payload) -> Payload:
        table = self._table(payload["TableName"])
        names = payload.get("ExpressionAttributeNames", _EMPTY)
        projection = compile_projection(payload.get("ProjectionExpression"))
        check_use(names, _EMPTY, projection)
        row = table.row(table.place(table.key(payload["Key"])))
        answer: Payload = {}
        if row is not None:
            answer["Item"] = _shown(row.item, projection, names)
        if payload.get("ReturnConsumedCapacity", "NONE") == "NONE":
            return answer
        units = read_units(row.size if row else 0, consistent=payload.get("ConsistentRead", False))
        return _with_units(payload, answer, table.name, units)

    def _query(self, payload: Payload) -> Payload:
        table = self._table(payload["TableName"])
        index = index_of(table, payload.get("IndexName"))
        reading = _reading(payload, compile_condition(payload["KeyConditionExpression"]))
        rows = query_rows(table, index, payload, reading.values)
        return _paged(table, payload, reading, rows, lambda item: table.query_order(item, index))

    def _scan(self, payload: Payload) -> Payload:
        table = self._table(payload["TableName"])
        rows = scan_rows(table, payload)
        return _paged(table, payload, _reading(payload, NOTHING), rows, table.scan_order)

    def _batch_get_item(self, payload: Payload) -> Payload:
        requests = payload["RequestItems"]
        if not 1 <= sum(len(request["Keys"]) for request in requests.values()) <= BATCH_READS_MAX:
            raise ValidationException("BatchGetItem takes 1 to 100 keys")
        answer: Payload = {"Responses": {}, "UnprocessedKeys": {}}
        capacity = []
        for name, request in requests.items():
            keys = [self._table(name).key(key) for key in request["Keys"]]
            if any(key in keys[:index] for index, key in enumerate(keys)):
                raise ValidationException("Provided list of item keys contains duplicates")
            shared = {part: request[part] for part in request if part != "Keys"}
            call = {"TableName": name, "ReturnConsumedCapacity": "TOTAL", **shared}
            check_parameters("GetItem", call)
            found = [self._get_item({**call, "Key": key}) for key in keys]
            answer["Responses"][name] = [one["Item"] for one in found if "Item" in one]
            units = sum(one["ConsumedCapacity"]["CapacityUnits"] for one in found)
            capacity.append({"TableName": name, "CapacityUnits": units})
        return _with_capacities(payload, answer, capacity)

    # -- writes

    def _write(
        self, operation: str, payload: Payload, look: Callable[[Payload], _Write]
    ) -> Payload:
        returned = payload.get("ReturnValues", "NONE")
        check_return_values(operation, returned)
        write = look(payload)
        if not write.holds:
            raise ConditionFailed(write.refused_item())
        write.apply()
        answer = _returned(returned, write)
        if payload.get("ReturnConsumedCapacity", "NONE") == "NONE":
            return answer
        return _with_units(
            payload, answer, write.table.name, sum(write.table.write_units(write.old, write.new))
        )

    def _put(self, payload: Payload) -> _Write:
        table = self._table(payload["TableName"])
        new = table.put_row(accept_item(payload["Item"]))
        return self._conditional(table, table.place(new.item), payload, NOTHING, lambda *_: new)

    def _delete(self, payload: Payload) -> _Write:
        table = self._table(payload["TableName"])
        place = table.place(table.key(payload["Key"]))
        return self._conditional(table, place, payload, NOTHING, lambda *_: None)

    def _condition_check(self, payload: Payload) -> _Write:
        table = self._table(payload["TableName"])
        if "ConditionExpression" not in payload:
            raise ValidationException("a ConditionCheck needs its ConditionExpression")
        place = table.place(table.key(payload["Key"]))
        return self._conditional(table, place, payload, NOTHING, lambda *_: table.row(place))

    def _update(self, payload: Payload) -> _Write:
        table = self._table(payload["TableName"])
        key = table.key(payload["Key"])
        place = table.place(key)
        update = compile_update(payload.get("UpdateExpression"))

        def new_row(paths: list[Steps], names: Names, values: Values) -> Row:
            old = table.row(place)
            item = key if old is None else old.item
            edits = edits_of(update, paths, item, names, values, is_new=old is None)
            size_max = edits.size_max + (item_bytes(key) if old is None else old.size_max)
            return table.updated_row(edited(item, edits), size_max)

        return self._conditional(table, place, payload, update, new_row)

    def _conditional(
        self,
        table: Table,
        place: Place,
        payload: Payload,
        update: Compiled,
        new_row: Callable[[list[Steps], Names, Values], Row | None],
    ) -> _Write:
        """Look whether the condition holds; only then what the write would leave."""
        names, values = payload.get("ExpressionAttributeNames", _EMPTY), _accepted_values(payload)
        condition = compile_condition(payload.get("ConditionExpression"))
        check_use(names, values, condition, update)
        paths = resolved_paths(update, names, table.keys)
        old = table.row(place)
        holds = condition.holds(old.item if old else {}, names, values)
        return _Write(
            table=table,
            place=place,
            old=old,
            new=new_row(paths, names, values) if holds else old,
            holds=holds,
            wants_old=_wants_old(payload),
            paths=paths,
        )

    # -- several writes

    def _transact_write_items(self, payload: Payload) -> Payload:
        token = payload.get("ClientRequestToken")
        if token is not None and not 1 <= len(token) <= TOKEN_LENGTH_MAX:
            raise ValidationException("ClientRequestToken has 1 to 36 characters")
        if token in self._tokens:
            first, answer = self._tokens[token]
            if first != payload:
                raise IdempotentParameterMismatchException(token)
            return deepcopy(answer)
        writes = self._transaction(payload["TransactItems"])
        if not all(write.holds for write in writes):
            raise TransactionCanceled([_reason(write) for write in writes])
        capacity = _transaction_capacity(writes)
        for write in writes:
            write.apply()
        answer = _with_capacities(payload, {}, capacity)
        if token is not None:
            self._tokens[token] = (deepcopy(payload), deepcopy(answer))
        return answer

    def _transaction(self, items: list[Payload]) -> list[_Write]:
        if not 1 <= len(items) <= TRANSACTION_WRITES_MAX:
            raise ValidationException("TransactWriteItems takes 1 to 100 writes")
        look = {
            "Put": self._put,
            "Update": self._update,
            "Delete": self._delete,
            "ConditionCheck": self._condition_check,
        }
        writes = []
        for item in items:
            if len(item) != 1:
                raise ValidationException("each of TransactItems is just one write")
            ((kind, payload),) = item.items()
            check_parameters(kind, payload)
            writes.append(look[kind](payload))
        _check_distinct(writes)
        return writes

    def _batch_write_item(self, payload: Payload) -> Payload:
        requests = payload["RequestItems"]
        if not 1 <= sum(len(batch) for batch in requests.values()) <= BATCH_WRITES_MAX:
            raise ValidationException("BatchWriteItem takes 1 to 25 writes")
        writes = [
            self._batched(name, request) for name, batch in requests.items() for request in batch
        ]
        _check_distinct(writes)
        units: dict[str, float] = {}
        for write in writes:
            written = sum(write.table.write_units(write.old, write.new))
            units[write.table.name] = units.get(write.table.name, 0.0) + written
            write.apply()
        capacity = [{"TableName": name, "CapacityUnits": total} for name, total in units.items()]
        return _with_capacities(payload, {"UnprocessedItems": {}}, capacity)

    def _batched(self, name: str, request: Payload) -> _Write:
        if request.keys() == {"PutRequest"}:
            return self._put({"TableName": name, "Item": request["PutRequest"]["Item"]})
        if request.keys() == {"DeleteRequest"}:
            return self._delete({"TableName": name, "Key": request["DeleteRequest"]["Key"]})
        raise ValidationException(f"neither a PutRequest nor a DeleteRequest: {sorted(request)}")


def _accepted_values(payload: Payload) -> dict[str, Value]:
    given = payload.get("ExpressionAttributeValues", _EMPTY)
    return {name: accept(value) for name, value in given.items()}


class _Reading(NamedTuple):
    """The expressions of a Query or Scan, found in order."""

    names: Names
    values: Values
    kept: Compiled
    projection: Compiled


def _reading(payload: Payload, condition: Compiled) -> _Reading:
    names, values = payload.get("ExpressionAttributeNames", _EMPTY), _accepted_values(payload)
    kept = compile_condition(payload.get("FilterExpression"))
    projection = compile_projection(payload.get("ProjectionExpression"))
    check_use(names, values, condition, kept, projection)
    return _Reading(names, values, kept, projection)


def _paged(
    table: Table,
    payload: Payload,
    reading: _Reading,
    rows: list[Row],
    order: Callable[[Item], Any],
) -> Payload:
    found = page(table, payload, rows, order)
    names, values = reading.names, reading.values
    items = [row.item for row in found.rows if reading.kept.holds(row.item, names, values)]
    answer: Payload = {"Count": len(items), "ScannedCount": len(found.rows)}
    if payload.get("Select", "COUNT") != "COUNT":
        raise ValidationException("of Select the engine knows COUNT")
    if "Select" not in payload:
        answer["Items"] = [_shown(item, reading.projection, names) for item in items]
    if found.last_key is not None:
        answer["LastEvaluatedKey"] = copied(found.last_key)
    units = read_units(found.size, consistent=payload.get("ConsistentRead", False))
    return _with_units(payload, answer, table.name, units)


def _wants_old(payload: Payload) -> bool:
    wanted = payload.get("ReturnValuesOnConditionCheckFailure", "NONE")
    if wanted not in ("NONE", "ALL_OLD"):
        raise ValidationException(f"ReturnValuesOnConditionCheckFailure can not be {wanted}")
    return bool(wanted == "ALL_OLD")


def _shown(item: Item, projection: Compiled, names: Names) -> Item:
    if projection is NOTHING:
        return copied(item)
    paths = [resolve(path, names) for path in projection.paths]
    check_apart(paths)
    return copied(projected(item, paths))


def _returned(wanted: str, write: _Write) -> Payload:
    row = write.new if wanted.endswith("_NEW") else write.old
    if wanted == "NONE" or row is None:
        return {}
    if wanted.startswith("ALL"):
        return {"Attributes": copied(row.item)}
    attributes = copied(projected(row.item, write.paths))
    return {"Attributes": attributes} if attributes else {}


def _reason(write: _Write) -> tuple[str, Item | None]:
    return ("None", None) if write.holds else ("ConditionalCheckFailed", write.refused_item())


def _check_distinct(writes: list[_Write]) -> None:
    places = {(write.table.name, write.place) for write in writes}
    if len(places) < len(writes):
        raise ValidationException("one call can not write the same item twice")


def _transaction_capacity(writes: list[_Write]) -> list[Payload]:
    """A transaction's writes cost twice, its checks too; indexes follow later, at their price."""
    units: dict[str, float] = {}
    for write in writes:
        own, indexes = write.table.write_units(write.old, write.new)
        units[write.table.name] = units.get(write.table.name, 0.0) + 2 * own + indexes
    return [{"TableName": name, "CapacityUnits": total} for name, total in units.items()]


def _with_units(payload: Payload, answer: Payload, table_name: str, units: float) -> Payload:
    if payload.get("ReturnConsumedCapacity", "NONE") == "TOTAL":
        answer["ConsumedCapacity"] = {"TableName": table_name, "CapacityUnits": units}
    return answer


def _with_capacities(payload: Payload, answer: Payload, capacity: list[Payload]) -> Payload:
    if payload.get("ReturnConsumedCapacity", "NONE") == "TOTAL":
        answer["ConsumedCapacity"] = capacity
    return answer
