"""What both sources need: one bounded call, and a rate that can be one."""

from __future__ import annotations

from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from osiris.payment_errors import RateUnavailable
from osiris.wire.connection import WireError
from osiris.wire.json_call import JsonOrigin

if TYPE_CHECKING:
    from collections.abc import Mapping

# An order waits for it, at most once in a while.
TIMEOUT_MS = 3_000
# A dollar was 2,000 rupiah in 1997 and 18,000 in 2026: beyond these it is an error or a new rupiah,
# and a person decides.
RUPIAH_MIN = Decimal(1_000)
RUPIAH_MAX = Decimal(1_000_000)
# Sources give four to eight.
_DIGITS_MAX = 20


def members_at(name: str, base_url: str, target: str) -> Mapping[str, Any]:
    """The members of the answer to a GET. Raises RateUnavailable."""
    try:
        # Once an hour is too seldom to keep the connection.
        with closing(JsonOrigin(base_url)) as origin:
            answer = origin.call("GET", target, {}, timeout_ms=TIMEOUT_MS)
    except (WireError, ValueError) as error:
        raise RateUnavailable(details=f"{name}: {error!r}") from error
    if answer.status != 200 or not answer.members:
        raise RateUnavailable(details=f"{name}: status {answer.status}, or no JSON object")
    return answer.members


def plausible(name: str, value: object) -> Decimal:
    """The number as a rate. Raises RateUnavailable for anything that none can be."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise RateUnavailable(details=f"{name}: the rate is no number")
    rate = Decimal(value)
    if not RUPIAH_MIN <= rate <= RUPIAH_MAX or len(rate.as_tuple().digits) > _DIGITS_MAX:
        raise RateUnavailable(details=f"{name}: the rate can't be right")
    return rate
