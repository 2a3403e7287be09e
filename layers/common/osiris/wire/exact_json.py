"""JSON as others send it, read so that nothing is lost and nothing can be read two ways.

Numbers become `int` or `Decimal`, never a float: an amount must stay what was written. What two
readers might understand differently is refused: a name that stands twice, NaN, a number that a
double can't hold.
"""

import json
import math
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

# An amount with 18 decimals has 40 digits at most; far more is an attack on whoever reckons.
NUMBER_LENGTH_MAX = 64
# Answers of ours nest three levels deep; what walks them recursively must not run out of stack.
DEPTH_MAX = 32


def parse(body: bytes) -> Any:
    """The value that the bytes say. Raises ValueError, without a piece of the body in its text."""
    try:
        value = _DECODER.decode(body.decode("utf-8"))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON at character {error.pos}") from None
    _refuse_depth(value)
    return value


def _whole(literal: str) -> int:
    _refuse_length(literal)
    return int(literal)


def _fraction(literal: str) -> Decimal:
    _refuse_length(literal)
    try:
        number = Decimal(literal)
    except InvalidOperation:
        raise ValueError("a number is out of range") from None
    if math.isinf(float(literal)):
        raise ValueError("a number is out of range")
    return number


def _refuse_length(literal: str) -> None:
    if len(literal) > NUMBER_LENGTH_MAX:
        raise ValueError("a number is too long")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a name stands twice")
    return members


def _refuse_depth(value: object) -> None:
    level: list[object] = [value]
    for _ in range(DEPTH_MAX):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise ValueError("nested too deeply")


def _inside(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


_DECODER = json.JSONDecoder(
    parse_int=_whole,
    parse_float=_fraction,
    parse_constant=_refuse_constant,
    object_pairs_hook=_unique,
)
