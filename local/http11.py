"""HTTP/1.1, the server's side, over asyncio streams: heads, framed bodies, answers.

Both servers here use it: the gateway, whose peers may send anything, and the Runtime API, whose
peer is our own function process. What is not exactly framed is refused (RFC 9112): a request that
two readers could understand differently is answered by 400 and the connection closed.
"""

import asyncio
import http
import re
from collections.abc import AsyncIterator, Iterable
from typing import NamedTuple

_READ_BYTES_MAX = 64 * 1024
# StreamReader's bound on a line or head; above every head that a server here accepts.
READER_LIMIT_BYTES = 64 * 1024
_CHUNK_LINE_BYTES_MAX = 1024
_TRAILER_LINES_MAX = 32

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FIELD_TEXT = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}")


class RequestError(Exception):
    """The peer's request cannot be read; `status` is the answer it gets."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Head(NamedTuple):
    """A request's first line and header fields, in order and as they were written."""

    method: str
    target: str
    version: str
    headers: list[tuple[str, str]]

    def get(self, name: str) -> str | None:
        """The last value of a field, by its lower-case name."""
        values = [value for key, value in self.headers if key.lower() == name]
        return values[-1] if values else None

    @property
    def keeps_alive(self) -> bool:
        """Whether the client wants to go on with this connection."""
        connection = (self.get("connection") or "").lower()
        return self.version == "HTTP/1.1" and "close" not in connection


async def read_head(
    reader: asyncio.StreamReader, *, header_bytes_max: int, first: bytes = b""
) -> Head | None:
    """The next request's head, or None when the peer has ended the connection before one.

    `first` is what of it was read before.

    Errors: RequestError; asyncio.IncompleteReadError when the connection ends inside a head.
    """
    try:
        raw = first + await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError as exc:
        raise _too_large(header_bytes_max) from exc
    except asyncio.IncompleteReadError as exc:
        if not (first + exc.partial).strip():
            return None
        raise
    line, *lines = raw.lstrip(b"\r\n").decode("latin-1")[:-4].split("\r\n")
    if sum(len(text) + len("\r\n") for text in lines) > header_bytes_max:
        raise _too_large(header_bytes_max)
    match line.split(" "):
        case [method, target, ("HTTP/1.1" | "HTTP/1.0") as version] if _TOKEN.fullmatch(method):
            return Head(method, target, version, [_field(text) for text in lines])
    raise RequestError(400, "Bad request line.")


def _too_large(bytes_max: int) -> RequestError:
    return RequestError(431, f"HTTP header is larger than {bytes_max} bytes.")


def _field(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    value = value.strip(" \t")
    if not colon or not _TOKEN.fullmatch(name) or not _FIELD_TEXT.fullmatch(value):
        raise RequestError(400, "Bad header field.")
    return name, value


class Body:
    """The body of one request, read in pieces; `trailers` are there when it has ended."""

    def __init__(
        self, head: Head, reader: asyncio.StreamReader, *, receive_timeout_s: float | None = None
    ) -> None:
        self._reader = reader
        self._timeout_s = receive_timeout_s
        self.trailers: dict[str, str] = {}
        self.length = _declared_length(head)

    async def pieces(self) -> AsyncIterator[bytes]:
        """Each piece as it arrives.

        Errors: RequestError, TimeoutError, asyncio.IncompleteReadError when it is cut.
        """
        if self.length is None:
            async for piece in self._chunked():
                yield piece
        else:
            async for piece in self._sized(self.length):
                yield piece

    async def read(self, bytes_max: int) -> bytes:
        """The whole body. Errors: as `pieces`; RequestError 413 beyond `bytes_max`."""
        if self.length is not None and self.length > bytes_max:
            raise RequestError(413, f"HTTP content length exceeded {bytes_max} bytes.")
        whole = bytearray()
        async for piece in self.pieces():
            whole += piece
            if len(whole) > bytes_max:
                raise RequestError(413, f"HTTP content length exceeded {bytes_max} bytes.")
        return bytes(whole)

    async def _sized(self, size: int) -> AsyncIterator[bytes]:
        left = size
        while left:
            async with asyncio.timeout(self._timeout_s):
                piece = await self._reader.read(min(left, _READ_BYTES_MAX))
            if not piece:
                raise asyncio.IncompleteReadError(b"", left)
            left -= len(piece)
            yield piece

    async def _chunked(self) -> AsyncIterator[bytes]:
        while size := await self._chunk_size():
            async for piece in self._sized(size):
                yield piece
            if await self._line() != b"":
                raise RequestError(400, "Bad chunk.")
        for _ in range(_TRAILER_LINES_MAX):
            line = await self._line()
            if not line:
                return
            name, value = _field(line.decode("latin-1"))
            self.trailers[name.lower()] = value
        raise RequestError(400, "Too many trailers.")

    async def _chunk_size(self) -> int:
        size, _, _extension = (await self._line()).partition(b";")
        if not _CHUNK_SIZE.fullmatch(size):
            raise RequestError(400, "Bad chunk.")
        return int(size, 16)

    async def _line(self) -> bytes:
        async with asyncio.timeout(self._timeout_s):
            try:
                line = await self._reader.readuntil(b"\r\n")
            except asyncio.LimitOverrunError as exc:
                raise RequestError(400, "Bad chunk.") from exc
        if len(line) > _CHUNK_LINE_BYTES_MAX:
            raise RequestError(400, "Bad chunk.")
        return line[:-2]


def _declared_length(head: Head) -> int | None:
    """The body's length in bytes; None when it comes in chunks."""
    codings = [value.lower() for name, value in head.headers if name.lower() == "transfer-encoding"]
    lengths = {value for name, value in head.headers if name.lower() == "content-length"}
    if codings:
        if codings != ["chunked"] or lengths or head.version != "HTTP/1.1":
            raise RequestError(400, "Bad transfer coding.")
        return None
    if not lengths:
        return 0
    (length, *others) = lengths
    if others or not re.fullmatch(r"[0-9]{1,15}", length):
        raise RequestError(400, "Bad content length.")
    return int(length)


def head_bytes(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    """An answer's first line and header fields; a field that is none is a ValueError."""
    try:
        reason = http.HTTPStatus(status).phrase
    except ValueError:
        reason = ""
    lines = [f"HTTP/1.1 {status} {reason}"]
    for name, value in headers:
        if not _TOKEN.fullmatch(name) or not _FIELD_TEXT.fullmatch(value):
            raise ValueError(f"the header field {name!r} cannot be sent")
        lines.append(f"{name}: {value}")
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1")


def chunk(piece: bytes) -> bytes:
    """One chunk of a chunked body; the empty one ends it."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)
