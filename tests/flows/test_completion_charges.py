"""What each request is charged, and what its client is told of it."""

from __future__ import annotations

from typing import Any

import pytest

from osiris.errors import DeadlineExceeded, OsirisError, UpstreamFailed, UpstreamSilent
from osiris.ledger import entry as states
from osiris.money import nano_from_dollars
from osiris.sse import EVENT_BYTES_MAX
from osiris.usage import Tokens
from tests.flows.scripted_upstream import (
    CUT,
    DEEPSEEK,
    DONE,
    FULL,
    MODEL,
    STOP,
    Step,
    Till,
    answer,
    chunk,
    usage_chunk,
)


@pytest.mark.parametrize(
    ("model", "usage", "cost"),
    [
        (MODEL, (10_000, 2_000), "0.1"),
        (DEEPSEEK, (50_000, 5_000), "0.019"),
        (MODEL, (1, 1), "0.001"),
        (MODEL, (0, 0), "0.001"),
    ],
)
@pytest.mark.parametrize("streamed", [True, False])
def test_reported_usage_is_charged(
    till: Till, model: Any, usage: tuple[int, int], cost: str, streamed: bool
) -> None:
    """The formula, at least $0.001; told in the answer as it stands in the entry."""
    figures = dict(zip(("prompt_tokens", "completion_tokens"), usage, strict=True))
    steps = (
        [chunk("hello"), STOP, usage_chunk(**figures), DONE]
        if streamed
        else [answer(usage=figures)]
    )
    told = till.ask(*steps, stream=streamed, model=model.id)
    entry = till.charged(told)
    assert told.error is None
    assert told.usage == {**figures, "cost": told.usage["cost"]}
    assert str(told.usage["cost"]) == cost
    assert entry.cost_nano == nano_from_dollars(cost)
    assert told.cost == (None if streamed else cost)
    assert entry.charge is not None
    assert entry.charge.tokens == Tokens(input=usage[0], output=usage[1])
    assert (entry.charge.state, entry.charge.streamed) == (states.COMPLETED, streamed)
    assert (entry.charge.estimated, entry.charge.bounded) == (False, False)


class Row:
    """One row of the table of charges."""

    def __init__(
        self,
        *steps: Step,
        state: str,
        cost_nano: int,
        error: type[OsirisError] | None = None,
        flagged: str = "",
        metric: str = "",
        **asked: Any,
    ) -> None:
        self.steps, self.asked = steps, asked
        self.state, self.cost_nano, self.error = state, cost_nano, error
        self.flagged, self.metric = flagged, metric


ROWS = {
    "complete": Row(chunk("a"), STOP, FULL, DONE, state=states.COMPLETED, cost_nano=100_000_000),
    "the client leaves before the usage": Row(
        chunk("a" * 4000),
        STOP,
        FULL,
        DONE,
        leave_after=0,
        state=states.DEADLINE,
        cost_nano=25_100_000,
        flagged="estimated",
        metric="UsageEstimated",
    ),
    "the client leaves after the usage": Row(
        chunk("a", usage={"prompt_tokens": 10_000, "completion_tokens": 1_000}),
        chunk("b"),
        chunk("c"),
        leave_after=1,
        state=states.DEADLINE,
        cost_nano=75_000_000,
    ),
    "our deadline, usage reported": Row(
        chunk("a", usage={"prompt_tokens": 10_000, "completion_tokens": 1_000}),
        900_000,
        state=states.DEADLINE,
        cost_nano=75_000_000,
        error=DeadlineExceeded,
        remaining_ms=100_000,
    ),
    "our deadline, nothing reported": Row(
        chunk("a" * 4000),
        900_000,
        state=states.DEADLINE,
        cost_nano=25_100_000,
        error=DeadlineExceeded,
        flagged="estimated",
        metric="UsageEstimated",
        remaining_ms=100_000,
    ),
    "our deadline, nothing said": Row(
        900_000,
        state=states.DEADLINE,
        cost_nano=0,
        error=DeadlineExceeded,
        remaining_ms=100_000,
    ),
    "cut, usage reported": Row(
        chunk("a"),
        FULL,
        CUT,
        state=states.UPSTREAM_FAILED,
        cost_nano=100_000_000,
        error=UpstreamFailed,
        metric="UpstreamFailed",
    ),
    "cut, nothing reported": Row(
        chunk("a" * 4000),
        CUT,
        state=states.UPSTREAM_FAILED,
        cost_nano=0,
        error=UpstreamFailed,
        metric="UpstreamFailed",
    ),
    "ended without an end": Row(
        chunk("a"),
        state=states.UPSTREAM_FAILED,
        cost_nano=0,
        error=UpstreamFailed,
        metric="UpstreamFailed",
    ),
    "an error event": Row(
        chunk("a"),
        b'data: {"error":{"message":"overloaded"}}\n\n',
        state=states.UPSTREAM_FAILED,
        cost_nano=0,
        error=UpstreamFailed,
        metric="UpstreamFailed",
    ),
    "silent in mid-stream": Row(
        chunk("a"),
        300_000,
        state=states.UPSTREAM_SILENT,
        cost_nano=0,
        error=UpstreamSilent,
        metric="UpstreamFailed",
    ),
    "an event above the limit": Row(
        b"x" * (EVENT_BYTES_MAX + 1),
        state=states.UPSTREAM_FAILED,
        cost_nano=0,
        error=UpstreamFailed,
        metric="UpstreamFailed",
    ),
    "endless events after the usage": Row(
        chunk("a"),
        FULL,
        *[b": " + b"x" * (EVENT_BYTES_MAX // 4) + b"\n\n"] * 5,
        state=states.UPSTREAM_FAILED,
        cost_nano=100_000_000,
        error=UpstreamFailed,
        metric="UpstreamFailed",
    ),
    "empty": Row(DONE, state=states.EMPTY, cost_nano=0),
    "empty, with usage": Row(FULL, DONE, state=states.EMPTY, cost_nano=0),
    "declined": Row(
        chunk(finish="content_filter"), FULL, DONE, state=states.COMPLETED, cost_nano=100_000_000
    ),
    "complete without usage": Row(
        chunk("a" * 4000),
        STOP,
        DONE,
        state=states.COMPLETED,
        cost_nano=25_100_000,
        flagged="estimated",
        metric="UsageEstimated",
    ),
    "negative usage": Row(
        chunk("a"),
        STOP,
        usage_chunk(prompt_tokens=-1, completion_tokens=-1),
        DONE,
        state=states.COMPLETED,
        cost_nano=1_000_000,
        flagged="bounded",
        metric="UsageOutOfBounds",
    ),
    "huge usage": Row(
        chunk("a"),
        STOP,
        usage_chunk(prompt_tokens=10**12, completion_tokens=10**12),
        DONE,
        state=states.COMPLETED,
        cost_nano=200_000 * 5_000 + 64_000 * 25_000,
        flagged="bounded",
        metric="UsageOutOfBounds",
    ),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_what_is_charged(till: Till, row: Row) -> None:
    """Each way a stream can end has its state, its charge, its flag and its metric."""
    told = till.stream(*row.steps, messages=[{"role": "user", "content": "?"}], **row.asked)
    entry = till.charged(told)
    assert entry.charge is not None
    facts = entry.charge
    assert (facts.state, type(told.error)) == (row.state, row.error or type(None))
    if row.flagged == "estimated":
        # Some bytes of input beside the 4,000 of output.
        assert 0 <= entry.cost_nano - 25_000_000 <= 1_000_000
    else:
        assert entry.cost_nano == row.cost_nano
    assert facts.estimated == (row.flagged == "estimated")
    assert facts.bounded == (row.flagged == "bounded")
    metrics = {metric for line in till.world.lines for metric in line if metric[0].isupper()}
    assert metrics == ({row.metric} if row.metric else set())


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_what_is_told(till: Till, row: Row) -> None:
    """An answer cut short has no `[DONE]`, and its error tells what was charged."""
    told = till.stream(*row.steps, **row.asked)
    if told.error is None:
        return
    assert b"[DONE]" not in told.text
    cost_nano = till.charged(told).cost_nano
    if cost_nano:
        assert " was charged: $" in told.error.message
    else:
        assert "Nothing was charged." in told.error.message
    assert told.error.should_retry is False


def test_usage_in_the_last_line_is_charged(till: Till) -> None:
    """A stream that ends without its blank line, after the usage, is charged by it all the same."""
    told = till.stream(chunk("a"), STOP, FULL.rstrip(b"\n"))
    assert till.charged(told).cost_nano == 100_000_000
    assert told.usage["cost"] == "0.1"
    assert told.error is None


def test_a_cut_event_does_not_swallow_the_error(till: Till) -> None:
    """The beginning of an event that was cut is not sent: our error event follows."""
    told = till.stream(chunk("a"), b'data: {"id":"c","choi', CUT)
    assert told.text == chunk("a")
    assert isinstance(told.error, UpstreamFailed)


WHOLE: list[tuple[list[Step], str, int, type[OsirisError] | None]] = [
    ([answer(finish=None, text="")], states.EMPTY, 0, None),
    ([answer(finish="content_filter", text="")], states.COMPLETED, 1_000_000, None),
    ([answer()], states.COMPLETED, 1_000_000, None),
    ([b'{"error":{"message":"no"}}'], states.UPSTREAM_FAILED, 0, UpstreamFailed),
    ([b"<html>"], states.UPSTREAM_FAILED, 0, UpstreamFailed),
    ([b"\xff"], states.UPSTREAM_FAILED, 0, UpstreamFailed),
    ([b""], states.UPSTREAM_FAILED, 0, UpstreamFailed),
    ([answer()[:20], CUT], states.UPSTREAM_FAILED, 0, UpstreamFailed),
    ([300_000, answer()], states.UPSTREAM_SILENT, 0, UpstreamSilent),
    # Blank lines don't reach the client, whom API Gateway drops after five silent minutes.
    ([100_000, b"\n", 100_000, b"\n", 60_000, answer()], states.COMPLETED, 1_000_000, None),
    (
        [100_000, b"\n", 100_000, b"\n", 80_000, answer()],
        states.UPSTREAM_SILENT,
        0,
        UpstreamSilent,
    ),
]


@pytest.mark.parametrize(("steps", "state", "cost_nano", "error"), WHOLE)
def test_whole_answers(
    till: Till, steps: list[Step], state: str, cost_nano: int, error: type[OsirisError] | None
) -> None:
    """An answer that is not streamed is charged when it came whole, and said something."""
    told = till.ask(*steps)
    entry = till.charged(told)
    assert entry.charge is not None
    assert (entry.charge.state, entry.cost_nano) == (state, cost_nano)
    assert type(told.error) is (error or type(None))


def test_a_whole_answer_past_the_deadline(till: Till) -> None:
    """An answer that is not streamed, and too slow, is not charged."""
    told = till.ask(50_000, remaining_ms=40_000)
    assert isinstance(told.error, DeadlineExceeded)
    assert till.charged(told).cost_nano == 0
