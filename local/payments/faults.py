"""Faults that a test orders: each strikes the next requests that it names, then is used up."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.payments.server import Request

KINDS = {
    "slow": "answers after `seconds` of real time; the work is done then",
    "slow_after": "does the work at once and answers after `seconds` of real time",
    "drop_before": "closes the connection and does nothing",
    "drop_after": "does the work, then closes the connection without an answer",
    "body_4xx": "HTTP 200 whose body tells of a client's error; nothing is done",
    "429": "too many requests; nothing is done",
    "500": "an error of the provider's own; nothing is done",
    "503": "the provider is away; nothing is done",
    "garbage": "HTTP 200 with a page instead of JSON; nothing is done",
}


@dataclass
class Fault:
    """One kind of fault for the next `times` requests whose path starts with `path`."""

    kind: str
    path: str = "/"
    method: str = ""
    times: int = 1
    seconds: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; known are {', '.join(KINDS)}")

    def strikes(self, request: Request) -> bool:
        """Whether it is meant for this request."""
        return request.path.startswith(self.path) and self.method in ("", request.method)


class Faults:
    """The ordered faults, oldest first. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []

    def add(
        self,
        kind: str,
        path: str = "/",
        *,
        method: str = "",
        times: int = 1,
        seconds: float = 1.0,
    ) -> None:
        """Order a fault. Errors: ValueError for an unknown kind."""
        with self._lock:
            self._waiting.append(Fault(kind, path, method, times, seconds))

    def clear(self) -> None:
        """Forget what has not struck yet."""
        with self._lock:
            self._waiting.clear()

    def take(self, request: Request) -> Fault | None:
        """The fault that strikes this request, if any; it counts as used."""
        with self._lock:
            for fault in self._waiting:
                if fault.strikes(request):
                    fault.times -= 1
                    if fault.times <= 0:
                        self._waiting.remove(fault)
                    return fault
            return None
