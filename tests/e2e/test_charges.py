"""What a request costs, by real requests through the stack: docs/billing.md, row by row."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import pytest

from osiris.money import ceil_div, dollars_from_nano, nano_from_dollars
from osiris.usage import charge_nano
from tests.e2e.conftest import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris.ledger.entry import Charge, Entry
    from tests.e2e.conftest import Harness

OPUS, DEEPSEEK, GPT = "claude-opus-4.6", "deepseek-v3", "gpt-5.4-mini"
FUNDED_NANO = nano_from_dollars("100")
MINIMUM = "0.001"
TRIES_MAX = 200
BOTH = (False, True)


def told_cost(content: bytes) -> list[str]:
    """The text of each `cost` in an answer, digit by digit."""
    return [found.decode() for found in re.findall(rb'"cost":([^,}]*)', content)]


def settled(harness: Harness, secret: str) -> Entry:
    """The key's one charge, once nothing is held any more."""
    for _ in range(TRIES_MAX):
        charges = harness.charges(secret)
        if charges and not harness.key(secret).holds:
            assert len(charges) == 1
            return charges[0]
        time.sleep(0.05)
    raise AssertionError("the request was never settled")


def facts(entry: Entry) -> Charge:
    """What a charge says of its request."""
    assert entry.charge is not None
    return entry.charge


def metrics(harness: Harness, request_id: str) -> set[str]:
    """The metrics that the request's own log line counts."""
    lines = [line for line in harness.log().splitlines() if request_id in line]
    (line,) = [found for found in lines if '"event":"request"' in found]
    told = json.loads(line[line.index("{") :])
    counted = told.get("_aws", {"CloudWatchMetrics": []})["CloudWatchMetrics"]
    return {metric["Name"] for group in counted for metric in group["Metrics"]}


def error_in(answer: httpx.Response) -> str | None:
    """The code of the answer's error, in its body or in its stream."""
    if answer.status_code != 200:
        return str(answer.json()["error"]["code"])
    found = re.findall(rb'^data: (\{"error":.*)$', answer.content, re.MULTILINE)
    return str(json.loads(found[0])["error"]["code"]) if found else None


class Priced(NamedTuple):
    """Tokens as the upstream reports them, and what they cost."""

    model: str
    tokens: str
    cost: str


PRICED = [
    Priced(OPUS, "input=10000 output=2000", "0.1"),
    Priced(DEEPSEEK, "input=50000 output=5000", "0.019"),
    Priced(DEEPSEEK, "input=100 output=20", MINIMUM),
    # 6,000 x $5 + 4,000 x $0.50 + 2,000 x $25, a million
    Priced(OPUS, "input=10000 cached=4000 output=2000", "0.082"),
    # 40,000 x $0.27 + 10,000 x $0.07 + 5,000 x $1.10
    Priced(DEEPSEEK, "input=50000 cached=10000 output=5000", "0.017"),
    # 1 x $0.75 + 2 x $0.075 + 2,221 x $4.50: nothing is rounded away
    Priced(GPT, "input=3 cached=2 output=2221", "0.0099954"),
]


@pytest.mark.parametrize("stream", BOTH, ids=["whole", "streamed"])
@pytest.mark.parametrize("priced", PRICED, ids=lambda priced: f"{priced.model} {priced.tokens}")
def test_one_figure_is_told_everywhere(harness: Harness, priced: Priced, stream: bool) -> None:
    """The answer, its header, its record, the ledger and the key's balance agree to the digit."""
    secret = harness.new_key()
    steering = f"[sim {priced.tokens} chunk_tokens=500]"
    answer = harness.chat(secret, steering, stream=stream, model=priced.model)
    assert answer.status_code == 200
    assert told_cost(answer.content) == [priced.cost]
    assert answer.headers.get("X-Osiris-Cost") == (None if stream else priced.cost)

    record = harness.get(secret, f"requests/{answer.headers['X-Request-Id']}").json()
    assert (record["state"], record["cost"]) == ("completed", priced.cost)
    assert record["minimum_applied"] == (priced.cost == MINIMUM)
    assert (record["estimated"], record["bounded"]) == (False, False)
    entry = settled(harness, secret)
    assert (entry.id, entry.amount_nano) == (record["id"], -nano_from_dollars(priced.cost))
    assert charge_nano(facts(entry).tokens, facts(entry).prices) == entry.cost_nano
    key = harness.get(secret, "key").json()
    assert key["balance"] == dollars_from_nano(FUNDED_NANO + entry.amount_nano)
    assert (key["available"], key["held"]) == (key["balance"], "0")
    assert key["usage"] == {"requests": 1, "cost": priced.cost}


def osiris(harness: Harness, *words: str) -> Any:
    """What the operator's command answers for programs, by the environment of `.local/env`."""
    command = [str(Path(sys.executable).with_name("osiris")), *words, "--json"]
    environment = {"PATH": os.environ["PATH"], **harness.stack.environment}
    done = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_the_operators_ledger_shows_the_same_figures(harness: Harness) -> None:
    """The mission's examples in `osiris ledger`, with the balance after each."""
    secret = harness.new_key(dollars="1")
    for priced in PRICED[:3]:
        assert harness.chat(secret, f"[sim {priced.tokens}]", model=priced.model).is_success
    told = osiris(harness, "ledger", harness.key(secret).id)
    lines = [(line["type"], line["amount"], line["balance_after"]) for line in told["data"]]
    assert lines == [
        ("grant", "1", "1"),
        ("charge", "-0.1", "0.9"),
        ("charge", "-0.019", "0.881"),
        ("charge", "-0.001", "0.88"),
    ]
    assert [line.get("cost") for line in told["data"]] == [None, "0.1", "0.019", MINIMUM]
    assert (told["balance"], told["held"]) == ("0.88", "0")
    assert harness.get(secret, "key").json()["balance"] == "0.88"


class Row(NamedTuple):
    """One way for an answer to go, by the simulator's words; what it is charged and called."""

    words: str
    streamed: tuple[bool, ...]
    cost: str
    state: str
    error: str | None = None
    metric: str | None = None
    model: str = OPUS

    @property
    def name(self) -> str:
        return f"{self.model}: {self.words}"


TOKENS = "input=10000 output=5000 chunk_tokens=1000"
FAILED, SILENT, REFUSED, REJECTED = (
    "upstream_failed",
    "upstream_silent",
    "upstream_refused",
    "upstream_rejected",
)
WHOLE, STREAMED = (False,), (True,)
ROWS = [
    # A complete answer with usage; a finish reason makes an answer of nothing one.
    Row("input=10000 output=2000 usage=repeated chunk_tokens=400", BOTH, "0.1", "completed"),
    Row("input=10000 output=0", BOTH, "0.05", "completed"),
    Row("input=10 output=0", BOTH, MINIMUM, "completed"),
    # The upstream failed in mid-stream: by its word, by a cut, by silence.
    Row(f"{TOKENS} cut_chunks=0", STREAMED, "0", FAILED, FAILED, "UpstreamFailed"),
    Row(f"{TOKENS} cut_chunks=3", STREAMED, "0", FAILED, FAILED, "UpstreamFailed"),
    Row(f"{TOKENS} cut_chunks=3 status=529", STREAMED, "0", FAILED, FAILED, "UpstreamFailed"),
    Row(f"{TOKENS} cut_chunks=3 stall", STREAMED, "0", SILENT, SILENT, "UpstreamFailed"),
    # 10,000 x $5 + 3,000 x $25, a million: what it had reported until then.
    Row(f"{TOKENS} cut_chunks=3 usage=repeated", STREAMED, "0.125", FAILED, FAILED),
    Row(f"{TOKENS} cut_chunks=3 usage=repeated status=529", STREAMED, "0.125", FAILED, FAILED),
    Row(f"{TOKENS} cut_chunks=3 usage=repeated stall", STREAMED, "0.125", SILENT, SILENT),
    # HTTP errors of the upstream's, and ours about it.
    Row("status=400", BOTH, "0", REJECTED, REJECTED),
    Row("status=404", BOTH, "0", REJECTED, "model_not_found", model=GPT),
    Row("status=401", BOTH, "0", REFUSED, REFUSED, "UpstreamRefused"),
    Row("status=429", BOTH, "0", REFUSED, REFUSED, "UpstreamRefused"),
    Row("status=500", BOTH, "0", FAILED, FAILED, "UpstreamFailed"),
    Row("status=529", BOTH, "0", FAILED, FAILED, "UpstreamFailed"),
    Row("cut_chunks=-1", BOTH, "0", FAILED, FAILED, "UpstreamFailed"),
    Row("cut_chunks=1 output=100", WHOLE, "0", FAILED, FAILED, "UpstreamFailed"),
    Row("stall first_ms=0", BOTH, "0", SILENT, SILENT, "UpstreamFailed"),
    # Usage that can't be: the model's limits are the most, nothing is the least.
    Row("output=5 usage=negative", BOTH, MINIMUM, "completed", metric="UsageOutOfBounds"),
    Row("output=5 usage=huge", BOTH, "8.2", "completed", metric="UsageOutOfBounds"),
    Row("output=9 input=2000000", BOTH, "5.000225", "completed", metric="UsageOutOfBounds"),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_is_charged(harness: Harness, row: Row) -> None:
    """The cost, the state in the record, the error told, and the operator's metric."""
    for stream in row.streamed:
        secret = harness.new_key()
        answer = harness.chat(secret, f"[sim {row.words}]", stream=stream, model=row.model)
        assert error_in(answer) == row.error
        assert (b"[DONE]" in answer.content) == (stream and row.error is None)
        assert told_cost(answer.content) == ([row.cost] if row.error is None else [])
        record = harness.get(secret, f"requests/{answer.headers['X-Request-Id']}").json()
        assert (record["state"], record["cost"]) == (row.state, row.cost)
        assert record["bounded"] == (row.metric == "UsageOutOfBounds")
        assert record["minimum_applied"] == (row.cost == MINIMUM)
        entry = settled(harness, secret)
        assert entry.cost_nano == nano_from_dollars(row.cost)
        assert harness.key(secret).balance_nano == FUNDED_NANO - entry.cost_nano
        if row.metric is not None:
            assert metrics(harness, entry.id) == {row.metric}
        if row.error is not None and answer.status_code == 200:
            charged = row.cost != "0"
            assert (f"was charged: ${row.cost}." in answer.text) == charged
            assert ("Nothing was charged." in answer.text) != charged


@pytest.mark.parametrize("stream", BOTH, ids=["whole", "streamed"])
@pytest.mark.parametrize("usage", ["none", "null"])
def test_a_complete_answer_without_usage_is_estimated(
    harness: Harness, usage: str, stream: bool
) -> None:
    """A token for every four bytes, of the request's body and of the answer's text."""
    secret = harness.new_key()
    steering = f"[sim output=2000 usage={usage} chunk_tokens=100] " + "é" * 500
    answer = harness.chat(secret, steering, stream=stream)
    sent = harness.simulator.requests[-1]
    entry = settled(harness, secret)
    body_bytes = len(sent.raw_body) + len(OPUS) - len("claude-opus-4-6")
    if stream:
        body_bytes -= len(',"stream_options":{"include_usage": true}')
    assert facts(entry).tokens.input == ceil_div(body_bytes, 4)
    assert facts(entry).tokens.output == ceil_div(len(_text(answer, stream=stream)), 4)
    assert facts(entry).estimated
    assert entry.cost_nano == charge_nano(facts(entry).tokens, facts(entry).prices)
    assert metrics(harness, entry.id) == {"UsageEstimated"}
    record = harness.get(secret, f"requests/{entry.id}").json()
    assert (record["estimated"], record["cost"]) == (True, dollars_from_nano(entry.cost_nano))
    assert answer.headers.get("X-Osiris-Cost") == (None if stream else record["cost"])


def _text(answer: httpx.Response, *, stream: bool) -> bytes:
    if not stream:
        return str(answer.json()["choices"][0]["message"]["content"]).encode()
    texts = re.findall(rb'"content":"([^"]*)"', answer.content)
    return b"".join(texts)


def test_each_choice_is_paid_for(harness: Harness) -> None:
    """Three choices of 1,000 tokens are 3,000 tokens of output."""
    secret = harness.new_key()
    answer = harness.chat(secret, "[sim input=2000 output=1000]", n=3, model=GPT)
    assert len(answer.json()["choices"]) == 3
    assert told_cost(answer.content) == ["0.015"]


def test_refusals_of_ours_leave_no_entry(harness: Harness) -> None:
    """Nothing is charged, held or recorded for a request that was not let in."""
    secret = harness.new_key()
    for body in (b"{", b'{"model": "gpt-0", "messages": [{}]}', b'{"model": "x", "messages": 1}'):
        assert harness.post(secret, body).status_code in (400, 404)
    assert harness.charges(secret) == []
    assert harness.key(secret).window == [0] * 40


def test_a_stream_is_read_to_its_end_when_the_client_has_left(harness: Harness) -> None:
    """The function is not told; the answer is complete, and is charged as such."""
    secret = harness.new_key()
    body = _body("[sim input=10000 output=2000 chunk_tokens=200 delay_ms=50]", stream=True)
    before = len(harness.simulator.requests)
    with httpx.stream("POST", _url(harness), json=body, headers=_bearer(secret)) as answer:
        first = next(answer.iter_raw())
    assert b"data: " in first
    upstream = harness.simulator.requests[before]
    assert upstream.pieces_sent < 10
    entry = settled(harness, secret)
    assert (upstream.ended, upstream.pieces_sent) == ("complete", 10)
    assert (entry.cost_nano, facts(entry).state) == (nano_from_dollars("0.1"), "completed")


def test_a_whole_answer_is_charged_when_the_client_has_left(harness: Harness) -> None:
    """It was asked for and made; its record tells the client who comes back."""
    secret = harness.new_key()
    body = json.dumps(_body("[sim input=10000 output=2000 first_ms=500]", stream=False)).encode()
    before = len(harness.simulator.requests)
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
        f"Authorization: Bearer {secret}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", harness.stack.port)) as client:
        client.sendall(head.encode() + body)
        for _ in range(TRIES_MAX):
            if len(harness.simulator.requests) > before:
                break
            time.sleep(0.02)
    assert settled(harness, secret).cost_nano == nano_from_dollars("0.1")
    assert harness.simulator.requests[before].ended == "complete"


def test_silence_is_filled_with_comments(harness: Harness) -> None:
    """Keep-alives come before the first words, between events, and change nothing."""
    secret = harness.new_key()
    answer = harness.chat(
        secret, "[sim input=10000 output=2000 chunk_tokens=1000 first_ms=700]", stream=True
    )
    comments, _, events = answer.content.partition(b"data: ")
    assert set(comments.split(b"\n\n")) == {b": keep-alive", b""}
    assert b"keep-alive" not in events.replace(b": keep-alive\n\n", b"")
    assert told_cost(answer.content) == ["0.1"]


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    """A stack whose function cuts every answer two and a half seconds after its request came."""
    variables = {
        "OSIRIS_KEEP_ALIVE_MS": "200",
        "OSIRIS_DEADLINE_MARGIN_MS": "897500",
    }
    with running(tmp_path_factory.mktemp("hurried"), variables, {}) as started:
        yield started


def test_streams_in_a_row_share_a_connection_to_the_upstream(harness: Harness) -> None:
    """Each is read to its very end, so that the next need not pay for a handshake.

    On a busy machine the gateway may start a second process, so not all of them need share it.
    """
    secret = harness.new_key()
    for _ in range(8):
        assert b"[DONE]" in harness.chat(secret, "Hello", stream=True).content
    latest = list(harness.simulator.requests)[-8:]
    assert len({request.client_port for request in latest}) < 8


LONG = "[sim input=10000 output=80000 chunk_tokens=800 delay_ms=100{}]"


def test_our_deadline_charges_the_usage_reported_until_then(hurried: Harness) -> None:
    """The last figures seen before the cut, by the client too; then an error and no `[DONE]`."""
    secret = hurried.new_key()
    answer = hurried.chat(secret, LONG.format(" usage=repeated"), stream=True)
    reported = re.findall(rb'"completion_tokens":(\d+)', answer.content)
    entry = settled(hurried, secret)
    assert facts(entry).tokens.output == int(reported[-1]) >= 800
    assert not facts(entry).estimated
    _check_cut(hurried, secret, answer, entry)


def test_our_deadline_charges_an_estimate_where_nothing_was_reported(hurried: Harness) -> None:
    """A token for every four bytes of the text that the client got."""
    secret = hurried.new_key()
    answer = hurried.chat(secret, LONG.format(""), stream=True)
    entry = settled(hurried, secret)
    text = _text(answer, stream=True)
    assert len(text) >= 800
    assert facts(entry).tokens.output == ceil_div(len(text), 4)
    assert facts(entry).estimated
    _check_cut(hurried, secret, answer, entry)
    upstream = hurried.simulator.requests[-1]
    assert upstream.finished.wait(5)
    assert upstream.ended == "client_left"  # it writes no more, and asks for no more money


def _check_cut(harness: Harness, secret: str, answer: httpx.Response, entry: Entry) -> None:
    assert error_in(answer) == "deadline_exceeded"
    assert b"[DONE]" not in answer.content
    cost = dollars_from_nano(entry.cost_nano)
    assert f"What was answered until then was charged: ${cost}." in answer.text
    assert entry.cost_nano == charge_nano(facts(entry).tokens, facts(entry).prices)
    record = harness.get(secret, f"requests/{entry.id}").json()
    assert (record["state"], record["cost"]) == ("deadline", cost)
    assert harness.key(secret).balance_nano == FUNDED_NANO - entry.cost_nano


def test_an_answer_in_one_piece_that_comes_too_late_costs_nothing(hurried: Harness) -> None:
    """The client got an error and no answer; the SDKs are told not to try the same again."""
    secret = hurried.new_key()
    answer = hurried.chat(secret, "[sim output=10 first_ms=5000]", model=DEEPSEEK)
    assert (answer.status_code, error_in(answer)) == (504, "deadline_exceeded")
    assert answer.headers["X-Should-Retry"] == "false"
    entry = settled(hurried, secret)
    assert (entry.cost_nano, facts(entry).state) == (0, "deadline")


def test_the_audit_holds_after_all_that(harness: Harness, hurried: Harness) -> None:
    """Every balance is the sum of its entries, as `osiris audit` says, too."""
    assert harness.differences() == hurried.differences() == []
    assert osiris(harness, "audit")["holds"]


def _body(steering: str, *, stream: bool) -> dict[str, Any]:
    messages = [{"role": "user", "content": steering}]
    return {"model": OPUS, "messages": messages, "stream": stream}


def _url(harness: Harness) -> str:
    return f"{harness.stack.base_url}/chat/completions"


def _bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}
