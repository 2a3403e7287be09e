"""What the store asks of a transport: one call of DynamoDB's API, answered or explained.

A transport repeats the *identical* call a bounded number of times when no answer came, or the
answer was 5xx, throttling, or a conflict with a transaction. The store's writes are built so that
this is safe: whoever finds its own write done takes it as done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from osiris.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

Payload = dict[str, Any]
CALL_TRIES_MAX = 3


class Transport(Protocol):
    """One operation of DynamoDB, by its API name, on its JSON as Python dicts."""

    def call(self, operation: str, payload: Payload) -> Payload:
        """The answer. Raises the classes below, and StoreUnavailable when out of reach."""
        ...


class ConditionFailed(Exception):
    """The write's condition did not hold; `item` is the item that it was checked against."""

    def __init__(self, item: Payload | None) -> None:
        super().__init__("the condition did not hold")
        self.item = item


class TransactionConflict(StoreUnavailable):
    """A transaction on the same item was under way at each try: out of reach, not a refusal."""


class TransactionCanceled(Exception):
    """A transaction was not applied; `reasons` holds (code, item) for each of its writes."""

    def __init__(self, reasons: Sequence[tuple[str, Payload | None]]) -> None:
        super().__init__(", ".join(code for code, _ in reasons))
        self.reasons = list(reasons)

    @property
    def conflict(self) -> bool:
        """Whether nothing but conflicts with other writes stood in the way."""
        codes = {code for code, _ in self.reasons}
        return codes <= {"None", "TransactionConflict"}
