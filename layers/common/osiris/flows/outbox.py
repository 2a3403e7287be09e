"""Sending what waits in the outbox: at least once, under the event's own id."""

from __future__ import annotations

from itertools import batched
from typing import TYPE_CHECKING

from osiris.errors import StoreUnavailable
from osiris.store.events import ENTRIES_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable

    from osiris.app.full import FullApp


def send(app: FullApp, event_ids: Iterable[str]) -> int:
    """Send these events; how many were. Those that were not wait for the next run."""
    sent = 0
    for batch in batched(event_ids, ENTRIES_MAX, strict=False):
        waiting = [event for event_id in batch if (event := app.outbox.read(event_id))]
        if not waiting:
            continue
        try:
            taken = app.event_bus.send(waiting)
        except StoreUnavailable as error:
            app.telemetry.line("events_not_sent", details=error.details)
            break
        for event in taken:
            app.outbox.sent(event.id, app.now_ms())
        sent += len(taken)
    return sent
