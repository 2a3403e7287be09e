"""AWS's limits with AWS's answers, and input that is no proper HTTP."""

import pytest

from local.front import Front
from local.limits import (
    BODY_BYTES_MAX,
    EVENT_BYTES_MAX,
    HEADER_BYTES_MAX,
    URL_CHARACTERS_MAX,
    Patience,
)
from tests.local.front.client import Raw, ask
from tests.local.front.conftest import FrontMaker


def test_a_body_above_10_mb_is_413(front: Front) -> None:
    """API Gateway's own limit, with its plain text where the template says nothing."""
    got = ask(front.base_url, "POST", "/files/x", body=b"x" * (BODY_BYTES_MAX + 1))
    assert got.status == 413
    assert got.body == b"HTTP content length exceeded 10485760 bytes."


def test_a_chunked_body_above_10_mb_is_413(front: Front) -> None:
    """The limit counts what arrives, not what was announced."""
    with Raw(front.base_url) as client:
        client.send(b"POST /files/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        piece = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
        for _ in range(11):
            client.send(piece)
        client.send(b"0\r\n\r\n")
        assert client.read_to_end().startswith(b"HTTP/1.1 413 ")


def test_an_event_above_6_mb_is_413(front: Front) -> None:
    """Lambda's limit counts the event as JSON: a body below it may grow above it by escapes."""
    got = ask(front.base_url, "POST", "/files/x", body=b'"' * (EVENT_BYTES_MAX // 2 + 1))
    assert got.status == 413
    assert got.json == {"message": "Request Too Long"}
    assert got.headers["x-amzn-ErrorType"] == "BadRequestException"


def test_an_answer_above_6_mb_is_502(front: Front) -> None:
    """A buffered answer that Lambda refuses is a failed function, and the next call works."""
    order = {"call": "large", "bytes": 6_400_000}
    assert ask(front.base_url, "POST", "/buffered", order).status == 502
    small = ask(front.base_url, "POST", "/buffered", {"call": "large", "bytes": 6_000_000})
    assert (small.status, len(small.body)) == (200, 6_000_000)


def test_a_stream_may_be_larger(front: Front) -> None:
    """The 6 MB are for buffered answers only."""
    steps = [{"write": "{}"}, {"nuls": 8}, *[{"fill": 1_000_000}] * 8]
    assert len(ask(front.base_url, "POST", "/stream", {"steps": steps}).body) == 8_000_000


def test_headers_above_20_kb_are_431(front: Front) -> None:
    """Their total counts, whether in one field or many."""
    with Raw(front.base_url) as client:
        fields = "".join(f"X-{i}: {'x' * 1000}\r\n" for i in range(HEADER_BYTES_MAX // 1000 + 1))
        client.send(f"GET /things/1 HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())
        assert client.read_to_end().startswith(b"HTTP/1.1 431 ")
    with Raw(front.base_url) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 200_000)
        assert client.read_to_end().startswith(b"HTTP/1.1 431 ")


def test_a_url_above_10240_characters_is_414(front: Front) -> None:
    """Path and query together."""
    with Raw(front.base_url) as client:
        client.send(b"GET /things/1?" + b"x" * URL_CHARACTERS_MAX + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.read_to_end().startswith(b"HTTP/1.1 414 ")
    assert ask(front.base_url, "GET", "/things/1?" + "x" * 10_000).status == 200


def test_headers_below_20_kb_pass(front: Front) -> None:
    """The limit is AWS's, not a smaller one."""
    got = ask(front.base_url, "GET", "/things/1", headers={"X-Long": "x" * 20_000})
    assert got.status == 200


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(b"nonsense\r\n\r\n", id="no request line"),
        pytest.param(b"GET /things/1 HTTP/2.0\r\nHost: a\r\n\r\n", id="another version"),
        pytest.param(b"GET  /things/1 HTTP/1.1\r\nHost: a\r\n\r\n", id="two spaces"),
        pytest.param(b"GET things HTTP/1.1\r\nHost: a\r\n\r\n", id="no path"),
        pytest.param(b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", id="control in the path"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="no Host"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nX y: 1\r\n\r\n", id="space in a name"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", id="folded field"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n", id="NUL in a value"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a\r\n"
            b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            id="two framings",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            id="two lengths",
        ),
        pytest.param(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", id="signed"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", id="negative"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", id="coding"
        ),
        *(
            pytest.param(
                b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk,
                id=f"chunk {chunk[:12]!r}",
            )
            for chunk in (
                b"x\r\n",
                b"-1\r\n",
                b"1\r\nab\r\n",
                b"fffffffff\r\n",
                b"\r\n",
                b"1" * 9000,
            )
        ),
    ],
)
def test_what_is_not_exactly_framed_is_400(front: Front, request_bytes: bytes) -> None:
    """Nothing that two readers could understand differently is let through."""
    with Raw(front.base_url) as client:
        client.send(request_bytes + (b"" if request_bytes.endswith(b"\n") else b"\r\n"))
        assert client.read_to_end().startswith(b"HTTP/1.1 400 ")


def test_a_chunked_body_is_put_together(front: Front) -> None:
    """Chunks, extensions and trailers are read; the function sees one body."""
    with Raw(front.base_url) as client:
        client.send(
            b"POST /files/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"1;note=1\r\n{\r\n2\r\n }\r\n0\r\nX-Trailer: 1\r\n\r\n"
        )
        client.read_until(b'"body": "{ }"')


def test_expect_100_continue_is_answered(front: Front) -> None:
    """A client that asks first is told to go on."""
    with Raw(front.base_url) as client:
        client.send(
            b"POST /files/x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        client.read_until(b"HTTP/1.1 100 Continue\r\n\r\n")
        client.send(b"{}")
        client.read_until(b"HTTP/1.1 200 OK\r\n")


def test_http_1_0_gets_a_stream_without_chunks(front: Front) -> None:
    """An old client reads to the end of the connection."""
    body = b'{"steps": [{"write": "{}"}, {"nuls": 8}, {"write": "hello"}]}'
    with Raw(front.base_url) as client:
        client.send(b"POST /stream HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        received = client.read_to_end()
    assert received.endswith(b"\r\n\r\nhello")
    assert b"chunked" not in received


@pytest.mark.parametrize(
    "beginning",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET /things/1 HT", id="half a head"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf", id="half a body"
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nha",
            id="half a chunk",
        ),
    ],
)
def test_a_client_that_stalls_is_given_up(start_front: FrontMaker, beginning: bytes) -> None:
    """Heads and bodies have their time; then the connection is closed."""
    front = start_front(patience=Patience(keep_alive_s=0.3, receive_s=0.3))
    with Raw(front.base_url) as client:
        client.send(beginning)
        assert client.read_to_end() == b""


def test_a_client_that_leaves_in_mid_request_harms_nobody(front: Front) -> None:
    """Half requests and resets are forgotten."""
    for beginning in (b"", b"GET", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf"):
        with Raw(front.base_url) as client:
            client.send(beginning)
    assert ask(front.base_url, "GET", "/things/1").status == 200
