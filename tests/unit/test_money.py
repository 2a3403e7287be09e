"""Money's texts are exact both ways, and its one rounding goes up."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris.money import (
    AMOUNT_NANO_MAX,
    ceil_div,
    decimal_text,
    dollars_from_nano,
    nano_from_dollars,
)

AMOUNTS = st.integers(-AMOUNT_NANO_MAX, AMOUNT_NANO_MAX)


@given(AMOUNTS)
def test_every_amount_comes_back(nano: int) -> None:
    """An amount's text is read as the same amount, and is Decimal's value of it."""
    text = dollars_from_nano(nano)
    assert nano_from_dollars(text) == nano
    assert Decimal(text) == Decimal(nano).scaleb(-9)


@given(AMOUNTS)
def test_the_text_is_the_shortest(nano: int) -> None:
    """No zeros that say nothing, no exponent, no sign of plus."""
    text = dollars_from_nano(nano)
    assert "." not in text or text[-1] != "0"
    assert set(text) <= set("-0123456789.")
    assert text != "-0"


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (0, "0"),
        (1, "0.000000001"),
        (-1, "-0.000000001"),
        (100_000_000, "0.1"),
        (19_000_000, "0.019"),
        (-2_000_000_000, "-2"),
        (AMOUNT_NANO_MAX, "1000000000"),
    ],
)
def test_texts(nano: int, text: str) -> None:
    """Amounts read as one would write them."""
    assert dollars_from_nano(nano) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "1 ", " 1", "+1", "1e3", "1.", ".5", "1,5", "0x1", "NaN", "inf", "--1", "1_000"),
        *("0.0000000001", "12345678901", "1000000000.000000001", "１", "1\n"),
    ],
)
def test_refuses_what_is_no_amount(text: str) -> None:
    """Anything but plain digits, with at most nine decimals and a billion dollars, is refused."""
    with pytest.raises(ValueError):
        nano_from_dollars(text)


@given(st.integers(), st.integers(min_value=1))
def test_ceil_div_rounds_up(dividend: int, divisor: int) -> None:
    """The quotient is the least whole number that is not below the exact one."""
    quotient = ceil_div(dividend, divisor)
    assert (quotient - 1) * divisor < dividend <= quotient * divisor


@given(st.integers(), st.integers(0, 20))
def test_decimal_text_is_exact(number: int, places: int) -> None:
    """Moving the point loses nothing."""
    assert Decimal(decimal_text(number, places)) == Decimal(f"{number}E-{places}")
