"""What keys used, by day and model: from the rollups of closed hours and the entries of open ones.

The reconciler's progress parts the two. It is the earliest of all keys' progress, and is set after
their rollups were put: before it every hour of every key is rolled up, and no entry can be added to
such an hour. So the rollups of the hours before it and the entries of the hours since are together
complete, and nothing is in both. Some keys have rollups of hours after it, too, which are not read.
A run beside another may set the progress back: then more comes from entries, and the sum is equal.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from osiris.errors import InvalidRequest
from osiris.ledger.key import ACCOUNT_KEYS_MAX
from osiris.ledger.rollup import rolled_up
from osiris.money import ceil_div
from osiris.times import DAY_MS, HOUR_MS, day_start_ms
from osiris.usage import Tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from osiris.app.full import FullApp
    from osiris.ledger.key import Key
    from osiris.ledger.rollup import Rollup

# A month. There is a rollup for each hour and model used in it: 744 a key and model.
DAYS_MAX = 31
# Of one key, newest first. Hours are open for 140 minutes at most where the reconciler runs each
# hour: 60 until the hour is over, 20 until it closes, 60 until the next run. At 40 requests a
# minute that is 5,600. Beyond are keys with a higher limit, and a reconciler that does not run.
ENTRIES_MAX = 8_000


class DayUsage(NamedTuple):
    """One model's part of one day (UTC, by its first millisecond) of one key."""

    day_ms: int
    key_id: str
    model: str
    requests: int
    tokens: Tokens
    cost_nano: int


class Usage(NamedTuple):
    """Rows by day, key and model, in this order.

    When it is not `complete`, a key had more entries in open hours than are read: its oldest ones
    are left out.
    """

    rows: list[DayUsage]
    complete: bool


class Spent(NamedTuple):
    """What a key's requests come to."""

    requests: int
    cost_nano: int


class Today(NamedTuple):
    """What was spent by each key, by its id; too little where it is not `complete`, as Usage."""

    spent: dict[str, Spent]
    complete: bool


def usage(app: FullApp, keys: Sequence[Key], *, from_ms: int, until_ms: int) -> Usage:
    """What an account's keys used in the hours that begin in [from_ms, until_ms): 31 days at most.

    A request counts in the hour in which it was admitted, once its entry stands, whether it is
    settled or not. One that lapsed is not counted: it names no model and cost nothing. Raises
    InvalidRequest for a longer time.
    """
    assert len(keys) <= ACCOUNT_KEYS_MAX
    if until_ms - from_ms > DAYS_MAX * DAY_MS:
        raise InvalidRequest(f"Usage is shown for {DAYS_MAX} days at most.")
    # No request was admitted before 1970, nor, by any host's clock, an hour from now.
    from_ms = _next_hour(max(0, from_ms))
    until_ms = _next_hour(min(until_ms, app.now_ms() + HOUR_MS))
    if from_ms >= until_ms:
        return Usage([], complete=True)
    # Read before the rollups, which are then there.
    rolled_until_ms = min(max(from_ms, app.usage.rolled_until_ms()), until_ms)
    rollups: list[Rollup] = []
    complete = True
    for key in keys:
        # The newest time in the window is no earlier than that of the key's last admission.
        used_at_ms = max(key.window)
        if used_at_ms >= from_ms and from_ms < rolled_until_ms:
            rollups += app.usage.of_key(key.id, from_ms=from_ms, until_ms=rolled_until_ms)
        if used_at_ms >= rolled_until_ms and rolled_until_ms < until_ms:
            since, whole = _since(app, key, from_ms=rolled_until_ms, until_ms=until_ms)
            rollups += since
            complete = complete and whole
    return Usage(_by_day(rollups), complete)


def today(app: FullApp, keys: Sequence[Key]) -> Today:
    """What the keys spent since the day began (UTC)."""
    now_ms = app.now_ms()
    spent = {key.id: Spent(0, 0) for key in keys}
    used = usage(app, keys, from_ms=day_start_ms(now_ms), until_ms=now_ms + 1)
    for row in used.rows:
        before = spent[row.key_id]
        spent[row.key_id] = Spent(before.requests + row.requests, before.cost_nano + row.cost_nano)
    return Today(spent, used.complete)


def _since(app: FullApp, key: Key, *, from_ms: int, until_ms: int) -> tuple[list[Rollup], bool]:
    """A key's open hours, summed from its newest entries, and whether these are all."""
    found = app.ledger.entries(key.id, from_ms=from_ms, until_ms=until_ms, newest_first=True)
    rollups = rolled_up(islice(found, ENTRIES_MAX))
    return rollups, next(found, None) is None


def _by_day(rollups: Iterable[Rollup]) -> list[DayUsage]:
    days: dict[tuple[int, str, str], DayUsage] = {}
    for rollup in rollups:
        place = (day_start_ms(rollup.hour_ms), rollup.key_id, rollup.model)
        earlier = days.get(place) or DayUsage(*place, 0, Tokens(), 0)
        counts = zip(earlier.tokens, rollup.tokens, strict=True)
        days[place] = earlier._replace(
            requests=earlier.requests + rollup.requests,
            tokens=Tokens._make(map(sum, counts)),
            cost_nano=earlier.cost_nano + rollup.cost_nano,
        )
    return [days[place] for place in sorted(days)]


def _next_hour(at_ms: int) -> int:
    """The first hour that begins then or later."""
    return ceil_div(at_ms, HOUR_MS) * HOUR_MS
