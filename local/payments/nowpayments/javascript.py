"""JSON as JavaScript's `JSON.stringify` writes it, and NOWPayments' signature over it.

NOWPayments signs the text that its own JavaScript makes of the notification with sorted keys. What
differs from Python's `json`: numbers have ECMAScript's spelling, text stays unescaped, keys sort by
UTF-16 units, and an object lists its integer-like keys first. Source: ECMA-262, Number::toString
and SerializeJSONProperty.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import re
from typing import Any, Literal

Arrays = Literal["array", "object"]

_ESCAPED = re.compile(r'["\\\x00-\x1f\ud800-\udfff]')
_SHORT = {
    '"': '\\"',
    "\\": "\\\\",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
}
_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")
_INDEX_MAX = 2**32 - 2  # the last array index of ECMAScript


def number_text(value: float) -> str:
    """A number as JavaScript spells it, after the rounding to a double that JavaScript does."""
    double = float(value)
    if not math.isfinite(double):
        return "null"
    if double == 0:
        return "0"
    mantissa, _, exponent = f"{abs(double)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    point = len(whole) + int(exponent or 0)
    digits = whole + ("" if fraction == "0" else fraction)
    stripped = digits.lstrip("0")
    point -= len(digits) - len(stripped)
    sign = "-" if double < 0 else ""
    return sign + _placed(stripped.rstrip("0"), point)


def _placed(digits: str, point: int) -> str:
    """`digits` with the decimal point after the first `point` of them."""
    if len(digits) <= point <= 21:
        return digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    power = point - 1
    mantissa = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
    return f"{mantissa}e{'+' if power > 0 else '-'}{abs(power)}"


def string_text(value: str) -> str:
    """A string in quotes; only what JSON forbids is escaped."""
    return '"' + _ESCAPED.sub(_escape, value) + '"'


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    return _SHORT.get(char) or f"\\u{ord(char):04x}"


def stringify(value: Any) -> str:
    """The text of a JSON value, keys in JavaScript's order of enumeration."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return number_text(value)
    if isinstance(value, str):
        return string_text(value)
    if isinstance(value, list):
        return "[" + ",".join(stringify(item) for item in value) + "]"
    members = (f"{string_text(key)}:{stringify(value[key])}" for key in _enumerated(value))
    return "{" + ",".join(members) + "}"


def _enumerated(members: dict[str, Any]) -> list[str]:
    indices = [key for key in members if _INDEX.fullmatch(key) and int(key) <= _INDEX_MAX]
    names = [key for key in members if key not in indices]
    return [*sorted(indices, key=int), *names]


def sort_keys(value: Any, arrays: Arrays = "array") -> Any:
    """`value` with the keys of every object sorted.

    Arrays stay arrays as in the official SDK, or become objects with the keys "0", "1", … as the
    `sortObject` of the documentation makes them.
    """
    if isinstance(value, list):
        if arrays == "array":
            return [sort_keys(item, arrays) for item in value]
        value = {str(index): item for index, item in enumerate(value)}
    if isinstance(value, dict):
        ordered = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        return {key: sort_keys(value[key], arrays) for key in ordered}
    return value


def signature(body: bytes, secret: str, arrays: Arrays = "array") -> str:
    """`x-nowpayments-sig` of a notification: hex HMAC-SHA512 over its sorted text."""
    text = stringify(sort_keys(json.loads(body), arrays))
    return hmac.new(secret.encode(), text.encode(), hashlib.sha512).hexdigest()
