"""Exports: all lines of a time, oldest first, read as they are taken."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import pytest

from osiris.errors import KeyNotFound
from osiris.flows.export import ledger_lines, request_lines
from osiris.flows.keys import delete
from osiris.flows.statement import statement
from osiris.ledger.entry import CHARGE, GRANT, Entry
from osiris.ledger.key import Key
from tests.builders import START_MS, World
from tests.flows.used_key import funded, granted, opened, recorded, requested

HOUR_MS = 3_600_000
EXPORTS = [ledger_lines, request_lines]

type Export = Callable[..., Iterator[Any]]


@pytest.fixture
def key(world: World) -> Key:
    """A key used once an hour, its third request not settled."""
    key = funded(world, "ada")
    for hour in range(5):
        world.pass_ms(1000)
        if hour == 2:
            recorded(world, key, opened(world, key), tokens=9)
        else:
            requested(world, key, tokens=hour + 1)
        world.pass_ms(1000)
        granted(world, key)
        world.now_ms = START_MS + (hour + 1) * HOUR_MS
    return key


@pytest.mark.parametrize(("first", "last"), [(0, 9), (0, 5), (1, 3), (2, 3), (3, 9), (4, 4)])
def test_an_export_is_the_statement_of_its_time(
    world: World, key: Key, first: int, last: int
) -> None:
    """Oldest first; the balance counts what was before; requests are its charges."""
    from_ms, until_ms = START_MS + first * HOUR_MS, START_MS + last * HOUR_MS
    told = statement(world.app, key.id, from_ms=from_ms, until_ms=until_ms, lines_max=100).lines
    span = {"from_ms": from_ms, "until_ms": until_ms}
    assert list(ledger_lines(world.app, "ada", key.id, **span)) == told
    charges = [(line.entry, line.settled) for line in told if line.entry.type == CHARGE]
    assert list(request_lines(world.app, "ada", key.id, **span)) == charges


def test_the_last_balance_is_the_keys(world: World, key: Key) -> None:
    """An export up to now ends with what the key shows."""
    *_, last = ledger_lines(world.app, "ada", key.id, from_ms=0, until_ms=world.now_ms)
    assert last.balance_nano == world.stored_key(key.id).balance_nano


@pytest.mark.parametrize(
    ("from_ms", "until_ms", "whole"),
    [(-(10**20), 10**20, True), (10**20, 10**20, False), (10**20, 0, False), (0, -1, False)],
)
@pytest.mark.parametrize("export", EXPORTS)
def test_any_time_can_be_asked_for(
    world: World, key: Key, export: Export, from_ms: int, until_ms: int, whole: bool
) -> None:
    """However early or late, and the wrong way round."""
    lines = list(export(world.app, "ada", key.id, from_ms=from_ms, until_ms=until_ms))
    assert len(lines) == ((5 if export is request_lines else 11) if whole else 0)


@pytest.mark.parametrize("export", EXPORTS)
@pytest.mark.parametrize("whose", ["bob's", "deleted", "unknown", "hostile"])
def test_anothers_key_is_refused_by_the_call(
    world: World, key: Key, whose: str, export: Export
) -> None:
    """Before the answer has begun, and before an entry is read."""
    key_id = {"bob's": key.id, "deleted": key.id, "unknown": "0" * 12, "hostile": "x\n" * 500}[
        whose
    ]
    if whose == "deleted":
        delete(world.app, "ada", key.id, confirmed_name="k")
    world.transport.calls.clear()
    with pytest.raises(KeyNotFound):
        export(world.app, "bob" if whose == "bob's" else "ada", key_id, from_ms=0, until_ms=1)
    assert "Query" not in world.transport.calls


@pytest.mark.parametrize("export", EXPORTS)
def test_an_export_is_read_as_it_is_taken(world: World, key: Key, export: Export) -> None:
    """A page of DynamoDB's at a time: the next is not asked for before this one is used up."""
    for number in range(1000):
        padding = "x" * 3000
        entry_id = f"{'req' if number % 2 else 'ent'}_{'0' * 12}{number:04}"
        kind = CHARGE if number % 2 else GRANT
        world.app.ledger.record(Entry(key.id, entry_id, kind, 0, START_MS, reason=padding))
    world.transport.calls.clear()
    lines = export(world.app, "ada", key.id, from_ms=0, until_ms=world.now_ms)
    assert world.transport.calls == ["GetItem"]
    assert len(list(islice(lines, 100))) == 100
    assert world.transport.calls == ["GetItem", "Query"]
    list(lines)
    assert world.transport.calls == ["GetItem", *["Query"] * 3]
