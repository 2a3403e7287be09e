"""ExchangeRate-API's open access: https://www.exchangerate-api.com/docs/free.

Daily, without a key; asking once an hour is explicitly fine.
"""

from __future__ import annotations

from osiris.payment_errors import RateUnavailable
from osiris.rates import Rate
from osiris.rates.http import members_at, plausible

# Until the year 5138: a later time is one in milliseconds.
_SECONDS_END = 100_000_000_000


class Source:
    """The source at a base URL."""

    name = "er-api"

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url

    def read(self) -> Rate:
        """The newest rate. Raises RateUnavailable."""
        members = members_at(self.name, self._base_url, "/v6/latest/USD")
        rates, at_s = members.get("rates"), members.get("time_last_update_unix")
        # Over a quota it answers "error" with HTTP 200.
        if members.get("result") != "success" or members.get("base_code", "USD") != "USD":
            raise RateUnavailable(details=f"{self.name}: no success")
        if not isinstance(rates, dict):
            raise RateUnavailable(details=f"{self.name}: no rates")
        if isinstance(at_s, bool) or not isinstance(at_s, int) or not 0 < at_s < _SECONDS_END:
            raise RateUnavailable(details=f"{self.name}: no time")
        return Rate(self.name, plausible(self.name, rates.get("IDR")), at_s * 1_000)
