"""Stacked bars by day, reckoned in whole units: a template draws them as SVG.

A chart is DAY_WIDTH units wide for each day and HEIGHT high; y grows downwards, as in SVG.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from osiris.money import ceil_div

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DAY_WIDTH, BAR_WIDTH = 20, 14
HEIGHT = 400
# The style sheet has so many colours, and one for the others.
LAYERS_MAX = 5
# Lines above the one of 0.
MARKS_MAX = 4


class Bar(NamedTuple):
    """One series' part of one day."""

    day_ms: int
    amount_nano: int
    x: int
    y: int
    height: int


class Layer(NamedTuple):
    """A series; `name` is None for all those that have no layer of their own."""

    name: str | None
    total_nano: int
    bars: list[Bar]


class Mark(NamedTuple):
    """A line of the scale."""

    amount_nano: int
    y: int


class Chart(NamedTuple):
    """Layers from the bottom up, the largest first; marks from the top down to 0."""

    width: int
    height: int
    bar_width: int
    layers: list[Layer]
    marks: list[Mark]


def stacked(amounts_nano: Mapping[tuple[str, int], int], days_ms: Sequence[int]) -> Chart | None:
    """The chart of what each series, by its name, came to on each day; None when it is nothing.

    Amounts are 0 or more, of these days alone. Series beyond the largest LAYERS_MAX are one layer.
    """
    by_day_nano: Counter[int] = Counter()
    for (_, day_ms), nano in amounts_nano.items():
        by_day_nano[day_ms] += nano
    most_nano = max(by_day_nano.values(), default=0)
    if most_nano == 0:
        return None
    step_nano = _step(most_nano)
    marks = ceil_div(most_nano, step_nano)
    top_nano = marks * step_nano
    return Chart(
        len(days_ms) * DAY_WIDTH,
        HEIGHT,
        BAR_WIDTH,
        _layers(amounts_nano, days_ms, top_nano),
        [Mark(mark * step_nano, HEIGHT - HEIGHT * mark // marks) for mark in range(marks, -1, -1)],
    )


def _layers(
    amounts_nano: Mapping[tuple[str, int], int],
    days_ms: Sequence[int],
    top_nano: int,
) -> list[Layer]:
    totals_nano: Counter[str] = Counter()
    for (name, _), nano in amounts_nano.items():
        totals_nano[name] += nano
    spent = [name for name in totals_nano if totals_nano[name]]
    ranked = sorted(spent, key=lambda name: (-totals_nano[name], name))
    groups: list[tuple[str | None, list[str]]] = [(name, [name]) for name in ranked[:LAYERS_MAX]]
    if ranked[LAYERS_MAX:]:
        groups.append((None, ranked[LAYERS_MAX:]))
    below_nano: Counter[int] = Counter()
    layers = []
    for group, members in groups:
        bars = []
        for number, day_ms in enumerate(days_ms):
            nano = sum(amounts_nano.get((member, day_ms), 0) for member in members)
            if nano:
                bars.append(_bar(number, day_ms, nano, below_nano[day_ms], top_nano))
                below_nano[day_ms] += nano
        layers.append(Layer(group, sum(totals_nano[member] for member in members), bars))
    return layers


def _bar(number: int, day_ms: int, nano: int, below_nano: int, top_nano: int) -> Bar:
    """Edges are rounded away from the line of 0, so that neighbours meet and the least is seen."""
    lower = ceil_div(below_nano * HEIGHT, top_nano)
    upper = ceil_div((below_nano + nano) * HEIGHT, top_nano)
    x = number * DAY_WIDTH + (DAY_WIDTH - BAR_WIDTH) // 2
    return Bar(day_ms, nano, x, HEIGHT - upper, upper - lower)


def _step(most_nano: int) -> int:
    """The least of 1, 2, 5, 10, 20 and so on of which MARKS_MAX reach the most."""
    power = 1
    while True:
        for factor in (1, 2, 5):
            if MARKS_MAX * factor * power >= most_nano:
                return factor * power
        power *= 10
