"""JSON as JavaScript writes it, with sorted names: what NOWPayments signs.

The signature is over `JSON.stringify` of the body with its names sorted at every level, not over
the bytes sent, so the text must be made again to the last character: a fee of 0.000083 is
"0.000083" there and "8.3e-05" in Python. Two spellings are in use: the documentation's sorting
turns an array into an object named by its indices, the official SDK's keeps it (NowPaymentsIO/
nowpayments-sdk-nodejs, src/ipn.js).
"""

import json
import re
from decimal import Decimal

# JavaScript gives these a meaning of their own when an object is built anew, and drops or keeps
# them accordingly. No provider sends them.
_NAMES_WITH_MEANING = frozenset({"__proto__", "constructor"})
# From here on a name is a text like any other: ECMA-262, "array index".
_INDEX_END = 2**32 - 1
_INDEX = re.compile(r"0|[1-9][0-9]{0,9}", re.ASCII)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# ECMA-262, Number::toString: the exponents between which digits are written out.
_WHOLE_DIGITS_MAX = 21
_LEADING_ZEROS_MAX = 5


def sorted_text(value: object, *, arrays_as_objects: bool = False) -> str:
    """The text of a value as `exact_json` reads one; ValueError for a name with a meaning."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return number_text(float(value))
    if isinstance(value, str):
        return string_text(value)
    if isinstance(value, list):
        if not arrays_as_objects:
            inner = (sorted_text(item) for item in value)
            return f"[{','.join(inner)}]"
        value = {str(index): item for index, item in enumerate(value)}
    assert isinstance(value, dict), type(value)
    if not _NAMES_WITH_MEANING.isdisjoint(value):
        raise ValueError("a name has a meaning of its own in JavaScript")
    members = (
        f"{string_text(name)}:{sorted_text(value[name], arrays_as_objects=arrays_as_objects)}"
        for name in sorted(value, key=_place)
    )
    return f"{{{','.join(members)}}}"


def number_text(number: float) -> str:
    """A finite double as JavaScript writes it: the shortest digits that read back as the same."""
    if number == 0:
        return "0"  # of both signs
    sign, digits, point = _shortest(number)
    if len(digits) <= point <= _WHOLE_DIGITS_MAX:
        text = digits.ljust(point, "0")
    elif 0 < point <= _WHOLE_DIGITS_MAX:
        text = f"{digits[:point]}.{digits[point:]}"
    elif -_LEADING_ZEROS_MAX <= point <= 0:
        text = f"0.{'0' * -point}{digits}"
    else:
        fraction = f".{digits[1:]}" if digits[1:] else ""
        text = f"{digits[0]}{fraction}e{point - 1:+d}"
    return sign + text


def string_text(text: str) -> str:
    """A string in double quotes: Python's own escapes, but a lone surrogate is escaped, too."""
    quoted = json.dumps(text, ensure_ascii=False)
    return _LONE_SURROGATE.sub(lambda found: f"\\u{ord(found.group()):04x}", quoted)


def _shortest(number: float) -> tuple[str, str, int]:
    """The sign, the shortest digits, and before which of them the decimal point stands.

    Python's `repr` and JavaScript choose the same digits; they differ in how they write them.
    """
    parts = Decimal(repr(number)).as_tuple()
    assert isinstance(parts.exponent, int), number
    digits = "".join(map(str, parts.digits))
    point = len(digits) + parts.exponent
    return "-" if parts.sign else "", digits.rstrip("0"), point


def _place(name: str) -> tuple[bool, int, bytes]:
    """Where a name stands: array indices first, by number; then the rest, by UTF-16 code units."""
    if _INDEX.fullmatch(name) and int(name) < _INDEX_END:
        return False, int(name), b""
    return True, 0, name.encode("utf-16-be", "surrogatepass")
