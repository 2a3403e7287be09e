"""The upstream simulator behaves on the wire as OpenAI, DeepSeek and Anthropic do."""

from __future__ import annotations

import datetime
import http.client
import ipaddress
import json
import signal
import socket
import ssl
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from local.upstream import UpstreamSimulator
from local.upstream.steering import Steering, parse, steering_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
WAIT_S = 10  # a test that waits this long has failed; nothing is measured with it


@pytest.fixture
def upstream() -> Iterator[UpstreamSimulator]:
    with UpstreamSimulator(keep_alive_ms=20) as simulator:
        yield simulator


@pytest.fixture
def client(upstream: UpstreamSimulator) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=upstream.base_url, api_key="any", max_retries=0) as sdk:
        yield sdk


def said(text: str) -> list[Any]:
    """A conversation of one user message."""
    return [{"role": "user", "content": text}]


def raw(upstream: UpstreamSimulator, path: str, body: dict[str, Any]) -> socket.socket:
    """A connection on which one request was sent."""
    connection = socket.create_connection(("127.0.0.1", upstream.port), timeout=WAIT_S)
    data = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nx-api-key: any\r\n"
        f"anthropic-version: 2023-06-01\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    connection.sendall(head.encode() + data)
    return connection


def read_to_end(connection: socket.socket) -> tuple[str, bytes]:
    """The head and the joined chunks of an answer; the end is its last chunk, or the cut."""
    data = b""
    while not data.endswith(b"\r\n0\r\n\r\n"):
        more = connection.recv(65536)
        if not more:
            break
        data += more
    connection.close()
    head, _, rest = data.partition(b"\r\n\r\n")
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]
    return head.decode(), body


def sse_events(body: bytes) -> list[tuple[str, Any]]:
    """Name and parsed data of each event."""
    events = []
    for block in body.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line[0] != ":")
        if "data" in fields:
            data = fields["data"]
            parsed = data if data == "[DONE]" else json.loads(data)
            events.append((fields.get("event", ""), parsed))
    return events


def stream(upstream: UpstreamSimulator, path: str, text: str, **more: Any) -> list[tuple[str, Any]]:
    """All events of one streamed answer."""
    limit = "max_tokens" if path == "/v1/messages" else "max_completion_tokens"
    body = {"model": "gpt-5.2", "stream": True, limit: 1_000_000, "messages": said(text)}
    return sse_events(read_to_end(raw(upstream, path, body | more))[1])


# --- steering --------------------------------------------------------------------------------


def test_steering_reads_any_subset_in_any_order() -> None:
    """Every word is understood wherever it stands, and what is not said stays open."""
    text = "Hello [sim stall usage=null output=2000 cut_chunks=-1 status=529 tool input=7] you"
    assert parse(text) == Steering(
        input=7, output=2000, cut_chunks=-1, status=529, usage="null", stall=True, tool=True
    )
    assert parse("[sim]") == parse("[simple] text") == Steering()


@pytest.mark.parametrize(
    "words", ["outptu=3", "output", "output=-1", "output=1e3", "usage=some", "status=200", "tool=1"]
)
def test_steering_refuses_what_it_does_not_know(words: str) -> None:
    """A slip of the pen is an error, never a silently different test."""
    with pytest.raises(ValueError, match="does not understand"):
        parse(f"[sim {words}]")


def test_the_last_user_message_with_text_steers() -> None:
    """Older messages, the assistant's and tool results do not steer; parts are joined."""
    messages = [
        {"role": "user", "content": "[sim output=1]"},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url"}]},
        {"role": "assistant", "content": "[sim output=2]"},
        {"role": "user", "content": [{"type": "tool_result", "content": "[sim output=3]"}]},
    ]
    assert steering_of(messages) == Steering()
    assert steering_of(messages[:1]) == Steering(output=1)


# --- OpenAI, through its SDK -----------------------------------------------------------------


def test_a_plain_message_gets_a_plain_answer(client: openai.OpenAI) -> None:
    """Without steering the answer is friendly, and its tokens are its words."""
    answer = client.chat.completions.create(model="gpt-5.2", messages=said("a" * 41))
    text = answer.choices[0].message.content
    assert text is not None
    assert text.startswith("Hello from the Osiris simulator.")
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (11, len(text.split()))


def test_usage_is_what_was_asked_for(client: openai.OpenAI) -> None:
    """Steered numbers are reported, and as many tokens as reported are really there."""
    answer = client.chat.completions.create(
        model="gpt-5.2", messages=said("[sim input=10000 cached=4000 output=2000]")
    )
    assert answer.usage is not None
    assert answer.usage.prompt_tokens_details is not None
    assert answer.usage.prompt_tokens_details.cached_tokens == 4000
    assert answer.usage.model_dump(include={"prompt_tokens", "completion_tokens"}) == {
        "prompt_tokens": 10000,
        "completion_tokens": 2000,
    }
    assert answer.usage.total_tokens == 12000
    assert len((answer.choices[0].message.content or "").split()) == 2000


def test_equal_requests_get_equal_bytes(upstream: UpstreamSimulator) -> None:
    """The same body brings the same stream, another body another id."""
    same = [stream(upstream, "/v1/chat/completions", "[sim output=20]") for _ in range(2)]
    other = stream(upstream, "/v1/chat/completions", "[sim output=21]")
    assert same[0] == same[1]
    assert same[0][0][1]["id"] != other[0][1]["id"]


@pytest.mark.parametrize(
    ("model", "limit"),
    [
        ("gpt-5.2", "max_completion_tokens"),
        ("gpt-4o", "max_tokens"),
        ("deepseek-chat", "max_tokens"),
    ],
)
def test_the_limit_on_tokens_caps_the_answer(client: openai.OpenAI, model: str, limit: str) -> None:
    """An answer that would be longer ends at the limit with finish_reason "length"."""
    capped: dict[str, Any] = {limit: 5}
    answer = client.chat.completions.create(model=model, messages=said("[sim output=20]"), **capped)
    assert answer.choices[0].finish_reason == "length"
    assert len((answer.choices[0].message.content or "").split()) == 5
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 5


def test_the_newer_models_refuse_the_older_limit(client: openai.OpenAI) -> None:
    """As OpenAI's do, from GPT-5 on."""
    with pytest.raises(openai.BadRequestError, match="Use 'max_completion_tokens' instead"):
        client.chat.completions.create(model="gpt-5.2", messages=said("hi"), max_tokens=5)


def test_a_stream_reports_usage_only_when_asked(client: openai.OpenAI) -> None:
    """Asked: null on every chunk, then a last chunk without choices. Not asked: nothing."""
    messages = said("[sim input=100 output=7 chunk_tokens=2]")
    chunks = list(
        client.chat.completions.create(
            model="gpt-5.2", messages=messages, stream=True, stream_options={"include_usage": True}
        )
    )
    assert [len(chunk.choices) for chunk in chunks] == [1] * 6 + [0]
    assert all("usage" in chunk.model_fields_set for chunk in chunks)
    assert [chunk.usage is None for chunk in chunks] == [True] * 6 + [False]
    assert chunks[-1].usage is not None
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens) == (100, 7)
    plain = list(client.chat.completions.create(model="gpt-5.2", messages=messages, stream=True))
    assert len(plain) == 6
    assert not any("usage" in chunk.model_fields_set for chunk in plain)


def test_a_stream_and_a_whole_answer_say_the_same(client: openai.OpenAI) -> None:
    """The pieces of a stream join to the text of the answer in one piece."""
    messages = said("[sim output=50 chunk_tokens=7]")
    whole = client.chat.completions.create(model="gpt-5.2", messages=messages)
    pieces = [
        chunk.choices[0].delta.content or ""
        for chunk in client.chat.completions.create(model="gpt-5.2", messages=messages, stream=True)
    ]
    assert "".join(pieces) == whole.choices[0].message.content
    assert sum(bool(piece) for piece in pieces) == 8


def test_several_choices_are_counted_together(client: openai.OpenAI) -> None:
    """`n` choices come whole, each in its own index, and usage counts all of them."""
    messages = said("[sim output=4]")
    answer = client.chat.completions.create(model="gpt-5.2", messages=messages, n=3)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 12
    ends = [
        chunk.choices[0].index
        for chunk in client.chat.completions.create(
            model="gpt-5.2", messages=messages, n=3, stream=True
        )
        if chunk.choices[0].finish_reason
    ]
    assert ends == [0, 1, 2]


TOOLS: list[Any] = [
    {"type": "function", "function": {"name": "read_river", "parameters": {"type": "object"}}}
]


def test_a_tool_call_has_parsable_arguments(client: openai.OpenAI) -> None:
    """`tool` calls the first tool offered, once: after a tool's result the answer is text."""
    messages = said("[sim tool output=12]")
    answer = client.chat.completions.create(model="gpt-5.2", messages=messages, tools=TOOLS)
    assert answer.choices[0].finish_reason == "tool_calls"
    (call,) = answer.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert call.function.name == "read_river"
    assert set(json.loads(call.function.arguments)) == {"text"}
    messages += [
        answer.choices[0].message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "high"},
    ]
    after = client.chat.completions.create(model="gpt-5.2", messages=messages, tools=TOOLS)
    assert after.choices[0].finish_reason == "stop"


def test_a_streamed_tool_call_comes_in_pieces(client: openai.OpenAI) -> None:
    """The name comes first, then the arguments in as many pieces as there are tokens."""
    names, arguments = [], []
    for chunk in client.chat.completions.create(
        model="gpt-5.2", messages=said("[sim tool output=12]"), tools=TOOLS, stream=True
    ):
        for call in chunk.choices[0].delta.tool_calls or []:
            assert call.function is not None
            names.append(call.function.name)
            arguments.append(call.function.arguments or "")
    assert names == ["read_river"] + [None] * 12
    assert arguments[0] == ""
    assert set(json.loads("".join(arguments))) == {"text"}


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (402, openai.APIStatusError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (413, openai.APIStatusError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
        (529, openai.InternalServerError),
    ],
)
def test_errors_have_the_shape_of_the_upstream(
    client: openai.OpenAI, status: int, error: type[openai.APIStatusError]
) -> None:
    """Any HTTP error can be had, and the SDK reads it as its own."""
    for model in ("gpt-5.2", "deepseek-chat", "claude-opus-4-6"):
        with pytest.raises(error) as caught:
            client.chat.completions.create(model=model, messages=said(f"[sim status={status}]"))
        assert caught.value.status_code == status
        assert caught.value.type
        assert "(simulated)" in caught.value.message


def test_the_secret_is_needed_and_not_remembered(upstream: UpstreamSimulator) -> None:
    """No secret and the wrong one are refused; a right one can be recognised, not read."""
    for secret in ("wrong", "sk-right"):
        with openai.OpenAI(base_url=upstream.base_url, api_key=secret, max_retries=0) as sdk:
            if secret == "wrong":
                with pytest.raises(openai.AuthenticationError):
                    sdk.models.list()
            else:
                assert {"deepseek-chat", "claude-opus-4-6"} <= {m.id for m in sdk.models.list()}
    connection = http.client.HTTPConnection("127.0.0.1", upstream.port, timeout=WAIT_S)
    connection.request("GET", "/v1/models")
    answer = connection.getresponse()
    assert answer.status == 401
    answer.read()  # a client that closes sooner may be seen to leave
    connection.close()
    wrong, right, none = upstream.requests
    assert [r.ended for r in upstream.requests] == ["refused", "complete", "refused"]
    assert right.carried("sk-right")
    assert not wrong.carried("sk-right")
    assert not none.carried("")
    assert "authorization" not in right.headers


def test_requests_are_recorded_as_they_came(
    upstream: UpstreamSimulator, client: openai.OpenAI
) -> None:
    """Path, headers, parsed and raw body of a request can be looked at afterwards."""
    client.chat.completions.create(
        model="gpt-5.2", messages=said("hello"), extra_headers={"X-Thing": "1"}
    )
    (request,) = upstream.requests
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.headers["x-thing"] == "1"
    assert request.body["messages"] == said("hello")
    assert json.loads(request.raw_body) == request.body
    assert request.finished.wait(WAIT_S)
    assert request.ended == "complete"


@pytest.mark.parametrize(
    "body",
    [{}, {"model": "m"}, {"model": "m", "messages": []}, {"messages": said("x")}]
    + [{"model": "m", "messages": said("x"), "n": n} for n in (0, -1, 1.5, "2", 1000, True)],
)
def test_a_malformed_request_is_refused(upstream: UpstreamSimulator, body: dict[str, Any]) -> None:
    """A missing model or message, or an impossible number, is a 400."""
    connection = raw(upstream, "/v1/chat/completions", body)
    assert connection.recv(64).startswith(b"HTTP/1.1 400 ")
    connection.close()


# --- usage that is not as it should be -------------------------------------------------------


def usages_of(events: list[tuple[str, Any]]) -> list[Any]:
    """The usage members of a stream's chunks, those that are null included."""
    return [data["usage"] for _, data in events if data != "[DONE]" and "usage" in data]


def test_odd_usage_in_a_stream(upstream: UpstreamSimulator) -> None:
    """None, null, negative, huge and repeated usage look as they were wished for."""

    def usages(mode: str) -> list[Any]:
        text = f"[sim input=9 output=3 usage={mode}]"
        asked = {"include_usage": True}
        return usages_of(stream(upstream, "/v1/chat/completions", text, stream_options=asked))

    assert usages("none") == []
    assert usages("null") == [None] * 6
    assert usages("negative")[-1]["completion_tokens"] == -3
    assert usages("huge")[-1]["prompt_tokens"] == 10**15
    repeated = [usage and usage["completion_tokens"] for usage in usages("repeated")]
    assert repeated == [None, 1, 2, 3, None, 3]


def test_odd_usage_in_a_whole_answer(client: openai.OpenAI) -> None:
    """Without usage the member is absent, and null is null."""
    for mode, is_there in (("none", False), ("null", True)):
        answer = client.chat.completions.create(
            model="gpt-5.2", messages=said(f"[sim usage={mode}]")
        )
        assert answer.usage is None
        assert ("usage" in answer.model_fields_set) is is_there


# --- ends that are not as they should be -----------------------------------------------------


def test_a_cut_stream_has_so_many_chunks_and_no_end(
    upstream: UpstreamSimulator, client: openai.OpenAI
) -> None:
    """The connection breaks after the n-th chunk of text, and the client notices."""
    chunks = client.chat.completions.create(
        model="gpt-5.2", messages=said("[sim output=100 cut_chunks=50]"), stream=True
    )
    pieces: list[str | None] = []
    with pytest.raises(openai.APIConnectionError):
        for chunk in chunks:
            pieces.append(chunk.choices[0].delta.content)  # noqa: PERF401 - it breaks off
    assert len([piece for piece in pieces if piece]) == 50
    (request,) = upstream.requests
    assert (request.pieces_sent, request.ended) == (50, "cut")


@pytest.mark.parametrize("model", ["gpt-5.2", "deepseek-chat"])
def test_a_cut_whole_answer_is_incomplete(client: openai.OpenAI, model: str) -> None:
    """An answer in one piece breaks in its middle; -1 breaks before any answer."""
    for chunks in (-1, 0, 1):
        with pytest.raises(openai.APIConnectionError):
            client.chat.completions.create(model=model, messages=said(f"[sim cut_chunks={chunks}]"))


def test_an_error_in_mid_stream_is_an_event(client: openai.OpenAI) -> None:
    """A status together with a cut comes as an error event, and the SDK raises on it."""
    chunks = client.chat.completions.create(
        model="gpt-5.2", messages=said("[sim output=9 cut_chunks=2 status=503]"), stream=True
    )
    with pytest.raises(openai.APIError, match="overloaded"):
        list(chunks)


@pytest.mark.parametrize(
    ("words", "has_head", "pieces"),
    [("stall", True, 0), ("stall first_ms=0", False, 0), ("stall cut_chunks=2", True, 2)],
)
def test_a_stall_lasts_until_the_client_leaves(
    upstream: UpstreamSimulator, words: str, has_head: bool, pieces: int
) -> None:
    """Silence after the headers, before them, or in mid-stream, and nothing left running."""
    body = {"model": "gpt-5.2", "stream": True, "messages": said(f"[sim output=9 {words}]")}
    connection = raw(upstream, "/v1/chat/completions", body)
    data = b""
    if has_head:
        while b"\r\n\r\n" not in data or data.count(b'"content":"') < pieces + bool(pieces):
            data += connection.recv(65536)
    connection.settimeout(0.05)
    with pytest.raises(TimeoutError):
        connection.recv(1)
    (request,) = upstream.requests
    assert not request.finished.is_set()
    connection.close()
    assert request.finished.wait(WAIT_S)
    assert (request.ended, request.pieces_sent) == ("client_left", pieces)


def test_the_first_chunk_arrives_while_it_still_writes(
    upstream: UpstreamSimulator, client: openai.OpenAI
) -> None:
    """A client holds the first piece long before the simulator has sent the last."""
    with client.chat.completions.create(
        model="gpt-5.2", messages=said("[sim output=1000000 delay_ms=20]"), stream=True
    ) as chunks:
        first = next(chunk for chunk in chunks if chunk.choices[0].delta.content)
        (request,) = upstream.requests
        assert first.choices[0].delta.content == "The"
        assert not request.finished.is_set()
        assert request.pieces_sent < 1000
    assert request.finished.wait(WAIT_S)
    assert request.ended == "client_left"


def test_it_speaks_tls_when_given_a_context(tmp_path: Path) -> None:
    """With a context of a server's the same answers come over HTTPS."""
    certificate = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    trust = ssl.create_default_context(cafile=str(certificate))
    with UpstreamSimulator(tls=context) as upstream:
        assert upstream.base_url.startswith("https://127.0.0.1:")
        connection = http.client.HTTPSConnection(
            "127.0.0.1", upstream.port, context=trust, timeout=WAIT_S
        )
        body = {"model": "m", "stream": True, "messages": said("[sim output=3 delay_ms=1]")}
        for _ in range(2):
            connection.request(
                "POST", "/v1/chat/completions", json.dumps(body), {"Authorization": "Bearer any"}
            )
            assert len(sse_events(connection.getresponse().read())) == 6
        stalled = body | {"messages": said("[sim stall]")}
        connection.request(
            "POST", "/v1/chat/completions", json.dumps(stalled), {"Authorization": "Bearer any"}
        )
        assert connection.getresponse().status == 200
    connection.close()


def self_signed(folder: Path) -> Path:
    """A file with a new key and a certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return file


def test_closing_ends_what_is_under_way() -> None:
    """A simulator can be closed in the middle of a stalled answer, and its threads end."""
    before = threading.active_count()
    with UpstreamSimulator() as upstream:
        body = {"model": "m", "stream": True, "messages": said("[sim stall]")}
        connection = raw(upstream, "/v1/chat/completions", body)
        assert connection.recv(64).startswith(b"HTTP/1.1 200 ")
    assert threading.active_count() == before
    connection.close()


def test_fifty_streams_run_side_by_side(upstream: UpstreamSimulator) -> None:
    """Fifty stalled streams are all open at once, and fifty more requests pass by them."""
    body = {"model": "gpt-5.2", "stream": True, "messages": said("[sim output=9 stall]")}
    stalled = [raw(upstream, "/v1/chat/completions", body) for _ in range(50)]
    for connection in stalled:
        assert connection.recv(64).startswith(b"HTTP/1.1 200 ")
    with ThreadPoolExecutor(50) as pool:
        answers = list(
            pool.map(
                lambda _: stream(upstream, "/v1/chat/completions", "[sim output=20]"), range(50)
            )
        )
    assert all(answer == answers[0] for answer in answers)
    assert len(answers[0]) == 23
    assert sum(not request.finished.is_set() for request in upstream.requests) == 50
    for connection in stalled:
        connection.close()


def test_a_connection_serves_many_requests(upstream: UpstreamSimulator) -> None:
    """Connections are kept alive over whole answers, streams and errors."""
    connection = socket.create_connection(("127.0.0.1", upstream.port), timeout=WAIT_S)
    for text, end in (("hi", b"}}}"), ("[sim status=400]", b"}}"), ("again", b"}}}")):
        data = json.dumps({"model": "gpt-5.2", "messages": said(text)}).encode()
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
            b"Authorization: Bearer any\r\nContent-Length: %d\r\n\r\n%b" % (len(data), data)
        )
        answer = b""
        while not answer.endswith(end):
            answer += connection.recv(65536)
    connection.close()
    assert len(upstream.requests) == 3


# --- DeepSeek --------------------------------------------------------------------------------


def test_deepseek_reports_usage_on_its_last_chunk(upstream: UpstreamSimulator) -> None:
    """Hits and misses stand beside the finish reason, whether asked for or not."""
    text = "[sim input=10 cached=4 output=3]"
    for options, nulls in (({}, 0), ({"stream_options": {"include_usage": True}}, 4)):
        events = stream(upstream, "/v1/chat/completions", text, model="deepseek-chat", **options)
        assert [data for _, data in events][-1] == "[DONE]"
        last = events[-2][1]
        assert last["choices"][0]["finish_reason"] == "stop"
        assert last["usage"] == {
            "prompt_tokens": 10,
            "completion_tokens": 3,
            "total_tokens": 13,
            "prompt_tokens_details": {"cached_tokens": 4},
            "prompt_cache_hit_tokens": 4,
            "prompt_cache_miss_tokens": 6,
        }
        assert usages_of(events)[:-1] == [None] * nulls


def test_deepseek_shows_that_it_lives(upstream: UpstreamSimulator) -> None:
    """Waiting brings comments in a stream and blank lines before a whole answer."""
    body = {"model": "deepseek-chat", "messages": said("[sim output=2 first_ms=50]")}
    _, streamed = read_to_end(raw(upstream, "/v1/chat/completions", body | {"stream": True}))
    assert streamed.startswith(b": keep-alive\n\n" * 3 + b"data: {")
    _, whole = read_to_end(raw(upstream, "/v1/chat/completions", body))
    assert whole.startswith(b"\n\n\n{")
    assert json.loads(whole)["usage"]["completion_tokens"] == 2


# --- Anthropic -------------------------------------------------------------------------------


def test_anthropic_events_come_in_order(upstream: UpstreamSimulator) -> None:
    """Start, block, ping, deltas, block's end, cumulative usage, stop."""
    text = "[sim input=10 cached=4 output=5 chunk_tokens=2]"
    events = stream(upstream, "/v1/messages", text, model="claude-opus-4-6")
    assert [name for name, _ in events] == [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert all(name == data["type"] for name, data in events)
    start = events[0][1]["message"]["usage"]
    assert (start["input_tokens"], start["cache_read_input_tokens"]) == (10, 4)
    assert start["output_tokens"] == 1
    assert start["cache_creation"] == {
        "ephemeral_5m_input_tokens": 0,
        "ephemeral_1h_input_tokens": 0,
    }
    assert events[-2][1] == {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {
            "input_tokens": 10,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 4,
            "output_tokens": 5,
        },
    }


def test_anthropic_usage_is_cumulative(upstream: UpstreamSimulator) -> None:
    """Repeated usage never starts again at zero."""
    events = stream(upstream, "/v1/messages", "[sim output=3 usage=repeated]")
    outputs = [data["usage"]["output_tokens"] for name, data in events if name == "message_delta"]
    assert outputs == [1, 2, 3, 3]


def test_anthropic_streams_a_tool_call(upstream: UpstreamSimulator) -> None:
    """The tool's input comes as pieces of JSON."""
    tools = [{"name": "read_river", "input_schema": {"type": "object"}}]
    events = stream(upstream, "/v1/messages", "[sim tool output=6]", tools=tools)
    assert events[1][1]["content_block"]["name"] == "read_river"
    pieces = [
        data["delta"]["partial_json"] for name, data in events if name == "content_block_delta"
    ]
    assert len(pieces) == 6
    assert json.loads("".join(pieces)) == {"text": "The river rises and"}
    assert events[-2][1]["delta"]["stop_reason"] == "tool_use"


def test_anthropic_errors_have_its_shape(upstream: UpstreamSimulator) -> None:
    """An error is typed as Anthropic's, as an answer and as an event in a stream."""
    body = {"model": "claude-opus-4-6", "max_tokens": 9, "messages": said("[sim status=529]")}
    connection = raw(upstream, "/v1/messages", body)
    answer = b""
    while not answer.endswith(b"}"):
        answer += connection.recv(65536)
    connection.close()
    head, _, text = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 529 ")
    assert json.loads(text)["error"]["type"] == "overloaded_error"
    events = stream(upstream, "/v1/messages", "[sim output=9 cut_chunks=1 status=529]")
    assert events[-1][0] == "error"
    assert events[-1][1]["error"]["type"] == "overloaded_error"


def test_anthropic_compatible_endpoint_has_bare_usage(client: openai.OpenAI) -> None:
    """A claude model at the chat route answers without details, fingerprint and logprobs."""
    answer = client.chat.completions.create(
        model="claude-opus-4-6", messages=said("[sim input=10000 output=2000]")
    )
    assert answer.usage is not None
    assert answer.usage.model_dump(exclude_unset=True) == {
        "prompt_tokens": 10000,
        "completion_tokens": 2000,
        "total_tokens": 12000,
    }
    assert "system_fingerprint" not in answer.model_fields_set


# --- the program -----------------------------------------------------------------------------


def test_the_program_serves_until_it_is_told_to_stop() -> None:
    """`python -m local.upstream` says where it serves, answers there, and ends on SIGTERM."""
    command = [sys.executable, "-m", "local.upstream", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        base_url = program.stdout.readline().split()[-1]
        assert base_url.startswith("http://127.0.0.1:")
        with openai.OpenAI(base_url=base_url, api_key="any", max_retries=0) as sdk:
            assert sdk.chat.completions.create(model="m", messages=said("hi")).choices
        program.send_signal(signal.SIGTERM)
        assert program.wait(WAIT_S) == 0


def test_the_program_serves_loopback_only() -> None:
    """An address that others could reach is refused."""
    command = [sys.executable, "-m", "local.upstream", "--host", "0.0.0.0"]  # noqa: S104
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "loopback" in done.stderr
