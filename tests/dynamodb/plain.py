"""DynamoDB JSON from and to plain Python values, every type of them (numbers as Decimal)."""

from base64 import b64decode
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any


def typed(value: object) -> dict[str, Any]:
    """DynamoDB's form; a set's type is that of its members."""
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int | Decimal):
        return {"N": str(value)}
    if isinstance(value, str | bytes):
        return {"S" if isinstance(value, str) else "B": value}
    if isinstance(value, list):
        return {"L": [typed(part) for part in value]}
    if isinstance(value, dict):
        return {"M": typed_item(value)}
    assert isinstance(value, set | frozenset)
    members = [next(iter(typed(member).items())) for member in value]
    (tag,) = {tag for tag, _ in members}
    return {f"{tag}S": [content for _, content in members]}


def typed_item(item: Mapping[str, object]) -> dict[str, Any]:
    return {name: typed(value) for name, value in item.items()}


def plain(value: Mapping[str, Any]) -> Any:
    """The Python value; a set is a frozenset. Bytes may come as base64 text."""
    ((tag, content),) = value.items()
    if tag in _SCALARS:
        return _SCALARS[tag](content)
    if tag == "L":
        return [plain(part) for part in content]
    if tag == "M":
        return plain_item(content)
    return frozenset(_SCALARS[tag[0]](member) for member in content)


def plain_item(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: plain(value) for name, value in item.items()}


def _bytes(content: str | bytes) -> bytes:
    return b64decode(content) if isinstance(content, str) else bytes(content)


_SCALARS: dict[str, Callable[[Any], Any]] = {
    "S": str,
    "N": Decimal,
    "B": _bytes,
    "BOOL": bool,
    "NULL": lambda content: None,
}
