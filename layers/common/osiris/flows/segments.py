"""Whole tables, gone through by several threads, each with a segment of its own.

Waiting for DynamoDB is most of the time, so a few threads are a few times as fast.
"""

from __future__ import annotations

from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from threading import Event, Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# boto3 keeps ten connections for all threads.
SEGMENTS = 4


class Ended(Exception):
    """Another segment failed, or somebody interrupted: this one need not go on."""


def in_segments[T](
    work: Callable[[int, Callable[[], None]], T], *, segments: int, progress: Callable[[int], None]
) -> list[T]:
    """What `work` makes of each segment.

    It is given the segment's number and a function to call for each thing done: `progress` is told
    how many there are in all segments together, by one thread at a time. That call also ends the
    segment early when another has failed; then what the other raised is raised here. A single
    segment is gone through by the caller's own thread.
    """
    counted, ending = Lock(), Event()
    done = 0

    def one_more() -> None:
        nonlocal done
        if ending.is_set():
            raise Ended
        with counted:
            done += 1
            progress(done)

    if segments == 1:
        return [work(0, one_more)]
    with ThreadPoolExecutor(segments) as pool:
        parts = [pool.submit(work, segment, one_more) for segment in range(segments)]
        try:
            for part in wait(parts, return_when=FIRST_EXCEPTION).done:
                part.result()
            return [part.result() for part in parts]
        finally:
            ending.set()
