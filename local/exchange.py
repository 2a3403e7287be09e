"""One request at the gateway, the refusal it may end in, and the relay of a streamed answer."""

import asyncio
from typing import NamedTuple

from local import events
from local.gateway_responses import FUNCTION_FAILED, Refusal
from local.http11 import Head, chunk, head_bytes
from local.invocations import Reply
from local.limits import PRELUDE_BYTES_MAX

NO_BODY = {204, 304}


class Refused(Exception):
    """API Gateway answers this request itself."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class Exchange(NamedTuple):
    """One request and the way back to its client."""

    head: Head
    request_id: str
    trace_id: str
    source_ip: str
    writer: asyncio.StreamWriter

    @property
    def path(self) -> str:
        return self.head.target.partition("?")[0]


class Relay:
    """Passes a streamed body on to the client, piece by piece."""

    def __init__(self, exchange: Exchange, answer: events.Answer, idle_s: float) -> None:
        self._exchange = exchange
        self._answer = answer
        self._idle_s = idle_s
        self._left: int | None = None  # bytes of a body whose length the function gave
        self._chunked = False

    def begin(self, own_headers: list[tuple[str, str]]) -> None:
        """Send the head. API Gateway adds chunked coding unless the function gave a length."""
        headers = [*own_headers, *events.client_headers(self._answer.headers)]
        lengths = [value for name, value in headers if name.lower() == "content-length"]
        headers = [pair for pair in headers if pair[0].lower() != "content-length"]
        headers.append(("X-Amzn-Trace-Id", self._exchange.trace_id))
        if self._answer.status in NO_BODY or self._exchange.head.method == "HEAD":
            self._left = 0
        elif lengths and lengths[-1].isdecimal():
            self._left = int(lengths[-1])
            headers.append(("Content-Length", lengths[-1]))
        elif self._exchange.head.version == "HTTP/1.1":
            self._chunked = True
            headers.append(("Transfer-Encoding", "chunked"))
        self._exchange.writer.write(head_or_refusal(self._answer.status, headers))

    async def run(self, first: bytes, reply: Reply) -> bool:
        """Send the body. True when it came to its proper end and the connection can be kept."""
        piece = first or await self._read(reply)
        while piece:
            await self._write(piece)
            piece = await self._read(reply)
        if self._chunked:
            self._exchange.writer.write(chunk(b""))
        await self._exchange.writer.drain()
        framed = self._chunked or self._left == 0
        return framed and self._exchange.head.keeps_alive

    async def _read(self, reply: Reply) -> bytes:
        async with asyncio.timeout(self._idle_s):
            return await reply.read()

    async def _write(self, piece: bytes) -> None:
        if self._left is not None:
            piece = piece[: self._left]
            self._left -= len(piece)
        if piece:
            self._exchange.writer.write(chunk(piece) if self._chunked else piece)
        async with asyncio.timeout(self._idle_s):
            await self._exchange.writer.drain()


async def read_prelude(reply: Reply, *, idle_s: float) -> tuple[bytes, bytes]:
    """The metadata, and what of the body came with it.

    Errors: FunctionError, MalformedAnswer, TimeoutError after `idle_s` of silence.
    """
    held = b""
    while events.DELIMITER not in held[:PRELUDE_BYTES_MAX]:
        async with asyncio.timeout(idle_s):
            piece = await reply.read() if len(held) < PRELUDE_BYTES_MAX else b""
        if not piece:
            raise events.MalformedAnswer("no delimiter within the first 16 KB")
        held += piece
    metadata, _, rest = held.partition(events.DELIMITER)
    return metadata, rest


def head_or_refusal(status: int, headers: list[tuple[str, str]]) -> bytes:
    """An answer's head; a field of the function's that is no header is its failure."""
    try:
        return head_bytes(status, headers)
    except ValueError as exc:
        raise Refused(FUNCTION_FAILED) from exc
