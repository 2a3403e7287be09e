"""A proxy before DynamoDB that does harm at a chosen write: the test's, nothing of the product's.

Writes are counted from `arm` on. At the chosen one it kills the function's process, or drops the
reply, before or after the write is passed on.
"""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"})
_HOP_HEADERS = frozenset({"connection", "content-length", "transfer-encoding", "date", "server"})


class Harm(NamedTuple):
    """At the `at`-th write (from 1): `do` it, and whether the write is passed on before."""

    at: int
    passed_on: bool
    do: Callable[[], None]
    times: int = 1


class DynamoDBProxy:
    """Listens on loopback; `url` is what a function takes for DynamoDB's endpoint."""

    def __init__(self) -> None:
        self.target = ""
        self.writes: list[str] = []
        self._harm: Harm | None = None
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def arm(self, harm: Harm | None = None) -> None:
        """Count anew, and do this harm when its write comes."""
        with self._lock:
            self.writes = []
            self._harm = harm

    def _due(self, operation: str) -> Harm | None:
        with self._lock:
            if operation not in WRITES:
                return None
            self.writes.append(operation)
            harm = self._harm
            if harm is None or not harm.at <= len(self.writes) < harm.at + harm.times:
                return None
            return harm

    def _pass_on(
        self, headers: dict[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        address = urlsplit(self.target)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=20)
        try:
            connection.request("POST", "/", body, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                harm = proxy._due(self.headers.get("x-amz-target", "").rpartition(".")[2])
                if harm is not None and not harm.passed_on:
                    harm.do()
                    self.close_connection = True
                    return
                status, headers, answer = proxy._pass_on(dict(self.headers), body)
                if harm is not None:
                    harm.do()
                    self.close_connection = True
                    return
                self.send_response_only(status)
                for name, value in headers:
                    if name.lower() not in _HOP_HEADERS:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        return Handler
