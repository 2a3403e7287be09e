"""Waiting out conflicts: a write that met another transaction is tried again, a bounded number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris.store.transport import TransactionConflict

if TYPE_CHECKING:
    from collections.abc import Callable

    from osiris.app import App

# Each try is itself repeated by the transport. Six tries wait for 0.8 to 1.6 s together.
CONFLICT_TRIES_MAX = 6
CONFLICT_WAIT_MS = 50
# How often a write that depends on what was read is prepared anew after that has changed.
CHANGES_MAX = 5


def patiently[T](app: App, write: Callable[[], T]) -> T:
    """The outcome of a write, which must be the same each time. Raises TransactionConflict at last.

    Waits double, each with as much jitter as itself, so that writers who met once do not again.
    """
    for tried in range(CONFLICT_TRIES_MAX - 1):
        try:
            return write()
        except TransactionConflict:
            wait_ms = CONFLICT_WAIT_MS << tried >> 1
            app.sleep_ms(wait_ms + int.from_bytes(app.entropy(2)) % (wait_ms + 1))
    return write()
