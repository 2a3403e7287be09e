"""The rupiah's rate: whom it is taken from, when nobody is believed, and rounding."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osiris.ledger.rate import Quoted, relied_on, rupiah
from osiris.money import NANO_PER_DOLLAR
from osiris.payment_errors import RateUnavailable

NOW_MS = 1_795_514_400_000
HOUR_MS = 3_600_000
AGE_MS = 72 * HOUR_MS

type Source = tuple[str, str, int]


def rate(
    *sources: Source, margin: str = "0", difference: str = "3", age_ms_max: int = AGE_MS
) -> Quoted:
    """The rate by sources of (name, rupiah, age in ms)."""
    return relied_on(
        [(name, Decimal(value), NOW_MS - age_ms) for name, value, age_ms in sources],
        margin_percent=Decimal(margin),
        difference_percent_max=Decimal(difference),
        age_ms_max=age_ms_max,
        now_ms=NOW_MS,
    )


@pytest.mark.parametrize(
    ("sources", "chosen"),
    [
        ([("a", "17917", 0), ("b", "17900", 0)], "a"),
        ([("a", "17917", HOUR_MS), ("b", "17900", 0)], "a"),
        ([("a", "17917", AGE_MS - 1), ("b", "17900", 0)], "a"),
        ([("a", "17917", AGE_MS), ("b", "17900", 0)], "b"),
        ([("a", "1", AGE_MS), ("b", "17900", 0)], "b"),
        ([("a", "17917", 0)], "a"),
        ([("a", "17917", 0), ("b", "17900", AGE_MS)], "a"),
        # A source whose clock is ahead is no older for it.
        ([("a", "17917", -HOUR_MS), ("b", "17900", 0)], "a"),
    ],
)
def test_the_first_recent_source_counts(sources: list[Source], chosen: str) -> None:
    """With its own time; one that is too old is neither taken nor compared."""
    quoted = rate(*sources)
    ((value, age_ms),) = [(value, age_ms) for name, value, age_ms in sources if name == chosen]
    assert quoted == (Decimal(value), chosen, NOW_MS - age_ms)


@pytest.mark.parametrize(
    "sources",
    [
        [],
        [("a", "17917", AGE_MS)],
        [("a", "17917", AGE_MS), ("b", "17917", AGE_MS + HOUR_MS)],
    ],
)
def test_no_recent_source_is_no_rate(sources: list[Source]) -> None:
    """Nothing is sold at an old price."""
    with pytest.raises(RateUnavailable) as raised:
        rate(*sources)
    assert raised.value.details == "no source is recent enough"


@pytest.mark.parametrize(
    ("one", "other", "difference", "agrees"),
    [
        ("10000", "10300", "3", True),
        ("10300", "10000", "3", True),
        ("10000", "10300.01", "3", False),
        ("10300.01", "10000", "3", False),
        ("17917", "17917", "0", True),
        ("17917", "17917.1", "0", False),
        ("17917", "1.7917", "3", False),
        ("10000", "10050", "0.5", True),
        ("10000", "10051", "0.5", False),
    ],
)
def test_sources_that_differ_are_no_rate(
    one: str, other: str, difference: str, agrees: bool
) -> None:
    """By more than so many percent of the lower: then neither is believed."""
    sources = [("a", one, 0), ("b", other, 0)]
    if agrees:
        assert rate(*sources, difference=difference).source == "a"
        return
    with pytest.raises(RateUnavailable) as raised:
        rate(*sources, difference=difference)
    assert raised.value.details == "the sources differ by too much"


@pytest.mark.parametrize(
    ("value", "margin", "sold_at"),
    [
        ("17917", "0", "17917"),
        ("17917.5", "0", "17917.5"),
        ("17917", "1.5", "18185.755"),
        ("17917", "100", "35834"),
        # Six decimals, rounded up.
        ("17917.1234561", "0", "17917.123457"),
        ("17917", "0.0000001", "17917.000018"),
    ],
)
def test_the_margin_is_added(value: str, margin: str, sold_at: str) -> None:
    """To the rate that the price is reckoned by."""
    assert format(rate(("a", value, 0), margin=margin).rupiah_per_dollar, "f") == sold_at


@pytest.mark.parametrize(
    ("nano", "per_dollar", "whole"),
    [
        (100 * NANO_PER_DOLLAR, "17917", 1_791_700),
        (2500 * NANO_PER_DOLLAR, "17917", 44_792_500),
        (100 * NANO_PER_DOLLAR, "17917.001", 1_791_701),
        (100 * NANO_PER_DOLLAR, "17916.99", 1_791_699),
        (NANO_PER_DOLLAR, "0.000001", 1),
        (1, "17917", 1),
    ],
)
def test_rupiah_are_whole_and_rounded_up(nano: int, per_dollar: str, whole: int) -> None:
    """There is no coin below one."""
    assert rupiah(nano, Decimal(per_dollar)) == whole


@given(
    nano=st.integers(1, 10**15),
    per_dollar=st.decimals("0.000001", 10**6, places=6, allow_nan=False),
)
@settings(deadline=None)
def test_rounding_up_is_exact(nano: int, per_dollar: Decimal) -> None:
    """The least whole number that is not below the price."""
    dividend, divisor = per_dollar.as_integer_ratio()
    whole, due = rupiah(nano, per_dollar), nano * dividend
    unit = NANO_PER_DOLLAR * divisor
    assert (whole - 1) * unit < due <= whole * unit
