"""The rate that rupiah are sold at: when it is relied on, and when nothing is sold instead."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING, NamedTuple

from osiris.money import NANO_PER_DOLLAR, ceil_div
from osiris.payment_errors import RateUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

_PERCENT = Decimal(100)
# More digits than any source gives; a margin must not lengthen what is stored without end.
_PLACES = Decimal("0.000001")


class Quoted(NamedTuple):
    """Rupiah for a dollar, the operator's margin included; by whom, at the source's own time."""

    rupiah_per_dollar: Decimal
    source: str
    at_ms: int


def relied_on(
    rates: Sequence[tuple[str, Decimal, int]],
    *,
    margin_percent: Decimal,
    difference_percent_max: Decimal,
    age_ms_max: int,
    now_ms: int,
) -> Quoted:
    """The rate of the first source (name, rupiah for a dollar, time) that is recent enough.

    Raises RateUnavailable when none is, or when those that are differ by too much.
    """
    recent = [rate for rate in rates if rate[2] > now_ms - age_ms_max]
    if not recent:
        raise RateUnavailable(details="no source is recent enough")
    values = [value for _, value, _ in recent]
    if (max(values) - min(values)) * _PERCENT > difference_percent_max * min(values):
        raise RateUnavailable(details="the sources differ by too much")
    source, value, at_ms = recent[0]
    with_margin = value * (_PERCENT + margin_percent).scaleb(-2)
    return Quoted(with_margin.quantize(_PLACES, ROUND_CEILING).normalize(), source, at_ms)


def rupiah(amount_nano: int, rupiah_per_dollar: Decimal) -> int:
    """The price of so many nano-dollars in whole rupiah, rounded up."""
    dividend, divisor = rupiah_per_dollar.as_integer_ratio()
    return ceil_div(amount_nano * dividend, NANO_PER_DOLLAR * divisor)
