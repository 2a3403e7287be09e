"""One call of a function: the event that goes in and the answer as it comes out.

The function process writes an answer through its Runtime API, whoever invoked it reads it. Between
them lies a small buffer, so that a slow reader slows the function down, as TCP does on AWS. A
reader that goes away does not stop the function: its answer is thrown away to its end.
Source: Lambda Developer Guide, "Response streaming for Lambda functions": streamed responses "are
not interrupted or stopped when the invoking client connection is broken".
"""

import asyncio
import json
import time
import uuid
from collections import deque

# Lambda's own buffer is not documented; this holds some pieces of what one read brings.
_HELD_BYTES_MAX = 256 * 1024


class FunctionError(Exception):
    """The function failed; `kind` is Lambda's errorType, `payload` the error as JSON text."""

    def __init__(self, kind: str, payload: bytes) -> None:
        super().__init__(kind)
        self.kind = kind
        self.payload = payload

    @classmethod
    def of(cls, kind: str, message: str) -> "FunctionError":
        """An error of Lambda's own making."""
        return cls(kind, json.dumps({"errorType": kind, "errorMessage": message}).encode())


class Throttled(Exception):
    """All environments of the function are busy and no more may be started: Lambda's 429."""


class EventTooLarge(Exception):
    """The event is larger than Lambda takes: its 413."""


class Reply:
    """A function's answer on its way: one writer, one reader, in order."""

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self._held_bytes = 0
        self._abandoned = False
        self._error: FunctionError | None = None
        self.ended = False
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()

    async def write(self, piece: bytes) -> None:
        """Add a piece; waits while the reader is behind."""
        while self._held_bytes >= _HELD_BYTES_MAX and not self._abandoned and not self.ended:
            self._writable.clear()
            await self._writable.wait()
        if piece and not self._abandoned and not self.ended:
            self._pieces.append(piece)
            self._held_bytes += len(piece)
            self._readable.set()

    def end(self, error: FunctionError | None = None) -> None:
        """The answer is complete, or has failed; what comes after the first end is ignored."""
        if not self.ended:
            self.ended = True
            self._error = error
            self._readable.set()
            self._writable.set()

    async def read(self) -> bytes:
        """The next piece, empty at the end. Errors: FunctionError after the last piece."""
        while not self._pieces and not self.ended:
            self._readable.clear()
            await self._readable.wait()
        if self._pieces:
            piece = self._pieces.popleft()
            self._held_bytes -= len(piece)
            self._writable.set()
            return piece
        if self._error is not None:
            raise self._error
        return b""

    async def read_all(self) -> bytes:
        """The whole answer. Errors: FunctionError."""
        whole = bytearray()
        while piece := await self.read():
            whole += piece
        return bytes(whole)

    def abandon(self) -> None:
        """The reader has gone; the function may write on, into nothing."""
        self._abandoned = True
        self._pieces.clear()
        self._held_bytes = 0
        self._writable.set()


class Invocation:
    """One call of a function."""

    def __init__(self, event: bytes, *, trace_id: str | None = None) -> None:
        self.id = str(uuid.uuid4())
        # Lambda's newer guard against answers to an earlier call (Runtime API, 2026).
        self.token = str(uuid.uuid4())
        self.event = event
        self.trace_id = trace_id or new_trace_id()
        self.reply = Reply()


def new_trace_id() -> str:
    """A trace header's text as AWS makes it (X-Ray Developer Guide, "Tracing header")."""
    return f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]}"
