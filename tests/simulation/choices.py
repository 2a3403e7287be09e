"""Where every choice of a simulated history comes from: a seed, or a path through all of them.

A history is a function of its choices alone, so the same seed, or the same path, is the same
history again.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class Choices(Protocol):
    """Picks one of weighted options; those of weight 0 are no options."""

    def pick[T](self, options: Sequence[tuple[float, T]]) -> T: ...


class Seeded:
    """Choices by chance, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def pick[T](self, options: Sequence[tuple[float, T]]) -> T:
        if len(options) == 1:
            return options[0][1]
        total = sum([weight for weight, _ in options])
        point = self.random.random() * total
        for weight, option in options:
            point -= weight
            if point < 0:
                return option
        return options[-1][1]


class Path:
    """Choices by number, the first option where the path has ended."""

    def __init__(self, steps: Sequence[int] = ()) -> None:
        self._steps = list(steps)
        self.taken: list[tuple[int, int]] = []

    def pick[T](self, options: Sequence[tuple[float, T]]) -> T:
        possible = [option for weight, option in options if weight > 0]
        if len(possible) == 1:
            return possible[0]
        depth = len(self.taken)
        number = self._steps[depth] if depth < len(self._steps) else 0
        self.taken.append((number, len(possible)))
        return possible[number]

    def next(self) -> Path | None:
        """The next path in order, or None after the last."""
        for depth in reversed(range(len(self.taken))):
            number, options = self.taken[depth]
            if number + 1 < options:
                return Path([*[step for step, _ in self.taken[:depth]], number + 1])
        return None
