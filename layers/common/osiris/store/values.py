"""Python values and DynamoDB's typed JSON. Numbers are whole; bytes travel as base64 text."""

from __future__ import annotations

from base64 import b64decode
from typing import Any


def typed(value: Any) -> dict[str, Any]:
    """DynamoDB's form of a value: str, int, bool, bytes, list, dict, or a set of str."""
    match value:
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int():
            return {"N": str(value)}
        case bytes():
            return {"B": value}
        case set() | frozenset():
            return {"SS": sorted(value)}
        case dict():
            return {"M": typed_item(value)}
        case list() | tuple():
            return {"L": [typed(element) for element in value]}
    raise TypeError(f"no DynamoDB form for {type(value).__name__}")


def typed_item(item: dict[str, Any]) -> dict[str, Any]:
    """An item's attributes in DynamoDB's form."""
    return {name: typed(value) for name, value in item.items()}


def plain(value: dict[str, Any]) -> Any:
    """The Python value of DynamoDB's form."""
    [(kind, content)] = value.items()
    if kind == "N":
        return int(content)
    if kind == "L":
        # A key's window is many numbers.
        return [int(each["N"]) if "N" in each else plain(each) for each in content]
    if kind == "M":
        return plain_item(content)
    if kind == "B":
        return b64decode(content) if isinstance(content, str) else bytes(content)
    if kind == "SS":
        return set(content)
    return content


def plain_item(item: dict[str, Any]) -> dict[str, Any]:
    """The attributes of an item as Python values."""
    return {name: plain(value) for name, value in item.items()}
