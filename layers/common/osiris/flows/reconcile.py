"""The reconciler: finishes lapsed holds, rolls closed hours up, and tells owners of low balances.

Safe to run twice at once.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

from osiris.errors import StoreUnavailable
from osiris.flows.segments import SEGMENTS, in_segments
from osiris.flows.settlement import finish_lapsed
from osiris.ledger.hold import lapsed
from osiris.ledger.key import LIVE, PAID, Key
from osiris.ledger.rollup import closed_until_ms, rolled_up
from osiris.money import dollars_from_nano, nano_from_dollars
from osiris.store.outbox import Event
from osiris.times import HOUR_MS

if TYPE_CHECKING:
    from collections.abc import Callable

    from osiris.app.full import FullApp


BALANCE_LOW = "balance.low"
# A balance gets low by use: keys that were not used since about the last run need no look.
USED_MS_MAX = 2 * HOUR_MS


class Reconciled(NamedTuple):
    """What a run did. `failed`: keys with something left for the next run."""

    keys: int = 0
    finished: int = 0
    rollups: int = 0
    failed: int = 0
    rolled_until_ms: int = 0
    told_low: int = 0


def reconcile(
    app: FullApp, *, segments: int = SEGMENTS, progress: Callable[[int], None] = lambda _: None
) -> Reconciled:
    """Go through all keys once; `progress` is told the number of keys done.

    The hours already rolled up for all keys are not read again. A key that could not be read keeps
    its hours, and so everybody's, open for the next run. Raises StoreUnavailable when the tables
    can't be scanned: what was done until then stays.
    """
    now_ms = app.now_ms()
    from_ms = app.usage.rolled_until_ms()

    def work(segment: int, one_more: Callable[[], None]) -> Reconciled:
        total = Reconciled(rolled_until_ms=closed_until_ms((), now_ms))
        for item in app.scans.keys_and_accounts(segment, segments):
            if isinstance(item, Key):
                total = _sum(total, _reconcile_key(app, item, from_ms=from_ms, now_ms=now_ms))
                one_more()
        return total

    parts = in_segments(work, segments=segments, progress=progress)
    total = reduce(_sum, parts)
    if total.rolled_until_ms > from_ms:
        app.usage.set_rolled_until_ms(total.rolled_until_ms)
    app.telemetry.line("reconciled", **total._asdict())
    return total


def _reconcile_key(app: FullApp, key: Key, *, from_ms: int, now_ms: int) -> Reconciled:
    try:
        finished, failed = _finish(app, key)
        rollups, until_ms = _roll_up(app, key, from_ms=from_ms, now_ms=now_ms)
        told_low = _tell_low(app, key, now_ms)
    except StoreUnavailable as error:
        app.telemetry.line("reconcile_failed", key_id=key.id, details=error.details)
        return Reconciled(keys=1, failed=1, rolled_until_ms=from_ms)
    return Reconciled(1, finished, rollups, failed, until_ms, told_low)


def _finish(app: FullApp, key: Key) -> tuple[int, int]:
    """How many holds were finished, and whether (1) that was impossible.

    A key whose figures disagree takes no writes; it must not keep the others from theirs.
    """
    if key.held_nano != sum(key.holds.values()):
        details = "available is not the balance less what is held; osiris audit shows it"
        app.telemetry.line("reconcile_failed", key_id=key.id, details=details)
        return 0, 1
    return finish_lapsed(app, key), 0


def _roll_up(app: FullApp, key: Key, *, from_ms: int, now_ms: int) -> tuple[int, int]:
    """How many rollups were written, and up to when the key's hours are rolled up now.

    The newest time in the window is that of the key's last admission. (`last_used_at_ms` is that of
    the last one applied, which may have begun before another.)
    """
    finished = lapsed(key.holds, lapse_ms=app.settings.hold_lapse_ms, now_ms=now_ms)
    until_ms = closed_until_ms(key.holds.keys() - finished.keys(), now_ms)
    if from_ms >= until_ms or max(key.window) < from_ms:
        return 0, until_ms
    rollups = rolled_up(app.ledger.entries(key.id, from_ms=from_ms, until_ms=until_ms))
    for rollup in rollups:
        app.usage.put(rollup)
    return len(rollups), until_ms


def _tell_low(app: FullApp, key: Key, now_ms: int) -> int:
    """Put an event when a paid key's balance has come below the mark; once until it is extended."""
    low_nano = nano_from_dollars(app.settings.balance_low)
    if key.kind != PAID or key.status != LIVE or key.balance_nano >= low_nano:
        return 0
    if key.expires_at_ms <= now_ms or max(key.window) < now_ms - USED_MS_MAX:
        return 0
    detail = {
        "account_id": key.account_id,
        "key_id": key.id,
        "balance": dollars_from_nano(key.balance_nano),
        "expires_at_ms": key.expires_at_ms,
    }
    event = Event(f"low-{key.id}-{key.expires_at_ms}", BALANCE_LOW, detail, now_ms)
    return int(app.outbox.add(event))


def _sum(one: Reconciled, other: Reconciled) -> Reconciled:
    """Both together: counts add up, and the hours closed are those closed in both."""
    return Reconciled(
        keys=one.keys + other.keys,
        finished=one.finished + other.finished,
        rollups=one.rollups + other.rollups,
        failed=one.failed + other.failed,
        rolled_until_ms=min(one.rolled_until_ms, other.rolled_until_ms),
        told_low=one.told_low + other.told_low,
    )
