"""Days (UTC) as forms and addresses write them: "2026-11-25"."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import NamedTuple

from osiris.errors import InvalidRequest
from osiris.times import DAY_MS

# More than a year: whoever does the books of one has it in one file.
DAYS_MAX = 400
DAYS_OF_A_MONTH = 31

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_EPOCH = date(1970, 1, 1)


class Span(NamedTuple):
    """Whole days, from the first to the last, as texts."""

    first: str
    last: str

    @property
    def from_ms(self) -> int:
        """The first millisecond of it."""
        return _day_ms(self.first)

    @property
    def until_ms(self) -> int:
        """The first millisecond after it."""
        return _day_ms(self.last) + DAY_MS


def day_text(at_ms: int) -> str:
    """The day in which it is."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).date().isoformat()


def span(first: str, last: str, now_ms: int) -> Span:
    """The days from one to another; without the last until today, without the first of a month.

    Raises InvalidRequest for what are no days, no days in this order, or too many.
    """
    try:
        last = last or day_text(now_ms)
        first = first or day_text(max(0, _day_ms(last) - (DAYS_OF_A_MONTH - 1) * DAY_MS))
        found = Span(first, last)
        length_ms = found.until_ms - found.from_ms
    except ValueError as error:
        raise _refused() from error
    if not 0 < length_ms <= DAYS_MAX * DAY_MS:
        raise _refused()
    return found


def _day_ms(text: str) -> int:
    """The first millisecond of a day. Raises ValueError for what is none, or before 1970."""
    if not _DAY.fullmatch(text):
        raise ValueError("not a day")
    days = (date.fromisoformat(text) - _EPOCH).days
    if days < 0:
        raise ValueError("before 1970")
    return days * DAY_MS


def _refused() -> InvalidRequest:
    return InvalidRequest(f"Choose 1 to {DAYS_MAX} days, such as 2026-11-25.", param="days")
