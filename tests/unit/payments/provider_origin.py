"""A provider on a loopback socket: its answers in turn, and the requests that it got."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from osiris.payments import Surroundings
from tests.unit.scripted_origin import Origin, Peer

NOW_MS = 1_795_446_000_000  # 2026-11-23 22:00:00 in Jakarta

type Reply = bytes | Callable[[Peer], None]


class Asked(NamedTuple):
    """A request as it arrived."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def members(self) -> Any:
        """Its body's members."""
        return json.loads(self.body)


class Script:
    """What the origin says, reply by reply, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.slept_ms: list[int] = []
        self.secrets: dict[str, str] = {}
        self.base_url = ""
        self._replies: list[Reply] = []

    def will(self, *replies: Reply) -> None:
        """Give these replies to the next requests, in this order."""
        self._replies = [*replies]

    def surroundings(self) -> Surroundings:
        """What a provider is made of, to talk to this origin."""
        return Surroundings(
            base_url=self.base_url,
            secret=lambda name: self.secrets[name],
            now_ms=lambda: NOW_MS,
            sleep_ms=self.slept_ms.append,
        )

    def serve(self, peer: Peer) -> None:
        """Serve one connection."""
        while request := peer.request():
            self.asked.append(Asked(*request))
            reply = self._replies.pop(0)
            if not isinstance(reply, bytes):
                reply(peer)
                return
            peer.send(reply)


@contextmanager
def scripted() -> Iterator[Script]:
    """A script on an origin of its own."""
    script = Script()
    with Origin(script.serve) as origin:
        script.base_url = origin.url
        yield script


def says(body: Any, status: int = 200) -> bytes:
    """An answer with this body: bytes as they are, anything else as JSON."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return f"HTTP/1.1 {status} Said\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text


def silent(peer: Peer) -> None:
    """Say nothing until the client gives up."""
    peer.request()


def cut(peer: Peer) -> None:
    """End the connection instead of answering."""
    peer.reset()


# Bodies that must never pass for an answer or a notification.
HOSTILE = {
    "empty": b"",
    "no JSON": b"<html>Bad Gateway</html>",
    "NaN": b'{"gross_amount":NaN,"price_amount":NaN}',
    "Infinity": b'{"gross_amount":-Infinity}',
    "an array": b"[1,2]",
    "a number": b"7",
    "deep": b'{"a":' + b"[" * 40 + b"]" * 40 + b"}",
    "very deep": b"[" * 100_000 + b"]" * 100_000,
    "twice": b'{"order_id":"a","order_id":"b"}',
    "huge": b'{"gross_amount":1e400,"price_amount":1e400}',
    "out of range": b'{"gross_amount":1e99999999999999999999}',
    "long": b'{"gross_amount":' + b"9" * 5_000 + b"}",
    "not UTF-8": b'{"order_id":"\xff"}',
    "surrogate": b'{"order_id":"\\ud800","signature_key":"\\ud800"}',
    "cut": b'{"order_id":"a"',
    "more": b'{"order_id":"a"}{}',
    "BOM": b"\xef\xbb\xbf{}",
}
