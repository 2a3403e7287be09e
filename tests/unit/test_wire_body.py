"""Where a body ends, however its bytes are cut on the way."""

from http.client import HTTPException
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris.wire.body import Body, ChunkedBody, EndlessBody, LengthBody


def taken(body: Body, data: bytes, cuts: list[int]) -> tuple[bytes, bytes, bool]:
    """Feed `data` cut into pieces; return the body, what follows it, and whether it ended."""
    held, whole = b"", b""
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in pairwise(edges):
        held += data[start:end]
        while not body.done:
            piece, held = body.take(held)
            if piece is None:
                break
            whole += piece
            if not piece:
                return whole, held + data[end:], True
        if body.done:
            return whole, held + data[end:], True
    return whole, held, False


CUTS = st.lists(st.integers(min_value=0, max_value=10_000))


@given(
    chunks=st.lists(st.binary(min_size=1, max_size=40)),
    extension=st.sampled_from(["", ";a", '; a="b"', " \t"]),
    zeros=st.integers(min_value=0, max_value=3),
    trailers=st.sampled_from([b"", b"A: b\r\n", b"A: b\r\nC: d\r\n"]),
    after=st.binary(max_size=10),
    cuts=CUTS,
)
def test_chunks_however_cut(
    chunks: list[bytes],
    extension: str,
    zeros: int,
    trailers: bytes,
    after: bytes,
    cuts: list[int],
) -> None:
    """The data of all chunks comes out, the end is found, and what follows it is left."""
    data = b"".join(
        f"{'0' * zeros}{len(chunk):X}{extension}\r\n".encode() + chunk + b"\r\n" for chunk in chunks
    )
    data += b"0" * (zeros + 1) + b"\r\n" + trailers + b"\r\n" + after
    assert taken(ChunkedBody(), data, cuts) == (b"".join(chunks), after, True)


@given(data=st.binary(max_size=50), after=st.binary(max_size=10), cuts=CUTS)
def test_a_length_however_cut(data: bytes, after: bytes, cuts: list[int]) -> None:
    """Exactly as many bytes as the length says come out."""
    assert taken(LengthBody(len(data)), data + after, cuts) == (data, after, True)


@given(data=st.binary(max_size=50), cuts=CUTS)
def test_no_length_however_cut(data: bytes, cuts: list[int]) -> None:
    """Without a length everything comes out, and only the connection ends it."""
    assert taken(EndlessBody(), data, cuts) == (data, b"", False)


@pytest.mark.parametrize("at", range(len(b"5\r\nhello\r\n0\r\nA: b\r\n\r\n")))
def test_a_cut_is_no_end(at: int) -> None:
    """A chunked body that lacks a single byte of its frames has not ended."""
    whole, _, ended = taken(ChunkedBody(), b"5\r\nhello\r\n0\r\nA: b\r\n\r\n"[:at], [])
    assert b"hello".startswith(whole)
    assert not ended


@pytest.mark.parametrize(
    "data",
    [
        b"-5\r\nhello\r\n",
        b"0x5\r\nhello\r\n",
        b"1_0\r\nhello\r\n",
        b" 5\r\nhello\r\n",
        b"\r\n5\r\nhello\r\n",
        b"5\nhello\r\n",
        b"5\r\nhelloXX0\r\n\r\n",
        b"5\r\nhello\n\n0\r\n\r\n",
        b"5;" + b"x" * 70_000,
        b"0\r\n" + b"A: b\r\n" * 20_000,
        b"f" * 16 + b"\r\n",
    ],
)
def test_what_is_no_chunk(data: bytes) -> None:
    """A frame that another reader might read differently is refused."""
    with pytest.raises(HTTPException):
        taken(ChunkedBody(), data, [])
