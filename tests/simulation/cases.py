"""A small case, whole: every order of its calls, with a fault at any one of them.

Functions run on to their next call of the store, so that each step is one call, or one fault.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tests.simulation.choices import Path
from tests.simulation.histories import History, Setting
from tests.simulation.upstreams import Script
from tests.simulation.world import FAULTS, Weather

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.simulation.choices import Choices

CRASHES = ("crash_before", "crash_after")
REPLIES = ("lost", "late", "down")
ANSWER = Script(end="done", stream=True, chunks=1, tokens=3, reports=True, held_tokens=5)


class Case(NamedTuple):
    """What happens in it, in any order, with so many of these faults and jumps of the clock."""

    plan: Callable[[History], None]
    setting: Setting
    faults: tuple[str, ...] = FAULTS
    faults_max: int = 1
    jumps: tuple[int, ...] = ()

    def history(self, choices: Choices) -> History:
        """One of its histories, before it runs."""
        weather = Weather(
            faults=dict.fromkeys(self.faults, 0.1),
            faults_max=self.faults_max,
            jumps=dict.fromkeys(self.jumps, 1.0),
            jumps_max=len(self.jumps),
        )
        history = History(choices, self.setting, weather)
        self.plan(history)
        return history

    def histories(self, most: int) -> Iterator[History]:
        """All its histories, as many as `most`."""
        path: Path | None = Path()
        for _ in range(most):
            if path is None:
                return
            yield self.history(path)
            path = path.next()
