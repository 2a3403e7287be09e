"""A proxy event read as a request."""

import base64
from typing import Any

import pytest

from osiris.http.messages import Answer, Request


def event(**changed: Any) -> dict[str, Any]:
    """A REST proxy event as API Gateway sends it, with some members changed."""
    return {
        "resource": "/v1/requests/{id}",
        "path": "/v1/requests/req_1",
        "httpMethod": "GET",
        "headers": {"Authorization": "Bearer one", "X-Two": "b"},
        "multiValueHeaders": {"Authorization": ["Bearer one"], "X-Two": ["a", "b"]},
        "queryStringParameters": {"limit": "2"},
        "multiValueQueryStringParameters": {"limit": ["1", "2"]},
        "pathParameters": {"id": "req_1"},
        "body": None,
        "isBase64Encoded": False,
        **changed,
    }


def test_reads_every_part() -> None:
    """Each part of an event is where it belongs; header names are in lower case."""
    assert Request.from_event(event()) == Request(
        method="GET",
        route="/v1/requests/{id}",
        path_parameters={"id": "req_1"},
        query={"limit": "2"},
        headers={"authorization": "Bearer one", "x-two": "b"},
        body=b"",
        path="/v1/requests/req_1",
    )


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"multiValueHeaders": {"A": ["1", "2"], "a": ["3"]}}, {"a": "3"}),
        ({"multiValueHeaders": None, "headers": {"A": "1"}}, {"a": "1"}),
        ({"multiValueHeaders": {"A": []}, "headers": {"A": "1"}}, {}),
        ({"multiValueHeaders": {"A": None, "B": [None], "C": ["1", None]}}, {}),
        ({"multiValueHeaders": {}, "headers": {"A": None, "B": ""}}, {"b": ""}),
        ({"multiValueHeaders": None, "headers": None}, {}),
    ],
)
def test_headers(members: dict[str, Any], expected: dict[str, str]) -> None:
    """The last value of a header counts, from the lists when there are any; null is absent."""
    assert Request.from_event(event(**members)).headers == expected


@pytest.mark.parametrize(
    ("body", "is_base64", "expected"),
    [
        (None, False, b""),
        (None, True, b""),
        ("", True, b""),
        ('{"a": "é"}', False, '{"a": "é"}'.encode()),
        (base64.b64encode(b"\x00\xff").decode(), True, b"\x00\xff"),
        ("\ud800", False, b"\xed\xa0\x80"),
    ],
)
def test_body(body: str | None, is_base64: bool, expected: bytes) -> None:
    """A body arrives as the bytes that were sent, whether as text or as base64."""
    assert Request.from_event(event(body=body, isBase64Encoded=is_base64)).body == expected


# The route, the event's own path, the whole path as the caller wrote it, the values of the route's
# parameters; then where the caller found us, and the path below that.
PLACES = [
    ("/keys", "/keys", "/live/keys", {}, "/live", "/keys"),
    ("/keys", "/keys", "/keys", {}, "", "/keys"),
    ("/keys", "/shop/keys", "/shop/keys", {}, "/shop", "/keys"),
    ("/keys", "/keys/", "/live/keys/", {}, "/live", "/keys"),
    ("/keys", "/keys", "/keys/keys", {}, "/keys", "/keys"),
    ("/", "/", "/live/", {}, "/live", "/"),
    ("/", "/", "/live", {}, "/live", "/"),
    ("/", "/", "/", {}, "", "/"),
    ("/", "/shop", "/shop", {}, "/shop", "/"),
    ("/k/{id}", "/k/a1", "/live/k/a1", {"id": "a1"}, "/live", "/k/a1"),
    ("/k/{id}", "/k/a1/", "/live/k/a1/", {"id": "a1"}, "/live", "/k/a1"),
    ("/k/{id}/b", "/k/a1/b", "/live/k/a1/b", {"id": "a1"}, "/live", "/k/a1/b"),
    ("/k/{id}", "/shop/k/a1", "/shop/k/a1", {"id": "a1"}, "/shop", "/k/a1"),
    ("/k/{id}", "/k/live", "/live/k/live", {"id": "live"}, "/live", "/k/live"),
    ("/k/{id}", "/k/a/1", "/live/k/a%2F1", {"id": "a/1"}, "/live", "/k/a%2F1"),
    ("/k/{id}", "/k/é", "/live/k/%C3%A9", {"id": "é"}, "/live", "/k/%C3%A9"),
    ("/{p+}", "/a", "/live/a", {"p": "a"}, "/live", "/a"),
    ("/{p+}", "/a/b/c", "/live/a/b/c", {"p": "a/b/c"}, "/live", "/a/b/c"),
    ("/{p+}", "/a/b/", "/live/a/b/", {"p": "a/b"}, "/live", "/a/b"),
    ("/{p+}", "/shop/a/b", "/shop/a/b", {"p": "a/b"}, "/shop", "/a/b"),
    ("/{p+}", "/a%20b", "/live/a%20b", {"p": "a b"}, "/live", "/a%20b"),
    ("/v1/{p+}", "/v1/a/b", "/live/v1/a/b", {"p": "a/b"}, "/live", "/v1/a/b"),
]


@pytest.mark.parametrize(("route", "own", "whole", "parameters", "base", "path"), PLACES)
def test_where_the_caller_found_us(
    route: str, own: str, whole: str, parameters: dict[str, str], base: str, path: str
) -> None:
    """The stage, or the base path of a domain's mapping, is told from the path of ours below it."""
    context = {"domainName": "api.example.com", "path": whole}
    request = Request.from_event(
        event(resource=route, path=own, pathParameters=parameters, requestContext=context)
    )
    assert (request.origin, request.path) == (f"https://api.example.com{base}", path)
    assert request.url_of("/v1") == f"https://api.example.com{base}/v1"


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({"requestContext": None}, "/v1/requests/req_1"),
        ({"requestContext": {"domainName": "api.example.com"}}, "/v1/requests/req_1"),
        ({"requestContext": {"path": "/live/v1/requests/req_1"}}, "/v1/requests/req_1"),
        ({"requestContext": {}, "resource": "/", "path": "/"}, "/"),
        ({"requestContext": {}, "resource": "/{p+}", "path": "/a/b"}, "/a/b"),
        ({"requestContext": {}, "resource": "/{p+}", "path": None, "pathParameters": None}, ""),
    ],
)
def test_a_caller_who_is_not_placed(members: dict[str, Any], path: str) -> None:
    """Without API Gateway's word for it no URL of ours is known; the path is the event's own."""
    request = Request.from_event(event(**members))
    assert (request.origin, request.path) == ("", path)
    assert request.url_of("/v1") == ""


@pytest.mark.parametrize(
    "whole", ["/", "//", "/x", "/live/elsewhere", "//v1/requests/req_1", "/v1//requests/req_1"]
)
@pytest.mark.parametrize("route", ["/v1/requests/{id}", "/{p+}", "/v1/models", "/"])
def test_a_path_that_does_not_fit_is_no_error(route: str, whole: str) -> None:
    """Whatever comes: a path begins with a slash, and an origin is a URL or unknown."""
    context = {"domainName": "api.example.com", "path": whole}
    for parameters in (None, {}, {"p": whole}, {"p": "a/b/c"}):
        request = Request.from_event(
            event(resource=route, requestContext=context, pathParameters=parameters)
        )
        assert request.path.startswith("/")
        assert request.origin == "" or request.origin.startswith("https://api.example.com")


@pytest.mark.parametrize(
    ("headers", "scheme"),
    [
        ({}, "https"),
        ({"X-Forwarded-Proto": ["https"]}, "https"),
        ({"x-forwarded-proto": ["http"]}, "http"),
        ({"X-Forwarded-Proto": ["http", "https"]}, "https"),
        ({"X-Forwarded-Proto": ["HTTP"]}, "https"),
        ({"X-Forwarded-Proto": ["javascript"]}, "https"),
    ],
)
def test_the_scheme_is_https_but_on_ones_own_machine(
    headers: dict[str, list[str]], scheme: str
) -> None:
    """Only a front that says http, last of all, is believed."""
    context = {"domainName": "api.example.com", "path": "/v1/models"}
    request = Request.from_event(
        event(resource="/v1/models", requestContext=context, multiValueHeaders=headers)
    )
    assert request.origin == f"{scheme}://api.example.com"


def test_missing_pieces() -> None:
    """An event with nothing in it is an empty request, not an exception."""
    assert Request.from_event({}) == Request("", "", {}, {}, {}, b"")


def test_answer_is_three_things() -> None:
    """An answer is its status, its headers and its body, in this order."""
    assert Answer(200, [("A", "b")], (b"x",)) == (200, [("A", "b")], (b"x",))
