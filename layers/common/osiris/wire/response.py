"""An HTTP/1.1 answer: http.client reads its head, `body` finds its end, and a cut is never an end.

http.client's own way with bodies is not enough here: it can't say whether a read would block, reads
no more after a timeout, and takes a connection that ends inside the headers for their end.
"""

import socket
from http.client import (
    BadStatusLine,
    HTTPException,
    HTTPMessage,
    HTTPResponse,
    UnknownProtocol,
)
from time import monotonic_ns
from typing import cast

from osiris.wire.body import Body, ChunkedBody, EndlessBody, LengthBody
from osiris.wire.channel import Channel
from osiris.wire.faults import Broken, Silent, TooLarge, WireError

# 100 Continue, 103 Early Hints: we ask for none; more than a few are an answer that never comes.
_INTERIM_ANSWERS_MAX = 8
# What lies before an end that is read in passing: a comment perhaps.
_LEFT_BYTES_MAX = 1024


class Response:
    """An answer whose headers are there and whose body the caller reads."""

    __slots__ = (
        "_body",
        "_channel",
        "_may_keep",
        "_piece",
        "_timeout_ms",
        "ended",
        "headers",
        "status",
    )

    def __init__(
        self, channel: Channel, http: HTTPResponse, *, timeout_ms: int, may_keep: bool
    ) -> None:
        self._channel = channel
        self._timeout_ms = timeout_ms
        self._body = _body_of(http)
        self._piece: bytes | None = None
        self._may_keep = may_keep and not http.will_close
        self.status: int = http.status
        self.headers: HTTPMessage = http.headers
        self.ended = False
        if self._body.done:
            self._end()

    def read(self, bytes_max: int) -> bytes:
        """Return all that is left of the body; TooLarge beyond `bytes_max`, else as `read1`."""
        pieces = []
        room = bytes_max
        # Asking for one byte more than there is room for tells a full body from a larger one.
        while piece := self.read1(room + 1):
            room -= len(piece)
            if room < 0:
                self._channel.close()
                raise TooLarge(f"the answer has more than {bytes_max} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    def read1(self, bytes_max: int) -> bytes:
        """Return the next piece as it arrives, at most `bytes_max` (1 or more); b"" at the end.

        Broken when the body is cut, Silent when nothing comes; the connection is closed then, and
        whatever is read after that is Broken.
        """
        if self.ended:
            return b""
        try:
            piece = self._next()
        except TimeoutError as exc:
            self._channel.close()
            raise Silent("the body does not come") from exc
        except (OSError, HTTPException) as exc:
            self._channel.close()
            raise Broken(f"the body was cut: {exc!r}", answered=True) from exc
        self._piece = None
        if len(piece) > bytes_max:
            piece, self._piece = piece[:bytes_max], piece[bytes_max:]
        elif not piece or self._body.done:
            self._end()
        return piece

    def wait(self, timeout_ms: int) -> bool:
        """Return whether `read1` would return, or raise, at once; False after the timeout."""
        if self._is_ready():
            return True
        until_ms, left_ms = _now_ms() + timeout_ms, timeout_ms
        while self._channel.pull(left_ms):
            if self._is_ready():
                return True
            left_ms = max(0, until_ms - _now_ms())
        return False

    def leave(self) -> None:
        """Read no more, except for an end that lies there: then the connection is kept.

        Otherwise it is closed, so that the peer need not go on. Leaving twice is allowed.
        """
        if not self.ended and not self._channel.closed:
            try:
                if self.wait(0):
                    self.read1(_LEFT_BYTES_MAX)
            except WireError:
                return  # closed already
            if not self.ended:
                self._channel.close()

    def _is_ready(self) -> bool:
        channel = self._channel
        if self.ended or channel.closed or self._piece is not None:
            return True
        try:
            self._piece, channel.held = self._body.take(channel.held)
        except HTTPException:
            return True  # the next read meets it again, and tells
        return self._piece is not None or channel.ended

    def _next(self) -> bytes:
        channel = self._channel
        if channel.closed:
            raise HTTPException("the connection was closed")
        while self._piece is None:
            self._piece, channel.held = self._body.take(channel.held)
            if self._piece is not None:
                break
            if channel.failure:
                raise channel.failure
            if channel.ended:
                if self._body.ends_with_connection:
                    return b""
                raise HTTPException("the connection ended before the body did")
            if not channel.pull(self._timeout_ms):
                raise TimeoutError
        return self._piece

    def _end(self) -> None:
        self.ended = True
        if self._may_keep:
            self._channel.rest()
        else:
            self._channel.close()


class _Head:
    """What HTTPResponse reads the status line and the headers from: its "socket" and its file."""

    __slots__ = ("_at", "_channel", "_timeout_ms")

    def __init__(self, channel: Channel, timeout_ms: int) -> None:
        self._channel = channel
        self._timeout_ms = timeout_ms
        self._at = 0

    def makefile(self, _mode: str) -> "_Head":
        return self

    def readline(self, limit: int) -> bytes:
        """One line, or the first `limit` bytes of it, which HTTPResponse then refuses."""
        channel, at = self._channel, self._at
        while (end := channel.held.find(b"\n", at, at + limit) + 1) == 0:
            if len(channel.held) - at >= limit:
                end = at + limit
                break
            if channel.failure:
                raise channel.failure
            if channel.ended:
                raise HTTPException("the connection ended inside the head")
            if not channel.pull(self._timeout_ms):
                raise TimeoutError
        self._at = end
        return channel.held[at:end]

    def drop(self) -> None:
        """Leave only what follows the head."""
        self._channel.held = self._channel.held[self._at :]

    def flush(self) -> None:
        """HTTPResponse flushes and closes its file; the channel has its own life."""

    close = flush


def exchange(channel: Channel, method: str, request: bytes, timeout_ms: int) -> Response:
    """Send the request and read up to the end of its answer's headers; Broken or Silent."""
    may_keep = True
    try:
        channel.send(request, timeout_ms)
    except TimeoutError as exc:
        raise Silent("the request was not taken") from exc
    except OSError:
        # A refusal may lie there already, sent before the whole request was taken.
        may_keep = False
    http = _begin(channel, method, timeout_ms)
    return Response(channel, http, timeout_ms=timeout_ms, may_keep=may_keep)


def _begin(channel: Channel, method: str, timeout_ms: int) -> HTTPResponse:
    head = _Head(channel, timeout_ms)
    answered = False
    try:
        for _ in range(_INTERIM_ANSWERS_MAX):
            http = HTTPResponse(cast(socket.socket, head), method=method)
            try:
                http.begin()
            finally:
                answered = isinstance(http.status, int) and http.status >= 200
            if answered:
                _refuse_unknown_coding(http)
                head.drop()
                return http
        raise HTTPException("too many interim answers")
    except TimeoutError as exc:
        raise Silent("no answer") from exc
    except (OSError, HTTPException) as exc:
        raise Broken(f"no answer: {_reason(exc)}", answered=answered) from exc


def _reason(exc: Exception) -> str:
    """What went wrong, for a log: a line that is no status line may be a part of an answer."""
    if isinstance(exc, BadStatusLine | UnknownProtocol):
        return type(exc).__name__
    return repr(exc)


def _refuse_unknown_coding(http: HTTPResponse) -> None:
    """http.client would hand out the frames of a coding that it does not know as the body."""
    if not http.chunked and "transfer-encoding" in http.headers:
        raise HTTPException("a transfer coding that we do not know")


def _body_of(http: HTTPResponse) -> Body:
    if http.length is not None:
        return LengthBody(http.length)
    return ChunkedBody() if http.chunked else EndlessBody()


def _now_ms() -> int:
    return monotonic_ns() // 1_000_000
