"""Server-sent events, cut anywhere: what comes out is what went in, whole events at a time.

The forms are those of the HTML Living Standard, §9.2 "Server-sent events".
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris import sse

STREAMS = [
    b'data: {"a":1}\n\ndata: [DONE]\n\n',
    b"data: a\r\n\r\ndata: b\r\n\r\n",
    b"data: a\r\rdata: b\r\r",
    b": comment\n\nevent: ping\ndata: one\ndata: two\nid: 7\n\n",
    "data: Grüß Gott – 世界\n\n".encode() * 2,
    b"\n\n\n\ndata: x\n\n",
    b"data: unfinished",
]


@pytest.mark.parametrize("stream", STREAMS)
def test_cut_at_every_byte(stream: bytes) -> None:
    """Cut in two anywhere, a stream comes out as it went in."""
    for cut in range(len(stream) + 1):
        splitter = sse.Splitter()
        out = splitter.feed(stream[:cut]) + splitter.feed(stream[cut:])
        assert out + splitter.tail == stream


@given(st.lists(st.text("da: \n\r[]x").map(str.encode), max_size=12))
def test_nothing_is_added_or_lost(pieces: list[bytes]) -> None:
    """Whatever is fed, in whatever pieces, comes out; and each block's events make it up."""
    splitter, out = sse.Splitter(), b""
    for piece in pieces:
        block = splitter.feed(piece)
        assert b"".join(sse.events(block)) == block
        out += block
        assert out + splitter.tail == b"".join(pieces)[: len(out) + len(splitter.tail)]
    assert out + splitter.tail == b"".join(pieces)


@given(st.lists(st.sampled_from([b"data: a\n\n", b": c\n\n", b"data: b\r\n\r\n"]), max_size=8))
def test_byte_by_byte_gives_each_event(wanted: list[bytes]) -> None:
    """Fed one byte at a time, each event comes whole with its last byte."""
    splitter, found = sse.Splitter(), []
    for byte in b"".join(wanted):
        block = splitter.feed(bytes([byte]))
        found += sse.events(block)
    assert b"".join(found) == b"".join(wanted)
    assert splitter.tail == b""
    assert [event for event in found if event.strip()] == wanted


def test_an_event_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than an event may have, without its end, is no event."""
    monkeypatch.setattr(sse, "EVENT_BYTES_MAX", 10)
    splitter = sse.Splitter()
    splitter.feed(b"data: 1234")
    with pytest.raises(sse.EventTooLarge):
        splitter.feed(b"5")


@pytest.mark.parametrize(
    ("event", "data"),
    [
        (b"data: a\n\n", b"a"),
        (b"data:a\n\n", b"a"),
        (b"data:  a\r\n\r\n", b" a"),
        (b"event: x\ndata: a\nid: 1\ndata: b\n\n", b"a\nb"),
        (b"data\n\n", None),
        (b": data: a\n\n", None),
        (b"\n\n", None),
        (b"data: \n\n", b""),
    ],
)
def test_data(event: bytes, data: bytes | None) -> None:
    """An event's data are its data lines, joined; a comment has none."""
    assert sse.data_of(event) == data


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (b"data: a\n\n", b"data: new\n\n"),
        (
            b"event: x\r\ndata: a\r\ndata: b\r\nid: 1\r\n\r\n",
            b"event: x\r\ndata: new\r\nid: 1\r\n\r\n",
        ),
        (b"data:a\r\r", b"data:new\r\r"),
    ],
)
def test_with_other_data(event: bytes, expected: bytes) -> None:
    """Other data leave the other fields, and the way of writing lines, as they are."""
    assert sse.with_data(event, b"new") == expected


def test_our_own() -> None:
    """An event and a comment of ours read as such."""
    assert sse.data_of(sse.event(b"x")) == b"x"
    assert sse.data_of(sse.comment(b"x")) is None
    splitter = sse.Splitter()
    assert splitter.feed(sse.event(b"x") + sse.comment(b"y")) == b"data: x\n\n: y\n\n"
