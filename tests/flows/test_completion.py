"""A paid request: what is written, what is charged, and what its client is told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from osiris.errors import (
    CreditExpired,
    DeadlineExceeded,
    InsufficientBalance,
    InvalidJson,
    InvalidKey,
    InvalidRequest,
    KeyDisabled,
    MissingKey,
    ModelNotFound,
    OsirisError,
    RateLimitExceeded,
    RequestTooLarge,
    StoreUnavailable,
    UpstreamFailed,
    UpstreamRefusedUs,
    UpstreamRejected,
    UpstreamSilent,
)
from osiris.flows.keys import set_enabled
from osiris.ledger import entry as states
from osiris.sse import EVENT_BYTES_MAX
from osiris.usage import Tokens
from osiris.wire.faults import Broken, ConnectFailed, Silent
from tests.builders import lost, unreachable
from tests.dynamodb.values import item_bytes
from tests.flows.scripted_upstream import (
    DEEPSEEK,
    DONE,
    HOST,
    MODEL,
    STOP,
    UPSTREAM_SECRET,
    Step,
    Till,
    Told,
    answer,
    chunk,
    usage_chunk,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from osiris.ledger.entry import Entry
    from osiris.store.transport import Payload
    from tests.builders import World

BALANCE_NANO = 10_000_000_000
CUT = Broken("cut", answered=True)
USAGE = {"prompt_tokens": 10_000, "completion_tokens": 2_000}


@pytest.fixture
def till(world: World) -> Till:
    return Till(world)


def charged(till: Till, told: Told) -> Entry:
    """The request's entry; the balance shows it, and the hold is gone."""
    entry = till.entry(told)
    assert entry is not None
    key = till.key
    assert key.balance_nano == key.available_nano == BALANCE_NANO + entry.amount_nano
    assert (key.holds, key.spent_nano) == ({}, entry.cost_nano)
    assert key.requests == (entry.cost_nano > 0)
    return entry


# -- what is charged


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
    entry = charged(till, told)
    assert told.error is None
    assert told.usage == {**figures, "cost": told.usage["cost"]}
    assert float(told.usage["cost"]) == float(cost)
    assert entry.cost_nano == round(float(cost) * 10**9)
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


FULL = usage_chunk(**USAGE)
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
    entry = charged(till, told)
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
    cost_nano = charged(till, told).cost_nano
    if cost_nano:
        assert " was charged: $" in told.error.message
    else:
        assert "Nothing was charged." in told.error.message
    assert told.error.should_retry is False


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
    entry = charged(till, told)
    assert entry.charge is not None
    assert (entry.charge.state, entry.cost_nano) == (state, cost_nano)
    assert type(told.error) is (error or type(None))


def test_a_whole_answer_past_the_deadline(till: Till) -> None:
    """An answer that is not streamed, and too slow, is not charged."""
    told = till.ask(50_000, remaining_ms=40_000)
    assert isinstance(told.error, DeadlineExceeded)
    assert charged(till, told).cost_nano == 0


# -- the stream as it goes


def test_bytes_pass_as_they_come(till: Till) -> None:
    """Each piece leaves as it came; only the usage and what follows waits, with its cost added."""
    first, second = chunk("a"), chunk("b")
    told = till.stream(first, second, STOP, FULL, DONE)
    assert told.pieces[:3] == [first, second, STOP]
    assert b"".join(told.pieces[3:]).replace(b',"cost":0.1', b"") == FULL + DONE


def test_silence_is_filled(till: Till) -> None:
    """Every 15 s without a byte bring a comment; the answer's own bytes stay as they are."""
    told = till.stream(chunk("a"), 50_000, STOP, 14_999, FULL, DONE)
    assert told.pieces.count(b": keep-alive\n\n") == 3
    assert told.text.replace(b": keep-alive\n\n", b"").startswith(chunk("a") + STOP)


def test_charged_before_the_end_leaves(till: Till) -> None:
    """When the usage leaves, the entry stands and the hold is gone."""
    told = till.stream(chunk("a"), STOP, FULL, DONE, leave_after=2)
    assert b"usage" in told.pieces[-1]
    assert charged(till, told).cost_nano == 100_000_000


# -- what is written


def test_three_writes_and_nothing_else(till: Till) -> None:
    """One write before the upstream is called, two after: no read, no transaction."""
    told = till.stream(chunk("a"), STOP, FULL, DONE)
    assert told.error is None
    assert till.upstream.calls_before == ["UpdateItem"]
    assert till.world.transport.calls == ["UpdateItem", "PutItem", "UpdateItem"]


def test_three_write_units(till: Till) -> None:
    """A request costs three write units, with five others open."""
    units = Units(till.world)
    for _ in range(5):
        till.world.meet("PutItem", unreachable)
        till.stream(chunk("a"), STOP, FULL, DONE, remaining_ms=1)
    assert len(till.key.holds) == 5
    till.world.transport.inner = units
    till.stream(chunk("a"), STOP, FULL, DONE)
    assert units.written == [1.0, 1.0, 1.0]
    till.world.transport.inner = till.world.memory


class Units:
    """A transport that asks for the units of each write."""

    def __init__(self, world: World) -> None:
        self._memory = world.memory
        self.written: list[float] = []

    def call(self, operation: str, payload: Payload) -> Payload:
        reply = self._memory.call(operation, payload | {"ReturnConsumedCapacity": "TOTAL"})
        self.written.append(reply["ConsumedCapacity"]["CapacityUnits"])
        return reply


@pytest.mark.parametrize("open_requests", [0, 5])
def test_a_key_is_small(till: Till, open_requests: int) -> None:
    """A used key's item is under 1 KB, with 40 slots used and five requests open."""
    for _ in range(40 - open_requests):
        till.world.pass_ms(997)
        till.stream(chunk("a"), STOP, FULL, DONE)
    for _ in range(open_requests):
        till.world.meet("PutItem", unreachable)
        till.stream(chunk("a"), STOP, FULL, DONE, remaining_ms=1)
    [item] = [
        item
        for item in till.world.memory.items("KeysTable")
        if item["pk"]["S"] == f"key#{till.key_id}"
    ]
    assert len(item["holds"]["M"]) == open_requests
    assert item_bytes(item) < 1024


# -- refusals


def disabled(till: Till) -> None:
    """The owner has switched the key off."""
    set_enabled(till.world.app, "ada", till.key_id, enabled=False)


def expired(till: Till) -> None:
    """The credit's time is over, and the models were read anew since."""
    till.world.pass_ms(31 * 86_400_000)
    till.world.app.models.all(till.world.now_ms)


@pytest.mark.parametrize(("prepare", "error"), [(disabled, KeyDisabled), (expired, CreditExpired)])
def test_a_refusal_forwards_nothing(
    till: Till, prepare: Callable[[Till], None], error: type[OsirisError]
) -> None:
    """What is refused costs one write that is not done, and the upstream hears nothing of it."""
    prepare(till)
    till.world.transport.calls.clear()
    told = till.stream()
    assert type(told.error) is error
    assert till.world.transport.calls == ["UpdateItem"]
    assert till.upstream.requests == []
    assert told.exchange.key == till.key
    assert till.entry(told) is None


def spend(till: Till) -> None:
    """Use $11.20."""
    till.stream(STOP, usage_chunk(prompt_tokens=0, completion_tokens=64_000 * 7), DONE, n=7)


def test_a_used_up_balance(till: Till) -> None:
    """A request may use more than was left; the next one is told that nothing is."""
    spend(till)
    told = till.stream()
    assert isinstance(told.error, InsufficientBalance)
    assert till.key.balance_nano == BALANCE_NANO - 11_200_000_000


@pytest.mark.parametrize(
    ("secret", "error"),
    [("", MissingKey), ("sk-osiris-x", InvalidKey), ("sk-" + "a" * 48, InvalidKey)],
)
def test_no_usable_secret(till: Till, secret: str, error: type[OsirisError]) -> None:
    """What is no secret of ours is refused without a call of the store."""
    till.secret = secret
    told = till.ask()
    assert type(told.error) is error
    assert till.world.transport.calls == []
    assert told.exchange.key is None


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"model": "no-such"}, ModelNotFound),
        ({"messages": []}, InvalidRequest),
        ({"body": b"{"}, InvalidJson),
        ({"body": b"x" * (5 * 1024 * 1024)}, RequestTooLarge),
    ],
)
def test_refused_before_admission(
    till: Till, asked: dict[str, Any], error: type[OsirisError]
) -> None:
    """A request that can't be served costs one read, by which its key is known, and no slot."""
    told = till.ask(**asked)
    assert type(told.error) is error
    assert till.world.transport.calls == ["GetItem"]
    assert told.exchange.key == till.key
    assert set(till.key.window) == {0}


def test_a_bad_request_with_a_bad_key(till: Till) -> None:
    """Who is not known is told that, not what is wrong with the request."""
    other = Till(till.world)
    till.world.transport.calls.clear()
    wrong = other.secret[:10] + till.key_id + other.secret[22:]
    assert type(till.ask(body=b"{", secret=wrong).error) is InvalidKey


def test_a_full_window_is_refused_without_a_call(till: Till) -> None:
    """Once a process knows a key to be full it refuses by itself, until a slot frees."""
    for _ in range(40):
        assert till.stream(chunk("a"), STOP, FULL, DONE).error is None
    till.world.transport.calls.clear()
    told = till.stream()
    assert isinstance(told.error, RateLimitExceeded)
    assert told.error.retry_after_s == 60
    assert till.world.transport.calls == []
    assert told.exchange.key is not None
    assert told.exchange.key.window == till.key.window
    till.world.pass_ms(60_000)
    assert till.stream(chunk("a"), STOP, FULL, DONE).error is None


def test_exactly_as_many_as_the_limit(till: Till) -> None:
    """Whichever slots are guessed first, forty requests come in, and not one more."""
    ended = [till.ask(answer(usage=USAGE)).error for _ in range(45)]
    assert [type(error) for error in ended[40:]] == [RateLimitExceeded] * 5
    assert ended[:40] == [None] * 40


# -- when the store is out of reach


def test_out_of_reach_at_admission(till: Till) -> None:
    """Nothing is forwarded that was not admitted."""
    till.world.meet("UpdateItem", unreachable)
    told = till.stream()
    assert isinstance(told.error, StoreUnavailable)
    assert till.upstream.requests == []


def test_out_of_reach_at_record(till: Till) -> None:
    """Record is tried until the deadline; then nothing ends well, and a metric says so."""
    till.world.meet("PutItem", *[unreachable] * 4)
    told = till.stream(chunk("a"), STOP, FULL, DONE, remaining_ms=2_000)
    assert isinstance(told.error, StoreUnavailable)
    assert told.text == chunk("a") + STOP
    assert till.world.waits_ms == [500, 500, 500]
    assert [line["event"] for line in till.world.lines if "SettlementFailed" in line] == [
        "record_failed"
    ]
    assert till.entry(told) is None
    assert list(till.key.holds) == [told.exchange.request_id]
    assert "Nothing was charged" not in told.error.message
    assert told.exchange.request_id in told.error.message
    assert told.error.should_retry is False


def test_back_in_time_for_record(till: Till) -> None:
    """A store that comes back before the deadline costs only time."""
    till.world.meet("PutItem", unreachable, lost)
    told = till.stream(chunk("a"), STOP, FULL, DONE)
    assert told.error is None
    assert charged(till, told).cost_nano == 100_000_000
    assert till.world.waits_ms == [500, 500]


def test_out_of_reach_at_settle(till: Till) -> None:
    """Where only Settle fails the answer ends well: its entry stands, and recovery settles."""

    def let_pass(call: Any, payload: Payload) -> Payload:
        reply: Payload = call(payload)
        return reply

    till.world.meet("UpdateItem", let_pass, unreachable)
    told = till.stream(chunk("a"), STOP, FULL, DONE)
    assert told.error is None
    assert told.text.endswith(DONE)
    assert till.entry(told) is not None
    assert list(till.key.holds) == [told.exchange.request_id]
    assert [line["event"] for line in till.world.lines if "SettlementFailed" in line] == [
        "settle_failed"
    ]


# -- what upstreams say


@pytest.mark.parametrize(
    ("status", "error", "told_status", "should_retry"),
    [
        (400, UpstreamRejected, 400, None),
        (404, UpstreamRejected, 404, None),
        (413, UpstreamRejected, 413, None),
        (422, UpstreamRejected, 422, None),
        (401, UpstreamRefusedUs, 503, None),
        (402, UpstreamRefusedUs, 503, None),
        (403, UpstreamRefusedUs, 503, None),
        (429, UpstreamRefusedUs, 503, None),
        (301, UpstreamFailed, 502, None),
        (500, UpstreamFailed, 502, None),
        (503, UpstreamFailed, 502, None),
        (529, UpstreamFailed, 502, None),
    ],
)
def test_an_upstreams_error(
    till: Till,
    status: int,
    error: type[OsirisError],
    told_status: int,
    should_retry: bool | None,
) -> None:
    """What is about the request is passed on, what is about us is not; nothing is charged."""
    text = json.dumps(
        {
            "error": {
                "message": f"bad {UPSTREAM_SECRET} at {HOST}",
                "param": "messages",
                "code": "nope",
                "type": "t",
            }
        }
    ).encode()
    told = till.stream(text, status=status)
    assert type(told.error) is error
    assert told.error is not None
    assert told.error.status == told_status
    assert told.error.should_retry is should_retry
    assert UPSTREAM_SECRET not in told.error.message
    assert HOST not in told.error.message
    if error is UpstreamRejected:
        assert (told.error.param, told.error.code) == ("messages", "nope")
    assert charged(till, told).cost_nano == 0


@pytest.mark.parametrize("text", [b"", b"<html>", b"[]", b'{"error":"no"}', b'{"error":{}}'])
def test_an_upstreams_error_without_words(till: Till, text: bytes) -> None:
    """An error that says nothing we can pass on is a failure."""
    assert type(till.stream(text, status=400).error) is UpstreamFailed


@pytest.mark.parametrize(
    ("fault", "error", "should_retry"),
    [
        (ConnectFailed("refused"), UpstreamFailed, None),
        (CUT, UpstreamFailed, False),
        (Silent("no byte"), UpstreamSilent, False),
    ],
)
def test_an_upstream_out_of_reach(
    till: Till, fault: Exception, error: type[OsirisError], should_retry: bool | None
) -> None:
    """A retry is advised only where nothing was sent; nothing is charged."""
    told = till.stream(fault, status=0)
    assert type(told.error) is error
    assert told.error is not None
    assert told.error.should_retry is should_retry
    assert charged(till, told).cost_nano == 0


def test_what_an_upstream_gets(till: Till) -> None:
    """The upstream's own key and name for the model; nothing of the client's key."""
    till.stream(chunk("a"), STOP, FULL, DONE)
    [(headers, body)] = till.upstream.requests
    assert headers["authorization"] == f"Bearer {UPSTREAM_SECRET}"
    assert headers["host"] == HOST
    assert json.loads(body)["model"] == MODEL.upstream_model
    assert json.loads(body)["stream_options"] == {"include_usage": True}
    assert till.secret not in repr((headers, body))


def test_nothing_said_is_logged(till: Till) -> None:
    """Neither prompts nor answers nor secrets are in the log."""
    till.stream(chunk("the answer"), STOP, FULL, DONE, user="the client's own word")
    logged = json.dumps(till.world.lines)
    for word in ("the answer", "own word", till.secret, UPSTREAM_SECRET, "hi"):
        assert word not in logged
    [line] = [line for line in till.world.lines if line["event"] == "request"]
    assert line["cost_nano"] == 100_000_000
