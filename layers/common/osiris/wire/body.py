"""Where an answer's body ends, in each of HTTP/1.1's three ways, without any I/O.

`take(held)` returns the next piece and what is left of the bytes: None when there are too few, b""
at the body's end. `done` says that no more bytes are needed; `ends_with_connection` that the end
of the connection is the end of the body. Source: RFC 9112, sections 6 and 7,
https://www.rfc-editor.org/rfc/rfc9112
"""

import re
from http.client import HTTPException

# A chunk's size with its extension, or all trailers, in bytes; http.client's limit for a line.
_FRAME_BYTES_MAX = 65536
_SIZE_LINE_BYTES_MIN = 3
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n")


class LengthBody:
    """A body of a length that is known."""

    __slots__ = ("_left",)
    ends_with_connection = False

    def __init__(self, length: int) -> None:
        self._left = length

    @property
    def done(self) -> bool:
        """Whether all of it was taken."""
        return not self._left

    def take(self, held: bytes) -> tuple[bytes | None, bytes]:
        """The next piece, and the rest of `held`."""
        if not held and self._left:
            return None, held
        piece, rest = held[: self._left], held[self._left :]
        self._left -= len(piece)
        return piece, rest


class EndlessBody:
    """A body that ends with the connection."""

    __slots__ = ()
    ends_with_connection = True
    done = False

    def take(self, held: bytes) -> tuple[bytes | None, bytes]:
        """All of `held`."""
        return held or None, b""


class ChunkedBody:
    """A body in chunks; nothing but the specification's form of them is read."""

    __slots__ = ("_left", "_started")
    ends_with_connection = False
    done = False

    def __init__(self) -> None:
        self._left = 0
        self._started = False

    def take(self, held: bytes) -> tuple[bytes | None, bytes]:
        """The next chunk, or as much of it as there is, and the rest of `held`."""
        data_at = 0
        if not self._left:
            size_line = self._size_line(held)
            if size_line is None:
                return None, held
            data_at, size = size_line.end(), int(size_line[1], 16)
            if not size:
                return _end(held, data_at)
            if len(held) == data_at:
                return None, held
            self._started = True
            self._left = size
        elif not held:
            return None, held
        piece = held[data_at : data_at + self._left]
        self._left -= len(piece)
        return piece, held[data_at + len(piece) :]

    def _size_line(self, held: bytes) -> re.Match[bytes] | None:
        """The line before the next chunk, which follows the line end of the last."""
        at = 2 if self._started else 0
        if len(held) < at + _SIZE_LINE_BYTES_MIN:
            return None
        line = _SIZE_LINE.match(held, at)
        if (line is None and (b"\n" in held[at:] or len(held) > _FRAME_BYTES_MAX)) or (
            at and not held.startswith(b"\r\n")
        ):
            raise HTTPException("what should be a chunk is none")
        return line


def _end(held: bytes, trailers_at: int) -> tuple[bytes | None, bytes]:
    """The end, once the empty line after the trailers is there; the trailers are dropped."""
    # The line end of the last chunk's size may be the first half of the empty line.
    blank_at = held.find(b"\r\n\r\n", trailers_at - 2)
    if blank_at >= 0:
        return b"", held[blank_at + 4 :]
    if len(held) - trailers_at > _FRAME_BYTES_MAX:
        raise HTTPException("endless trailers")
    return None, held


Body = LengthBody | EndlessBody | ChunkedBody
