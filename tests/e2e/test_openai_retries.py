"""What the unchanged `openai` SDK makes of our errors: its classes, and what it tries again."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import openai
import pytest

from osiris.flows import keys
from tests.e2e.sdk_client import MODEL, asked, sdk

if TYPE_CHECKING:
    from collections.abc import Callable

    from openai import OpenAI

    from tests.e2e.conftest import Harness

SILENT = "[sim stall first_ms=0]"


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the SDK waits before each retry, in seconds; no time passes."""
    waited: list[float] = []
    watch = SimpleNamespace(sleep=waited.append, time=time.time)
    monkeypatch.setattr("openai._base_client.time", watch)
    return waited


def test_the_sdk_retries_a_429_when_retry_after_has_passed(
    harness: Harness, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits as long as we say, and what was held by an open request is free by then."""
    secret = harness.new_key(dollars="1")
    end = harness.open_request(secret, dollars="1")

    def wait(seconds: float) -> None:
        waits.append(seconds)
        end()

    monkeypatch.setattr("openai._base_client.time.sleep", wait)
    with sdk(harness, secret) as client:
        answer = client.chat.completions.with_raw_response.create(
            model=MODEL, messages=asked("Hello")
        )
    assert (answer.retries_taken, waits) == (1, [2.0])
    assert answer.parse().usage
    assert [entry.reason for entry in harness.charges(secret)] == ["lapsed", ""]
    assert harness.key(secret).holds == {}


def test_the_sdk_gives_up_on_a_key_that_stays_full(harness: Harness, waits: list[float]) -> None:
    """Two retries, each after our Retry-After of a minute at most; then its RateLimitError."""
    secret = harness.new_key()
    keys.set_rate_limit(harness.app, harness.key(secret).id, 1)
    with sdk(harness, secret) as client:
        assert _fills(client)
        forwarded = len(harness.simulator.requests)
        waits.clear()
        with pytest.raises(openai.RateLimitError) as caught:
            client.chat.completions.create(model=MODEL, messages=asked("Hello"))
    assert caught.value.code == "rate_limit_exceeded"
    assert len(waits) == 2
    assert all(1 <= seconds <= 60 for seconds in waits)
    assert len(harness.simulator.requests) == forwarded


def _fills(client: OpenAI) -> bool:
    """Use the key's one slot, which is free within a millisecond of its making."""
    return bool(client.chat.completions.create(model=MODEL, messages=asked("Hello")).choices)


@pytest.mark.parametrize(
    ("steering", "tries"),
    [
        pytest.param(SILENT, 1, id="silent"),
        pytest.param("[sim cut_chunks=-1]", 1, id="cut after sending"),
        pytest.param("[sim cut_chunks=2 output=9]", 1, id="cut in its middle"),
        pytest.param("[sim status=500]", 3, id="refused by the upstream"),
        pytest.param("[sim status=429]", 3, id="refused as ours"),
    ],
)
def test_what_would_be_paid_twice_is_not_retried(
    harness: Harness, waits: list[float], steering: str, tries: int
) -> None:
    """One request where the upstream may have answered, three where it answered an error."""
    secret = harness.new_key()
    before = len(harness.simulator.requests)
    with sdk(harness, secret) as client, pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model=MODEL, messages=asked(steering))
    assert len(harness.simulator.requests) - before == tries == len(waits) + 1
    assert caught.value.response.headers.get("x-should-retry") == ("false" if tries == 1 else None)
    assert [entry.cost_nano for entry in harness.charges(secret)] == [0] * tries


def test_an_error_in_mid_stream_is_raised_by_the_sdk(harness: Harness) -> None:
    """What was answered comes first, then the SDK's APIError with our code; nothing is retried."""
    before = len(harness.simulator.requests)
    with sdk(harness) as client:
        stream = client.chat.completions.create(
            model=MODEL, messages=asked("[sim output=50 cut_chunks=5]"), stream=True
        )
        seen: list[str | None] = []
        with pytest.raises(openai.APIError) as caught:
            seen += (chunk.choices[0].delta.content for chunk in stream)
    assert "".join(text or "" for text in seen) == "The river rises and the"
    assert caught.value.code == "upstream_failed"
    assert caught.value.message.endswith("Nothing was charged.")
    assert len(harness.simulator.requests) == before + 1


def _empty(harness: Harness) -> str:
    return harness.new_key(dollars="0")


def _disabled(harness: Harness) -> str:
    secret = harness.new_key()
    key = harness.key(secret)
    keys.set_enabled(harness.app, key.account_id, key.id, enabled=False)
    return secret


def _wrong(harness: Harness) -> str:
    secret = harness.new_key()
    return secret[:-1] + ("A" if secret[-1] != "A" else "B")


def _funded(harness: Harness) -> str:
    return harness.new_key()


ERRORS: list[
    tuple[Callable[[Harness], str], dict[str, Any], type[openai.APIStatusError], int, str, Any]
] = [
    (_wrong, {}, openai.AuthenticationError, 401, "invalid_api_key", None),
    (_empty, {}, openai.APIStatusError, 402, "insufficient_balance", None),
    (_disabled, {}, openai.PermissionDeniedError, 403, "key_disabled", None),
    (_funded, {"model": "gpt-0"}, openai.NotFoundError, 404, "model_not_found", "model"),
    (_funded, {"n": 129}, openai.BadRequestError, 400, "invalid_request", "n"),
    (_funded, {"messages": []}, openai.BadRequestError, 400, "invalid_request", "messages"),
    (
        _funded,
        {"messages": asked("[sim status=422]")},
        openai.UnprocessableEntityError,
        422,
        "upstream_rejected",
        None,
    ),
]


@pytest.mark.parametrize(
    ("key", "changes", "kind", "status", "code", "param"), ERRORS, ids=[row[4] for row in ERRORS]
)
def test_each_refusal_is_the_sdks_own_error(
    harness: Harness,
    waits: list[float],
    key: Callable[[Harness], str],
    changes: dict[str, Any],
    kind: type[openai.APIStatusError],
    status: int,
    code: str,
    param: str | None,
) -> None:
    """Status, class, code, the member at fault, and our request id; none is retried."""
    body: dict[str, Any] = {"model": MODEL, "messages": asked("Hello"), **changes}
    with sdk(harness, key(harness)) as client, pytest.raises(kind) as caught:
        client.chat.completions.create(**body)
    error = caught.value
    assert type(error) is kind
    assert (error.status_code, error.code, error.param) == (status, code, param)
    assert (error.request_id or "").startswith("req_")
    assert waits == []
