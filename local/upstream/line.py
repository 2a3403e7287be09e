"""One client's connection: bytes leave at once, and waiting notices a client that leaves."""

from __future__ import annotations

import select
import socket
import ssl
import time


class ClientLeft(Exception):
    """The client closed the connection before the answer was whole."""


class Line:
    """Writes an answer's body, chunked or plain, and keeps silence in between."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)

    def send(self, data: bytes) -> None:
        """Raises ClientLeft."""
        try:
            self._socket.sendall(data)
        except OSError as exc:
            raise ClientLeft from exc

    def send_chunk(self, data: bytes) -> None:
        """One chunk of a body with `Transfer-Encoding: chunked`, in one write."""
        self.send(b"%x\r\n%b\r\n" % (len(data), data))

    def wait(self, wait_ms: int | None) -> None:
        """Keep silence, for ever if `wait_ms` is None. Raises ClientLeft."""
        deadline_ns = None if wait_ms is None else time.monotonic_ns() + wait_ms * 1_000_000
        while True:
            left_ms = None
            if deadline_ns is not None:
                left_ms = -((time.monotonic_ns() - deadline_ns) // 1_000_000)
                if left_ms <= 0:
                    return
            if self._poll.poll(left_ms):
                self._look()

    def _look(self) -> None:
        """Readable: the client left, or (plain sockets only) sent its next request early."""
        if isinstance(self._socket, ssl.SSLSocket):
            raise ClientLeft
        try:
            is_gone = not self._socket.recv(1, socket.MSG_PEEK)
        except OSError as exc:
            raise ClientLeft from exc
        if is_gone:
            raise ClientLeft
        time.sleep(0.01)  # its next request stays unread, so the poll would return at once

    def cut(self) -> None:
        """End the connection without the answer's proper end."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # the client was faster
