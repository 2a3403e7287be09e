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


def test_missing_pieces() -> None:
    """An event with nothing in it is an empty request, not an exception."""
    assert Request.from_event({}) == Request("", "", {}, {}, {}, b"")


def test_answer_is_three_things() -> None:
    """An answer is its status, its headers and its body, in this order."""
    assert Answer(200, [("A", "b")], (b"x",)) == (200, [("A", "b")], (b"x",))
