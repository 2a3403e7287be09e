"""Several threads over one table: counted together, and ended together."""

from collections.abc import Callable
from threading import Event, get_ident

import pytest

from osiris.flows.segments import Ended, in_segments

STEPS_MAX = 10_000


class Failed(Exception):
    """What a segment failed with."""


def no_progress(_count: int) -> None:
    pass


def test_each_segment_is_worked_on_once() -> None:
    """The results stand in the order of the segments."""
    assert in_segments(lambda segment, _: segment * 10, segments=3, progress=no_progress) == [
        0,
        10,
        20,
    ]


def test_progress_is_counted_over_all_segments() -> None:
    """Each number is told once, in order."""

    def work(_segment: int, one_more: Callable[[], None]) -> None:
        for _ in range(50):
            one_more()

    told: list[int] = []
    in_segments(work, segments=4, progress=told.append)
    assert told == list(range(1, 201))


def test_a_single_segment_needs_no_thread() -> None:
    """It runs in its caller's, for transports that serve one."""
    threads = in_segments(lambda _segment, _: get_ident(), segments=1, progress=no_progress)
    assert threads == [get_ident()]


@pytest.mark.parametrize("failing", [0, 1])
def test_a_failure_ends_the_other_segments(failing: int) -> None:
    """The others end at their next step, and what failed is what is raised."""
    started, ended, pause = Event(), Event(), Event()

    def work(segment: int, one_more: Callable[[], None]) -> None:
        if segment == failing:
            started.wait(timeout=10)
            raise Failed
        try:
            for _ in range(STEPS_MAX):
                one_more()
                started.set()
                pause.wait(0.001)
        except Ended:
            ended.set()
            raise

    with pytest.raises(Failed):
        in_segments(work, segments=2, progress=no_progress)
    assert ended.is_set()


def test_whoever_is_told_of_progress_may_interrupt() -> None:
    """Ctrl-C while progress is shown ends all segments."""

    def tell(count: int) -> None:
        if count == 3:
            raise KeyboardInterrupt

    def work(_segment: int, one_more: Callable[[], None]) -> None:
        for _ in range(STEPS_MAX):
            one_more()

    with pytest.raises(KeyboardInterrupt):
        in_segments(work, segments=2, progress=tell)
