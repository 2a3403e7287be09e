"""The unchanged `openai` SDK, and curl, through the whole stack."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import time
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from osiris.flows import keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

    from tests.e2e.conftest import Harness

MODEL = "claude-opus-4.6"
SILENT = "[sim stall first_ms=0]"
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwAD"
    "hgGAWjR9awAAAABJRU5ErkJggg=="
)
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather at a place.",
        "parameters": {"type": "object", "properties": {"text": {"type": "string"}}},
    },
}


def asked(text: str) -> list[ChatCompletionMessageParam]:
    """A conversation of one question."""
    return [{"role": "user", "content": text}]


@contextmanager
def sdk(harness: Harness, secret: str | None = None, **options: Any) -> Iterator[OpenAI]:
    """OpenAI's client as its users make it, with a funded key unless another is given."""
    secret = harness.new_key() if secret is None else secret
    with OpenAI(base_url=harness.stack.base_url, api_key=secret, **options) as client:
        yield client


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the SDK waits before each retry, in seconds; no time passes."""
    waited: list[float] = []
    watch = SimpleNamespace(sleep=waited.append, time=time.time)
    monkeypatch.setattr("openai._base_client.time", watch)
    return waited


def test_a_chat_is_answered_and_its_cost_told(harness: Harness) -> None:
    """Text, finish reason, usage with its cost, and the id under which the request is found."""
    with sdk(harness) as client:
        answer = client.chat.completions.create(
            model=MODEL, messages=asked("[sim input=10000 output=2000 chunk_tokens=1000]")
        )
        assert answer.usage is not None
        assert answer.choices[0].finish_reason == "stop"
        assert len((answer.choices[0].message.content or "").split()) == 2000
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (10000, 2000)
        assert answer.usage.model_extra == {"cost": 0.1}
        told: Any = client.get(f"/requests/{answer._request_id}", cast_to=object)
        assert (told["id"], told["cost"], told["streamed"]) == (answer._request_id, "0.1", False)


@pytest.mark.parametrize("options", [None, {"include_usage": True}, {"include_usage": False}])
def test_a_stream_always_ends_with_its_usage_and_cost(
    harness: Harness, options: dict[str, bool] | None
) -> None:
    """Asked for or not, the last chunk has no choices, the usage and the cost."""
    with sdk(harness) as client:
        create: Any = client.chat.completions.create
        stream = create(
            model=MODEL,
            messages=asked("[sim input=10000 output=2000 chunk_tokens=100]"),
            stream=True,
            **({} if options is None else {"stream_options": options}),
        )
        chunks = list(stream)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1])
        assert len(text.split()) == 2000
        assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
        assert chunks[-2].choices[0].finish_reason == "stop"
        assert chunks[-1].choices == []
        assert chunks[-1].usage.completion_tokens == 2000
        assert chunks[-1].usage.model_extra == {"cost": 0.1}
        assert stream.response.headers["content-type"] == "text/event-stream"
        request_id = stream.response.headers["x-request-id"]
        told: Any = client.get(f"/requests/{request_id}", cast_to=object)
        assert (told["cost"], told["streamed"], told["state"]) == ("0.1", True, "completed")


def test_the_asynchronous_client_streams_too(harness: Harness) -> None:
    """AsyncOpenAI reads the same stream."""

    async def text() -> str:
        async with AsyncOpenAI(
            base_url=harness.stack.base_url, api_key=harness.new_key()
        ) as client:
            stream = await client.chat.completions.create(
                model="deepseek-v3", messages=asked("Hello"), stream=True
            )
            return "".join([c.choices[0].delta.content or "" async for c in stream if c.choices])

    assert asyncio.run(text()).startswith("Hello from the Osiris simulator.")


@pytest.mark.parametrize("model", [MODEL, "deepseek-v3", "gpt-5.4-mini"])
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_tool_is_called_and_its_result_answered(
    harness: Harness, model: str, streamed: bool
) -> None:
    """The call's name, id and arguments arrive whole; the conversation goes on with its result."""
    messages = asked("How is the weather? [sim tool output=6]")
    with sdk(harness) as client:
        call = _tool_call(client, model, messages, streamed=streamed)
        assert call["function"]["name"] == "weather"
        assert json.loads(call["function"]["arguments"]) == {"text": "The river rises and"}
        messages += [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": call["id"], "content": "Sunny."},
        ]
        answer = client.chat.completions.create(model=model, messages=messages, tools=[WEATHER])
        assert answer.choices[0].message.content == "The river rises and the fields"
    forwarded = harness.simulator.requests[-1].body
    assert forwarded["tools"] == [WEATHER]
    assert forwarded["messages"] == messages


def _tool_call(
    client: OpenAI, model: str, messages: list[ChatCompletionMessageParam], *, streamed: bool
) -> Any:
    if streamed:
        with client.chat.completions.stream(
            model=model, messages=messages, tools=[WEATHER]
        ) as stream:
            answer: Any = stream.get_final_completion()
    else:
        answer = client.chat.completions.create(model=model, messages=messages, tools=[WEATHER])
    assert answer.choices[0].finish_reason == "tool_calls"
    (call,) = answer.choices[0].message.tool_calls
    function = {"name": call.function.name, "arguments": call.function.arguments}
    return {"id": call.id, "type": "function", "function": function}


def test_images_reach_the_model_as_they_were_sent(harness: Harness) -> None:
    """Only the model's name differs in what the upstream gets; the image is in its count."""
    messages: list[Any] = [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": PIXEL, "detail": "high"}},
            ],
        }
    ]
    with sdk(harness) as client:
        answer = client.chat.completions.create(
            model=MODEL,
            messages=messages,
            temperature=0.25,
            metadata={"ä": "✓"},
            extra_body={"top_k": 5},
        )
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 89
    assert harness.simulator.requests[-1].body == {
        "model": "claude-opus-4-6",
        "messages": messages,
        "temperature": 0.25,
        "metadata": {"ä": "✓"},
        "top_k": 5,
    }


def test_the_models_are_listed_and_read(harness: Harness) -> None:
    """OpenAI's list, with prices a token as exact texts."""
    with sdk(harness) as client:
        listed = {model.id: model for model in client.models.list()}
        assert {MODEL, "deepseek-v3"} <= listed.keys()
        model = client.models.retrieve(MODEL)
        assert model == listed[MODEL]
        assert model.model_extra is not None
        assert model.model_extra["pricing"]["prompt"] == "0.000005"
        assert model.model_extra["pricing"]["completion"] == "0.000025"
        with pytest.raises(openai.NotFoundError) as caught:
            client.models.retrieve("gpt-0")
        assert caught.value.code == "model_not_found"


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


def test_curl_shows_the_first_bytes_while_the_upstream_still_writes(harness: Harness) -> None:
    """No part of the way keeps a piece back until the next one comes."""
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    body = {
        "model": MODEL,
        "messages": asked("[sim output=5 delay_ms=500]"),
        "stream": True,
    }
    command = [curl, "-N", "-s", f"{harness.stack.base_url}/chat/completions"]
    for header in (f"Authorization: Bearer {harness.new_key()}", "Content-Type: application/json"):
        command += ["-H", header]
    before = len(harness.simulator.requests)
    with subprocess.Popen([*command, "-d", json.dumps(body)], stdout=subprocess.PIPE) as client:
        assert client.stdout is not None
        texts = []
        for line in client.stdout:
            content = _content(line)
            if content:
                upstream = harness.simulator.requests[before]
                texts.append((content, upstream.pieces_sent < 5, upstream.ended))
    assert client.returncode == 0
    assert texts[0] == ("The", True, "")
    assert [text for text, _, _ in texts] == ["The", " river", " rises", " and", " the"]


def _content(line: bytes) -> str:
    if not line.startswith(b"data: {"):
        return ""
    choices = json.loads(line[6:])["choices"]
    return str(choices[0]["delta"].get("content") or "") if choices else ""
