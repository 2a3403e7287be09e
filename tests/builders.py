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

from osiris.app.full import FullApp, wired
from osiris.errors import StoreUnavailable
from osiris.ledger.key import Key
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
    "AWS_REGION": "us-east-1",
}

# What befalls one call: it is given the call, which it may make never, once or twice.
type Fault = Callable[[Callable[[], Payload]], Payload]


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
            return planned.popleft()(lambda: self.inner.call(operation, payload))
        return self.inner.call(operation, payload)


def repeated(call: Callable[[], Payload]) -> Payload:
    """The reply is lost and the identical call made again, as transports do."""
    call()
    return call()


def lost(call: Callable[[], Payload]) -> Payload:
    """The write is done, and its reply never comes."""
    call()
    raise StoreUnavailable(details="every reply was lost")


def unreachable(_call: Callable[[], Payload]) -> Payload:
    """The call never arrives."""
    raise StoreUnavailable(details="no connection")


def conflict(_call: Callable[[], Payload]) -> Payload:
    """A single write meets a transaction under way."""
    raise TransactionConflict(details="UpdateItem")


def canceled(_call: Callable[[], Payload]) -> Payload:
    """A transaction meets another write under way."""
    raise TransactionCanceled([("TransactionConflict", None), ("None", None)])


def preceded_by(act: Callable[[], object]) -> Fault:
    """Something else happens just before the call arrives."""

    def fault(call: Callable[[], Payload]) -> Payload:
        act()
        return call()

    return fault
