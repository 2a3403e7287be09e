"""HTTP to events and back: what a function sees, what a client gets, what is refused and how."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from local.front import Front
from tests.local.front.client import Gate, ask, connection
from tests.local.front.conftest import FrontMaker


def event_of(front: Front, method: str, target: str, **request: Any) -> dict[str, Any]:
    """The event that the function saw."""
    got = ask(front.base_url, method, target, **request)
    assert got.status == 200, got.body
    event = got.json["event"]
    assert isinstance(event, dict)
    return event


def answered(front: Front, answer: object) -> Any:
    """What the client gets when the function returns `answer`."""
    return ask(front.base_url, "POST", "/buffered", {"call": "answer", "answer": answer})


def test_a_request_becomes_a_rest_proxy_event(front: Front) -> None:
    """Path, parameters, query, headers and context are those of payload version 1.0."""
    event = event_of(
        front,
        "GET",
        "/things/a%2Fb%20c?x=1&x=2&y=%C3%A9&z=",
        headers={"X-Mine": "yes", "User-Agent": "tests", "X-Forwarded-For": "10.0.0.1"},
    )
    assert event["resource"] == "/things/{id}"
    assert event["path"] == "/things/a%2Fb%20c"
    assert event["httpMethod"] == "GET"
    assert event["pathParameters"] == {"id": "a/b c"}
    assert event["queryStringParameters"] == {"x": "2", "y": "é", "z": ""}
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"], "y": ["é"], "z": [""]}
    assert event["headers"]["X-Mine"] == "yes"
    assert event["headers"]["X-Forwarded-For"] == "10.0.0.1, 127.0.0.1"
    assert event["multiValueHeaders"]["X-Mine"] == ["yes"]
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}", event["headers"]["X-Amzn-Trace-Id"])
    assert (event["body"], event["isBase64Encoded"]) == (None, False)
    context = event["requestContext"]
    assert context["stage"] == "live"
    assert context["resourcePath"] == "/things/{id}"
    assert context["identity"]["sourceIp"] == "127.0.0.1"
    assert context["identity"]["userAgent"] == "tests"
    assert isinstance(context["requestTimeEpoch"], int)


def test_the_answer_names_the_request_that_the_function_saw(front: Front) -> None:
    """x-amzn-RequestId is the event's request id; a client's trace id goes through."""
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"
    with connection(front.base_url) as conn:
        conn.request("GET", "/things/1", headers={"X-Amzn-Trace-Id": trace})
        response = conn.getresponse()
        seen = json.loads(response.read())
    assert seen["event"]["requestContext"]["requestId"] == response.headers["x-amzn-RequestId"]
    assert seen["environment"]["_X_AMZN_TRACE_ID"] == trace
    assert response.headers["X-Amzn-Trace-Id"] == trace


def test_repeated_headers_keep_all_values_and_hop_by_hop_ones_go(front: Front) -> None:
    """The last value is the single one; Connection, Expect and their like never arrive."""
    with connection(front.base_url) as conn:
        conn.putrequest("GET", "/things/1")
        conn.putheader("X-Two", "a")
        conn.putheader("X-Two", "b")
        conn.putheader("Connection", "keep-alive")
        conn.putheader("TE", "trailers")
        conn.endheaders()
        event = json.loads(conn.getresponse().read())["event"]
    assert event["headers"]["X-Two"] == "b"
    assert event["multiValueHeaders"]["X-Two"] == ["a", "b"]
    assert not {"connection", "te"} & {name.lower() for name in event["headers"]}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param('{"é": "😀"}'.encode(), '{"é": "😀"}', id="UTF-8"),
        pytest.param(b'{"a": "\xff\xfe"}', '{"a": "��"}', id="not UTF-8"),
        pytest.param(b"", None, id="none"),
    ],
)
def test_a_body_is_text(front: Front, body: bytes, text: str | None) -> None:
    """Without binary media types bytes are read as UTF-8; what is none becomes U+FFFD."""
    event = event_of(front, "POST", "/files/x", body=body)
    assert (event["body"], event["isBase64Encoded"]) == (text, False)


@pytest.mark.parametrize(
    ("target", "resource", "parameters"),
    [
        ("/things/special", "/things/special", None),
        ("/things/other", "/things/{id}", {"id": "other"}),
        ("/things/other/", "/things/{id}", {"id": "other"}),
        ("/files/a/b/c", "/files/{path+}", {"path": "a/b/c"}),
    ],
)
def test_the_most_exact_route_wins(
    front: Front, target: str, resource: str, parameters: dict[str, str] | None
) -> None:
    """A literal segment goes before a parameter, a parameter before a greedy one."""
    event = event_of(front, "GET", target)
    assert (event["resource"], event["pathParameters"]) == (resource, parameters)


def test_any_takes_every_method(front: Front) -> None:
    """A route of method ANY passes the request's own method on."""
    assert event_of(front, "PATCH", "/files/a")["httpMethod"] == "PATCH"


def test_a_buffered_answer_reaches_the_client_whole(front: Front) -> None:
    """Status, headers, repeated headers and body of the proxy answer."""
    got = answered(
        front,
        {
            "statusCode": 418,
            "headers": {"X-One": 1, "X-Yes": True, "Date": "never", "Connection": "x"},
            "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]},
            "body": "äöü",
        },
    )
    assert got.status == 418
    assert got.body.decode() == "äöü"
    assert got.headers["X-One"] == "1"
    assert got.headers["X-Yes"] == "true"
    assert got.headers["x-amzn-Remapped-Date"] == "never"
    assert got.headers["x-amzn-Remapped-Connection"] == "x"
    assert got.headers.get_all("Set-Cookie") == ["a=1", "b=2"]
    assert got.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(None, id="null"),
        pytest.param("text", id="text"),
        pytest.param({"statusCode": "many"}, id="no status"),
        pytest.param({"statusCode": 200, "body": {"a": 1}}, id="body is an object"),
        pytest.param({"statusCode": 200, "cookies": []}, id="unknown key"),
        pytest.param({"statusCode": 200, "headers": {"X": []}}, id="header is a list"),
        pytest.param({"statusCode": 200, "headers": {"X": "a\r\nY: b"}}, id="two headers in one"),
        pytest.param({"statusCode": 200, "multiValueHeaders": {"X": "a"}}, id="values are no list"),
    ],
)
def test_a_malformed_proxy_answer_is_502(front: Front, answer: object) -> None:
    """What is not in the form of a proxy answer never reaches the client."""
    got = answered(front, answer)
    assert got.status == 502
    assert got.json == {"error": {"code": "internal", "kind": "INTEGRATION_FAILURE"}}
    assert got.headers["x-amzn-ErrorType"] == "InternalServerErrorException"


def test_an_unknown_route_has_the_templates_answer(front: Front) -> None:
    """MISSING_AUTHENTICATION_TOKEN: status, headers and body as the template wants them."""
    for method, target in [("GET", "/nowhere"), ("GET", "/buffered"), ("GET", "/things/a/b")]:
        got = ask(front.base_url, method, target)
        request_id = got.headers["x-amzn-RequestId"]
        assert got.status == 404
        assert got.json == {"error": {"message": "Missing Authentication Token", "id": request_id}}
        assert got.headers["X-Request-Id"] == request_id
        assert got.headers["X-Fixed"] == "fixed"
        assert got.headers["x-amzn-ErrorType"] == "MissingAuthenticationTokenException"


def test_an_unknown_route_with_a_bearer_token_is_taken_for_a_bad_signature(front: Front) -> None:
    """API Gateway reads any Authorization header there as SigV4; no template entry: AWS's words."""
    got = ask(front.base_url, "GET", "/nowhere", headers={"Authorization": "Bearer x"})
    assert got.status == 403
    assert got.json["message"].startswith("Authorization header requires 'Credential' parameter.")
    assert got.headers["x-amzn-ErrorType"] == "IncompleteSignatureException"


def test_head_of_an_unknown_route_has_no_body(front: Front) -> None:
    """The answer to HEAD is a head, and the connection goes on."""
    with connection(front.base_url) as conn:
        conn.request("HEAD", "/nowhere")
        response = conn.getresponse()
        assert (response.status, response.read()) == (404, b"")
        conn.request("GET", "/things/1")
        assert conn.getresponse().status == 200


def test_preflight_is_answered_by_the_mock_integration(front: Front) -> None:
    """OPTIONS of a route has SAM's CORS headers, and no function is called."""
    for target in ["/stream", "/things/17"]:
        got = ask(front.base_url, "OPTIONS", target)
        assert got.status == 200
        assert got.headers["Access-Control-Allow-Origin"] == "*"
        assert got.headers["Access-Control-Allow-Headers"] == "Authorization,Content-Type"
        assert got.headers["Access-Control-Max-Age"] == "600"
    assert ask(front.base_url, "OPTIONS", "/stream").headers["Access-Control-Allow-Methods"] == (
        "OPTIONS,POST"
    )


def test_a_method_is_throttled_at_its_rate(start_front: FrontMaker) -> None:
    """The template's burst goes through, the next is 429; other methods are not concerned."""
    front = start_front()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: ask(front.base_url, "GET", "/things/1"), range(4)))  # warm
        got = list(pool.map(lambda _: ask(front.base_url, "GET", "/rare"), range(6)))
    refused = [answer for answer in got if answer.status == 429]
    assert 2 <= len(got) - len(refused) < 6  # the burst, and what a slow machine's seconds bring
    assert refused[0].json == {"message": "Too Many Requests"}
    assert refused[0].headers["x-amzn-ErrorType"] == "TooManyRequestsException"
    assert ask(front.base_url, "GET", "/things/1").status == 200


def test_a_connection_serves_many_requests(front: Front) -> None:
    """Keep-alive holds over functions, streams, refusals and preflights alike."""
    stream = {"steps": [{"write": "{}"}, {"nuls": 8}, {"write": "x"}]}
    with connection(front.base_url) as conn:
        statuses = []
        for method, target, order in [
            ("POST", "/buffered", {"call": "echo"}),
            ("POST", "/stream", stream),
            ("GET", "/nowhere", None),
            ("OPTIONS", "/stream", None),
            ("POST", "/stream", stream),
        ]:
            conn.request(method, target, None if order is None else json.dumps(order))
            first_socket = conn.sock
            response = conn.getresponse()
            response.read()
            statuses.append(response.status)
            assert conn.sock is first_socket
    assert statuses == [200, 200, 404, 200, 200]


def test_a_hundred_connections_are_served_at_once(start_front: FrontMaker, gate: Gate) -> None:
    """A hundred clients wait for one busy function's neighbours without being refused."""
    front = start_front(environments_max=2)
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(
            ask, front.base_url, "POST", "/buffered", {"call": "hold", "gate": gate.port}
        )
        visitor = gate.visitor()
        connections = [connection(front.base_url) for _ in range(100)]
        opened = [manager.__enter__() for manager in connections]
        for conn in opened:
            conn.request("GET", "/nowhere")
        assert {conn.getresponse().status for conn in opened} == {404}
        for conn in opened:
            conn.close()
        visitor.let_go()
        assert held.result().status == 200


def test_the_integration_timeout_of_a_buffered_method_is_504(
    start_front: FrontMaker, gate: Gate
) -> None:
    """The client is answered in time; the function goes on to its end."""
    front = start_front(parameters={"IntegrationTimeoutMs": "400"})
    got = ask(front.base_url, "POST", "/buffered", {"call": "hold", "gate": gate.port})
    assert got.status == 504
    assert got.json == {"error": {"code": "internal", "kind": "INTEGRATION_TIMEOUT"}}
    visitor = gate.visitor()
    assert visitor.hear() == "here"
    visitor.let_go()
    assert visitor.hear() == "done"
