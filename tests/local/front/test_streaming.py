"""Streamed answers: byte by byte, in the form that API Gateway demands, cut when they are cut."""

import http.client
import json
from typing import Any

import pytest

from local.front import Front
from local.limits import Patience
from tests.local.front.client import Gate, Raw, ask, connection
from tests.local.front.conftest import FrontMaker

PRELUDE: list[dict[str, Any]] = [
    {"write": '{"statusCode": 200, "headers": {"Content-Type": "text/event-stream"}}'},
    {"nuls": 8},
]


def test_the_first_bytes_arrive_while_the_function_still_writes(front: Front, gate: Gate) -> None:
    """Each piece reaches the client before the function goes on to the next one."""
    steps = [*PRELUDE, {"write": "first"}, {"wait": 1}, {"write": "second"}, {"wait": 1}]
    with Raw(front.base_url) as client:
        client.post("/stream", {"gate": gate.port, "steps": steps})
        function = gate.visitor()
        client.read_until(b"5\r\nfirst\r\n")
        function.let_go()
        received = client.read_until(b"6\r\nsecond\r\n")
        assert b"0\r\n\r\n" not in received
        function.let_go()
        client.read_until(b"0\r\n\r\n")


def test_status_and_headers_come_from_the_prelude(front: Front) -> None:
    """Status, single and repeated headers and cookies of the prelude are the answer's."""
    prelude = {
        "statusCode": 429,
        "headers": {"Retry-After": "3", "X-Both": "lost", "WWW-Authenticate": "Bearer"},
        "multiValueHeaders": {"X-Both": ["a", "b"]},
        "cookies": ["c=1", "d=2"],
    }
    steps = [{"write": json.dumps(prelude)}, {"nuls": 8}, {"write": "slow down"}]
    got = ask(front.base_url, "POST", "/stream", {"steps": steps})
    assert got.status == 429
    assert got.body == b"slow down"
    assert got.headers["Retry-After"] == "3"
    assert got.headers.get_all("X-Both") == ["a", "b"]
    assert got.headers.get_all("Set-Cookie") == ["c=1", "d=2"]
    assert got.headers["x-amzn-Remapped-WWW-Authenticate"] == "Bearer"
    assert got.headers["Content-Type"] == "application/json"
    assert got.headers["Transfer-Encoding"] == "chunked"


def test_the_prelude_may_come_in_pieces(front: Front) -> None:
    """Where the function's chunks end means nothing: metadata, NULs and body may share them."""
    steps = [
        {"write": '{"statusCode"'},
        {"write": ": 201}\0\0\0"},
        {"write": "\0\0\0\0\0body"},
        {"write": " and more"},
    ]
    got = ask(front.base_url, "POST", "/stream", {"steps": steps})
    assert (got.status, got.body) == (201, b"body and more")


def test_a_length_given_by_the_function_replaces_chunks(front: Front) -> None:
    """Content-Length in the prelude is kept, and then no chunked coding is added."""
    steps = [
        {"write": '{"statusCode": 200, "headers": {"Content-Length": "4"}}'},
        {"nuls": 8},
        {"write": "four"},
    ]
    got = ask(front.base_url, "POST", "/stream", {"steps": steps})
    assert got.body == b"four"
    assert got.headers["Content-Length"] == "4"
    assert got.headers["Transfer-Encoding"] is None


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([{"write": '{"statusCode": 200, "more": 1}'}, {"nuls": 8}], id="unknown key"),
        pytest.param([{"write": "statusCode=200"}, {"nuls": 8}], id="not JSON"),
        pytest.param([{"write": '{"statusCode": 99}'}, {"nuls": 8}], id="no status"),
        pytest.param([{"write": '{"statusCode": 200}'}, {"nuls": 7}], id="seven NULs"),
        pytest.param([{"write": "just a body"}], id="no delimiter"),
        pytest.param([{"fill": 16 * 1024}, {"nuls": 8}], id="delimiter after 16 KB"),
        pytest.param([{"buffered": '{"statusCode": 200, "body": ""}'}], id="a buffered answer"),
    ],
)
def test_an_answer_in_another_form_is_500(front: Front, steps: list[dict[str, Any]]) -> None:
    """What is not metadata, eight NULs within 16 KB and a body is refused, as AWS has it."""
    got = ask(front.base_url, "POST", "/stream", {"steps": steps})
    assert got.status == 500
    assert got.json == {"error": {"code": "internal", "kind": "INTEGRATION_FAILURE"}}


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([{"exit": 3}], id="before a byte"),
        pytest.param([{"write": '{"statusCode": 200}'}, {"exit": 3}], id="within the prelude"),
        pytest.param([{"error": "Toy.Error"}], id="an error instead of an answer"),
    ],
)
def test_a_function_that_fails_before_the_prelude_is_502(
    front: Front, steps: list[dict[str, Any]]
) -> None:
    """As long as no status has gone out, a failure has one of its own."""
    assert ask(front.base_url, "POST", "/stream", {"steps": steps}).status == 502


@pytest.mark.parametrize(
    "last",
    [
        pytest.param({"exit": 3}, id="the process ends"),
        pytest.param({"drop": 1}, id="it drops the connection"),
        pytest.param({"trailers": ["Toy.Error", "{}"]}, id="error trailers"),
    ],
)
def test_a_failure_in_the_middle_cuts_the_body(front: Front, last: dict[str, Any]) -> None:
    """The client gets what was written, and no end that could pass for a whole answer."""
    with connection(front.base_url) as conn:
        order = {"steps": [*PRELUDE, {"write": "half"}, last]}
        conn.request("POST", "/stream", json.dumps(order))
        response = conn.getresponse()
        assert response.status == 200
        with pytest.raises(http.client.IncompleteRead) as cut:
            response.read()
        assert cut.value.partial == b"half"


def test_a_client_that_goes_away_does_not_stop_the_function(front: Front, gate: Gate) -> None:
    """The function writes on, megabytes if it likes, and reaches its end."""
    steps = [
        *PRELUDE,
        {"write": "first"},
        {"wait": 1},
        *[{"fill": 60_000}] * 50,
        {"tell": "end reached"},
    ]
    with Raw(front.base_url) as client:
        client.post("/stream", {"gate": gate.port, "steps": steps})
        function = gate.visitor()
        client.read_until(b"first")
    function.let_go()
    assert function.hear() == "end reached"


def test_a_slow_client_slows_the_function_down(front: Front, gate: Gate) -> None:
    """What a client does not read is not held here without bound: the function has to wait."""
    steps = [*PRELUDE, *[{"fill": 500_000}] * 50, {"tell": "end reached"}]
    with Raw(front.base_url) as client:
        client.post("/stream", {"gate": gate.port, "steps": steps})
        function = gate.visitor()
        client.read_until(b"xxxx")
        with pytest.raises(TimeoutError):
            function.hear_within(0.5)
        client.read_until(b"0\r\n\r\n")
        assert function.hear() == "end reached"


def test_a_silent_stream_is_cut(start_front: FrontMaker, gate: Gate) -> None:
    """After the idle timeout the client's stream ends without its end; the function goes on."""
    front = start_front(patience=Patience(stream_idle_s=0.3))
    steps = [*PRELUDE, {"write": "half"}, {"wait": 1}, {"tell": "end reached"}]
    with Raw(front.base_url) as client:
        client.post("/stream", {"gate": gate.port, "steps": steps})
        function = gate.visitor()
        assert client.read_to_end().endswith(b"4\r\nhalf\r\n")
    function.let_go()
    assert function.hear() == "end reached"


def test_silence_before_the_prelude_is_504(start_front: FrontMaker, gate: Gate) -> None:
    """The idle timeout counts from the start, and then there is still a status to say so."""
    front = start_front(patience=Patience(stream_idle_s=0.5))
    got = ask(front.base_url, "POST", "/stream", {"gate": gate.port, "steps": [{"wait": 1}]})
    assert got.status == 504


def test_the_integration_timeout_is_504_before_the_prelude(
    start_front: FrontMaker, gate: Gate
) -> None:
    """A function that says nothing in time is answered for; it goes on all the same."""
    front = start_front(parameters={"IntegrationTimeoutMs": "500"})
    steps = [{"wait": 1}, {"tell": "end reached"}]
    got = ask(front.base_url, "POST", "/stream", {"gate": gate.port, "steps": steps})
    assert got.status == 504
    assert got.json["error"]["kind"] == "INTEGRATION_TIMEOUT"
    function = gate.visitor()
    function.let_go()
    assert function.hear() == "end reached"


def test_the_integration_timeout_cuts_a_stream(start_front: FrontMaker, gate: Gate) -> None:
    """It is the time for the whole stream, however much is written."""
    front = start_front(parameters={"IntegrationTimeoutMs": "700"})
    steps = [*PRELUDE, {"write": "half"}, {"wait": 1}]
    with Raw(front.base_url) as client:
        client.post("/stream", {"gate": gate.port, "steps": steps})
        gate.visitor()
        assert client.read_to_end().endswith(b"4\r\nhalf\r\n")
