"""What a function may wait for: each is one step of a history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from osiris.store.transport import Payload

READS = frozenset({"GetItem", "Query", "Scan", "BatchGetItem"})


class Call(NamedTuple):
    """A call of the store that waits to be made."""

    operation: str
    payload: Payload


class Ask(NamedTuple):
    """A call of a payment provider that waits to be made; one that `reads` changes nothing."""

    what: str
    make: Callable[[], Any]
    reads: bool


class Until(NamedTuple):
    """Nothing to do before this time."""

    at_ms: int
