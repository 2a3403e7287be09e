"""The unchanged `openai` SDK, and curl, through the whole stack."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai import AsyncOpenAI

from tests.e2e.sdk_client import MODEL, asked, sdk

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

    from tests.e2e.conftest import Harness

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
