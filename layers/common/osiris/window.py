"""The sliding window of a key's rate limit, exact in the times written.

A key has `limit` slots, each holding the time of the last admission that used it. A slot may be
used again only 60 s after that. So no 60 s hold more than `limit` admissions (each used another
slot), and while fewer were admitted in the last 60 s, some slot is free. A refusal uses no slot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris.money import ceil_div

if TYPE_CHECKING:
    from collections.abc import Sequence

WINDOW_MS = 60_000


def free_slots(window: Sequence[int], now_ms: int) -> list[int]:
    """The slots that an admission at `now_ms` may use."""
    return [slot for slot, used_at_ms in enumerate(window) if used_at_ms <= now_ms - WINDOW_MS]


def remaining(window: Sequence[int], now_ms: int) -> int:
    """How many more requests would be admitted now."""
    return len(free_slots(window, now_ms))


def frees_at_ms(window: Sequence[int], now_ms: int) -> int:
    """When the oldest used slot becomes free; now, when none is used."""
    used = [used_at_ms for used_at_ms in window if used_at_ms > now_ms - WINDOW_MS]
    return min(used) + WINDOW_MS if used else now_ms


def retry_after_s(window: Sequence[int], now_ms: int) -> int:
    """Whole seconds after which a slot is free, from 1 to 60."""
    return min(60, max(1, ceil_div(frees_at_ms(window, now_ms) - now_ms, 1000)))


def resized(window: Sequence[int], limit: int, now_ms: int) -> list[int]:
    """The window for another limit: shrinking keeps the newest times, growing adds used slots.

    Those count as used now, so nobody is admitted beyond the new limit in the first 60 s. Times may
    stand in other slots than before; that must not let a copy of an earlier admission in, should it
    arrive late: so no slot is free for a time as early as now, or as the newest in the window.
    """
    newest_ms = max(now_ms, *window)
    times = [max(used_at_ms, newest_ms - WINDOW_MS + 1) for used_at_ms in window]
    if limit >= len(times):
        return [*times, *([newest_ms] * (limit - len(times)))]
    return sorted(times)[len(times) - limit :]
