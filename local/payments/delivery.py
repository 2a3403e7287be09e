"""Webhooks on their way: attempts, repeats by the provider's table, and giving up for ever.

Every attempt is real HTTP to a loopback address on a daemon thread of its own line: what is sent
for one payment in the normal way keeps its order, as long as the receiver answers. Repeats come by
the simulator's clock and know no order, as in life.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from local.payments.agenda import Agenda
    from local.payments.clock import Clock

DUPLICATES = 5  # enough that some of them meet inside the receiver
_ATTEMPTS_KEPT = 100_000  # more than any run of tests makes
_ANSWER_BYTES_MAX = 64 * 1024  # of an answer that nobody looks at


@dataclass(frozen=True)
class Rules:
    """One provider's way of delivering.

    `delay_s(repeats, status)` is the pause after an attempt that got `status` (None: no answer)
    when `repeats` repeats were made already; None gives up. Timeouts are in real seconds.
    """

    timeout_s: float
    delay_s: Callable[[int, int | None], float | None]
    followed: frozenset[int] = frozenset()
    hops_max: int = 0


@dataclass(frozen=True)
class Notice:
    """One event to tell: `line` is what keeps its order, a payment and its children."""

    line: str
    payment_id: str
    event: str
    body: bytes
    urls: tuple[str, ...]
    headers: dict[str, str] = field(default_factory=dict)
    is_repeated: bool = True


@dataclass(frozen=True)
class Attempt:
    """One try to deliver: `number` counts from 1; no `status` means no answer, `error` why."""

    payment_id: str
    event: str
    url: str
    body: bytes
    headers: dict[str, str]
    number: int
    status: int | None
    error: str
    at_ms: int


class Courier:
    """Sends notices and logs each attempt. `rules` may be replaced at any time."""

    def __init__(self, clock: Clock, agenda: Agenda, rules: Rules) -> None:
        self.rules = rules
        self.attempts: deque[Attempt] = deque(maxlen=_ATTEMPTS_KEPT)
        self._clock = clock
        self._agenda = agenda
        self._lock = threading.Lock()
        self._tails: dict[str, threading.Thread] = {}
        self._threads: set[threading.Thread] = set()
        self._open: set[http.client.HTTPConnection] = set()
        self._is_closed = False

    def send(self, notices: Sequence[Notice], *, copies: int = 1) -> None:
        """Tell of these events, one after the other, each `copies` times at once; returns early."""
        if not notices:
            return
        line = notices[0].line
        with self._lock:
            before = self._tails.get(line)
            thread = self._thread(lambda: self._walk(notices, copies, before))
            self._tails[line] = thread
            thread.start()  # before anybody can wait for it

    def wait(self, timeout_s: float = 10.0) -> bool:
        """Wait until nothing is under way (repeats to come do not count); whether that came."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            with self._lock:
                threads = list(self._threads)
            if not threads:
                return True
            for thread in threads:
                thread.join(max(0.0, deadline - time.monotonic()))
        return False

    def close(self) -> None:
        """Cut what is under way."""
        with self._lock:
            self._is_closed = True
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError, AttributeError):
                connection.sock.shutdown(socket.SHUT_RDWR)
        self.wait(5)

    def _thread(self, work: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            try:
                work()
            finally:
                with self._lock:
                    self._threads.discard(threading.current_thread())

        thread = threading.Thread(target=run, name="webhook", daemon=True)
        self._threads.add(thread)
        return thread

    def _start(self, works: Iterable[Callable[[], None]]) -> list[threading.Thread]:
        with self._lock:
            threads = [self._thread(work) for work in works]
            for thread in threads:
                thread.start()
        return threads

    def _walk(
        self, notices: Sequence[Notice], copies: int, before: threading.Thread | None
    ) -> None:
        if before is not None:
            before.join()
        for notice in notices:
            works = [
                lambda url=url, notice=notice: self._try(notice, url, 1)
                for url in notice.urls
                for _ in range(copies)
            ]
            for thread in self._start(works):
                thread.join()

    def _try(self, notice: Notice, url: str, number: int) -> None:
        if self._is_closed:
            return
        at_ms = self._clock.now_ms()
        status, error = self._post(notice, url)
        attempt = Attempt(
            *(notice.payment_id, notice.event, url, notice.body, notice.headers),
            *(number, status, error, at_ms),
        )
        with self._lock:
            self.attempts.append(attempt)
        if not notice.is_repeated or (status is not None and 200 <= status < 300):
            return
        delay_s = self.rules.delay_s(number - 1, status)
        if delay_s is not None:
            self._agenda.at(
                self._clock.now_ms() + int(delay_s * 1000),
                lambda: self._again(notice, url, number + 1),
            )

    def _again(self, notice: Notice, url: str, number: int) -> None:
        self._start([lambda: self._try(notice, url, number)])

    def _post(self, notice: Notice, url: str) -> tuple[int | None, str]:
        """Status of the last answer, or None and why there is none."""
        try:
            for _ in range(self.rules.hops_max + 1):
                status, location = self._hop(notice, url)
                if status not in self.rules.followed or not location:
                    return status, ""
                url = urljoin(url, location)
        except (OSError, http.client.HTTPException, ValueError) as exc:
            return None, f"{type(exc).__name__}: {exc}"
        return status, "too many redirects"

    def _hop(self, notice: Notice, url: str) -> tuple[int, str]:
        address = urlsplit(url)
        if address.scheme != "http" or not is_loopback(address.hostname or ""):
            raise ValueError("the simulator sends webhooks to http on loopback only")
        connection = http.client.HTTPConnection(
            address.hostname or "", address.port or 80, timeout=self.rules.timeout_s
        )
        with self._lock:
            self._open.add(connection)
        try:
            target = (address.path or "/") + (f"?{address.query}" if address.query else "")
            headers = {"Content-Type": "application/json", **notice.headers}
            connection.request("POST", target, notice.body, headers)
            answer = connection.getresponse()
            answer.read(_ANSWER_BYTES_MAX)
            return answer.status, answer.headers.get("Location", "")
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()


def is_loopback(host: str) -> bool:
    """Whether a host name can only mean this machine."""
    return host in ("localhost", "::1") or host.startswith("127.")
