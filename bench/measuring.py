"""Rounds of several subjects, interleaved, so that what disturbs the machine meets them all."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import NamedTuple

# One round's figure: what a unit of work has cost, in microseconds of CPU.
type Round = Callable[[], float]


class Spread(NamedTuple):
    """The figures of one subject over all rounds."""

    median: float
    least: float
    most: float


def interleaved(rounds: Mapping[str, Round], *, times: int) -> dict[str, Spread]:
    """Run each subject's round in turn, `times` over; every other time in reverse order."""
    found: dict[str, list[float]] = {name: [] for name in rounds}
    for number in range(times):
        names = list(rounds)
        for name in names if number % 2 == 0 else reversed(names):
            found[name].append(rounds[name]())
    return {name: Spread(median(all_), min(all_), max(all_)) for name, all_ in found.items()}


def table(title: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print a Markdown table under a title."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    print(f"\n{title}\n")
    for row in (head, tuple("-" * width for width in widths), *rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print(f"| {' | '.join(cells)} |")


def aim(text: str, *, met: bool) -> bool:
    """Print whether an aim was met, and return it."""
    print(f"\n{'met' if met else 'MISSED'}: {text}")
    return met
