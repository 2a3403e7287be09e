"""One open socket with the read buffer that http.client parses from.

The idea: `wait` must know whether the next read would block, and only the bytes themselves tell:
some may lie in the buffer (a chunk's end, half a chunk's size), some inside OpenSSL, some in the
kernel. So the socket never blocks by itself. All waiting is a poll here, and `Buffer.held` shows
what is buffered without touching the socket, because the raw stream can be told to stay dry.
"""

import io
import socket
import ssl
from collections.abc import Callable
from select import POLLIN, poll
from time import monotonic_ns, time_ns
from typing import override

# One TLS record; larger reads come in pieces of this size.
RECORD_BYTES = 16 * 1024

_NOT_YET = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class SocketStream(io.RawIOBase):
    """A non-blocking socket as the raw stream under a BufferedReader; it waits by polling."""

    def __init__(self, sock: socket.socket) -> None:
        self.timeout_ms = 0
        self.dry = False
        self.ended = False
        self._sock = sock
        self._tls = sock if isinstance(sock, ssl.SSLSocket) else None
        self._ahead = b""
        self._failure: OSError | None = None
        self._poll = poll()
        self._poll.register(sock, POLLIN)

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]
        """Fill `buffer`; None when dry, TimeoutError after `timeout_ms` without a byte."""
        if self._ahead:
            size = min(len(buffer), len(self._ahead))
            buffer[:size] = self._ahead[:size]
            self._ahead = self._ahead[size:]
            return size
        if self.dry:
            return None
        if self._failure:
            raise self._failure
        while not self.ended:
            try:
                size = self._sock.recv_into(buffer)
            except _NOT_YET:
                if not self._poll.poll(self.timeout_ms):
                    raise TimeoutError from None
            else:
                self.ended = not size
                return size
        return 0

    def pull(self, timeout_ms: int) -> bool:
        """Fetch what arrives within `timeout_ms` for later reads; False when nothing did.

        The end of the stream and a broken connection count as arrived: the next read tells.
        """
        if not (self._tls and self._tls.pending()) and not self._poll.poll(timeout_ms):
            return False
        try:
            data = self._sock.recv(RECORD_BYTES)
        except _NOT_YET:
            return True  # a part of a TLS record, or a session ticket
        except OSError as exc:
            self._failure = exc
            self.ended = True
        else:
            self._ahead += data
            self.ended = not data
        return True

    @property
    def ahead(self) -> bytes:
        """What `pull` fetched and no read has taken."""
        return self._ahead


class Buffer(io.BufferedReader):
    """The read buffer of a whole connection; each http.client.HTTPResponse takes it as its file.

    A response closes its file at its end. The buffer outlives that, so that bytes after the end
    are seen instead of lost.
    """

    def __init__(self, stream: SocketStream) -> None:
        super().__init__(stream, RECORD_BYTES)
        self.stream = stream

    def makefile(self, _mode: str) -> "Buffer":
        """Be the file of the "socket" that HTTPResponse asks for one."""
        return self

    @override
    def close(self) -> None:
        """Stay open; see the class."""

    @override
    def flush(self) -> None:
        """Do nothing: a response that is thrown away would flush what may be gone already."""

    def held(self) -> bytes:
        """All bytes that reads can have without touching the socket."""
        self.stream.dry = True
        try:
            held = self.peek(1)
        finally:
            self.stream.dry = False
        return held + self.stream.ahead


class Channel:
    """An open connection: what is sent, what is buffered, and whether it is still of use."""

    __slots__ = ("_sock", "buffer", "closed", "stream", "used_at_ms")

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self.stream = SocketStream(sock)
        self.buffer = Buffer(self.stream)
        self.closed = False
        self.used_at_ms = 0

    def send(self, data: bytes, timeout_ms: int) -> None:
        """Send all of `data`; TimeoutError or another OSError when the peer does not take it."""
        self.stream.timeout_ms = timeout_ms
        self._sock.settimeout(timeout_ms / 1000)
        try:
            self._sock.sendall(data)
        finally:
            self._sock.setblocking(False)

    def rest(self) -> None:
        """Note that nothing is under way from now on."""
        self.used_at_ms = _wall_ms()

    def is_fresh(self, idle_ms_max: int) -> bool:
        """Whether another request may go this way.

        Not after too long a rest, and not when the peer has closed or has sent what nobody asked
        for. The wall clock also counts the time that an execution environment was frozen.
        """
        if self.closed or not 0 <= _wall_ms() - self.used_at_ms <= idle_ms_max:
            return False
        stream = self.stream
        while not stream.ended and not self.buffer.held():
            if not stream.pull(0):
                return True
        return False

    def wait(self, enough: Callable[[bytes], bool], timeout_ms: int) -> bool:
        """Wait until the buffered bytes are `enough` or the stream has ended."""
        until_ms = _now_ms() + timeout_ms
        while not (self.stream.ended or enough(self.buffer.held())):
            if not self.stream.pull(max(0, until_ms - _now_ms())):
                return False
        return True

    def close(self) -> None:
        """Close the socket; closing twice is allowed."""
        self.closed = True
        self._sock.close()


def _now_ms() -> int:
    return monotonic_ns() // 1_000_000


def _wall_ms() -> int:
    return time_ns() // 1_000_000
