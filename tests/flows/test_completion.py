"""A paid request as it goes: its bytes, its writes, and a store that is out of reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from osiris.errors import StoreUnavailable
from tests.builders import lost, unreachable
from tests.dynamodb.values import item_bytes
from tests.flows.scripted_upstream import DONE, FULL, STOP, Till, chunk

if TYPE_CHECKING:
    from osiris.store.transport import Payload
    from tests.builders import World


def test_bytes_pass_as_they_come(till: Till) -> None:
    """Each piece leaves as it came; only the usage and what follows waits, with its cost added."""
    first, second = chunk("a"), chunk("b")
    told = till.stream(first, second, STOP, FULL, DONE)
    assert told.pieces[:3] == [first, second, STOP]
    assert b"".join(told.pieces[3:]).replace(b',"cost":0.1', b"") == FULL + DONE


def test_silence_is_filled(till: Till) -> None:
    """Every 15 s without a byte bring a comment; the answer's own bytes stay as they are."""
    told = till.stream(chunk("a"), 50_000, STOP, 14_999, FULL, DONE)
    assert told.pieces.count(b": keep-alive\n\n") == 3
    assert told.text.replace(b": keep-alive\n\n", b"").startswith(chunk("a") + STOP)


def test_charged_before_the_end_leaves(till: Till) -> None:
    """When the usage leaves, the entry stands and the hold is gone."""
    told = till.stream(chunk("a"), STOP, FULL, DONE, leave_after=2)
    assert b"usage" in told.pieces[-1]
    assert till.charged(told).cost_nano == 100_000_000


def test_three_writes_and_nothing_else(till: Till) -> None:
    """One write before the upstream is called, two after: no read, no transaction."""
    told = till.stream(chunk("a"), STOP, FULL, DONE)
    assert told.error is None
    assert till.upstream.calls_before == ["UpdateItem"]
    assert till.world.transport.calls == ["UpdateItem", "PutItem", "UpdateItem"]


def test_three_write_units(till: Till) -> None:
    """A request costs three write units, with five others open."""
    units = Units(till.world)
    for _ in range(5):
        till.world.meet("PutItem", unreachable)
        till.stream(chunk("a"), STOP, FULL, DONE, remaining_ms=1)
    assert len(till.key.holds) == 5
    till.world.transport.inner = units
    till.stream(chunk("a"), STOP, FULL, DONE)
    assert units.written == [1.0, 1.0, 1.0]
    till.world.transport.inner = till.world.memory


class Units:
    """A transport that asks for the units of each write."""

    def __init__(self, world: World) -> None:
        self._memory = world.memory
        self.written: list[float] = []

    def call(self, operation: str, payload: Payload) -> Payload:
        reply = self._memory.call(operation, payload | {"ReturnConsumedCapacity": "TOTAL"})
        self.written.append(reply["ConsumedCapacity"]["CapacityUnits"])
        return reply


@pytest.mark.parametrize("open_requests", [0, 5])
def test_a_key_is_small(till: Till, open_requests: int) -> None:
    """A used key's item is under 1 KB, with 40 slots used and five requests open."""
    for _ in range(40 - open_requests):
        till.world.pass_ms(997)
        till.stream(chunk("a"), STOP, FULL, DONE)
    for _ in range(open_requests):
        till.world.meet("PutItem", unreachable)
        till.stream(chunk("a"), STOP, FULL, DONE, remaining_ms=1)
    [item] = [
        item
        for item in till.world.memory.items("KeysTable")
        if item["pk"]["S"] == f"key#{till.key_id}"
    ]
    assert len(item["holds"]["M"]) == open_requests
    assert item_bytes(item) < 1024


def test_out_of_reach_at_admission(till: Till) -> None:
    """Nothing is forwarded that was not admitted."""
    till.world.meet("UpdateItem", unreachable)
    told = till.stream()
    assert isinstance(told.error, StoreUnavailable)
    assert till.upstream.requests == []


def test_out_of_reach_at_record(till: Till) -> None:
    """Record is tried until the deadline; then nothing ends well, and a metric says so."""
    till.world.meet("PutItem", *[unreachable] * 4)
    told = till.stream(chunk("a"), STOP, FULL, DONE, remaining_ms=2_000)
    assert isinstance(told.error, StoreUnavailable)
    assert told.text == chunk("a") + STOP
    assert till.world.waits_ms == [500, 500, 500]
    assert [line["event"] for line in till.world.lines if "SettlementFailed" in line] == [
        "record_failed"
    ]
    assert till.entry(told) is None
    assert list(till.key.holds) == [told.exchange.request_id]
    assert "Nothing was charged" not in told.error.message
    assert told.exchange.request_id in told.error.message
    assert told.error.should_retry is False


def test_back_in_time_for_record(till: Till) -> None:
    """A store that comes back before the deadline costs only time."""
    till.world.meet("PutItem", unreachable, lost)
    told = till.stream(chunk("a"), STOP, FULL, DONE)
    assert told.error is None
    assert till.charged(told).cost_nano == 100_000_000
    assert till.world.waits_ms == [500, 500]


def test_out_of_reach_at_settle(till: Till) -> None:
    """Where only Settle fails the answer ends well: its entry stands, and recovery settles."""

    def let_pass(call: Any, payload: Payload) -> Payload:
        reply: Payload = call(payload)
        return reply

    till.world.meet("UpdateItem", let_pass, unreachable)
    told = till.stream(chunk("a"), STOP, FULL, DONE)
    assert told.error is None
    assert told.text.endswith(DONE)
    assert till.entry(told) is not None
    assert list(till.key.holds) == [told.exchange.request_id]
    assert [line["event"] for line in till.world.lines if "SettlementFailed" in line] == [
        "settle_failed"
    ]
