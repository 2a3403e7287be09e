"""Charts: whole units, a round scale, and nothing that gets lost between the bars."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris.money import NANO_PER_DOLLAR, ceil_div, dollars_from_nano
from osiris.times import DAY_MS
from osiris.web.charts import DAY_WIDTH, HEIGHT, LAYERS_MAX, MARKS_MAX, stacked

DAYS_MS = [number * DAY_MS for number in range(7)]


@pytest.mark.parametrize(
    ("most", "marks"),
    [
        ("0.001", ["0.001", "0.0005", "0"]),
        ("1", ["1", "0.5", "0"]),
        ("1.01", ["1.5", "1", "0.5", "0"]),
        ("2", ["2", "1.5", "1", "0.5", "0"]),
        ("2.000000001", ["3", "2", "1", "0"]),
        ("13.7", ["15", "10", "5", "0"]),
        ("999", ["1000", "500", "0"]),
    ],
)
def test_the_scale_has_round_marks(most: str, marks: list[str]) -> None:
    """Steps of 1, 2 or 5 times a power of ten, and no more than the largest day needs."""
    whole, _, decimals = most.partition(".")
    nano = int(whole) * NANO_PER_DOLLAR + int(decimals.ljust(9, "0"))
    chart = stacked({("m", DAYS_MS[0]): nano}, DAYS_MS)
    assert chart is not None
    assert [dollars_from_nano(mark.amount_nano) for mark in chart.marks] == marks
    assert (chart.marks[0].y, chart.marks[-1].y) == (0, HEIGHT)


@given(most_nano=st.integers(3, 10**18))
def test_there_are_few_marks(most_nano: int) -> None:
    """Two to four lines above 0, of which the highest is the first that is high enough."""
    chart = stacked({("m", DAYS_MS[0]): most_nano}, DAYS_MS)
    assert chart is not None
    assert 2 <= len(chart.marks) - 1 <= MARKS_MAX
    assert chart.marks[1].amount_nano < most_nano <= chart.marks[0].amount_nano


@pytest.mark.parametrize("amounts", [{}, {("m", 0): 0}])
def test_nothing_makes_no_chart(amounts: dict[tuple[str, int], int]) -> None:
    """Neither no requests nor requests that cost nothing."""
    assert stacked(amounts, DAYS_MS) is None


def test_the_largest_have_layers_of_their_own() -> None:
    """The largest lies at the bottom; those beyond the colours are one layer, and none is lost."""
    amounts = {(f"m{number}", DAYS_MS[number % 7]): 10 + number for number in range(8)}
    chart = stacked(amounts, DAYS_MS)
    assert chart is not None
    assert [layer.name for layer in chart.layers] == ["m7", "m6", "m5", "m4", "m3", None]
    assert chart.layers[-1].total_nano == 10 + 11 + 12
    assert sum(layer.total_nano for layer in chart.layers) == sum(amounts.values())


def test_the_least_is_seen() -> None:
    """A nano-dollar beside a thousand dollars has a unit of height, if it is below."""
    amounts = {("dear", DAYS_MS[0]): 1000 * NANO_PER_DOLLAR, ("cheap", DAYS_MS[1]): 1}
    chart = stacked(amounts, DAYS_MS)
    assert chart is not None
    (cheap,) = chart.layers[1].bars
    assert (cheap.height, cheap.y) == (1, HEIGHT - 1)


@given(
    st.dictionaries(
        st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(DAYS_MS)),
        st.integers(0, 10**15),
        max_size=40,
    )
)
def test_bars_stand_on_each_other(amounts: dict[tuple[str, int], int]) -> None:
    """Each day is a stack without gaps from 0 to its sum's height, within the day's own room."""
    chart = stacked(amounts, DAYS_MS)
    if chart is None:
        assert sum(amounts.values()) == 0
        return
    assert len(chart.layers) <= LAYERS_MAX + 1
    top_nano = chart.marks[0].amount_nano
    reached: Counter[int] = Counter()
    shown: Counter[int] = Counter()
    for layer in chart.layers:
        assert layer.total_nano == sum(bar.amount_nano for bar in layer.bars)
        for bar in layer.bars:
            assert bar.y + bar.height == HEIGHT - reached[bar.day_ms]
            reached[bar.day_ms] += bar.height
            shown[bar.day_ms] += bar.amount_nano
            assert bar.x // DAY_WIDTH == (bar.x + chart.bar_width) // DAY_WIDTH
            assert bar.x // DAY_WIDTH == DAYS_MS.index(bar.day_ms)
    by_day = Counter[int]()
    for (_, day_ms), nano in amounts.items():
        by_day[day_ms] += nano
    assert shown == by_day
    for day_ms, nano in by_day.items():
        assert reached[day_ms] == ceil_div(nano * HEIGHT, top_nano) <= HEIGHT
