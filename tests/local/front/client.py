"""A client that sees every byte in order, and a gate at which a function waits for the test."""

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, NamedTuple, Self

TIMEOUT_S = 20


class Got(NamedTuple):
    """A whole answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def port_of(base_url: str) -> int:
    return int(base_url.rpartition(":")[2])


@contextmanager
def connection(base_url: str) -> Iterator[http.client.HTTPConnection]:
    """A kept-alive connection to the front."""
    conn = http.client.HTTPConnection("127.0.0.1", port_of(base_url), timeout=TIMEOUT_S)
    try:
        yield conn
    finally:
        conn.close()


def ask(
    base_url: str,
    method: str,
    target: str,
    body: object = None,
    headers: dict[str, str] | None = None,
) -> Got:
    """One request on a connection of its own; a body that is not bytes goes as JSON."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    with connection(base_url) as conn:
        conn.request(method, target, body=data, headers=headers or {})
        response = conn.getresponse()
        return Got(response.status, response.headers, response.read())


class Raw:
    """A socket to the front and what has come from it."""

    def __init__(self, base_url: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port_of(base_url)), timeout=TIMEOUT_S)
        self.received = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def post(self, target: str, order: object) -> None:
        """A POST of JSON."""
        body = json.dumps(order).encode()
        head = f"POST {target} HTTP/1.1\r\nHost: local\r\nContent-Length: {len(body)}\r\n\r\n"
        self.send(head.encode() + body)

    def read_until(self, mark: bytes) -> bytes:
        """Everything received, once `mark` is in it; fails when the front closes before."""
        start = 0
        while self.received.find(mark, start) < 0:
            start = max(0, len(self.received) - len(mark))
            piece = self.socket.recv(65536)
            assert piece, f"the connection ended after {self.received[-200:]!r}"
            self.received += piece
        return bytes(self.received)

    def read_to_end(self) -> bytes:
        """Everything received until the front closes."""
        while piece := self.socket.recv(65536):
            self.received += piece
        return bytes(self.received)


class Gate:
    """Where functions report to a test and wait for it."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._server.settimeout(TIMEOUT_S)
        self._visitors: list[socket.socket] = []

    @property
    def port(self) -> int:
        return int(self._server.getsockname()[1])

    def visitor(self) -> "Visitor":
        """The next function that comes."""
        sock, _ = self._server.accept()
        sock.settimeout(TIMEOUT_S)
        self._visitors.append(sock)
        return Visitor(sock)

    def close(self) -> None:
        for sock in [*self._visitors, self._server]:
            sock.close()


class Visitor:
    """One function at the gate."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._received = b""

    def let_go(self) -> None:
        """Open the gate once."""
        self._socket.sendall(b"g")

    def hear(self) -> str:
        """The next line that the function tells; empty when it has ended."""
        while b"\n" not in self._received:
            piece = self._socket.recv(1024)
            if not piece:
                return ""
            self._received += piece
        line, _, self._received = self._received.partition(b"\n")
        return line.decode()

    def hear_within(self, seconds: float) -> str:
        """The next line, or TimeoutError."""
        self._socket.settimeout(seconds)
        try:
            return self.hear()
        finally:
            self._socket.settimeout(TIMEOUT_S)
