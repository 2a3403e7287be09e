"""What a broken invariant raises, and values without DynamoDB's types."""

from __future__ import annotations

from typing import Any


class Violation(AssertionError):
    """An invariant does not hold."""


def require(holds: bool, invariant: str, *facts: object) -> None:
    """Raise Violation unless it holds."""
    if not holds:
        raise Violation(" ".join([invariant, *map(repr, facts)]))


def plain(value: dict[str, Any]) -> Any:
    """A value without its DynamoDB types."""
    [(kind, content)] = value.items()
    if kind == "N":
        return int(content)
    if kind == "M":
        return {name: plain(part) for name, part in content.items()}
    if kind == "L":
        return [plain(part) for part in content]
    return set(content) if kind == "SS" else content


def plain_item(item: dict[str, Any]) -> dict[str, Any]:
    """The attributes of an item, plain."""
    return {name: plain(value) for name, value in item.items()}
