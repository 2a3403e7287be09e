"""The simulator's HTTP server: a thread for each connection, and the routes."""

from __future__ import annotations

import contextlib
import itertools
import socket
import socketserver
import sys
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from local.upstream import models_wire, refusals
from local.upstream.exchange import NATIVE_PATH, Exchange
from local.upstream.refusals import Refusal
from local.upstream.steering import steering_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from types import TracebackType

    from local.upstream.recording import RecordedRequest

_CHAT = "/v1/chat/completions"
_MODELS = "/v1/models"


class UpstreamSimulator:
    """Serves from `with` (or `start`) until its end (or `close`); port 0 takes a free one.

    `requests` holds the latest `requests_kept` requests in order of arrival. With `tls` the server
    speaks HTTPS. DeepSeek's keep-alives come every `keep_alive_ms` of waiting.
    """

    def __init__(
        self,
        port: int = 0,
        host: str = "127.0.0.1",
        *,
        tls: ssl.SSLContext | None = None,
        keep_alive_ms: int = 1_000,
        requests_kept: int = 10_000,
    ) -> None:
        self.requests: deque[RecordedRequest] = deque(maxlen=requests_kept)
        self.numbers = itertools.count(1)
        self.keep_alive_ms = keep_alive_ms
        self._server = _Server((host, port), self, tls)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        scheme = "http" if tls is None else "https"
        self.origin = f"{scheme}://{host}:{self.port}"
        self.base_url = f"{self.origin}/v1"

    @property
    def port(self) -> int:
        """The port that is served, known before the start."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Serve on a thread; the port is taken already, so no client comes too early."""
        self._thread.start()

    def close(self) -> None:
        """Stop, cut what is under way, and wait for its threads."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> UpstreamSimulator:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    request_queue_size = 256  # clients that connect together must not wait for a resent SYN
    daemon_threads = True  # an interrupted program does not wait for a stalled answer

    def __init__(
        self, address: tuple[str, int], simulator: UpstreamSimulator, tls: ssl.SSLContext | None
    ) -> None:
        self.simulator = simulator
        self._tls = tls
        self._open: dict[threading.Thread, socket.socket] = {}
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        thread = threading.current_thread()
        with self._lock:
            self._open[thread] = request
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                del self._open[thread]

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self._tls is None:
            super().finish_request(request, client_address)
            return
        # The handshake belongs to the connection's own thread: a slow one delays nobody else.
        with (
            contextlib.suppress(OSError),
            self._tls.wrap_socket(request, server_side=True) as wrapped,
        ):
            with self._lock:
                self._open[threading.current_thread()] = wrapped
            super().finish_request(wrapped, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # a client that left is no news
            super().handle_error(request, client_address)

    def server_close(self) -> None:
        super().server_close()
        with self._lock:
            threads = dict(self._open)
        for connection in threads.values():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(5)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "osiris-upstream-simulator"
    sys_version = ""
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: requests are recorded instead."""

    def _serve(self, route: Callable[[Exchange], None]) -> None:
        simulator = self.server.simulator
        exchange = Exchange(
            self, number=next(simulator.numbers), keep_alive_ms=simulator.keep_alive_ms
        )
        exchange.serve(route, simulator.requests.append)

    def do_GET(self) -> None:
        """The list of models, or one of them."""
        self._serve(self._models)

    def do_POST(self) -> None:
        """A chat completion in OpenAI's format, or a message in Anthropic's."""
        self._serve(self._generate)

    def _models(self, exchange: Exchange) -> None:
        path = exchange.path
        if path != _MODELS and not path.startswith(_MODELS + "/"):
            exchange.refuse(Refusal(404, f"Unknown request URL: GET {path}"))
            return
        id = path[len(_MODELS) + 1 :]
        found = models_wire.model(id, is_native=exchange.is_native) if id else None
        if id and found is None:
            exchange.refuse(Refusal(404, f"The model '{id}' does not exist"))
            return
        exchange.record.end("complete")
        exchange.send_json(200, found or models_wire.listing(is_native=exchange.is_native))

    def _generate(self, exchange: Exchange) -> None:
        if exchange.path not in (_CHAT, NATIVE_PATH):
            exchange.refuse(Refusal(404, f"Unknown request URL: POST {exchange.path}"))
            return
        body = exchange.record.body
        refusal = refusals.complaint(body, exchange.headers, is_native=exchange.is_native)
        if refusal is not None:
            exchange.refuse(refusal)
            return
        try:
            steering = steering_of(body["messages"])
        except ValueError as exc:
            exchange.refuse(Refusal(400, str(exc)))
            return
        exchange.answer(steering)
