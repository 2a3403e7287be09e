"""A world for tests: the whole app over the in-memory DynamoDB, its clock and chance in hand.

world = World()
issued = create(world.app, "ada", name="laptop")
world.pass_ms(60_000)
world.meet("TransactWriteItems", conflict)
"""

import json
import random
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from osiris import secrets_text
from osiris.app.full import FullApp, wired
from osiris.errors import StoreUnavailable
from osiris.flows.keys import Issued, create
from osiris.ids import request_id
from osiris.ledger.entry import CHARGE, Entry
from osiris.ledger.key import ACCOUNT_KEYS_MAX, Key
from osiris.settings import from_environ
from osiris.store.items import key_of, key_pk
from osiris.store.transport import Payload, TransactionCanceled, TransactionConflict, Transport
from osiris.store.values import typed
from osiris.telemetry import Telemetry
from tests.dynamodb.engine import MemoryDynamoDB
from tests.dynamodb.schemas import schemas

START_MS = 1_795_514_400_000
ENVIRONMENT = {
    "OSIRIS_KEYS_TABLE": "KeysTable",
    "OSIRIS_LEDGER_TABLE": "LedgerTable",
    "OSIRIS_USAGE_TABLE": "UsageTable",
    "OSIRIS_CATALOGUE_TABLE": "CatalogueTable",
    "OSIRIS_ORDERS_TABLE": "OrdersTable",
    "AWS_REGION": "us-east-1",
}

type Call = Callable[[Payload], Payload]
# What befalls one call: it is given the call and its payload, and may make it never, once or twice.
type Fault = Callable[[Call, Payload], Payload]


class World:
    """`lines` holds what was logged, `waits_ms` what was slept; sleeping moves the clock."""

    def __init__(
        self,
        environment: Mapping[str, str] | None = None,
        *,
        transport: Transport | None = None,
        seed: int = 1,
    ) -> None:
        self.now_ms = START_MS
        self.waits_ms: list[int] = []
        self.lines: list[dict[str, Any]] = []
        self.memory = MemoryDynamoDB(schemas().values())
        self.transport = FaultyTransport(transport or self.memory)
        self._random = random.Random(seed)
        self.app: FullApp = wired(
            from_environ({**ENVIRONMENT, **(environment or {})}, needs=()),
            self.transport,
            telemetry=Telemetry(self._write, lambda: self.now_ms),
            now_ms=lambda: self.now_ms,
            entropy=self._random.randbytes,
            sleep_ms=self._sleep,
        )

    def pass_ms(self, time_ms: int) -> None:
        """Let time pass."""
        self.now_ms += time_ms

    def meet(self, operation: str, *faults: Fault) -> None:
        """Let the next calls of the operation meet these faults, one each."""
        self.transport.faults.setdefault(operation, deque()).extend(faults)

    def stored_key(self, key_id: str) -> Key:
        """The key as it stands in the table, read beside all faults."""
        answer = self.transport.inner.call(
            "GetItem",
            {
                "TableName": self.app.settings.keys_table,
                "Key": {"pk": typed(key_pk(key_id))},
                "ConsistentRead": True,
            },
        )
        return key_of(answer["Item"])

    def _sleep(self, wait_ms: int) -> None:
        self.waits_ms.append(wait_ms)
        self.now_ms += wait_ms

    def _write(self, line: str) -> None:
        self.lines.append(json.loads(line))


def admitted(world: World, key: Key, hold_nano: int) -> str:
    """An open request of the key, by its id."""
    opened = request_id(world.now_ms, world.app.entropy(16))
    admission = world.app.keys.admit(
        key.id,
        secret_hash=key.secret_hash,
        request_id=opened,
        hold_nano=hold_nano,
        slot=world.stored_key(key.id).window.index(0),
        open_requests_max=40,
        now_ms=world.now_ms,
    )
    assert admission.admitted
    return opened


def settled(world: World, key: Key, opened: str, hold_nano: int, cost_nano: int) -> None:
    """End an open request."""
    entry = Entry(key.id, opened, CHARGE, -cost_nano, world.now_ms, reason="test")
    world.app.ledger.record(entry)
    world.app.keys.settle(key.id, request_id=opened, hold_nano=hold_nano, amount_nano=-cost_nano)


def fill(world: World, account_id: str, *, room: int = 0) -> list[Issued]:
    """As many keys as the account may have, but for `room`."""
    return [
        create(world.app, account_id, name=f"key {number}")
        for number in range(ACCOUNT_KEYS_MAX - room)
    ]


def accepted(world: World, secret: str) -> bool:
    """Whether the key would let a request with this secret in, by its secret alone."""
    parsed = secrets_text.parse(secret)
    assert parsed is not None
    return world.stored_key(parsed.key_id).accepts(parsed.hash, world.now_ms)


class FaultyTransport:
    """A transport whose calls are counted by operation, and meet the faults put up for them."""

    def __init__(self, inner: Transport) -> None:
        self.inner = inner
        self.faults: dict[str, deque[Fault]] = {}
        self.calls: list[str] = []

    def call(self, operation: str, payload: Payload) -> Payload:
        self.calls.append(operation)
        planned = self.faults.get(operation)
        if planned:
            return planned.popleft()(lambda sent: self.inner.call(operation, sent), payload)
        return self.inner.call(operation, payload)


def repeated(call: Call, payload: Payload) -> Payload:
    """The reply is lost and the identical call made again, as transports do."""
    call(payload)
    return call(payload)


def repeated_late(call: Call, payload: Payload) -> Payload:
    """The same, after the ten minutes for which DynamoDB knows a transaction's token."""
    call(payload)
    return call({name: payload[name] for name in payload if name != "ClientRequestToken"})


def lost(call: Call, payload: Payload) -> Payload:
    """The write is done, and its reply never comes."""
    call(payload)
    raise StoreUnavailable(details="every reply was lost")


def unreachable(_call: Call, _payload: Payload) -> Payload:
    """The call never arrives."""
    raise StoreUnavailable(details="no connection")


def conflict(_call: Call, _payload: Payload) -> Payload:
    """A single write meets a transaction under way."""
    raise TransactionConflict(details="UpdateItem")


def canceled(_call: Call, payload: Payload) -> Payload:
    """A transaction meets another write under way, on its first item."""
    others = [("None", None)] * (len(payload["TransactItems"]) - 1)
    raise TransactionCanceled([("TransactionConflict", None), *others])


def preceded_by(act: Callable[[], object]) -> Fault:
    """Something else happens just before the call arrives."""

    def fault(call: Call, payload: Payload) -> Payload:
        act()
        return call(payload)

    return fault
