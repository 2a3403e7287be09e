"""Talking to the simulators as a stranger would, and a receiver of their webhooks."""

from __future__ import annotations

import base64
import http.client
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

WAIT_S = 10  # a test that waits this long has failed; nothing is measured with it


@dataclass(frozen=True)
class Answer:
    """An answer's status, raw body and headers."""

    status: int
    raw: bytes
    headers: dict[str, str]

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


def call(
    url: str, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> Answer:
    """One request; a body that is not text or bytes goes as JSON."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=WAIT_S)
    raw = body if isinstance(body, bytes | str) or body is None else json.dumps(body)
    try:
        connection.request(method, path, raw, headers or {})
        answer = connection.getresponse()
        return Answer(answer.status, answer.read(), dict(answer.getheaders()))
    finally:
        connection.close()


def basic(key: str) -> dict[str, str]:
    """Midtrans' Authorization header."""
    return {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}


def until(holds: Callable[[], bool]) -> None:
    """Wait for what other threads bring about."""
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.005)


@dataclass
class Receiver:
    """Takes webhooks; answers with `status` and `headers`, at `/next` always with 200."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    is_slow: threading.Event = field(default_factory=threading.Event)
    most_at_once: int = 0
    _at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Self:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: Any) -> None:
                pass

            def do_POST(self) -> None:
                receiver._take(self)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"
        return self

    def __exit__(self, *_: object) -> None:
        self.is_slow.clear()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _take(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            self.got.append((handler.path, dict(handler.headers.items()), body))
        for _ in range(300):
            if not self.is_slow.is_set():
                break
            time.sleep(0.01)
        with self._lock:
            self._at_once -= 1
        is_final = handler.path.startswith("/next")
        handler.send_response(200 if is_final else self.status)
        for name, value in () if is_final else self.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    @property
    def bodies(self) -> list[Any]:
        """The bodies so far."""
        return [json.loads(body) for _, _, body in self.got]
