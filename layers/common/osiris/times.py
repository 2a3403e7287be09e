"""Lengths of time in milliseconds, and the hours and days (UTC) in which a moment lies."""

from __future__ import annotations

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


def hour_start_ms(at_ms: int) -> int:
    """The first millisecond of the hour."""
    return at_ms - at_ms % HOUR_MS


def day_start_ms(at_ms: int) -> int:
    """The first millisecond of the day."""
    return at_ms - at_ms % DAY_MS
