"""The kept-alive connection against real origins on loopback, plain and under TLS."""

import contextlib
import itertools
import queue
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest

from osiris.wire import channel as channel_module
from osiris.wire.connection import (
    Broken,
    ConnectFailed,
    Connection,
    Response,
    Silent,
    TooLarge,
)
from osiris.wire.tls import shared_context
from tests.unit.scripted_origin import Origin, Peer, certificate, in_turn, once, serving

pytestmark = pytest.mark.timeout(60)

LONG_MS = 20_000
SHORT_MS = 30

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n\r\n"
    b"0b\r\ndata: one\n\n\r\n00b;x=y\r\ndata: two\n\n\r\n0\r\nA: b\r\n\r\n"
)
CHUNKED_BODY = b"data: one\n\ndata: two\n\n"


class Transport(NamedTuple):
    """How origin and client speak: plainly or by TLS."""

    server: ssl.SSLContext | None
    client: Callable[[], ssl.SSLContext]

    @contextmanager
    def origin(
        self,
        serve: Callable[[Peer], None],
        *,
        idle_ms_max: int = LONG_MS,
    ) -> Iterator[tuple[Connection, Origin]]:
        """An origin and a connection to it."""
        with Origin(serve, self.server) as origin:
            connection = Connection(
                origin.url,
                tls=self.client,
                connect_timeout_ms=LONG_MS,
                idle_ms_max=idle_ms_max,
            )
            try:
                yield connection, origin
            finally:
                connection.close()


def unused() -> ssl.SSLContext:
    """The context of a plain connection, which nobody may ask for."""
    raise AssertionError


PLAIN = Transport(None, unused)


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Transport:
    """TLS with a certificate made for these tests."""
    server, client = certificate(tmp_path_factory.mktemp("certificate"))
    return Transport(server, lambda: client)


@pytest.fixture(params=["plain", "tls"])
def transport(request: pytest.FixtureRequest) -> Transport:
    """Each of the two."""
    if request.param == "plain":
        return PLAIN
    chosen: Transport = request.getfixturevalue("tls")
    return chosen


def get(connection: Connection, *, timeout_ms: int = LONG_MS) -> Response:
    """A request without a body."""
    return connection.request("GET", "/", {}, b"", timeout_ms=timeout_ms)


def text(connection: Connection) -> bytes:
    """The whole body of one more request's answer."""
    return get(connection).read(1000)


def test_one_connection_carries_many_requests(transport: Transport) -> None:
    """Requests follow one another on one connection, TLS session tickets notwithstanding."""
    with transport.origin(serving(OK)) as (connection, origin):
        assert [text(connection) for _ in range(5)] == [b"ok"] * 5
        assert origin.connections == 1


def test_what_the_origin_receives(transport: Transport) -> None:
    """The request arrives as given, with Host and Content-Length, in one piece."""
    received: list[bytes] = []

    def serve(peer: Peer) -> None:
        received.append(peer.sock.recv(65536))
        peer.send(OK)

    with transport.origin(serve) as (connection, origin):
        answer = connection.request(
            "POST", "/a?b=c", {"X-Name": "value"}, b"body", timeout_ms=LONG_MS
        )
        assert (answer.status, answer.headers["content-length"]) == (200, "2")
        host = origin.url.partition("//")[2]
    assert received == [
        f"POST /a?b=c HTTP/1.1\r\nX-Name: value\r\nHost: {host}\r\n"
        "Content-Length: 4\r\n\r\nbody".encode()
    ]


def test_a_given_host_stands() -> None:
    """Host is added only where the caller gave none; a signed one is the one that is sent."""
    seen: list[tuple[str, dict[str, str], bytes]] = []

    def serve(peer: Peer) -> None:
        while request := peer.request():
            seen.append(request)
            peer.send(OK)

    with PLAIN.origin(serve) as (connection, _):
        for name in ("Host", "host"):
            request = connection.request("GET", "/", {name: "signed"}, b"", timeout_ms=LONG_MS)
            request.read(10)
    assert seen == [("GET / HTTP/1.1", {"host": "signed"}, b"")] * 2


@pytest.mark.parametrize("end", ["close", "cut", "reset"])
def test_a_connection_closed_meanwhile_is_made_anew(transport: Transport, end: str) -> None:
    """A kept connection that the origin has ended is noticed before the next request is sent."""
    ended = threading.Event()

    def first(peer: Peer) -> None:
        once(OK, end=end)(peer)
        ended.set()

    with transport.origin(in_turn(first, serving(OK))) as (connection, origin):
        assert text(connection) == b"ok"
        assert ended.wait(20)
        assert text(connection) == b"ok"
        assert origin.connections == 2


def test_unasked_bytes_make_it_stale(transport: Transport) -> None:
    """Bytes after the end of an answer are never taken for the next answer."""
    forged = OK.replace(b"ok", b"no")
    with transport.origin(in_turn(serving(OK + forged), serving(OK))) as (connection, origin):
        assert [text(connection), text(connection)] == [b"ok", b"ok"]
        assert origin.connections == 2


def test_an_unread_answer_costs_its_connection(transport: Transport) -> None:
    """What is left of an unread answer is never taken for the next one."""
    with transport.origin(in_turn(serving(OK), serving(OK))) as (connection, origin):
        assert get(connection).read1(1) == b"o"
        assert text(connection) == b"ok"
        assert origin.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
        OK.replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
)
def test_an_answer_may_end_the_connection(answer: bytes) -> None:
    """After "Connection: close", and in HTTP/1.0, the next request makes a connection."""
    with PLAIN.origin(in_turn(serving(answer), serving(OK))) as (connection, origin):
        assert [text(connection), text(connection)] == [b"ok", b"ok"]
        assert origin.connections == 2


@pytest.mark.parametrize(("later_ms", "connections"), [(5_000, 1), (5_001, 2), (-1, 2)])
def test_too_long_a_rest(monkeypatch: pytest.MonkeyPatch, later_ms: int, connections: int) -> None:
    """A connection older than `idle_ms_max`, or whose age makes no sense, is made anew."""
    now_ns = 10**18
    monkeypatch.setattr(channel_module, "time_ns", lambda: now_ns)
    serve = in_turn(serving(OK), serving(OK))
    with PLAIN.origin(serve, idle_ms_max=5_000) as (connection, origin):
        text(connection)
        now_ns += later_ms * 1_000_000
        text(connection)
        assert origin.connections == connections


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified", "200 OK"])
def test_answers_without_a_body(status: str) -> None:
    """An answer that has no body is at its end at once, and the connection is kept."""
    answer = f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode()
    with PLAIN.origin(serving(answer)) as (connection, origin):
        for _ in range(2):
            get(connection)
        assert text(connection) == b""
        assert origin.connections == 1


def test_the_answer_to_head_has_no_body() -> None:
    """The length in an answer to HEAD is that of a body which does not come."""
    with PLAIN.origin(serving(OK[:-2])) as (connection, origin):
        for _ in range(2):
            answer = connection.request("HEAD", "/", {}, b"", timeout_ms=LONG_MS)
            assert answer.read(10) == b""
        assert origin.connections == 1


@pytest.mark.parametrize(
    ("interim", "status"),
    [(b"HTTP/1.1 100 Continue\r\n\r\n", 200), (b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n", 200)],
)
def test_interim_answers_are_skipped(interim: bytes, status: int) -> None:
    """The answer is the one after 100 Continue and 103 Early Hints."""
    with PLAIN.origin(serving(interim + interim + OK)) as (connection, origin):
        for _ in range(2):
            answer = get(connection)
            assert (answer.status, answer.read(10)) == (status, b"ok")
        assert origin.connections == 1


def test_endless_interim_answers() -> None:
    """An origin that sends interim answers for ever has not answered."""
    interim = b"HTTP/1.1 103 Early Hints\r\n\r\n" * 20
    with PLAIN.origin(once(interim)) as (connection, _), pytest.raises(Broken) as caught:
        get(connection)
    assert caught.value.answered is False


def test_twice_read_is_safe(transport: Transport) -> None:
    """After the proper end there is nothing, however often it is asked for."""
    with transport.origin(serving(CHUNKED)) as (connection, _):
        answer = get(connection)
        assert answer.read(1000) == CHUNKED_BODY
        assert [answer.read1(10), answer.read(10), answer.read1(10)] == [b"", b"", b""]
        assert answer.wait(0)


@pytest.mark.parametrize("size", [1, 65_535, 65_536, 5_000_000])
def test_large_bodies(transport: Transport, size: int) -> None:
    """Bodies of any size arrive whole, both ways, and the connection is kept."""
    lengths: list[int] = []

    def serve(peer: Peer) -> None:
        while request := peer.request():
            body = request[2]
            lengths.append(len(body))
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    body = bytes(range(251)) * (size // 251) + b"x" * (size % 251)
    with transport.origin(serve) as (connection, origin):
        for _ in range(2):
            answer = connection.request("POST", "/", {}, body, timeout_ms=LONG_MS)
            assert answer.read(size) == body
        assert (lengths, origin.connections) == ([size, size], 1)


@pytest.mark.parametrize("answer", [OK, CHUNKED, OK.replace(b"Content-Length: 2\r\n", b"")])
def test_too_large_an_answer(answer: bytes) -> None:
    """A body of one byte more than the caller takes is refused, and its connection given up."""
    serve = in_turn(once(answer), serving(OK))
    with PLAIN.origin(serve) as (connection, origin):
        with pytest.raises(TooLarge):
            get(connection).read(1)
        assert text(connection) == b"ok"
        assert origin.connections == 2


def test_a_body_until_the_end_of_the_connection(transport: Transport) -> None:
    """Without a length the end of the connection is the end of the body."""
    answer = b"HTTP/1.1 200 OK\r\n\r\nall of it"
    with transport.origin(in_turn(once(answer), serving(OK))) as (connection, origin):
        assert [text(connection), text(connection)] == [b"all of it", b"ok"]
        assert origin.connections == 2


@pytest.mark.parametrize(("kind", "end"), [("tls", "cut"), ("tls", "reset"), ("plain", "reset")])
def test_a_body_until_a_break(tls: Transport, kind: str, end: str) -> None:
    """Without a length a reset, or an end without TLS's close_notify, is a cut."""
    transport = tls if kind == "tls" else PLAIN
    taken = threading.Event()

    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nsome")
        assert taken.wait(20)
        getattr(peer, end)()

    with transport.origin(serve) as (connection, _):
        answer = get(connection)
        assert answer.read1(100) == b"some"
        taken.set()
        with pytest.raises(Broken) as caught:
            answer.read1(100)
        assert caught.value.answered


WHOLE = {
    "length": b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 12\r\n\r\nhello, world",
    "chunked": CHUNKED,
}


@pytest.mark.parametrize("end", ["close", "reset"])
@pytest.mark.parametrize("kind", WHOLE)
def test_an_answer_cut_anywhere_is_broken(transport: Transport, kind: str, end: str) -> None:
    """Wherever an answer is cut it is Broken, what was read is a part of it, nothing is resent."""
    whole = WHOLE[kind]
    status_line = whole.index(b"\n") + 1
    body = CHUNKED_BODY if kind == "chunked" else b"hello, world"
    serve = in_turn(*[once(whole[:at], end=end) for at in range(len(whole))])
    with transport.origin(serve) as (connection, origin):
        for at in range(len(whole)):
            read = bytearray()
            with pytest.raises(Broken) as caught:
                collect(get(connection), read)
            assert body.startswith(read)
            assert caught.value.answered or at < status_line or end == "reset"
            assert not (caught.value.answered and at == 0)
            assert origin.connections == at + 1


def collect(answer: Response, read: bytearray) -> None:
    """Read an answer to its end, asking before each read whether it would block."""
    while answer.wait(LONG_MS) and (piece := answer.read1(1000)):
        read += piece


@pytest.mark.parametrize("answer", [b"a customer's text\r\n", b"HTTP/9 a customer's text\r\n"])
def test_what_came_instead_of_an_answer_is_not_told(answer: bytes) -> None:
    """The fault goes to a log: what is no status line may be the rest of another's answer."""
    with PLAIN.origin(once(answer)) as (connection, _):
        with pytest.raises(Broken) as caught:
            get(connection)
        assert "text" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 20\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 70_000,
    ],
)
def test_what_is_not_http_is_broken(answer: bytes) -> None:
    """What can't be read as HTTP/1.1 is Broken, and a new connection follows."""
    with PLAIN.origin(in_turn(once(answer), serving(OK))) as (connection, origin):
        with pytest.raises(Broken):
            collect(get(connection), bytearray())
        assert text(connection) == b"ok"
        assert origin.connections == 2


def test_no_answer_is_silence(transport: Transport) -> None:
    """No byte within the timeout is Silent; the next request has a connection of its own."""
    done = threading.Event()

    def mute(peer: Peer) -> None:
        peer.request()
        done.wait(20)

    with transport.origin(in_turn(mute, serving(OK))) as (connection, origin):
        with pytest.raises(Silent):
            get(connection, timeout_ms=SHORT_MS)
        done.set()
        assert text(connection) == b"ok"
        assert origin.connections == 2


@pytest.mark.parametrize("sent", [10, 20, len(CHUNKED) - 40, len(CHUNKED) - 1])
def test_silence_inside_an_answer(transport: Transport, sent: int) -> None:
    """Silence inside headers or body is Silent; what is asked for after it is Broken."""
    done = threading.Event()

    def stall(peer: Peer) -> None:
        peer.request()
        peer.send(CHUNKED[:sent])
        done.wait(20)

    with transport.origin(in_turn(stall, serving(OK))) as (connection, origin):
        answer = None
        with pytest.raises(Silent):
            answer = get(connection, timeout_ms=SHORT_MS)
            answer.read(1000)
        if answer:
            with pytest.raises(Broken):
                answer.read1(10)
        done.set()
        assert text(connection) == b"ok"
        assert origin.connections == 2


def test_a_request_that_is_not_taken_is_silence() -> None:
    """An origin that stops reading in the middle of a request is Silent."""
    done = threading.Event()

    def deaf(_: Peer) -> None:
        done.wait(20)

    with PLAIN.origin(deaf) as (connection, _):
        with pytest.raises(Silent):
            connection.request("POST", "/", {}, bytes(50_000_000), timeout_ms=SHORT_MS)
        done.set()


def test_a_refusal_before_the_whole_request_was_taken() -> None:
    """An answer that an origin sent before it hung up on a large body is read."""

    def serve(peer: Peer) -> None:
        peer.sock.recv(1000)
        peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")

    with PLAIN.origin(in_turn(serve, serving(OK))) as (connection, origin):
        answer = connection.request("POST", "/", {}, bytes(50_000_000), timeout_ms=LONG_MS)
        assert (answer.status, answer.read(10)) == (413, b"no")
        assert text(connection) == b"ok"
        assert origin.connections == 2


def test_nobody_listens() -> None:
    """Where nobody listens nothing was sent."""
    with PLAIN.origin(serving(OK)) as (connection, _):
        pass
    with pytest.raises(ConnectFailed):
        get(connection)


def test_an_untrusted_certificate(tls: Transport) -> None:
    """Nothing is sent to an origin whose certificate is not trusted."""
    requests: list[object] = []
    with Origin(lambda peer: requests.append(peer.request()), tls.server) as origin:
        connection = Connection(
            origin.url, tls=shared_context, connect_timeout_ms=LONG_MS, idle_ms_max=LONG_MS
        )
        with pytest.raises(ConnectFailed, match="certificate"):
            get(connection)
    assert not any(requests)


def test_the_shared_context_is_built_once() -> None:
    """All connections of a process share one context, which checks names."""
    assert shared_context() is shared_context()
    assert shared_context().check_hostname


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        ("GET", "/\r\nX: y", {}),
        ("GET", "/a b", {}),
        ("GET", "no-slash", {}),
        ("GET", "/\x00", {}),
        ("GET", "/é", {}),
        ("GET ", "/", {}),
        ("G\nET", "/", {}),
        ("GET", "/", {"A": "b\r\nC: d"}),
        ("GET", "/", {"A": "b\nC"}),
        ("GET", "/", {"A": "b\x00"}),
        ("GET", "/", {"A": "b\x7f"}),
        ("GET", "/", {"A": "é"}),
        ("GET", "/", {"A\r\nB": "c"}),
        ("GET", "/", {"A:B": "c"}),
        ("GET", "/", {"A ": "c"}),
        ("GET", "/", {"": "c"}),
    ],
)
def test_nothing_smuggles_a_line(method: str, target: str, headers: dict[str, str]) -> None:
    """A target or header that could be read as two is refused, and its value not repeated."""
    with PLAIN.origin(serving(OK)) as (connection, origin):
        with pytest.raises(ValueError, match=r"^the (target|method)[^\r\n]*$"):
            connection.request(method, target, headers, b"", timeout_ms=LONG_MS)
        assert origin.connections == 0


@pytest.mark.parametrize(
    "origin",
    ["", "host", "ftp://host", "https://", "https://host/path", "https://u@host", "http://h?q"],
)
def test_what_is_not_an_origin(origin: str) -> None:
    """An address that is not an origin is refused when the connection is made up."""
    with pytest.raises(ValueError, match="an origin"):
        Connection(origin, tls=unused, connect_timeout_ms=1, idle_ms_max=1)


@contextmanager
def streaming(transport: Transport, head: bytes) -> Iterator[tuple[Response, Peer]]:
    """An answer whose headers have arrived, and the origin's end, which the test drives."""
    peers: queue.Queue[Peer] = queue.Queue()
    done = threading.Event()

    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(head)
        peers.put(peer)
        done.wait(60)

    with transport.origin(serve) as (connection, _):
        try:
            yield get(connection, timeout_ms=SHORT_MS), peers.get()
        finally:
            done.set()


CHUNKED_HEAD = CHUNKED[: CHUNKED.index(b"\r\n\r\n") + 4]
FRAMES = CHUNKED[len(CHUNKED_HEAD) :]


def test_events_are_read_one_by_one(transport: Transport) -> None:
    """Each event can be read before the next is written, and nothing can be read in between."""
    with streaming(transport, CHUNKED_HEAD) as (answer, peer):
        for event in (b"data: %d\n\n" % n for n in range(20)):
            assert not answer.wait(0)
            peer.send(b"%x\r\n%b\r\n" % (len(event), event))
            assert answer.wait(LONG_MS)
            assert answer.read1(1000) == event
        peer.send(b"0\r\n\r\n")
        assert answer.wait(LONG_MS)
        assert answer.read1(1000) == b""


def test_leaving_at_the_end_keeps_the_connection(transport: Transport) -> None:
    """An end that has come unread is taken, so the connection carries the next request, too."""
    with transport.origin(serving(CHUNKED)) as (connection, origin):
        for _ in range(2):
            answer = get(connection)
            read = b""
            while read != CHUNKED_BODY:
                read += answer.read1(1000)
            assert answer.wait(LONG_MS)
            answer.leave()
            answer.leave()
        assert origin.connections == 1


def test_leaving_in_the_middle_ends_the_connection(transport: Transport) -> None:
    """The peer sees at once that nobody reads any more."""
    with streaming(transport, CHUNKED_HEAD) as (answer, peer):
        peer.send(b"1\r\nx\r\n")
        assert answer.wait(LONG_MS)
        answer.leave()
        with contextlib.suppress(OSError):
            assert peer.sock.recv(1) == b""
        with pytest.raises(Broken):
            answer.read1(1)


def test_wait_never_promises_too_much(transport: Transport) -> None:
    """However the frames are cut, a read after `wait` said yes does not meet silence."""
    for step in (1, 2, 3, 5, 8, 13):
        with streaming(transport, CHUNKED_HEAD) as (answer, peer):
            read = bytearray()
            for piece in itertools.batched(FRAMES, step, strict=False):
                peer.send(bytes(piece))
                while answer.wait(0) and not answer.ended:
                    read += answer.read1(1000)
            collect(answer, read)
            assert (bytes(read), answer.ended) == (CHUNKED_BODY, True)


@pytest.mark.parametrize("lacking", [1, 2, 3, 4])
def test_a_part_of_a_frame_is_not_yet_readable(transport: Transport, lacking: int) -> None:
    """The end of a chunk and half of the next one's size are bytes, but not yet the body's."""
    frame = b"5\r\nhello\r\n1f\r\nx"
    with streaming(transport, CHUNKED_HEAD) as (answer, peer):
        peer.send(frame[:-lacking])
        assert answer.wait(LONG_MS)
        assert answer.read1(1000) == b"hello"
        assert not answer.wait(SHORT_MS)
        peer.send(frame[-lacking:])
        assert answer.wait(LONG_MS)
        assert answer.read1(1000) == b"x"


def test_what_is_buffered_counts(transport: Transport) -> None:
    """Several events that came at once can all be read without waiting."""
    events = [b"data: %d\n\n" % n for n in range(10)]
    with streaming(transport, CHUNKED_HEAD) as (answer, peer):
        peer.send(b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in events))
        assert answer.wait(LONG_MS)
        for event in events:
            assert answer.wait(0)
            assert answer.read1(1000) == event
        assert not answer.wait(0)


def test_what_tls_holds_counts(transport: Transport) -> None:
    """Bytes of a record that was read in part are there, though the socket is empty."""
    with streaming(transport, b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n") as (
        answer,
        peer,
    ):
        peer.send(b"x" * 9_999)
        read = 0
        assert answer.wait(LONG_MS)
        while read < 9_999:
            assert answer.wait(LONG_MS if transport is PLAIN else 0)
            read += len(answer.read1(7))
        assert not answer.wait(0)
        peer.send(b"x")
        assert answer.wait(LONG_MS)
        assert (answer.read1(7), answer.ended) == (b"x", True)


def test_wait_sees_the_end(transport: Transport) -> None:
    """A connection that has ended, well or badly, does not keep anyone waiting."""
    for end in ("close", "cut", "reset"):
        with streaming(transport, CHUNKED_HEAD) as (answer, peer):
            assert not answer.wait(0)
            getattr(peer, end)()
            assert answer.wait(LONG_MS)
            with pytest.raises(Broken):
                answer.read1(10)
            assert answer.wait(0)
