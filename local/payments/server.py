"""The HTTP server under each simulator: loopback, a thread for each connection."""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

_BODY_BYTES_MAX = 1024 * 1024  # far above any request of these protocols
_IDLE_S_MAX = 60  # a kept connection that says nothing is given up


@dataclass(frozen=True)
class Request:
    """One request; header names are lower-case, `path` is without the query and decoded."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON. Errors: ValueError."""
        return json.loads(self.body)

    def form(self) -> dict[str, str]:
        """The body as the fields of an HTML form."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace")))


@dataclass(frozen=True)
class Reply:
    """One answer; a dropped one is never sent: the connection closes instead."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    is_dropped: bool = False

    @staticmethod
    def json(status: int, body: Any) -> Reply:
        """An answer in JSON."""
        return Reply(status, json.dumps(body, ensure_ascii=False).encode())


DROPPED = Reply(0, b"", is_dropped=True)


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Serves `answer` from `start` to `close`; port 0 takes a free one, bound at once."""

    allow_reuse_address = True
    request_queue_size = 256  # clients that connect together must not wait for a resent SYN
    daemon_threads = True  # an interrupted program does not wait for a slow answer

    def __init__(self, host: str, port: int, answer: Callable[[Request], Reply]) -> None:
        self.answer = answer
        self._open: dict[threading.Thread, socket.socket] = {}
        self._lock = threading.Lock()
        super().__init__((host, port), _Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="server")

    @property
    def port(self) -> int:
        """The port that is served."""
        return int(self.server_address[1])

    def start(self) -> None:
        """Serve on a thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop, cut what is under way, and wait for the connections' threads."""
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join()
        self.server_close()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Keep hold of the connection, so that `close` can cut it."""
        thread = threading.current_thread()
        with self._lock:
            self._open[thread] = request
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                del self._open[thread]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tell of our own mistakes only: a client that left is no news."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def server_close(self) -> None:
        """Cut every open connection."""
        super().server_close()
        with self._lock:
            threads = dict(self._open)
        for connection in threads.values():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(5)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "simulator"
    sys_version = ""
    disable_nagle_algorithm = True
    timeout = _IDLE_S_MAX

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: what matters is recorded by the simulators."""

    def do_GET(self) -> None:
        """Any GET."""
        self._serve()

    def do_POST(self) -> None:
        """Any POST."""
        self._serve()

    def _serve(self) -> None:
        length = self.headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > _BODY_BYTES_MAX:
            self.close_connection = True
            self._send(Reply.json(413, {"error": "Content-Length is missing or too large"}))
            return
        address = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=unquote(address.path),
            query=dict(parse_qsl(address.query)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(length)),
        )
        reply = self.server.answer(request)
        if reply.is_dropped:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._send(reply)

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)
