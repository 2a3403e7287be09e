"""What is to happen later by the simulator's clock: expiries, confirmations, repeated webhooks."""

from __future__ import annotations

import heapq
import itertools
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.payments.clock import Clock

# Far below what a caller would notice, and only a safeguard: the real clock itself may be set.
_NAP_S_MAX = 1.0


class Agenda:
    """Runs each action once the clock shows its time, in order of time, one at a time.

    A thread does so from `start` to `close`. `run_due` does it at once in the caller's thread, so
    that whoever asks after a jump of the clock sees the world as it is then.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._numbers = itertools.count()
        self._entries: list[tuple[int, int, Callable[[], None]]] = []
        self._changed = threading.Condition()
        self._running = threading.RLock()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="agenda", daemon=True)
        clock.on_change(self._wake)

    def start(self) -> None:
        """Begin to watch the clock."""
        self._thread.start()

    def close(self) -> None:
        """Forget what is left and end the thread."""
        with self._changed:
            self._is_closed = True
            self._entries.clear()
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(5)

    def at(self, due_ms: int, action: Callable[[], None]) -> None:
        """Have `action` run once the clock shows `due_ms`; it must not wait for anything."""
        with self._changed:
            if not self._is_closed:
                heapq.heappush(self._entries, (due_ms, next(self._numbers), action))
                self._changed.notify_all()

    def run_due(self) -> None:
        """Run what is due by now."""
        with self._running:
            while (action := self._next()) is not None:
                action()

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            if self._entries and self._entries[0][0] <= self._clock.now_ms():
                return heapq.heappop(self._entries)[2]
            return None

    def _run(self) -> None:
        while True:
            self.run_due()
            with self._changed:
                if self._is_closed:
                    return
                self._changed.wait(self._nap_s())

    def _nap_s(self) -> float | None:
        if not self._entries:
            return None
        left_s = self._clock.real_s_until(self._entries[0][0])
        return None if left_s is None else min(left_s, _NAP_S_MAX)

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
