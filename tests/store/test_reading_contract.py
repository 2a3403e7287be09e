"""The reads under the pages, on every engine: pages, one of several keys', hours, in order."""

from collections.abc import Iterator
from functools import partial

import pytest

from osiris.ids import base62, time_text
from osiris.ledger.entry import CHARGE, GRANT, Entry
from osiris.ledger.rollup import Rollup
from osiris.store.ledger import Ledger
from osiris.store.transport import Payload, Transport
from osiris.store.usage import UsageRollups
from osiris.times import HOUR_MS
from osiris.usage import Tokens
from tests.dynamodb.servers import Engine

NOW_MS = 1_795_500_000_000
KEY, OTHER, EMPTY = "a" * 12, "b" * 12, "c" * 12


class Counted:
    """A transport that counts its calls."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.calls: list[str] = []

    def call(self, operation: str, payload: Payload) -> Payload:
        self.calls.append(operation)
        return self._inner.call(operation, payload)


@pytest.fixture
def transport(engine: Engine) -> Counted:
    return Counted(engine.transport)


@pytest.fixture
def ledger(transport: Counted, tables: dict[str, str]) -> Ledger:
    return Ledger(transport, tables["LedgerTable"])


@pytest.fixture
def usage(transport: Counted, tables: dict[str, str]) -> UsageRollups:
    return UsageRollups(transport, tables["UsageTable"])


def put(ledger: Ledger, key_id: str, numbers: range, *, reason: str = "") -> list[Entry]:
    """A charge each 10 ms, every third one a grant: oldest first."""
    entries = []
    for number in numbers:
        kind, prefix = (GRANT, "ent_") if number % 3 == 0 else (CHARGE, "req_")
        at_ms = NOW_MS + 10 * number
        entry_id = prefix + time_text(at_ms) + base62(number, 8)
        entries.append(Entry(key_id, entry_id, kind, -number, at_ms, reason=reason))
        ledger.record(entries[-1])
    return entries


def test_pages_go_back_from_any_entry(ledger: Ledger) -> None:
    """Newest first, strictly before, as many as asked for, and only this key's."""
    entries = put(ledger, KEY, range(10))[::-1]
    put(ledger, OTHER, range(20))
    page = partial(ledger.page, KEY)
    assert page(before_id=None, most=50) == page(before_id=None, most=10) == entries
    assert page(before_id=None, most=3) == entries[:3]
    assert page(before_id=entries[2].id, most=3) == entries[3:6]
    assert page(before_id=entries[8].id, most=3) == entries[9:]
    assert page(before_id=entries[9].id, most=3) == []
    assert ledger.page(EMPTY, before_id=None, most=3) == []


def test_a_page_is_full_where_its_entries_are_large(ledger: Ledger, transport: Counted) -> None:
    """DynamoDB ends its own page at 1 MB: the rest is asked for."""
    entries = put(ledger, KEY, range(12), reason="x" * 200_000)[::-1]
    transport.calls.clear()
    assert ledger.page(KEY, before_id=None, most=10) == entries[:10]
    # Where exactly a page ends differs a little.
    assert len(transport.calls) > 1
    assert ledger.page(KEY, before_id=entries[4].id, most=10) == entries[5:]


def test_entries_come_in_either_order(ledger: Ledger) -> None:
    """Of all time or of a part of it, across DynamoDB's own pages."""
    entries = put(ledger, KEY, range(12), reason="x" * 200_000)
    assert list(ledger.entries(KEY)) == entries
    assert list(ledger.entries(KEY, newest_first=True)) == entries[::-1]
    part = partial(ledger.entries, KEY, from_ms=NOW_MS + 20, until_ms=NOW_MS + 50)
    assert list(part()) == entries[2:5]
    assert list(part(newest_first=True)) == entries[4:1:-1]


def test_an_entry_is_found_under_any_of_the_keys(ledger: Ledger, transport: Counted) -> None:
    """By one call; not under others, and not by the id of another kind of entry."""
    entries = put(ledger, KEY, range(1, 4))
    put(ledger, OTHER, range(5, 7))
    keys = [EMPTY, KEY, *[f"{number:012}" for number in range(8)]]
    for entry in entries:
        transport.calls.clear()
        assert ledger.find(keys, entry.id) == entry
        assert transport.calls == ["BatchGetItem"]
        assert ledger.find([OTHER, EMPTY], entry.id) is None
        twin = "ent_" if entry.type == CHARGE else "req_"
        assert ledger.find(keys, twin + entry.id[4:]) is None
    transport.calls.clear()
    assert ledger.find([], entries[0].id) is None
    assert transport.calls == []


def test_rollups_are_those_of_the_hours_asked_for(usage: UsageRollups) -> None:
    """Hours that begin in the time, all models of each; across midnight and the new year."""
    first_ms = 1_767_225_600_000 - 5 * HOUR_MS
    rollups = [
        Rollup(key_id, first_ms + hour * HOUR_MS, model, hour, Tokens(output=hour), hour)
        for key_id in (KEY, OTHER)
        for hour in range(12)
        for model in ("a", "m#1", "z")
    ]
    for rollup in reversed(rollups):
        usage.put(rollup)
    usage.set_rolled_until_ms(first_ms)
    whole = rollups[: len(rollups) // 2]
    assert list(usage.of_key(KEY)) == whole
    assert list(usage.of_key(EMPTY)) == []

    def hours(from_ms: int, until_ms: int) -> Iterator[Rollup]:
        return usage.of_key(KEY, from_ms=first_ms + from_ms, until_ms=first_ms + until_ms)

    assert list(hours(0, 12 * HOUR_MS)) == whole
    assert list(hours(2 * HOUR_MS, 7 * HOUR_MS)) == whole[6:21]
    assert list(hours(2 * HOUR_MS - 1, 7 * HOUR_MS - 1)) == whole[6:21]
    assert list(hours(2 * HOUR_MS + 1, 7 * HOUR_MS + 1)) == whole[9:24]
    assert list(hours(3 * HOUR_MS, 3 * HOUR_MS)) == []
