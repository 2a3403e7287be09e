"""Anthropic's own Messages format on the wire.

Source: Anthropic's pages "Streaming messages" and "Messages", and the types of the `anthropic`
Python SDK. Usage comes twice in a stream: the input side with `message_start`, where the output
is only a beginning, and cumulative in `message_delta`. `input_tokens` leaves cached ones out.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from local.upstream.answer import arguments_object
from local.upstream.openai_wire import Event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.upstream.answer import Answer

_HOLE = "\x00"


def body_of(answer: Answer) -> dict[str, Any]:
    """A `message` object."""
    text = "".join(answer.pieces())
    block: dict[str, Any] = {"type": "text", "text": text}
    if answer.tool_name:
        block = _tool_block(answer) | {"input": arguments_object(text)}
    message = _message(answer) | {
        "content": [block],
        "stop_reason": _stop_reason(answer),
        "stop_sequence": None,
    }
    return message | answer.usage_field(_whole_usage(answer, None))


def events_of(answer: Answer) -> Iterator[Event]:
    """message_start, one content block with a ping in it, message_delta, message_stop."""
    message = _message(answer) | {"content": [], "stop_reason": None, "stop_sequence": None}
    message |= answer.usage_field(_whole_usage(answer, min(1, answer.tokens)))
    block = _tool_block(answer) if answer.tool_name else {"type": "text", "text": ""}
    yield _event("message_start", message=message)
    yield _event("content_block_start", index=0, content_block=block)
    yield _event("ping")
    yield from _piece_events(answer)
    yield _event("content_block_stop", index=0)
    yield _delta_event(answer, _stop_reason(answer), None)
    yield _event("message_stop")


def _piece_events(answer: Answer) -> Iterator[Event]:
    delta = {"type": "text_delta", "text": _HOLE}
    if answer.tool_name:
        delta = {"type": "input_json_delta", "partial_json": _HOLE}
    mould = _event("content_block_delta", index=0, delta=delta).data.decode()
    head, tail = mould.split(json.dumps(_HOLE))
    out = 0
    for piece in answer.pieces():
        yield Event((head + json.dumps(piece) + tail).encode(), is_piece=True)
        out = min(out + answer.steering.chunk_tokens, answer.tokens)
        if answer.steering.usage == "repeated":
            yield _delta_event(answer, None, out)


def _delta_event(answer: Answer, stop_reason: str | None, output: int | None) -> Event:
    usage = _whole_usage(answer, output)
    if usage is not None:  # the end of a stream does not split the cache writes
        del usage["cache_creation"], usage["service_tier"]
    delta = {"stop_reason": stop_reason, "stop_sequence": None}
    return _event("message_delta", delta=delta, **answer.usage_field(usage))


def _message(answer: Answer) -> dict[str, Any]:
    return {
        "id": f"msg_01{answer.digest[:22]}",
        "type": "message",
        "role": "assistant",
        "model": answer.model,
    }


def _tool_block(answer: Answer) -> dict[str, Any]:
    return {
        "type": "tool_use",
        "id": f"toolu_01{answer.digest[32:54]}",
        "name": answer.tool_name,
        "input": {},
    }


def _stop_reason(answer: Answer) -> str:
    if answer.is_capped:
        return "max_tokens"
    return "tool_use" if answer.tool_name else "end_turn"


def _whole_usage(answer: Answer, output: int | None) -> dict[str, Any] | None:
    reported = answer.reported(output=output)
    if reported is None:
        return None
    return {
        "input_tokens": reported.input,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": reported.cached,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": reported.output,
        "service_tier": "standard",
    }


def _event(kind: str, **members: Any) -> Event:
    data = json.dumps({"type": kind} | members, separators=(",", ":"))
    return Event(f"event: {kind}\ndata: {data}\n\n".encode())
