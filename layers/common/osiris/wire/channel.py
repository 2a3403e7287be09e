"""One open socket and the bytes that have come in on it.

The socket never blocks: all waiting is a poll in `pull`. So a caller can always look at `held`, ask
for more with any patience it likes, and give up without harm to what has been read.
"""

import socket
import ssl
from select import POLLIN, poll
from time import time_ns

# A TLS record is at most this long, so one read empties it: nothing is left inside the TLS layer
# where a poll would not see it.
_PULL_BYTES = 16 * 1024

_NOT_YET = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Channel:
    """An open connection: what came in, whether it has ended, whether it is still of use."""

    __slots__ = ("_poll", "_sock", "closed", "ended", "failure", "held", "used_at_ms")

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._poll = poll()
        self._poll.register(sock, POLLIN)
        self.held = b""
        self.ended = False
        self.failure: OSError | None = None
        self.closed = False
        self.used_at_ms = 0

    def send(self, data: bytes, timeout_ms: int) -> None:
        """Send all of `data`; TimeoutError or another OSError when the peer does not take it."""
        try:
            sent = self._sock.send(data)
        except _NOT_YET:
            sent = 0
        if sent < len(data):
            self._sock.settimeout(timeout_ms / 1000)
            try:
                self._sock.sendall(memoryview(data)[sent:])
            finally:
                self._sock.setblocking(False)

    def pull(self, timeout_ms: int) -> bool:
        """Add what arrives to `held`; False when nothing did within the timeout.

        The end of the stream, good or bad, counts as arrived: see `ended` and `failure`. So does
        a part of a TLS record, which adds nothing yet.
        """
        if not self._poll.poll(timeout_ms):
            return False
        try:
            data = self._sock.recv(_PULL_BYTES)
        except _NOT_YET:
            return True
        except OSError as exc:
            self.failure = exc
            data = b""
        self.held += data
        self.ended = not data
        return True

    def rest(self) -> None:
        """Note that nothing is under way from now on."""
        self.used_at_ms = _now_ms()

    def is_fresh(self, idle_ms_max: int) -> bool:
        """Whether another request may go this way.

        Not after too long a rest, and not when the peer has closed or has sent what nobody asked
        for. The wall clock also counts the time that an execution environment was frozen.
        """
        if self.closed or not 0 <= _now_ms() - self.used_at_ms <= idle_ms_max:
            return False
        # A TLS session ticket arrives without adding anything.
        while not self.ended and not self.held:
            if not self.pull(0):
                return True
        return False

    def close(self) -> None:
        """Close the socket; closing twice is allowed."""
        self.closed = True
        self._sock.close()


def _now_ms() -> int:
    return time_ns() // 1_000_000
