"""Requests that are refused: by us, before anything is forwarded, or by the upstream."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from osiris.errors import (
    CreditExpired,
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
    UpstreamFailed,
    UpstreamRefusedUs,
    UpstreamRejected,
    UpstreamSilent,
)
from osiris.flows.keys import set_enabled
from osiris.wire.faults import ConnectFailed, Silent
from tests.flows.scripted_upstream import (
    BALANCE_NANO,
    CUT,
    DONE,
    FULL,
    HOST,
    MODEL,
    STOP,
    UPSTREAM_SECRET,
    USAGE,
    Till,
    answer,
    chunk,
    usage_chunk,
)

if TYPE_CHECKING:
    from collections.abc import Callable


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
    assert till.charged(told).cost_nano == 0


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
    assert till.charged(told).cost_nano == 0


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
