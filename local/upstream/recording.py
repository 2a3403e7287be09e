"""What the simulator remembers of each request, for tests to look at."""

from __future__ import annotations

import hashlib
import threading
from typing import Any

# A test may look at a secret's presence and correctness, but never print it.
_SECRET_HEADERS = ("authorization", "x-api-key")


class RecordedRequest:
    """One request as it came, and how its answer went.

    `ended` is "" while the answer is under way, then one of: "complete", "refused" (an HTTP
    error), "failed" (an error event in the stream), "cut", "client_left". `pieces_sent` counts the
    chunks of text that left; `client_port` tells the connections apart.
    """

    __slots__ = (
        "_secrets",
        "body",
        "client_port",
        "ended",
        "finished",
        "headers",
        "method",
        "path",
        "pieces_sent",
        "raw_body",
    )

    def __init__(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        raw_body: bytes,
        *,
        client_port: int = 0,
    ) -> None:
        self.client_port = client_port
        self.method = method
        self.path = path
        self.headers = {n: v for n, v in headers.items() if n not in _SECRET_HEADERS}
        self.raw_body = raw_body
        self.body: Any = None  # parsed; None when it is not JSON
        self.pieces_sent = 0
        self.ended = ""
        self.finished = threading.Event()
        self._secrets = {
            _digest(headers[n].removeprefix("Bearer ")) for n in _SECRET_HEADERS if n in headers
        }

    def carried(self, secret: str) -> bool:
        """Whether the request came with this secret, in either header."""
        return _digest(secret) in self._secrets

    def end(self, how: str) -> None:
        """The answer is over; whoever waits for `finished` goes on.

        Called before the last bytes leave, so that a client that has seen them finds it so.
        """
        self.ended = how
        self.finished.set()

    def __repr__(self) -> str:
        how = self.ended or "under way"
        return f"<RecordedRequest {self.method} {self.path} {self.pieces_sent} pieces, {how}>"


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
