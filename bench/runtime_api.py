"""Lambda's Runtime API for one process under measurement: one invocation after the other.

The process asks for its next invocation over a kept-alive connection and posts each answer over one
of its own. When it asks again it is done with all before, and waits: the moment to read its clock.
"""

import socket
import time
from typing import Self

_HEADERS = (
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    "Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n"
    "Lambda-Runtime-Deadline-Ms: {deadline_at_ms}\r\n"
    "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:123456789012:function:proxy\r\n"
    "Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0\r\n"
    "Content-Length: {length}\r\n\r\n"
)
_WAIT_S = 60
_READ_BYTES = 256 * 1024
_PAUSE_S = 0.001


class RuntimeApi:
    """Listens on a free port of loopback."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_WAIT_S)
        self._asking: socket.socket | None = None
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        if self._asking:
            self._asking.close()

    def wait_until_asked(self) -> None:
        """Return once the process asks for its next invocation."""
        while True:
            if self._asking is None:
                self._asking = self._accept()
            head = self._asking.recv(_READ_BYTES)
            if head.startswith(b"GET ") and b"/invocation/next " in head:
                return
            if head:
                raise RuntimeError(f"the function failed: {head[:2000]!r}")
            self._asking.close()
            self._asking = None

    def invoke(self, event: bytes) -> bytes:
        """Hand out an event; return the answer once it is wholly there."""
        assert self._asking
        deadline_at_ms = time.time_ns() // 1_000_000 + 900_000
        head = _HEADERS.format(deadline_at_ms=deadline_at_ms, length=len(event))
        self._asking.sendall(head.encode() + event)
        with self._accept() as sock:
            answer = read_to_end(sock)
            sock.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
        return answer

    def _accept(self) -> socket.socket:
        sock = self._listener.accept()[0]
        sock.settimeout(_WAIT_S)
        return sock


def read_to_end(sock: socket.socket) -> bytes:
    """What a message holds in chunks; the lines of its body must end in line feeds alone.

    Pauses between reads leave this CPU to the stand-in, so that a stream comes as fast as it is
    taken.
    """
    pieces = [sock.recv(_READ_BYTES)]
    while b"\r\n\r\n" not in pieces[0]:
        pieces[0] += sock.recv(_READ_BYTES)
    tail = pieces[0][pieces[0].find(b"\r\n\r\n") + 4 :]
    while not tail.endswith(b"\r\n\r\n"):
        time.sleep(_PAUSE_S)
        piece = sock.recv(_READ_BYTES)
        if not piece:
            raise RuntimeError(f"the answer was cut: {b''.join(pieces)[-500:]!r}")
        pieces.append(piece)
        tail = tail[-3:] + piece
    return _body(b"".join(pieces))


def _body(message: bytes) -> bytes:
    """What the message's chunks hold."""
    at = message.find(b"\r\n\r\n") + 4
    parts = []
    while size := int(message[at : (end := message.find(b"\r\n", at))], 16):
        parts.append(message[end + 2 : end + 2 + size])
        at = end + 2 + size + 2
    return b"".join(parts)
