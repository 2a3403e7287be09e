"""One call of `/v1` under way: what is known of it for its answer's headers and its log line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris.ids import request_id

if TYPE_CHECKING:
    from osiris.app import App
    from osiris.ledger.key import Key


class Exchange:
    """`key` is the last item seen of the caller's key; None until the caller is known."""

    __slots__ = ("deadline_at_ms", "hold_nano", "key", "request_id", "started_at_ms")

    def __init__(self, app: App, deadline_at_ms: int) -> None:
        """Begin; `deadline_at_ms` is when the answer must be recorded and ended."""
        self.started_at_ms = app.now_ms()
        self.request_id = request_id(self.started_at_ms, app.entropy(16))
        self.deadline_at_ms = deadline_at_ms
        self.hold_nano = 0
        self.key: Key | None = None
