"""The expiry sweeper: forfeits expired credit, and tells owners before that happens.

The index by day leads to the keys that expired since the last sweep and to those that are left:
with a hold that may still give something back. What is read grows with what expired, not with the
number of keys. Safe to run twice at once, and to be killed anywhere.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from osiris import ids
from osiris.errors import ChangedMeanwhile, StoreUnavailable
from osiris.flows.patience import CHANGES_MAX, patiently
from osiris.ledger.credit import swept
from osiris.ledger.key import DELETED
from osiris.money import dollars_from_nano
from osiris.store.expiries import Progress
from osiris.store.outbox import Event
from osiris.times import DAY_MS, HOUR_MS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris.app.full import FullApp
    from osiris.ledger.key import Key

CREDIT_EXPIRING = "credit.expiring"
# Days before the expiry at which its owner is told.
WARNING_DAYS = (7, 1)
# The first sweep looks back so far: a stack may be older than its sweeper.
FIRST_DAYS = 100
# Keys and their index agree within moments: a day is done when it has been over for this long.
LATE_MS = HOUR_MS


class Swept(NamedTuple):
    """What a sweep did. `failed`: keys that are left for the next one."""

    expired: int = 0
    forfeited: int = 0
    forfeited_nano: int = 0
    retired: int = 0
    warned: int = 0
    failed: int = 0


class Expired(NamedTuple):
    """A key that has expired, and what would be forfeited of it."""

    key: Key
    forfeit_nano: int


def sweep(app: FullApp) -> Swept:
    """Forfeit what has expired by now, and warn. Raises StoreUnavailable."""
    now_ms = app.now_ms()
    progress = app.expiries.progress()
    total = Swept()
    done_day = progress.day or now_ms // DAY_MS - FIRST_DAYS
    for day in range(done_day, now_ms // DAY_MS + 1):
        left = 0  # keys that stay in the index
        for key_id in app.expiries.of_day(day, after_ms=0, until_ms=now_ms):
            done = _sweep_key(app, key_id)
            left += done.expired and not done.retired
            total = _sum(total, done)
        is_over = (day + 1) * DAY_MS + LATE_MS <= now_ms
        if day == done_day and is_over and not left and not total.failed:
            done_day = day + 1
    warned = _warn(app, progress.warned_until_ms, now_ms)
    app.expiries.set_progress(Progress(done_day, now_ms))
    total = total._replace(warned=warned)
    app.telemetry.line("swept", **total._asdict())
    return total


def expired(app: FullApp) -> Iterator[Expired]:
    """The keys that a sweep would find now, and what it would forfeit; nothing is changed."""
    now_ms = app.now_ms()
    first = app.expiries.progress().day or now_ms // DAY_MS - FIRST_DAYS
    for day in range(first, now_ms // DAY_MS + 1):
        for key_id in app.expiries.of_day(day, after_ms=0, until_ms=now_ms):
            key = app.keys.read_as_stored(key_id)
            if key is not None and key.expires_at_ms <= now_ms:
                yield Expired(key, max(0, key.available_nano))


def _sweep_key(app: FullApp, key_id: str) -> Swept:
    """Forfeit what is available of one key; it leaves the index once it holds nothing."""
    try:
        for _ in range(CHANGES_MAX):
            key = app.keys.read_as_stored(key_id)
            now_ms = app.now_ms()
            if key is None or key.expires_at_ms > now_ms:
                return Swept()  # the index is behind
            if key.held_nano != sum(key.holds.values()):
                details = "available is not the balance less what is held; osiris audit shows it"
                app.telemetry.line("sweep_failed", key_id=key_id, details=details)
                return Swept(failed=1)
            try:
                return _forfeit(app, key, now_ms)
            except ChangedMeanwhile:
                continue
    except StoreUnavailable as error:
        app.telemetry.line("sweep_failed", key_id=key_id, details=error.details)
    return Swept(failed=1)


def _forfeit(app: FullApp, key: Key, now_ms: int) -> Swept:
    retired = int(not key.holds)
    if key.available_nano <= 0:
        if retired:
            app.postings.retire(key)
        return Swept(expired=1, retired=retired)
    posting = swept(key, entry_id=ids.entry_id(now_ms, app.entropy(16)), now_ms=now_ms)
    patiently(app, partial(app.postings.forfeit, key, posting))
    return Swept(expired=1, forfeited=1, forfeited_nano=posting.forfeited_nano, retired=retired)


def _warn(app: FullApp, warned_until_ms: int, now_ms: int) -> int:
    """Tell the owners of keys that have come within each warning's time since the last sweep."""
    warned = 0
    since_ms = warned_until_ms or now_ms - DAY_MS
    for days in WARNING_DAYS:
        after_ms, until_ms = since_ms + days * DAY_MS, now_ms + days * DAY_MS
        for day in range(after_ms // DAY_MS, until_ms // DAY_MS + 1):
            for key_id in app.expiries.of_day(day, after_ms=after_ms, until_ms=until_ms):
                warned += _warn_key(app, key_id, days, now_ms)
    return warned


def _warn_key(app: FullApp, key_id: str, days: int, now_ms: int) -> int:
    key = app.keys.read_as_stored(key_id)
    if key is None or key.status == DELETED or key.available_nano <= 0:
        return 0
    event = Event(
        f"expiring-{days}d-{key.id}-{key.expires_at_ms}",
        CREDIT_EXPIRING,
        {
            "account_id": key.account_id,
            "key_id": key.id,
            "days": days,
            "expires_at_ms": key.expires_at_ms,
            "available": dollars_from_nano(key.available_nano),
        },
        now_ms,
    )
    return int(app.outbox.add(event))


def _sum(one: Swept, other: Swept) -> Swept:
    return Swept._make(a + b for a, b in zip(one, other, strict=True))
