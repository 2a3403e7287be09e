"""The rate limit's slots against the plain definition: fewer than `limit` in the last 60 s."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris.window import (
    WINDOW_MS,
    free_slots,
    frees_at_ms,
    remaining,
    resized,
    retry_after_s,
)

START_MS = 1_000_000
# Gaps around the edges where slots free, and anything between.
GAPS = st.one_of(
    st.sampled_from([0, 1, 999, 1000, WINDOW_MS - 1, WINDOW_MS, WINDOW_MS + 1]),
    st.integers(0, 2 * WINDOW_MS),
)


class Ask(NamedTuple):
    """One request: how long after the last, and which of the free slots it takes."""

    gap_ms: int
    pick: int


ASKS = st.lists(st.builds(Ask, GAPS, st.integers(0, 99)), max_size=60)


def recent(admitted: list[int], now_ms: int) -> list[int]:
    """The admissions of the last 60 s, by the definition."""
    return [at_ms for at_ms in admitted if at_ms > now_ms - WINDOW_MS]


@given(st.integers(1, 8), ASKS)
def test_admits_by_the_definition(limit: int, asks: list[Ask]) -> None:
    """A request finds a slot exactly when fewer than `limit` were admitted in the last 60 s."""
    admitted: list[int] = []
    window, now_ms = [0] * limit, START_MS
    for ask in asks:
        now_ms += ask.gap_ms
        used = recent(admitted, now_ms)
        free = free_slots(window, now_ms)
        assert len(free) == remaining(window, now_ms) == limit - len(used)
        if free:
            window[free[ask.pick % len(free)]] = now_ms
            admitted.append(now_ms)


@given(st.integers(1, 8), ASKS)
def test_tells_when_to_come_again(limit: int, asks: list[Ask]) -> None:
    """A refused request that waits for Retry-After is admitted, a millisecond sooner it is not."""
    window, now_ms = [0] * limit, START_MS
    for ask in asks:
        now_ms += ask.gap_ms
        free = free_slots(window, now_ms)
        if free:
            window[free[ask.pick % len(free)]] = now_ms
            continue
        frees_ms, wait_s = frees_at_ms(window, now_ms), retry_after_s(window, now_ms)
        assert 1 <= wait_s <= 60
        assert now_ms < frees_ms <= now_ms + wait_s * 1000
        assert free_slots(window, frees_ms)
        assert not free_slots(window, frees_ms - 1)


@given(st.integers(1, 8), st.integers(1, 8), ASKS, ASKS)
def test_a_new_limit_holds_from_its_change_on(
    limit: int, new_limit: int, before: list[Ask], after: list[Ask]
) -> None:
    """From the change on no 60 s hold more admissions than the new limit, or the old while less."""
    admitted: list[int] = []
    window, now_ms = [0] * limit, START_MS
    for index, ask in enumerate([*before, *after]):
        now_ms += ask.gap_ms
        if index == len(before):
            window = resized(window, new_limit, now_ms)
            assert len(window) == new_limit
        free = free_slots(window, now_ms)
        if index >= len(before) and len(recent(admitted, now_ms)) >= new_limit:
            assert not free
        if free:
            window[free[ask.pick % len(free)]] = now_ms
            admitted.append(now_ms)
            assert len(recent(admitted, now_ms)) <= (
                limit if index < len(before) else max(new_limit, limit)
            )
            if index >= len(before):
                assert len(recent(admitted, now_ms)) <= new_limit


@pytest.mark.parametrize(
    ("window", "limit", "expected"),
    [
        ([5, 3, 4], 3, [5, 3, 4]),
        ([5, 3, 4], 2, [4, 5]),
        ([5, 3], 4, [5, 3, 9, 9]),
        ([0, 5, -99_999], 3, [0, 5, 10 - WINDOW_MS]),
        ([15, 5, -99_999], 2, [5, 15]),
        ([15, -99_999, -99_999], 2, [16 - WINDOW_MS, 15]),
    ],
)
def test_resizing(window: list[int], limit: int, expected: list[int]) -> None:
    """Shrinking keeps the newest times; growing adds slots that were used just now."""
    assert resized(window, limit, 9) == expected


@given(st.lists(st.integers(0, 3 * WINDOW_MS), min_size=1), st.integers(1, 8), GAPS)
def test_nothing_earlier_fits_in_after_a_change(times: list[int], limit: int, now_ms: int) -> None:
    """A copy of an admission that was in before the limit changed finds no slot for its time."""
    window = resized(times, limit, now_ms)
    for at_ms in [*times, now_ms]:
        assert not free_slots(window, at_ms)
    later_ms = max(now_ms, *times) + 1
    if limit <= len(times):
        assert remaining(window, later_ms) == max(0, limit - len(recent(times, later_ms)))


def test_an_unused_window_frees_now() -> None:
    """Where no slot is in use, the oldest used slot "frees" now."""
    assert frees_at_ms([0, 0], START_MS) == START_MS
