"""Money as integers, and its text.

The unit is the nano-dollar: $1 = 1,000,000,000 nano. A price per million tokens with up to three
decimals is then exact for every number of tokens, and only one rounding is left: a request's cost
is rounded up to a whole nano-dollar, once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal

NANO_PER_DOLLAR = 1_000_000_000
# DynamoDB's numbers hold 38 digits; a billion dollars is far above any balance and far below that.
AMOUNT_NANO_MAX = 1_000_000_000 * NANO_PER_DOLLAR

_DOLLARS = re.compile(r"(-?)([0-9]{1,10})(?:\.([0-9]{1,9}))?", re.ASCII)


def ceil_div(dividend: int, divisor: int) -> int:
    """The quotient rounded towards positive infinity."""
    return -(-dividend // divisor)


def share(whole: int, part: Decimal, of: Decimal) -> int:
    """The share `part / of` of a whole number, rounded down, exactly."""
    part_dividend, part_divisor = part.as_integer_ratio()
    of_dividend, of_divisor = of.as_integer_ratio()
    return whole * part_dividend * of_divisor // (part_divisor * of_dividend)


def floor_product(number: int, by: Decimal) -> int:
    """The product of a whole number and a decimal, rounded down, exactly."""
    dividend, divisor = by.as_integer_ratio()
    return number * dividend // divisor


def nano_from_dollars(text: str) -> int:
    """Nano-dollars of a decimal text such as "0.27" or "-5".

    Raises ValueError for anything else: floats' exponents, signs of plus, more than nine decimals.
    """
    match = _DOLLARS.fullmatch(text)
    if match is None:
        raise ValueError(f"not an amount in dollars with up to nine decimals: {text!r}")
    sign, whole, decimals = match.groups()
    nano = int(whole) * NANO_PER_DOLLAR + int((decimals or "").ljust(9, "0"))
    if nano > AMOUNT_NANO_MAX:
        raise ValueError(f"above a billion dollars: {text!r}")
    return -nano if sign else nano


def dollars_from_nano(nano: int) -> str:
    """The exact, shortest decimal text: "0.1", "0.000000001", "-2", "0"."""
    return decimal_text(nano, 9)


def decimal_text(number: int, places: int) -> str:
    """The number divided by 10 to the power of `places`, as an exact, shortest decimal text."""
    sign = "-" if number < 0 else ""
    whole, decimals = divmod(abs(number), 10**places)
    if decimals == 0:
        return f"{sign}{whole}"
    return f"{sign}{whole}." + f"{decimals:0{places}d}".rstrip("0")
