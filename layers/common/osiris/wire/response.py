"""An HTTP/1.1 answer: http.client parses it, and nothing that was cut passes for complete.

http.client takes a connection that ends inside the headers, or inside the last chunk's lines, for
the end of the answer. The stream below says whether it has ended, so here both are `Broken`.
"""

import socket
from http.client import HTTPException, HTTPMessage, HTTPResponse
from typing import cast

from osiris.wire.channel import Channel
from osiris.wire.faults import Broken, Silent, TooLarge

# http.client's own limit for one line; a chunk's size or trailer beyond it is refused there.
_LINE_BYTES_MAX = 65536
# Large enough to take what a socket has, small enough to be allocated for each read.
_PIECE_BYTES = 64 * 1024
# 100 Continue, 103 Early Hints: we ask for none; more than a few are an answer that never comes.
_INTERIM_ANSWERS_MAX = 8


class Response:
    """An answer whose headers are there and whose body the caller reads."""

    __slots__ = ("_channel", "_http", "_may_keep", "ended", "headers", "status")

    def __init__(self, channel: Channel, http: HTTPResponse, *, may_keep: bool) -> None:
        self._channel = channel
        self._http = http
        self._may_keep = may_keep and not http.will_close
        self.status: int = http.status
        self.headers: HTTPMessage = http.headers
        self.ended = False
        if http.length == 0:
            self._end()

    def read(self, bytes_max: int) -> bytes:
        """Return all that is left of the body; TooLarge beyond `bytes_max`, else as `read1`."""
        pieces = []
        room = bytes_max
        # Asking for one byte more than there is room for tells a full body from a larger one.
        while piece := self.read1(min(room + 1, _PIECE_BYTES)):
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
            piece = self._next(bytes_max)
        except TimeoutError as exc:
            self._channel.close()
            raise Silent("the body does not come") from exc
        except (OSError, HTTPException) as exc:
            self._channel.close()
            raise Broken(f"the body was cut: {exc!r}", answered=True) from exc
        if not piece or self._http.length == 0:
            self._end()
        return piece

    def wait(self, timeout_ms: int) -> bool:
        """Return whether `read1` would return, or raise, at once; False after the timeout."""
        return self.ended or self._channel.closed or self._channel.wait(self._enough, timeout_ms)

    def _next(self, bytes_max: int) -> bytes:
        http = self._http
        if self._channel.closed:
            raise HTTPException("the connection was closed")
        piece = http.read1(bytes_max)
        if piece:
            # "-5" is a number to http.client.
            if http.chunked and (http.chunk_left or 0) < 0:
                raise HTTPException("a chunk of negative size")
        elif http.length or (http.chunked and self._channel.stream.ended):
            # The "0" of a last chunk may have been the beginning of "0a1".
            raise HTTPException("the connection ended before the body did")
        return piece

    def _end(self) -> None:
        self.ended = True
        if self._may_keep:
            self._channel.rest()
        else:
            self._channel.close()

    def _enough(self, held: bytes) -> bool:
        """Whether one `read1` can be served from these buffered bytes.

        In a chunked body the end of the last chunk and the size of the next one come first; more
        often than not the former is buffered and the latter has not arrived.
        """
        http = self._http
        if not http.chunked or http.chunk_left:
            return bool(held)
        size_at = 0 if http.chunk_left is None else 2
        data_at = held.find(b"\n", size_at) + 1
        if not data_at:
            return len(held) > _LINE_BYTES_MAX
        if held[size_at:data_at].partition(b";")[0].strip(b"0 \t\r\n"):
            return len(held) > data_at
        trailers = b"\n" + held[data_at:]
        return b"\n\r\n" in trailers or b"\n\n" in trailers or len(trailers) > _LINE_BYTES_MAX


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
    return Response(channel, _begin(channel, method), may_keep=may_keep)


def _begin(channel: Channel, method: str) -> HTTPResponse:
    answered = False
    try:
        for _ in range(_INTERIM_ANSWERS_MAX):
            # HTTPResponse asks its "socket" for a file, and for nothing else.
            http = HTTPResponse(cast(socket.socket, channel.buffer), method=method)
            try:
                http.begin()
            finally:
                answered = isinstance(http.status, int) and http.status >= 200
            if channel.stream.ended:
                raise HTTPException("the connection ended inside the headers")
            if answered:
                _refuse_unknown_coding(http)
                return http
        raise HTTPException("too many interim answers")
    except TimeoutError as exc:
        raise Silent("no answer") from exc
    except (OSError, HTTPException) as exc:
        raise Broken(f"no answer: {exc!r}", answered=answered) from exc


def _refuse_unknown_coding(http: HTTPResponse) -> None:
    """http.client would hand out the frames of a coding that it does not know as the body."""
    if not http.chunked and "transfer-encoding" in http.headers:
        raise HTTPException("a transfer coding that we do not know")
