"""A key's expiry: each purchase moves it by a calendar month, to three from now at most (UTC)."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime, timedelta

MONTHS_A_PURCHASE = 1
MONTHS_MAX = 3

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def months_later(at_ms: int, months: int) -> int:
    """The same day and time so many calendar months later, or that month's last day."""
    at = _EPOCH + at_ms * _MILLISECOND
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    day = min(at.day, monthrange(year, month + 1)[1])
    return (at.replace(year=year, month=month + 1, day=day) - _EPOCH) // _MILLISECOND


def extended(expires_at_ms: int, now_ms: int) -> int:
    """The expiry after a purchase; never earlier than it was."""
    wanted_ms = months_later(max(now_ms, expires_at_ms), MONTHS_A_PURCHASE)
    return max(expires_at_ms, min(wanted_ms, months_later(now_ms, MONTHS_MAX)))
