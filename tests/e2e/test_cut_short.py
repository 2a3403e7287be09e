"""Answers that somebody does not wait for: the client, our deadline; and silence that is filled."""

from __future__ import annotations

import json
import re
import socket
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from osiris.money import ceil_div, dollars_from_nano, nano_from_dollars
from osiris.usage import charge_nano
from tests.e2e.charged import (
    DEEPSEEK,
    FUNDED_NANO,
    OPUS,
    TRIES_MAX,
    error_in,
    facts,
    settled,
    text_of,
    told_cost,
)
from tests.e2e.conftest import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris.ledger.entry import Entry
    from tests.e2e.conftest import Harness


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
    text = text_of(answer, stream=True)
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
    """Every balance is the sum of its entries."""
    assert harness.differences() == hurried.differences() == []


def _body(steering: str, *, stream: bool) -> dict[str, Any]:
    messages = [{"role": "user", "content": steering}]
    return {"model": OPUS, "messages": messages, "stream": stream}


def _url(harness: Harness) -> str:
    return f"{harness.stack.base_url}/chat/completions"


def _bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}
