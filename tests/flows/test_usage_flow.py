"""What keys used, by day and model: the sum of their entries, from wherever it is read."""

from collections import defaultdict
from collections.abc import Container

import pytest

from osiris.errors import InvalidRequest
from osiris.flows import usage as flow
from osiris.flows.reconcile import reconcile
from osiris.flows.settlement import finish_lapsed
from osiris.flows.usage import DayUsage, Spent, Today, Usage, today, usage
from osiris.ids import made_at_ms
from osiris.ledger.entry import Entry
from osiris.ledger.key import ACCOUNT_KEYS_MAX, Key
from osiris.ledger.rollup import Rollup
from osiris.store.transport import Payload
from osiris.times import DAY_MS, HOUR_MS
from osiris.usage import Tokens
from tests.builders import START_MS, Call, World, preceded_by
from tests.flows.used_key import COST_NANO, funded, granted, opened, recorded, requested

MIDNIGHT_MS = START_MS - START_MS % DAY_MS
MONTH_MS = 31 * DAY_MS


@pytest.fixture
def key(world: World) -> Key:
    return funded(world, "ada")


def passed(call: Call, payload: Payload) -> Payload:
    return call(payload)


def stored(world: World, *keys: Key) -> list[Key]:
    return [world.stored_key(key.id) for key in keys]


def used(world: World, *keys: Key, from_ms: int = MIDNIGHT_MS, until_ms: int = 0) -> Usage:
    """By default what the keys used from the first day on."""
    until_ms = until_ms or from_ms + MONTH_MS
    return usage(world.app, stored(world, *keys), from_ms=from_ms, until_ms=until_ms)


def expected(entries: list[Entry]) -> list[DayUsage]:
    """The rows of these charges, added up one by one."""
    sums: dict[tuple[int, str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for entry in entries:
        assert entry.charge is not None
        at_ms = made_at_ms(entry.id)
        row = sums[at_ms - at_ms % DAY_MS, entry.key_id, entry.charge.model]
        row[0] += 1
        row[1] += entry.charge.tokens.output
        row[2] += entry.cost_nano
    return [
        DayUsage(*place, requests, Tokens(output=output), cost_nano)
        for place, (requests, output, cost_nano) in sorted(sums.items())
    ]


def used_for_days(world: World, *keys: Key, runs_at: Container[int] = ()) -> list[Entry]:
    """Requests by two models every 50 minutes for three days, and runs of the reconciler."""
    entries: list[Entry] = []
    for number in range(3 * 24):
        model, tokens = f"m-{number % 2}", number % 5
        entries += [requested(world, key, model=model, tokens=tokens) for key in keys]
        world.pass_ms(50 * 60_000)
        if number in runs_at:
            reconcile(world.app)
    return entries


# ----------------------------------------------------------------------------- what it comes to


@pytest.mark.parametrize("runs_at", [(), (50,), (71,), range(72)])
@pytest.mark.parametrize("is_set_back", [False, True])
def test_usage_is_the_sum_of_the_entries(
    world: World, runs_at: Container[int], is_set_back: bool
) -> None:
    """By day, key and model, however far the reconciler is with the rollups."""
    keys = [funded(world, "ada"), funded(world, "ada")]
    entries = used_for_days(world, *keys, runs_at=runs_at)
    if is_set_back and runs_at:
        world.app.usage.set_rolled_until_ms(START_MS + 20 * HOUR_MS)
    assert used(world, *keys) == Usage(expected(entries), complete=True)


def test_hours_are_those_asked_for(world: World, key: Key) -> None:
    """From the hour that begins then or later, to that before the end; across the progress."""
    entries = used_for_days(world, key)
    reconcile(world.app)
    requested(world, key)
    for first, last in ((0, 1), (1, 2), (5, 30), (50, 58), (0, 59), (59, 60), (7, 7)):
        from_ms, until_ms = START_MS + first * HOUR_MS, START_MS + last * HOUR_MS
        wanted = [entry for entry in entries if from_ms <= made_at_ms(entry.id) < until_ms]
        found = used(world, key, from_ms=from_ms - 1, until_ms=until_ms)
        assert found == Usage(expected(wanted), complete=True)
        assert used(world, key, from_ms=from_ms, until_ms=max(from_ms, until_ms - 1)) == found


def test_an_hour_past_the_progress_is_read_from_entries_alone(world: World, key: Key) -> None:
    """One key's open hold keeps the hour open for all; the other's rollup of it counts nothing."""
    other = funded(world, "ada")
    world.app.settings = world.app.settings._replace(hold_lapse_ms=10 * HOUR_MS)
    opened(world, other)
    entry = requested(world, key)
    world.pass_ms(2 * HOUR_MS)
    reconcile(world.app)
    assert len(list(world.app.usage.of_key(key.id))) == 1
    assert world.app.usage.rolled_until_ms() == START_MS
    assert used(world, key, other).rows == expected([entry])


def test_a_run_meanwhile_adds_nothing_and_loses_nothing(world: World, key: Key) -> None:
    """The reconciler may come between the progress and any query."""
    entries = used_for_days(world, key, runs_at=(30,))
    for plan in ([0, 1], [1, 0]):
        runs = [preceded_by(lambda: reconcile(world.app)) if run else passed for run in plan]
        world.meet("Query", *runs)
        assert used(world, key).rows == expected(entries)
        world.transport.faults.clear()
        world.app.usage.set_rolled_until_ms(START_MS + 20 * HOUR_MS)


def test_a_request_counts_once_its_entry_stands(world: World, key: Key) -> None:
    """Settled or not; an open one and one that lapsed don't."""
    lost = opened(world, key)
    assert used(world, key).rows == []
    waiting = recorded(world, key, opened(world, key), tokens=3)
    granted(world, key)
    assert used(world, key).rows == expected([waiting])
    world.pass_ms(world.app.settings.hold_lapse_ms)
    finish_lapsed(world.app, world.stored_key(key.id))
    assert world.app.ledger.read(key.id, lost) is not None
    assert used(world, key).rows == expected([waiting])


# --------------------------------------------------------------------------------------- bounds


@pytest.mark.parametrize(
    ("from_ms", "until_ms"),
    [(-(10**20), -(10**20)), (10**20, 10**20 + 5), (START_MS + DAY_MS, START_MS), (-5, 5)],
)
def test_any_time_can_be_asked_for(world: World, key: Key, from_ms: int, until_ms: int) -> None:
    """However early or late, and the wrong way round."""
    requested(world, key)
    assert used(world, key, from_ms=from_ms, until_ms=until_ms) == Usage([], complete=True)


def test_a_longer_time_is_refused(world: World, key: Key) -> None:
    """31 days are shown, a millisecond more is not; nothing is read for it."""
    used(world, key, until_ms=MIDNIGHT_MS + MONTH_MS)
    world.transport.calls.clear()
    keys = stored(world, key)
    world.transport.calls.clear()
    with pytest.raises(InvalidRequest):
        usage(world.app, keys, from_ms=MIDNIGHT_MS, until_ms=MIDNIGHT_MS + MONTH_MS + 1)
    assert world.transport.calls == []


@pytest.mark.parametrize(("limit", "complete"), [(9, True), (8, True), (6, False), (1, False)])
def test_open_hours_are_read_so_far(
    world: World, monkeypatch: pytest.MonkeyPatch, key: Key, limit: int, complete: bool
) -> None:
    """Beyond, the newest entries count, and it is told that something is left out."""
    monkeypatch.setattr(flow, "ENTRIES_MAX", limit)
    entries = []
    for tokens in range(1, 8):
        world.pass_ms(1)
        entries.append(requested(world, key, tokens=tokens))
    other = funded(world, "ada")
    world.pass_ms(1)
    entries.append(requested(world, other))
    # A key's first entry is its grant.
    entries = [*entries[:-1][-limit:], entries[-1]]
    assert used(world, key, other) == Usage(expected(entries), complete=complete)


def test_keys_that_were_not_used_cost_no_query(world: World) -> None:
    """The window of a key tells whether it has rollups, and entries in open hours."""
    idle, earlier, busy = (funded(world, "ada") for _ in range(3))
    requested(world, earlier)
    world.pass_ms(2 * HOUR_MS)
    reconcile(world.app)
    requested(world, busy)
    keys = stored(world, idle, earlier, busy)
    world.transport.calls.clear()
    assert len(usage(world.app, keys, from_ms=MIDNIGHT_MS, until_ms=world.now_ms + 1).rows) == 2
    # Rollups of two, entries of one.
    assert world.transport.calls == ["GetItem", "Query", "Query", "Query"]


# ---------------------------------------------------------------------------------------- today


def test_today_is_since_midnight(world: World) -> None:
    """Each key of the account, also one that was not used; in UTC."""
    world.now_ms = MIDNIGHT_MS + DAY_MS - 1
    keys = [funded(world, "ada") for _ in range(ACCOUNT_KEYS_MAX)]
    requested(world, keys[0], tokens=8)
    world.pass_ms(1)
    requested(world, keys[0], tokens=1)
    requested(world, keys[0], model="m-2", tokens=2)
    requested(world, keys[1], tokens=4)
    spent = {key.id: Spent(0, 0) for key in keys}
    spent |= {keys[0].id: Spent(2, 3 * COST_NANO), keys[1].id: Spent(1, 4 * COST_NANO)}
    assert today(world.app, stored(world, *keys)) == Today(spent, complete=True)
    world.pass_ms(5 * HOUR_MS)
    reconcile(world.app)
    requested(world, keys[1])
    spent[keys[1].id] = Spent(2, 5 * COST_NANO)
    assert today(world.app, stored(world, *keys)) == Today(spent, complete=True)
    assert today(world.app, []).spent == {}


def test_todays_last_millisecond_counts(world: World, key: Key) -> None:
    """And a rollup of yesterday does not."""
    world.app.usage.put(Rollup(key.id, MIDNIGHT_MS - HOUR_MS, "m-1", 9, Tokens(), 9))
    world.now_ms = MIDNIGHT_MS + DAY_MS - 1
    requested(world, key)
    assert today(world.app, stored(world, key)).spent == {key.id: Spent(1, COST_NANO)}
