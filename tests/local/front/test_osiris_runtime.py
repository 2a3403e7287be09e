"""The product's own runtime behind the front, started through its wrapper as on AWS."""

import http.client
import json
from collections.abc import Iterator

import pytest

from local.front import Front
from local.template import Template
from tests.local.front.client import Gate, Raw, ask, connection
from tests.local.front.conftest import TOYS


@pytest.fixture(scope="module")
def front() -> Iterator[Front]:
    template = Template.load(TOYS.with_name("osiris.yaml"))
    with Front(template, {}, environment={"AWS_REGION": "us-east-1"}) as started:
        yield started


def test_each_piece_arrives_as_it_is_yielded(front: Front, gate: Gate) -> None:
    """A handler's iterator is at its next piece only when the client has the last one."""
    with Raw(front.base_url) as client:
        order = {"gate": gate.port, "pieces": ["one", "two"], "waits": True}
        client.post("/answer", order)
        function = gate.visitor()
        function.let_go()
        client.read_until(b"3\r\none\r\n")
        function.let_go()
        client.read_until(b"3\r\ntwo\r\n")
        client.read_until(b"0\r\n\r\n")
        assert function.hear() == "ended"


def test_an_error_before_the_first_piece_is_502(front: Front) -> None:
    """The runtime reports it as an error of the function; the next call works."""
    assert ask(front.base_url, "POST", "/answer", {"fails": True}).status == 502


def test_an_error_in_the_middle_cuts_the_body(front: Front, gate: Gate) -> None:
    """The runtime's error trailers end the client's stream without its end."""
    with connection(front.base_url) as conn:
        order = {"gate": gate.port, "pieces": ["half", "raise"]}
        conn.request("POST", "/answer", json.dumps(order))
        response = conn.getresponse()
        with pytest.raises(http.client.IncompleteRead) as cut:
            response.read()
    assert cut.value.partial == b"half"


def test_a_client_that_goes_away_is_not_noticed(front: Front, gate: Gate) -> None:
    """The generator comes to its end and is never closed before."""
    with Raw(front.base_url) as client:
        order = {"gate": gate.port, "pieces": ["one", "two", "three"], "waits": True}
        client.post("/answer", order)
        function = gate.visitor()
        function.let_go()
        client.read_until(b"one")
    function.let_go()
    function.let_go()
    assert function.hear() == "ended"


def test_a_client_that_does_not_read_is_dropped_before_the_deadline(
    front: Front, gate: Gate
) -> None:
    """The generator is closed in time, and the environment serves the next request."""
    with Raw(front.base_url) as client:
        order = {"gate": gate.port, "pieces": ["x" * 1000] * 60, "times": 1000}
        client.post("/answer", order)
        function = gate.visitor()
        assert function.hear() == "closed"
        environments = set(front.pids("AnsweringFunction"))
    after = ask(front.base_url, "POST", "/answer", {"gate": gate.port, "pieces": ["fine"]})
    assert after.body == b"fine"
    assert environments <= set(front.pids("AnsweringFunction"))
