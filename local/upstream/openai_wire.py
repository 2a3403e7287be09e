"""OpenAI's chat completions on the wire, in OpenAI's, DeepSeek's and Anthropic's manner.

Sources: the types of the `openai` Python SDK (`types/chat/chat_completion_chunk.py`,
`types/completion_usage.py`), DeepSeek's API reference ("Create Chat Completion"), and Anthropic's
page "OpenAI SDK compatibility".

What differs: OpenAI reports usage in a stream only when asked, in a last chunk without choices,
and DeepSeek always, in the chunk that carries the finish reason. Anthropic's compatible endpoint
has empty details and no fingerprint.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.upstream.answer import Answer

# The time in every answer: a fixed one, since equal bodies get equal bytes.
CREATED_AT_S = 1_764_000_000
_HOLE = "\x00"  # where a piece of text goes into a chunk made beforehand


class Event(NamedTuple):
    """Bytes that leave together; `is_piece` when they carry generated text."""

    data: bytes
    is_piece: bool = False


def body_of(answer: Answer) -> dict[str, Any]:
    """A `chat.completion` object."""
    text = "".join(answer.pieces())
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if answer.flavour == "openai":
        message |= {"refusal": None, "annotations": []}
    if answer.tool_name:
        message |= {"content": None, "tool_calls": [_tool_call(answer, 0, text)]}
    choices = []
    for index in range(answer.choices):
        if answer.tool_name:
            message = message | {"tool_calls": [_tool_call(answer, index, text)]}
        choices.append(_choice(answer, index, "message", message, _finish_reason(answer)))
    return _envelope(answer, "chat.completion", choices) | answer.usage_field(_usage(answer))


def events_of(answer: Answer) -> Iterator[Event]:
    """A stream of `chat.completion.chunk` objects, then `[DONE]`."""
    for index in range(answer.choices):
        yield _event(answer, index, _first_delta(answer, index), None)
    yield from _piece_events(answer)
    for index in range(answer.choices):
        is_last = index == answer.choices - 1
        yield _finish_event(answer, index, is_last=is_last)
    if answer.flavour != "deepseek" and answer.include_usage and answer.steering.usage != "none":
        yield Event(_sse(_envelope(answer, _CHUNK, []) | {"usage": _usage(answer)}))
    yield Event(b"data: [DONE]\n\n")


_CHUNK = "chat.completion.chunk"


def _piece_events(answer: Answer) -> Iterator[Event]:
    moulds = [_mould(answer, index) for index in range(answer.choices)]
    is_repeated = answer.steering.usage == "repeated"
    out = 0
    for piece in answer.pieces():
        text = json.dumps(piece)
        for index, (head, tail) in enumerate(moulds):
            if is_repeated:
                out = min(out + answer.steering.chunk_tokens, answer.usage.output)
                yield Event(_repeated(answer, index, piece, out), is_piece=True)
            else:
                yield Event((head + text + tail).encode(), is_piece=True)


def _mould(answer: Answer, index: int) -> tuple[str, str]:
    """A chunk in two parts with the text left out: making each anew would cost ten times more."""
    event = _event(answer, index, _piece_delta(answer, _HOLE), None).data.decode()
    head, tail = event.split(json.dumps(_HOLE))
    return head, tail


def _repeated(answer: Answer, index: int, piece: str, out: int) -> bytes:
    choices = [_choice(answer, index, "delta", _piece_delta(answer, piece), None)]
    return _sse(_envelope(answer, _CHUNK, choices) | {"usage": _usage(answer, out)})


def _finish_event(answer: Answer, index: int, *, is_last: bool) -> Event:
    delta: dict[str, Any] = {}
    if answer.flavour == "deepseek":
        delta = {"content": ""}
    chunk = _envelope(
        answer, _CHUNK, [_choice(answer, index, "delta", delta, _finish_reason(answer))]
    )
    if answer.flavour == "deepseek" and is_last:
        chunk |= answer.usage_field(_usage(answer))
    else:
        chunk |= _null_usage(answer)
    return Event(_sse(chunk))


def _event(answer: Answer, index: int, delta: dict[str, Any], finish_reason: str | None) -> Event:
    choices = [_choice(answer, index, "delta", delta, finish_reason)]
    return Event(_sse(_envelope(answer, _CHUNK, choices) | _null_usage(answer)))


def _null_usage(answer: Answer) -> dict[str, Any]:
    """Every chunk but the last says `"usage": null` when usage was asked for."""
    return answer.usage_field(None) if answer.include_usage else {}


def _first_delta(answer: Answer, index: int) -> dict[str, Any]:
    delta: dict[str, Any] = {"role": "assistant", "content": ""}
    if answer.flavour == "openai":
        delta["refusal"] = None
    if answer.tool_name:
        delta |= {"content": None, "tool_calls": [{"index": 0} | _tool_call(answer, index, "")]}
    return delta


def _piece_delta(answer: Answer, piece: str) -> dict[str, Any]:
    if answer.tool_name:
        return {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}
    return {"content": piece}


def _tool_call(answer: Answer, index: int, arguments: str) -> dict[str, Any]:
    return {
        "id": f"call_{answer.digest[32:54]}{index:02}",
        "type": "function",
        "function": {"name": answer.tool_name, "arguments": arguments},
    }


def _choice(
    answer: Answer, index: int, part: str, content: dict[str, Any], finish_reason: str | None
) -> dict[str, Any]:
    choice: dict[str, Any] = {"index": index, part: content}
    if answer.flavour != "anthropic":
        choice["logprobs"] = None
    return choice | {"finish_reason": finish_reason}


def _finish_reason(answer: Answer) -> str:
    if answer.is_capped:
        return "length"
    return "tool_calls" if answer.tool_name else "stop"


def _envelope(answer: Answer, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
    names = {
        "openai": f"chatcmpl-{answer.digest[:29]}",
        "deepseek": f"{answer.digest[:8]}-{answer.digest[8:12]}-4{answer.digest[13:16]}"
        f"-a{answer.digest[17:20]}-{answer.digest[20:32]}",
        "anthropic": f"msg_01{answer.digest[:22]}",
    }
    envelope = {
        "id": names[answer.flavour],
        "object": kind,
        "created": CREATED_AT_S,
        "model": answer.model,
    }
    if answer.flavour == "openai":
        envelope |= {"service_tier": "default", "system_fingerprint": "fp_5131a7c0de"}
    elif answer.flavour == "deepseek":
        envelope["system_fingerprint"] = "fp_5131a7c0de_prod0820_fp8_kvcache"
    return envelope | {"choices": choices}


def _usage(answer: Answer, output: int | None = None) -> dict[str, Any] | None:
    reported = answer.reported(output=output)
    if reported is None:
        return None
    usage: dict[str, Any] = {
        "prompt_tokens": reported.input,
        "completion_tokens": reported.output,
        "total_tokens": reported.input + reported.output,
    }
    if answer.flavour == "deepseek":
        return usage | {
            "prompt_tokens_details": {"cached_tokens": reported.cached},
            "prompt_cache_hit_tokens": reported.cached,
            "prompt_cache_miss_tokens": reported.input - reported.cached,
        }
    if answer.flavour == "anthropic":
        # The endpoint caches nothing; a client that steers `cached` still gets what it asked for.
        return usage | (
            {"prompt_tokens_details": {"cached_tokens": reported.cached}} if reported.cached else {}
        )
    return usage | {
        "prompt_tokens_details": {"cached_tokens": reported.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _sse(chunk: dict[str, Any]) -> bytes:
    return b"data: %s\n\n" % json.dumps(chunk, separators=(",", ":")).encode()
