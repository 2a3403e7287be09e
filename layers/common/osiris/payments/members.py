"""Members of a provider's JSON, read strictly where money hangs on them and loosely elsewhere.

What a provider documents as a number comes as a string at other times, and "null" as a word. Each
function raises ValueError, which names the member and no value.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

type Members = Mapping[str, Any]

# A decimal as JSON and JavaScript write it; `Decimal` itself would also take NaN and "1_000".
_DECIMAL = re.compile(r"[0-9]{1,38}(\.[0-9]{1,38})?([eE][+-]?[0-9]{1,2})?", re.ASCII)
# DynamoDB's numbers hold 38 digits, and no coin has more than 18 decimals.
_DIGITS_MAX = 38
_AMOUNT_END = Decimal(10) ** 20
_PLACES_MAX = 30
_TEXT_LENGTH_MAX = 512
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS = re.compile(r"[0-9]{10,13}", re.ASCII)
# A number of seconds has fewer digits than this until the year 5138.
_MS_MIN = 100_000_000_000


def optional_text(members: Members, name: str) -> str:
    """A text, or a whole number as one; empty when it is absent, null or the word "null"."""
    value = members.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is None or value == "null":
        return ""
    if not isinstance(value, str) or len(value) > _TEXT_LENGTH_MAX:
        raise ValueError(f"{name} is no text")
    return value


def text(members: Members, name: str) -> str:
    """A text that must be there."""
    value = optional_text(members, name)
    if not value:
        raise ValueError(f"{name} is missing")
    return value


def optional_amount(members: Members, name: str) -> Decimal | None:
    """An amount of 0 or more, a number or its text; None when it is absent."""
    value = members.get(name)
    if value is None or value in ("", "null"):
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise ValueError(f"{name} is no amount")
    if not _DECIMAL.fullmatch(str(value)):
        raise ValueError(f"{name} is no amount")
    found = Decimal(str(value))
    _, digits, exponent = found.as_tuple()
    assert isinstance(exponent, int), "the pattern takes no NaN"
    if found >= _AMOUNT_END or exponent < -_PLACES_MAX or len(digits) > _DIGITS_MAX:
        raise ValueError(f"{name} is out of range")
    return found


def amount(members: Members, name: str) -> Decimal:
    """An amount that must be there."""
    found = optional_amount(members, name)
    if found is None:
        raise ValueError(f"{name} is missing")
    return found


def moment_ms(members: Members, name: str, *, zone: tzinfo = UTC) -> int:
    """A time in ISO 8601 or as seconds or milliseconds since 1970; 0 when it can't be read.

    `zone` is that of a time that names none.
    """
    value = members.get(name)
    if isinstance(value, bool):
        return 0
    if isinstance(value, int | Decimal) or (isinstance(value, str) and _DIGITS.fullmatch(value)):
        return _from_number(Decimal(value))
    if not isinstance(value, str):
        return 0
    try:
        at = datetime.fromisoformat(value)
        if at.tzinfo is None:
            at = at.replace(tzinfo=zone)
        return max(0, (at - _EPOCH) // timedelta(milliseconds=1))
    except (ValueError, OverflowError):
        return 0


def _from_number(number: Decimal) -> int:
    if not 0 <= number < _MS_MIN * 1_000:
        return 0
    return int(number) if number >= _MS_MIN else int(number * 1_000)
