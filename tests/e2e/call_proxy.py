"""Proxies before every service that a function calls: they count its calls, and do harm at one.

The calls of one function, to DynamoDB and to its payment providers, are one sequence (`Calls`), so
that a dry run of it names each place at which the function can die.
"""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

_HOP_HEADERS = frozenset({"connection", "content-length", "transfer-encoding", "date", "server"})
_TIMEOUT_S = 30
_POLL_S = 0.02  # how soon an end is noticed


class Harm(NamedTuple):
    """At the `at`-th call (from 1): `do` it, before or after the call is passed on.

    Its reply is lost, unless it `answers` (a delay is such a harm).
    """

    at: int
    passed_on: bool
    do: Callable[[], object]
    answers: bool = False


class Calls:
    """The calls of one function since `arm`, by what they are ("dynamodb GetItem")."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self._harm: Harm | None = None
        self._lock = threading.Lock()

    def arm(self, harm: Harm | None = None) -> None:
        """Count anew, and do this harm when its call comes."""
        with self._lock:
            self.made = []
            self._harm = harm

    def due(self, call: str) -> Harm | None:
        """Count the call; the harm that befalls it, which is then used up."""
        with self._lock:
            self.made.append(call)
            harm = self._harm
            if harm is None or len(self.made) != harm.at:
                return None
            self._harm = None
            return harm


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Silent: whoever was connected has died, as it was meant to."""


class CallProxy:
    """Listens on loopback before one service, whose base URL is `target`."""

    def __init__(self, name: str, calls: Calls, target: str = "") -> None:
        self.target = target
        self._name = name
        self._calls = calls
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(_POLL_S,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _call(self, method: str, path: str, operation: str) -> str:
        """A name for the call, without the ids in its path."""
        if operation:
            return f"{self._name} {operation.rpartition('.')[2]}"
        segments = urlsplit(path).path.split("/")
        shown = ["…" if "ord_" in one or one.isdecimal() else one for one in segments]
        return f"{self._name} {method} {'/'.join(shown)}"

    def _pass_on(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        address = urlsplit(self.target)
        connection = http.client.HTTPConnection(
            address.hostname or "", address.port, timeout=_TIMEOUT_S
        )
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                self._serve()

            def do_POST(self) -> None:
                self._serve()

            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                operation = self.headers.get("x-amz-target", "")
                harm = proxy._calls.due(proxy._call(self.command, self.path, operation))
                if harm is not None and not harm.passed_on:
                    harm.do()
                    if not harm.answers:
                        self.close_connection = True
                        return
                headers = {
                    name: value
                    for name, value in self.headers.items()
                    if name.lower() not in ("connection", "host")
                }
                try:
                    answer = proxy._pass_on(self.command, self.path, headers, body)
                except (OSError, http.client.HTTPException):
                    # The service dropped it, and so do we.
                    self.close_connection = True
                    return
                if harm is not None and harm.passed_on:
                    harm.do()
                    if not harm.answers:
                        self.close_connection = True
                        return
                self._reply(*answer)

            def _reply(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
                self.send_response_only(status)
                for name, value in headers:
                    if name.lower() not in _HOP_HEADERS:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler
