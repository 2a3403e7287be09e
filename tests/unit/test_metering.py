"""An answer read beside its bytes: the same bytes out, whatever the cuts, and the same usage.

The streams are those that the upstreams document:
- OpenAI, "Streaming", and `stream_options.include_usage`: a last chunk with `choices: []`, all
  others with `usage: null`. https://platform.openai.com/docs/api-reference/chat-streaming
- DeepSeek, "Create Chat Completion": usage with cache hits and misses on the chunk that gives the
  finish reason. https://api-docs.deepseek.com/api/create-chat-completion
- Anthropic's OpenAI-compatible endpoint: OpenAI's form.
  https://docs.claude.com/en/api/openai-sdk
- Anthropic's own: `message_start`, `message_delta`.
  https://docs.claude.com/en/docs/build-with-claude/streaming
"""

from __future__ import annotations

import json

import pytest

from osiris.errors import UpstreamFailed
from osiris.metering import Meter, StreamMeter, read_answer, with_cost
from osiris.usage import Tokens

LIMITS = (200_000, 100_000)
DONE = b"data: [DONE]\n\n"

OPENAI = [
    b'data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,'
    b'"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}\n\n',
    b'data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,'
    b'"delta":{"content":"Gr\xc3\xbc\xc3\x9f Gott"},"finish_reason":null}],"usage":null}\n\n',
    b'data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,'
    b'"delta":{},"finish_reason":"stop"}],"usage":null}\n\n',
    b'data: {"id":"c","object":"chat.completion.chunk","choices":[],'
    b'"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,'
    b'"prompt_tokens_details":{"cached_tokens":4,"audio_tokens":0},'
    b'"completion_tokens_details":{"reasoning_tokens":0}}}\n\n',
    DONE,
]
DEEPSEEK = [
    b": keep-alive\n\n",
    b'data: {"id":"d","choices":[{"index":0,"delta":{"content":"","role":"assistant"},'
    b'"finish_reason":null,"logprobs":null}]}\n\n',
    b'data: {"id":"d","choices":[{"index":0,"delta":{"content":null,'
    b'"reasoning_content":"hm"},"finish_reason":null}]}\n\n',
    b'data: {"id":"d","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}\n\n',
    b'data: {"id":"d","choices":[{"index":0,"delta":{"content":"","role":null},'
    b'"finish_reason":"stop"}],"usage":{"completion_tokens":9,"prompt_tokens":17,'
    b'"prompt_cache_hit_tokens":12,"prompt_cache_miss_tokens":5,"total_tokens":26}}\n\n',
    DONE,
]
ANTHROPIC_COMPATIBLE = [
    b'data: {"id":"msg_01","choices":[{"index":0,"delta":{"content":"Hello","role":"assistant"},'
    b'"finish_reason":null}],"created":1764000000,"model":"claude-opus-4-6",'
    b'"object":"chat.completion.chunk"}\n\n',
    b'data: {"id":"msg_01","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],'
    b'"created":1764000000,"model":"claude-opus-4-6","object":"chat.completion.chunk"}\n\n',
    b'data: {"id":"msg_01","choices":[],"created":1764000000,"model":"claude-opus-4-6",'
    b'"object":"chat.completion.chunk","usage":{"completion_tokens":12,"prompt_tokens":25,'
    b'"total_tokens":37}}\n\n',
    DONE,
]
# Anthropic's own form; the figures of `message_delta` are cumulative.
ANTHROPIC = [
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_01",'
    b'"type":"message","role":"assistant","content":[],"stop_reason":null,"usage":{'
    b'"input_tokens":25,"cache_creation_input_tokens":30,"cache_read_input_tokens":7,'
    b'"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20},'
    b'"output_tokens":1}}}\n\n',
    b'event: ping\ndata: {"type":"ping"}\n\n',
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"Hello"}}\n\n',
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},'
    b'"usage":{"output_tokens":15}}\n\n',
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
]
DENSE = [event.replace(b"data: ", b"data:") for event in OPENAI]
CRLF = [event.replace(b"\n", b"\r\n") for event in OPENAI]

STREAMS = {
    "openai": (OPENAI, Tokens(input=15, cache_read=4, output=10)),
    "deepseek": (DEEPSEEK, Tokens(input=5, cache_read=12, output=9)),
    "anthropic, compatible": (ANTHROPIC_COMPATIBLE, Tokens(input=25, output=12)),
    "no spaces": (DENSE, Tokens(input=15, cache_read=4, output=10)),
    "carriage returns": (CRLF, Tokens(input=15, cache_read=4, output=10)),
}
each_stream = pytest.mark.parametrize(("stream", "tokens"), STREAMS.values(), ids=STREAMS)


def fed(pieces: list[bytes], cost: str | None = None) -> tuple[StreamMeter, bytes, bytes]:
    """A meter that read the pieces, what it let pass, and the rest."""
    meter = StreamMeter()
    passed = b"".join(meter.feed(piece) for piece in pieces)
    return meter, passed, meter.rest(cost)


def tokens_of(meter: Meter) -> Tokens:
    """The tokens reported, within the limits."""
    usage = meter.usage(input_bytes=0, limits=LIMITS, complete=False)
    assert usage is not None
    assert not usage.bounded
    return usage.tokens


@each_stream
def test_cut_anywhere_the_same_comes_out(stream: list[bytes], tokens: Tokens) -> None:
    """However a stream is cut in three, its bytes pass unchanged, and its usage is the same."""
    whole = b"".join(stream)
    usage_at = whole.index(b'"usage":{')
    held_from = whole.rindex(b"data:", 0, usage_at)
    for first in range(len(whole) + 1):
        for second in {first, first + 1, held_from, len(whole) - 2, len(whole)}:
            pieces = [whole[:first], whole[first : max(first, second)], whole[max(first, second) :]]
            meter, passed, rest = fed(pieces)
            assert passed == whole[:held_from]
            assert rest == whole[held_from:]
            assert (meter.ended, meter.finished, meter.failed) == (True, True, False)
            assert tokens_of(meter) == tokens


@each_stream
def test_byte_by_byte(stream: list[bytes], tokens: Tokens) -> None:
    """A stream that comes one byte at a time loses, adds and changes nothing."""
    whole = b"".join(stream)
    meter, passed, rest = fed([whole[index : index + 1] for index in range(len(whole))])
    assert passed + rest == whole
    assert tokens_of(meter) == tokens
    assert meter.output_bytes == fed([whole])[0].output_bytes


@each_stream
def test_the_cost_is_all_that_differs(stream: list[bytes], tokens: Tokens) -> None:
    """With a cost, the usage object has `cost` as its last member; all other bytes are the same."""
    whole = b"".join(stream)
    for cut in range(len(whole)):
        meter, passed, rest = fed([whole[:cut], whole[cut:]], "0.001")
        assert (passed + rest).replace(b',"cost":0.001', b"", 1) == whole
        events = [line for line in (passed + rest).splitlines() if b'"cost"' in line]
        [event] = [json.loads(line.removeprefix(b"data:")) for line in events]
        assert list(event["usage"])[-1] == "cost"
        assert tokens_of(meter) == tokens


@each_stream
def test_an_end_without_a_blank_line(stream: list[bytes], tokens: Tokens) -> None:
    """Wherever a stream ends, the line that it ends with is read as clients read it."""
    for count in range(1, len(stream) + 1):
        whole = b"".join(stream[:count]).rstrip(b"\r\n")
        meter = StreamMeter()
        passed = meter.feed(whole)
        meter.close()
        assert (passed + meter.rest("0.001")).replace(b',"cost":0.001', b"", 1) == whole
        if b'"usage":{' in stream[count - 1]:
            assert tokens_of(meter) == tokens
    assert meter.ended


def test_anthropics_own_stream_cut_anywhere() -> None:
    """Its beginning passes though it has usage; its last usage waits; the buckets are the same."""
    whole = b"".join(ANTHROPIC)
    held_from = whole.index(b"event: message_delta")
    for cut in range(len(whole) + 1):
        meter, passed, rest = fed([whole[:cut], whole[cut:]])
        assert (passed, rest) == (whole[:held_from], whole[held_from:])
        tokens = Tokens(input=25, cache_read=7, cache_write_5m=10, cache_write_1h=20, output=15)
        assert tokens_of(meter) == tokens


def test_an_end_in_the_middle_of_an_event() -> None:
    """A part of an event is no event: it reports nothing, and no error of ours continues it."""
    whole = chunk(choices=[{"delta": {"content": "a"}, "finish_reason": "stop"}])
    for cut in range(1, len(whole) - 3):
        meter = StreamMeter()
        assert meter.feed(whole[:cut]) == b""
        meter.close()
        assert not meter.finished
        assert meter.rest("0.001", cut=True) == b""
    meter = StreamMeter()
    meter.feed(chunk(usage={"prompt_tokens": 5}).rstrip())
    meter.close()
    assert meter.rest("0.001", cut=True).endswith(b"}\n\n")


def test_text_that_is_not_utf8_does_not_hide_the_usage() -> None:
    """The usage beside it is read, and every byte stays but for the cost."""
    event = chunk(choices=[], usage={"prompt_tokens": 5, "completion_tokens": 7}, x="?")
    event = event.replace(b"?", b"\xff")
    meter, passed, rest = fed([event], "0.001")
    assert tokens_of(meter) == Tokens(input=5, output=7)
    assert (passed + rest).replace(b',"cost":0.001', b"") == event


@each_stream
def test_tokens_are_never_delayed(stream: list[bytes], tokens: Tokens) -> None:
    """Every event before the usage leaves with the piece that completes it."""
    meter = StreamMeter()
    for event in stream:
        if b'"usage":{' in event:
            break
        assert meter.feed(event[:-1]) == b""
        assert meter.feed(event[-1:]) == event
    assert not meter.ended


def chunk(**members: object) -> bytes:
    """One event with these members."""
    return b"data: " + json.dumps(members, separators=(",", ":")).encode() + b"\n\n"


def delta(text: str, finish_reason: str | None = None) -> dict[str, object]:
    """One choice of a chunk."""
    return {"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}


USAGE = {"prompt_tokens": 3, "completion_tokens": 2}
IMITATIONS = [
    "[DONE]",
    "data: [DONE]\n\n",
    '"usage": {"prompt_tokens": 1}',
    '"error": {"message": "no"}',
    '"finish_reason":"stop"',
    '\\"usage\\":{',
]


@pytest.mark.parametrize("text", IMITATIONS)
def test_content_imitates_nothing(text: str) -> None:
    """Content that looks like a mark of the stream passes at once and is no mark."""
    event = chunk(choices=[delta(text)])
    meter = StreamMeter()
    assert meter.feed(event) == event
    assert (meter.ended, meter.failed, meter.finished) == (False, False, False)
    assert meter.reported is None
    assert meter.output_bytes == len(json.dumps(text)) - 2


def test_usage_on_the_way_is_no_end() -> None:
    """Usage on a chunk that does not finish passes at once; the last figures count."""
    running = [
        chunk(choices=[delta("a")], usage={"prompt_tokens": 3, "completion_tokens": n})
        for n in (1, 2)
    ]
    last = chunk(choices=[], usage={"prompt_tokens": 3, "completion_tokens": 7})
    meter, passed, rest = fed([*running, last, DONE])
    assert passed == b"".join(running)
    assert rest == last + DONE
    assert tokens_of(meter) == Tokens(input=3, output=7)


def test_repeated_usage_replaces() -> None:
    """Of usage reported twice, the later figures count; they are never added."""
    first = chunk(choices=[delta("a", "stop")], usage=USAGE)
    second = chunk(choices=[], usage=USAGE)
    meter, passed, rest = fed([first + second + DONE])
    assert passed == b""
    assert rest == first + second + DONE
    assert tokens_of(meter) == Tokens(input=3, output=2)


def test_what_follows_usage_waits() -> None:
    """After the usage nothing passes, in the same piece or a later one, but it is not lost."""
    meter = StreamMeter()
    first, last, late = chunk(choices=[delta("a")]), chunk(choices=[], usage=USAGE), b": late\n\n"
    assert meter.feed(first + last + late) == first
    assert meter.feed(late) == b""
    assert meter.feed(DONE) == b""
    assert meter.rest(None) == last + late + late + DONE


def test_done_without_usage_waits() -> None:
    """Where no usage was reported, `[DONE]` is what waits for the charge."""
    event = chunk(choices=[delta("four", "stop")])
    meter, passed, rest = fed([event, DONE], "0.001")
    assert (passed, rest) == (event, DONE)
    usage = meter.usage(input_bytes=8, limits=LIMITS, complete=True)
    assert usage is not None
    assert usage.estimated
    assert usage.tokens == Tokens(input=2, output=1)
    assert meter.usage(input_bytes=8, limits=LIMITS, complete=False) is None


@pytest.mark.parametrize("error", [{"message": "overloaded"}, "overloaded"])
def test_an_error_event_ends_the_stream(error: object) -> None:
    """An upstream's error event does not pass, nor what follows it; what was reported counts."""
    first = chunk(choices=[delta("a")], usage=USAGE)
    meter, passed, rest = fed([first + chunk(error=error) + chunk(choices=[delta("b")])])
    assert meter.failed
    assert (passed, rest) == (first, b"")
    assert tokens_of(meter) == Tokens(input=3, output=2)


def test_null_is_no_error_and_no_usage() -> None:
    """`error: null` and `usage: null` mean that there is none."""
    event = chunk(error=None, usage=None, choices=[delta("a")])
    meter, passed, _ = fed([event])
    assert passed == event
    assert (meter.failed, meter.reported) == (False, None)


def test_a_cut_event_is_kept() -> None:
    """The beginning of an event that never ended comes out, unless our error is to follow it."""
    event = chunk(choices=[delta("a", "stop")])
    meter, passed, rest = fed([event + b"data: {"])
    assert passed + rest == event + b"data: {"
    assert meter.rest(None, cut=True) == b""


@pytest.mark.parametrize("event", [b"data: \xff\xfe\n\n", b'data: {"usage": {\n\n', b"data\n\n"])
def test_what_is_not_json_passes(event: bytes) -> None:
    """An event that is no JSON is nobody's usage, and passes as it is."""
    meter, passed, rest = fed([event, DONE])
    assert passed + rest == event + DONE
    assert meter.reported is None


def test_a_lone_surrogate_beside_usage() -> None:
    """A final event that is no UTF-8 gets its cost, and keeps its other bytes."""
    event = b'data: {"choices":[],"x":"\xed\xa0\x80","usage":{"prompt_tokens":1}}\n\n'
    _, passed, rest = fed([event, DONE], "0.001")
    assert (passed + rest).replace(b',"cost":0.001', b"") == event + DONE
    assert b'"cost"' in rest


ANSWER = (
    '{"id": "c", "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi — ü"},'
    ' "finish_reason": "stop"}], "usage" : { "prompt_tokens" : 3, "completion_tokens": 2 } }\n'
)


def test_a_whole_answer() -> None:
    """A whole answer's usage is read, and its cost is added, without touching another byte."""
    meter = read_answer(ANSWER.encode())
    assert tokens_of(meter) == Tokens(input=3, output=2)
    assert not meter.empty
    changed = with_cost(ANSWER, "0.001")
    assert changed.replace(',"cost":0.001', "") == ANSWER
    assert json.loads(changed)["usage"]["cost"] == 0.001


def test_an_upstreams_own_cost_is_replaced() -> None:
    """What an upstream calls cost is not ours."""
    assert with_cost('{"usage":{"cost":9,"a":1}}', "0.1") == '{"usage":{"cost":0.1,"a":1}}'


@pytest.mark.parametrize("text", ['{"a":1}', '{"usage":null}', '{"usage":[1]}', '{"a":1,"a":2}'])
def test_an_answer_without_usage_stays(text: str) -> None:
    """Where there is no usage object, nothing is added."""
    assert with_cost(text, "0.1") == text


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b"x", b'{"error":{"message":"no"}}', b'{"error":"no"}', b"\xff"]
)
def test_no_answer_at_all(body: bytes) -> None:
    """Status 200 with an error, or with nothing that is JSON, is a failure of the upstream."""
    with pytest.raises(UpstreamFailed):
        read_answer(body)


def test_an_empty_answer() -> None:
    """An answer without output and finish reason is empty; one that declines is not."""
    nothing = b'{"choices":[{"message":{"content":null},"finish_reason":null}]}'
    assert read_answer(nothing).empty
    assert not read_answer(nothing.replace(b'reason":null', b'reason":"content_filter"')).empty
    assert not read_answer(nothing.replace(b'content":null', b'content":"a"')).empty


@pytest.mark.parametrize(
    ("member", "value"),
    [("reasoning_content", "ab"), ("refusal", "ab"), ("arguments", "ab"), ("reasoning", "ab")],
)
def test_output_is_more_than_content(member: str, value: str) -> None:
    """Reasoning, refusals and tool calls are output."""
    meter, _, _ = fed([chunk(choices=[{"index": 0, "delta": {member: value}}])])
    assert meter.output_bytes == 2
