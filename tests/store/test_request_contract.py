"""The three writes of a request, on every engine: admit, record, settle, by their own code.

What they cost is read from ConsumedCapacity where the engine counts it as AWS does.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from osiris import ids
from osiris.catalogue import Model, prices_from_dollars
from osiris.ledger.entry import COMPLETED, charge, lapse
from osiris.ledger.key import DELETED, DISABLED, LIVE, PAID, Key, new_key
from osiris.store.items import key_item
from osiris.store.keys import Admission, Keys
from osiris.store.ledger import Ledger
from osiris.store.models import Models
from osiris.usage import Tokens, Usage
from osiris.window import WINDOW_MS

if TYPE_CHECKING:
    from osiris.store.transport import Payload, Transport
    from tests.dynamodb.servers import Engine

NOW_MS = 1_795_500_000_000
DOLLAR = 1_000_000_000
HASH, OLD_HASH, OTHER_HASH = b"h" * 32, b"o" * 32, b"x" * 32
LIMIT = 40
MODEL = Model(
    id="claude-opus-4.6",
    name="Claude Opus 4.6",
    upstream="anthropic",
    base_url="https://api.anthropic.com/v1",
    upstream_model="claude-opus-4-6",
    secret="anthropic",
    prices=prices_from_dollars(input="5", output="25", cache_read="0.5"),
    context_tokens=200_000,
    output_tokens=32_000,
    image_tokens_max=1600,
    created_at_s=1_764_000_000,
)


class Measured:
    """A transport that asks for, and keeps, the units that each call consumed."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.units: list[float] = []

    def call(self, operation: str, payload: Payload) -> Payload:
        answer = self._inner.call(operation, {**payload, "ReturnConsumedCapacity": "TOTAL"})
        self.units.append(answer["ConsumedCapacity"]["CapacityUnits"])
        return answer


class Tables(NamedTuple):
    """The store's classes over one engine's tables."""

    transport: Transport
    names: dict[str, str]

    @property
    def keys(self) -> Keys:
        return Keys(self.transport, self.names["KeysTable"])

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.transport, self.names["LedgerTable"])

    def put(self, **changes: Any) -> Key:
        """A funded key with these differences."""
        key = new_key(
            id=ids.key_id(os.urandom(16)),
            account_id="ada",
            name="Production",
            kind=PAID,
            secret_hash=HASH,
            rate_limit=LIMIT,
            now_ms=NOW_MS - 1000,
            grant_nano=100 * DOLLAR,
            expires_at_ms=NOW_MS + 1000,
        )._replace(**changes)
        item = {"TableName": self.names["KeysTable"], "Item": key_item(key)}
        self.transport.call("PutItem", item)
        return key

    def admit(self, key: Key, request_id: str = "", **changes: Any) -> Admission:
        """An admission as the flow asks for it, with these differences."""
        asked: dict[str, Any] = {
            "secret_hash": HASH,
            "request_id": request_id or new_id(),
            "hold_nano": DOLLAR,
            "slot": 0,
            "open_requests_max": 40,
            "now_ms": NOW_MS,
        }
        return self.keys.admit(key.id, **(asked | changes))


@pytest.fixture
def store(engine: Engine, tables: dict[str, str]) -> Tables:
    return Tables(engine.transport_of_a_thread(), tables)


def new_id() -> str:
    """A request's id, made now."""
    return ids.request_id(NOW_MS, os.urandom(16))


def test_an_admission_holds_and_takes_a_slot(store: Tables) -> None:
    """One write: the slot is used, the hold is open, available is less by it; the item comes."""
    key, request_id = store.put(), new_id()
    admission = store.admit(key, request_id, slot=7)
    assert admission.admitted
    expected = key._replace(
        window=[*[0] * 7, NOW_MS, *[0] * 32],
        holds={request_id: DOLLAR},
        available_nano=99 * DOLLAR,
        last_used_at_ms=NOW_MS,
    )
    assert admission.key == expected == store.keys.read(key.id)


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ({"status": DISABLED}, {}),
        ({"status": DELETED}, {}),
        ({}, {"secret_hash": OTHER_HASH}),
        ({"old_secret_hash": OLD_HASH, "old_secret_until_ms": NOW_MS}, {"secret_hash": OLD_HASH}),
        ({"balance_nano": 0, "available_nano": 0}, {}),
        ({"balance_nano": -1, "available_nano": -1}, {}),
        ({"expires_at_ms": NOW_MS}, {}),
        ({"window": [NOW_MS - WINDOW_MS + 1] * LIMIT}, {}),
        ({}, {"slot": LIMIT}),
        ({}, {"open_requests_max": 0}),
    ],
)
def test_each_condition_refuses(
    store: Tables, stored: dict[str, Any], asked: dict[str, Any]
) -> None:
    """A refusal brings the item that refused, and changes nothing."""
    key = store.put(**stored)
    assert store.admit(key, **asked) == Admission(False, key)
    assert store.keys.read(key.id) == key


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ({"status": LIVE, "expires_at_ms": NOW_MS + 1}, {}),
        ({"window": [NOW_MS - WINDOW_MS] * LIMIT}, {}),
        ({"balance_nano": 1, "available_nano": 1}, {}),
        (
            {"old_secret_hash": OLD_HASH, "old_secret_until_ms": NOW_MS + 1},
            {"secret_hash": OLD_HASH},
        ),
    ],
)
def test_each_condition_lets_its_edge_pass(
    store: Tables, stored: dict[str, Any], asked: dict[str, Any]
) -> None:
    """The last moment, nano-dollar and old secret that still hold are let in."""
    assert store.admit(store.put(**stored), **asked).admitted


def test_an_unknown_key_admits_nobody(store: Tables) -> None:
    """No item is made by asking for one."""
    key = store.put()._replace(id="000000000000")
    assert store.admit(key) == Admission(False, None)
    assert store.keys.read(key.id) is None


def test_admitting_twice_is_admitting_once(store: Tables) -> None:
    """A call repeated after a lost reply finds its own hold, whatever slot it asks for."""
    key, request_id = store.put(), new_id()
    first = store.admit(key, request_id)
    assert store.admit(key, request_id) == first
    assert store.admit(key, request_id, slot=3) == first


def test_the_first_entry_stands(store: Tables) -> None:
    """Whoever records second gets the entry that stands, with all its facts."""
    key, request_id = store.put(), new_id()
    entry = charge(
        key_id=key.id,
        request_id=request_id,
        model=MODEL,
        state=COMPLETED,
        streamed=True,
        usage=Usage(Tokens(1, 2, 3, 4, 5), bounded=True),
        admitted_at_ms=NOW_MS,
        now_ms=NOW_MS + 5,
    )
    assert store.ledger.record(entry) == entry
    late = lapse(key_id=key.id, request_id=request_id, now_ms=NOW_MS + 9)
    assert store.ledger.record(late) == entry
    assert store.ledger.read(key.id, request_id) == entry
    assert list(store.ledger.entries(key.id)) == [entry]


def test_entries_come_by_the_time_of_their_ids(store: Tables) -> None:
    """All kinds together, and only those made in the time asked for."""
    key = store.put()
    made = [ids.request_id(NOW_MS + step, os.urandom(16)) for step in (30, 10, 20)]
    for request_id in made:
        store.ledger.record(lapse(key_id=key.id, request_id=request_id, now_ms=NOW_MS))
    assert [entry.id for entry in store.ledger.entries(key.id)] == sorted(made)
    some = store.ledger.entries(key.id, from_ms=NOW_MS + 10, until_ms=NOW_MS + 30)
    assert [entry.id for entry in some] == sorted(made)[:2]


def test_settling_happens_once(store: Tables) -> None:
    """The charge is taken and the hold given back; a repeat changes nothing."""
    key, request_id = store.put(), new_id()
    store.admit(key, request_id)
    settle: dict[str, Any] = {
        "request_id": request_id,
        "hold_nano": DOLLAR,
        "amount_nano": -2 * DOLLAR,
    }
    settled = store.keys.settle(key.id, **settle)
    assert settled is not None
    assert (settled.balance_nano, settled.available_nano, settled.holds) == (
        98 * DOLLAR,
        98 * DOLLAR,
        {},
    )
    assert (settled.spent_nano, settled.requests) == (2 * DOLLAR, 1)
    assert store.keys.settle(key.id, **settle) == settled == store.keys.read(key.id)


def test_a_model_comes_back_as_it_was_put(store: Tables) -> None:
    """The catalogue keeps every field of a model."""
    models = Models(store.transport, store.names["CatalogueTable"])
    models.put(MODEL)
    assert models.read() == {MODEL.id: MODEL}
    models.remove(MODEL.id)
    assert models.read() == {}


def test_a_request_is_three_writes_of_one_unit(engine: Engine, store: Tables) -> None:
    """Admit, Record and Settle consume one write unit each, with other requests open."""
    if engine.kind == "moto":
        pytest.skip("moto counts no sizes")
    key, request_id = store.put(holds={new_id(): 1 for _ in range(5)}, balance_nano=5), new_id()
    key = store.put(id=key.id, holds=key.holds, available_nano=100 * DOLLAR - 5)
    measured = Measured(store.transport)
    counted = store._replace(transport=measured)
    assert counted.admit(key, request_id).admitted
    entry = charge(
        key_id=key.id,
        request_id=request_id,
        model=MODEL,
        state=COMPLETED,
        streamed=True,
        usage=Usage(Tokens(input=10_000, output=2_000)),
        admitted_at_ms=NOW_MS,
        now_ms=NOW_MS,
    )
    counted.ledger.record(entry)
    counted.keys.settle(key.id, request_id=request_id, hold_nano=DOLLAR, amount_nano=-DOLLAR)
    assert measured.units == [1, 1, 1]


def test_a_hundred_at_once_are_forty(engine: Engine, store: Tables) -> None:
    """Each worker has its own connection and tries slot after slot: as many get in as slots."""
    if engine.kind == "moto":
        pytest.skip("moto runs in this process without locks: it loses writes of several threads")
    key = store.put()
    start = threading.Barrier(20)

    def five(_worker: int) -> int:
        own = store._replace(transport=engine.transport_of_a_thread())
        start.wait()
        admitted = 0
        for _ in range(5):
            request_id = new_id()
            admitted += any(own.admit(key, request_id, slot=slot).admitted for slot in range(LIMIT))
        return admitted

    with ThreadPoolExecutor(20) as threads:
        assert sum(threads.map(five, range(20))) == LIMIT
    stored = store.keys.read(key.id)
    assert stored is not None
    assert (stored.window, len(stored.holds)) == ([NOW_MS] * LIMIT, LIMIT)
