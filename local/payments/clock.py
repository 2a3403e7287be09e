"""A clock that a test or a developer may move: real time, at some speed, shifted by some offset."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    """Shows real time until it is told otherwise. Times are epoch milliseconds, UTC."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._speed = 1.0
        self._anchor_ms = self._shown_ms = _real_ms()
        self._listeners: list[Callable[[], None]] = []

    def now_ms(self) -> int:
        """The simulator's present time."""
        with self._lock:
            return self._now_ms()

    def _now_ms(self) -> int:
        return self._shown_ms + int((_real_ms() - self._anchor_ms) * self._speed)

    def set(self, *, offset_s: float | None = None, speed: float | None = None) -> None:
        """Be `offset_s` ahead of real time from now on, and go `speed` times as fast (0 stops it).

        What is left out stays: a new speed alone makes no jump. Errors: ValueError for a negative
        speed.
        """
        if speed is not None and speed < 0:
            raise ValueError("a clock does not run backwards")
        with self._lock:
            shown_ms = self._now_ms()
            self._anchor_ms = _real_ms()
            self._shown_ms = (
                shown_ms if offset_s is None else self._anchor_ms + int(offset_s * 1000)
            )
            self._speed = self._speed if speed is None else speed
        self._tell()

    def advance(self, seconds: float) -> None:
        """Jump ahead."""
        with self._lock:
            self._shown_ms += int(seconds * 1000)
        self._tell()

    def real_s_until(self, at_ms: int) -> float | None:
        """Real seconds until the clock shows `at_ms`; None while it stands still before that."""
        with self._lock:
            left_ms = at_ms - self._now_ms()
            if left_ms <= 0:
                return 0.0
            return None if self._speed == 0 else left_ms / 1000 / self._speed

    def on_change(self, listener: Callable[[], None]) -> None:
        """Have `listener` called after each jump and each change of speed."""
        self._listeners.append(listener)

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()


def _real_ms() -> int:
    return time.time_ns() // 1_000_000
