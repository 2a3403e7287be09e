"""The reconciler: finishes lapsed holds, and rolls closed hours up. Safe to run twice at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from osiris.errors import StoreUnavailable
from osiris.flows.settlement import finish_lapsed
from osiris.ledger.hold import lapsed
from osiris.ledger.key import Key
from osiris.ledger.rollup import HOUR_MS, closed_until_ms, rolled_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from osiris.app.full import FullApp

SEGMENTS = 4


class Reconciled(NamedTuple):
    """What a run did, or one segment of it. `failed`: keys left for the next run."""

    keys: int = 0
    finished: int = 0
    rollups: int = 0
    failed: int = 0
    rolled_until_ms: int = 0


def reconcile(
    app: FullApp, *, segments: int = SEGMENTS, progress: Callable[[int], None] = lambda _: None
) -> Reconciled:
    """Go through all keys once; `progress` is told the number of keys done, from time to time.

    The hours already rolled up for all keys are not read again. A key that could not be done keeps
    its hours, and so everybody's, open for the next run.
    """
    from_ms = app.usage.rolled_until_ms()
    with ThreadPoolExecutor(segments) as pool:
        parts = list(
            pool.map(
                lambda segment: _reconcile_segment(app, segment, segments, from_ms, progress),
                range(segments),
            )
        )
    total = Reconciled(
        keys=sum(part.keys for part in parts),
        finished=sum(part.finished for part in parts),
        rollups=sum(part.rollups for part in parts),
        failed=sum(part.failed for part in parts),
        rolled_until_ms=min(part.rolled_until_ms for part in parts),
    )
    if total.rolled_until_ms > from_ms:
        app.usage.set_rolled_until_ms(total.rolled_until_ms)
    app.telemetry.line("reconciled", **total._asdict())
    return total


def _reconcile_segment(
    app: FullApp, segment: int, segments: int, from_ms: int, progress: Callable[[int], None]
) -> Reconciled:
    now_ms = app.now_ms()
    keys = finished = rollups = failed = 0
    until_ms = closed_until_ms({}, now_ms)
    for item in app.scans.keys_and_accounts(segment, segments):
        if not isinstance(item, Key):
            continue
        keys += 1
        try:
            finished += finish_lapsed(app, item)
            key_until_ms, written = _roll_up(app, item, from_ms, now_ms)
        except StoreUnavailable as error:
            failed += 1
            key_until_ms, written = from_ms, 0
            app.telemetry.line("reconcile_failed", key_id=item.id, details=error.details)
        rollups += written
        until_ms = min(until_ms, key_until_ms)
        progress(keys)
    return Reconciled(keys, finished, rollups, failed, until_ms)


def _roll_up(app: FullApp, key: Key, from_ms: int, now_ms: int) -> tuple[int, int]:
    """Up to when the key's hours are rolled up now, and how many rollups were written."""
    until_ms = closed_until_ms(_still_open(app, key, now_ms), now_ms)
    # Hosts' clocks differ a little: an hour's grace keeps the requests at the edge of one.
    since_ms = max(from_ms, key.created_at_ms - key.created_at_ms % HOUR_MS - HOUR_MS)
    if since_ms >= until_ms or key.last_used_at_ms < since_ms - HOUR_MS:
        return until_ms, 0
    written = 0
    for rollup in rolled_up(app.ledger.entries(key.id, from_ms=since_ms, until_ms=until_ms)):
        app.usage.put(rollup)
        written += 1
    return until_ms, written


def _still_open(app: FullApp, key: Key, now_ms: int) -> dict[str, int]:
    lapse_ms = app.settings.hold_lapse_ms
    done = lapsed(key.holds, lapse_ms=lapse_ms, now_ms=now_ms)
    return {request_id: hold for request_id, hold in key.holds.items() if request_id not in done}
