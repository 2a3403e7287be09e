"""Money, numbers and times as each language writes them: exact, whatever their size."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris.money import dollars_from_nano
from osiris.web.words import ENGLISH, Words

EN, ID = Words(ENGLISH), Words("id")
# 25 November 2026, 09:30:07 UTC.
AT_MS = 1_795_599_007_000
SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
# A million million dollars.
AMOUNTS = st.integers(min_value=-(10**21), max_value=10**21)


@pytest.mark.parametrize(
    ("nano", "english", "indonesian"),
    [
        (0, "$0.00", "$0,00"),
        (1, "$0.000000001", "$0,000000001"),
        (1_000_000, "$0.001", "$0,001"),
        (100_000_000, "$0.10", "$0,10"),
        (1_000_000_000, "$1.00", "$1,00"),
        (1_234_567_891_234_567_891, "$1,234,567,891.234567891", "$1.234.567.891,234567891"),
        (-1, "-$0.000000001", "-$0,000000001"),
        (-30_500_000_000, "-$30.50", "-$30,50"),
        (999_999_999_999_999_999, "$999,999,999.999999999", "$999.999.999,999999999"),
    ],
)
def test_dollars_are_exact(nano: int, english: str, indonesian: str) -> None:
    """Two decimals, and as many more as there are, to the last nano-dollar; a debt is below 0."""
    assert EN.dollars(nano) == english
    assert ID.dollars(nano).replace("US$", "$") == indonesian


@given(AMOUNTS)
def test_no_digit_of_an_amount_is_lost(nano: int) -> None:
    """What is read back from either language is the amount."""
    english = EN.dollars(nano).replace("$", "").replace(",", "")
    assert Decimal(english) == Decimal(dollars_from_nano(nano))
    indonesian = ID.dollars(nano).replace("US$", "").replace("$", "").replace(".", "")
    assert Decimal(indonesian.replace(",", ".")) == Decimal(dollars_from_nano(nano))


@pytest.mark.parametrize(
    ("amount", "english", "indonesian"),
    [
        (0, "Rp0", "Rp0"),
        (999, "Rp999", "Rp999"),
        ("1791700", "Rp1,791,700", "Rp1.791.700"),
        (10**15, "Rp1,000,000,000,000,000", "Rp1.000.000.000.000.000"),
    ],
)
def test_rupiah_are_whole(amount: int | str, english: str, indonesian: str) -> None:
    """From a number or a provider's text."""
    assert (EN.rupiah(amount), ID.rupiah(amount)) == (english, indonesian)


@pytest.mark.parametrize("amount", ["1.5", "", "x", "1e3"])
def test_what_is_no_whole_amount_is_a_defect(amount: str) -> None:
    """It is not rounded."""
    with pytest.raises(ValueError, match="invalid literal"):
        EN.rupiah(amount)


@pytest.mark.parametrize(
    ("text", "english", "indonesian"),
    [
        ("0.00200000", "0.002", "0,002"),
        ("12345.678901234567", "12,345.678901234567", "12.345,678901234567"),
        ("0.000000000000000001", "0.000000000000000001", "0,000000000000000001"),
        ("100", "100", "100"),
    ],
)
def test_a_coins_amount_keeps_its_digits(text: str, english: str, indonesian: str) -> None:
    """Up to eighteen, as the finest coins have."""
    assert (EN.decimal(text), ID.decimal(text)) == (english, indonesian)


def test_times_are_utc() -> None:
    """A day, a minute, a second, in each language's words."""
    assert EN.day(AT_MS) == "25 Nov 2026"
    assert EN.minute(AT_MS) == "25 Nov 2026, 09:30"
    assert EN.second(AT_MS + 999) == "25 Nov 2026, 09:30:07 UTC"
    assert ID.day(AT_MS) == "25 Nov 2026"


@pytest.mark.parametrize(
    ("away_ms", "english"),
    [
        (SECOND_MS + 1, "in 1 second"),
        (SECOND_MS, "just now"),
        (0, "just now"),
        (-10 * SECOND_MS, "just now"),
        (-10 * SECOND_MS - 1, "10 seconds ago"),
        (30 * SECOND_MS, "in 30 seconds"),
        (-30 * SECOND_MS, "30 seconds ago"),
        (20 * MINUTE_MS, "in 20 minutes"),
        (-3 * HOUR_MS, "3 hours ago"),
        (36 * HOUR_MS, "in 36 hours"),
        (2 * DAY_MS - 1, "in 47 hours"),
        (2 * DAY_MS, "in 2 days"),
        (3 * DAY_MS - 1, "in 2 days"),
        (30 * DAY_MS, "in 30 days"),
        (92 * DAY_MS, "in 92 days"),
        (-400 * DAY_MS, "400 days ago"),
    ],
)
def test_a_distance_is_told_in_the_unit_that_fits(away_ms: int, english: str) -> None:
    """From two days on in days, however many; never more than there is, for credit ends then.

    What is a few seconds away is told without a number.
    """
    assert EN.distance(AT_MS + away_ms, AT_MS) == english


def test_a_text_is_filled_in() -> None:
    """By name; without values a percent sign is one."""
    assert EN.text("%(a)s of %(b)s", a=1, b="%") == "1 of %"
    assert EN.text("100% of it") == "100% of it"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2500000000000", "2,500,000,000,000"),
        (
            "100000000000000000000.000000000000000001",
            "100,000,000,000,000,000,000.000000000000000001",
        ),
    ],
)
def test_amounts_of_the_cheapest_coins_keep_every_digit(text: str, shown: str) -> None:
    """A coin of a billionth of a dollar has more digits than Python's decimals have by default."""
    assert Words("en").decimal(text) == shown
