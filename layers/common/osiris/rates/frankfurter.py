"""Frankfurter: the central banks' daily rates, https://frankfurter.dev.

It tells a day and no time. A day's rate counts from 15:00 UTC on, when the European Central Bank
has published its own (about 16:00 in Frankfurt); an earlier time would make it look older than it
is, and a weekend's rate too old to sell at.
"""

from __future__ import annotations

from datetime import UTC, datetime, time

from osiris.payment_errors import RateUnavailable
from osiris.rates import Rate
from osiris.rates.http import members_at, plausible

_PUBLISHED_AT = time(15, tzinfo=UTC)


class Source:
    """The source at a base URL."""

    name = "frankfurter"

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url

    def read(self) -> Rate:
        """The newest rate. Raises RateUnavailable."""
        members = members_at(self.name, self._base_url, "/v2/rate/USD/IDR")
        if (members.get("base"), members.get("quote")) != ("USD", "IDR"):
            raise RateUnavailable(details=f"{self.name}: another pair")
        rate = plausible(self.name, members.get("rate"))
        return Rate(self.name, rate, _at_ms(self.name, members.get("date")))


def _at_ms(name: str, date: object) -> int:
    try:
        day = datetime.strptime(str(date), "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise RateUnavailable(details=f"{name}: no date") from None
    return int(datetime.combine(day, _PUBLISHED_AT).timestamp()) * 1_000
