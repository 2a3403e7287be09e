"""A simulator's records, and the truth: the list of money that it received and gave back."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_STATE_VERSION = 1


@dataclass(frozen=True)
class Receipt:
    """Money that reached the merchant, or left it again.

    `order` is the reference that the merchant gave to the payment. `amount` is in units of
    `currency`; `usd` is its worth in dollars at `at_ms`, None where the provider knows no dollars.
    """

    order: str | None
    payment_id: str
    amount: str
    currency: str
    usd: str | None
    at_ms: int
    kind: Literal["received", "returned"]


class Book[Record]:
    """Payments by id, oldest first, and receipts; every change is made inside `changing`.

    With a `path` the book is read from that file at first, and written to it as a whole after each
    change, so that a killed process leaves the state before or after a change, nothing between.
    """

    def __init__(self, path: Path | None, read: Callable[..., Record]) -> None:
        self.payments: dict[str, Record] = {}
        self.received: list[Receipt] = []
        self._path = path
        self._lock = threading.RLock()
        self._depth = 0
        if path is not None and path.exists():
            state = json.loads(path.read_text())
            self.payments = {id: read(**fields) for id, fields in state["payments"].items()}
            self.received = [Receipt(**fields) for fields in state["received"]]

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the book, and write it down at the end; may be nested."""
        with self._lock:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self._write()

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Hold the book without a change."""
        with self._lock:
            yield

    def receipts(self) -> list[Receipt]:
        """A copy of the truth."""
        with self._lock:
            return list(self.received)

    def _write(self) -> None:
        if self._path is None:
            return
        state: dict[str, Any] = {
            "version": _STATE_VERSION,
            "payments": {id: asdict(record) for id, record in self.payments.items()},  # type: ignore[call-overload]
            "received": [asdict(receipt) for receipt in self.received],
        }
        draft = self._path.with_name(self._path.name + ".new")
        with draft.open("w") as file:
            json.dump(state, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)
