"""DynamoDB's values as Python dicts (`{"N": "12"}`): accepted, copied, measured, compared.

`accept` is the only way in. It checks a value as AWS does, copies it, and brings it into one
form: numbers lose what does not change them ("1.0" is "1"), sets are in order. So two accepted
values are equal exactly when their dicts are, and nobody outside holds a reference to ours.
"""

import re
from collections.abc import Callable
from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation
from functools import lru_cache
from typing import Any

type Value = dict[str, Any]
type Item = dict[str, Value]

SIGNIFICANT_DIGITS_MAX = 38
MAGNITUDE_MAX = 125  # 9.99…E+125 is the largest number, 1E-130 the smallest
MAGNITUDE_MIN = -130
DEPTH_MAX = 32
NUMBER_BYTES_MAX = 22  # 38 digits, the end of an odd one, the sign
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_EXACT = Context(prec=SIGNIFICANT_DIGITS_MAX, traps=[Inexact, InvalidOperation])


class ValidationException(Exception):
    """AWS would answer ValidationException: the call itself is wrong, whatever the item is."""


def copied(item: Item) -> Item:
    """A deep copy (several times faster than `copy.deepcopy`)."""
    return {
        name: value.copy() if "N" in value or "S" in value else _copied_value(value)
        for name, value in item.items()
    }


def _copied_value(value: Value) -> Value:
    ((tag, content),) = value.items()
    if tag == "M":
        return {"M": copied(content)}
    if tag == "L":
        return {"L": [part.copy() if "N" in part else _copied_value(part) for part in content]}
    return {tag: content[:] if isinstance(content, list) else content}


def tag_of(value: Value) -> str:
    """The type of an accepted value: S, N, B, BOOL, NULL, L, M, SS, NS or BS."""
    return next(iter(value))


def accept_item(item: object) -> Item:
    if not isinstance(item, dict):
        raise ValidationException(f"an item is a map of attributes, not {item!r}")
    return {_name(name): accept(value) for name, value in item.items()}


def accept(value: object, depth: int = 1) -> Value:
    """A checked copy in the one form."""
    if not isinstance(value, dict) or len(value) != 1:
        raise ValidationException(f"an AttributeValue has exactly one type: {value!r}")
    if depth > DEPTH_MAX:
        raise ValidationException("Nesting Levels have exceeded supported limits")
    ((tag, content),) = value.items()
    if tag == "N":
        return {"N": canonical(content)}
    if tag in _ACCEPT_SCALAR:
        return {tag: _ACCEPT_SCALAR[tag](content)}
    if tag == "M" and isinstance(content, dict):
        return {"M": {_name(name): accept(part, depth + 1) for name, part in content.items()}}
    if tag == "L" and isinstance(content, list):
        return {"L": [accept(part, depth + 1) for part in content]}
    if tag in ("SS", "NS", "BS") and isinstance(content, list):
        return {tag: _set_content(tag, content)}
    raise ValidationException(f"not an AttributeValue: {value!r}")


def _name(name: object) -> str:
    if not isinstance(name, str) or not name:
        raise ValidationException(f"attribute names are texts that are not empty: {name!r}")
    return name


def _text(content: object) -> str:
    if not isinstance(content, str):
        raise ValidationException(f"S holds a text, not {content!r}")
    return content


def _bytes(content: object) -> bytes:
    if not isinstance(content, bytes | bytearray):
        raise ValidationException(f"B holds bytes, not {content!r}")
    return bytes(content)


def _bool(content: object) -> bool:
    if not isinstance(content, bool):
        raise ValidationException(f"BOOL holds true or false, not {content!r}")
    return content


def _null(content: object) -> bool:
    if content is not True:
        raise ValidationException("Null attribute value types must have the value of true")
    return True


def canonical(content: object) -> str:
    """A number's text without what does not change it."""
    if not isinstance(content, str):
        raise ValidationException(f"N holds a text, not {content!r}")
    digits = content[1:] if content[:1] == "-" else content
    if digits.isdecimal() and digits.isascii() and len(digits) <= SIGNIFICANT_DIGITS_MAX:
        whole = digits.lstrip("0")
        return content[: -len(digits)] + whole if whole else "0"
    if not _NUMBER.fullmatch(content):
        raise ValidationException(f"cannot be converted to a numeric value: {content!r}")
    try:
        return _number_text(Decimal(content))
    except DecimalException:
        raise ValidationException(f"cannot be converted to a numeric value: {content!r}") from None


def _number_text(number: Decimal) -> str:
    if not number.is_finite():
        raise ValidationException(f"not a number: {number}")
    if not number:
        return "0"
    try:
        number = _EXACT.plus(number)
    except Inexact:
        raise ValidationException(f"more than 38 significant digits: {number}") from None
    if not MAGNITUDE_MIN <= number.adjusted() <= MAGNITUDE_MAX:
        raise ValidationException(f"number overflow or underflow: {number}")
    return format(number.normalize(_EXACT), "f")


def number_of(text: str) -> int | Decimal:
    try:
        return int(text)
    except ValueError:
        return Decimal(text)


def added(left: str, right: str) -> str:
    """The exact sum of two canonical numbers."""
    a, b = number_of(left), number_of(right)
    if isinstance(a, int) and isinstance(b, int):
        total = str(a + b)
        if len(total) <= SIGNIFICANT_DIGITS_MAX:
            return total
    try:
        return _number_text(_EXACT.add(Decimal(a), Decimal(b)))
    except Inexact:
        raise ValidationException(f"the sum has more than 38 digits: {left} + {right}") from None


def negated(text: str) -> str:
    if text == "0":
        return text
    return text[1:] if text[0] == "-" else f"-{text}"


def _set_content(tag: str, content: list[object]) -> list[Any]:
    members: list[Any] = [_ACCEPT_SCALAR[tag[0]](member) for member in content]
    if not members:
        raise ValidationException(f"An {tag} set may not be empty")
    if len(set(members)) != len(members):
        raise ValidationException(f"Input collection contains duplicates: {content!r}")
    return in_order(tag, members)


def in_order(tag: str, members: list[Any]) -> list[Any]:
    """The members of a set in the one order in which sets are kept."""
    return sorted(members, key=number_of) if tag == "NS" else sorted(members)


_ACCEPT_SCALAR: dict[str, Callable[[object], Any]] = {
    "S": _text,
    "N": canonical,
    "B": _bytes,
    "BOOL": _bool,
    "NULL": _null,
}


def ordering_key(value: Value) -> Any:
    """What to compare by, within one type that has an order (S by its UTF-8 bytes, N, B)."""
    tag, content = next(iter(value.items()))
    if tag == "N":
        return number_of(content)
    return content.encode() if tag == "S" else content


def item_bytes(item: Item) -> int:
    """The size that AWS counts for units and for the limit of 400 KB: names and values."""
    return sum([len(name.encode()) + value_bytes(value) for name, value in item.items()])


def value_bytes(value: Value) -> int:
    """By "DynamoDB item sizes and formats" in the developer guide."""
    if "N" in value:
        return number_bytes(value["N"])
    ((tag, content),) = value.items()
    if tag == "S":
        return len(content.encode())
    if tag == "M":
        return 3 + len(content) + item_bytes(content)
    if tag == "L":
        sizes = [number_bytes(v["N"]) if "N" in v else value_bytes(v) for v in content]
        return 3 + len(content) + sum(sizes)
    if tag == "B":
        return len(content)
    if tag in ("BOOL", "NULL"):
        return 1
    return sum([value_bytes({tag[0]: member}) for member in content])


@lru_cache(maxsize=65536)
def number_bytes(text: str) -> int:
    """One byte, one more below zero, and one for each pair of digits between the outer zeros."""
    negative = text[0] == "-"
    whole, _, fraction = text.lstrip("-").partition(".")
    if fraction:
        whole, fraction = whole.lstrip("0"), fraction + "0" * (len(fraction) % 2)
        pairs = (len(whole) + 1) // 2 + len(fraction) // 2
        return 1 + pairs + negative
    zeros = len(whole) - len(whole.rstrip("0"))
    return 1 + (len(whole) + 1) // 2 - zeros // 2 + negative if whole != "0" else 1
