"""Server-sent events, sans I/O: whole events out of pieces cut anywhere, byte for byte.

An event ends at a blank line (HTML Living Standard, §9.2). What a `Splitter` gives out, together
with its tail, is always exactly what was fed; nothing is decoded, added or lost.
"""

from __future__ import annotations

import re

# The largest event known is an image as base64; more than this is no event but a fault.
EVENT_BYTES_MAX = 8 * 1024 * 1024

_BLANK_LINE = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\n|\r|\Z)")
_ENDINGS = (b"\n\n", b"\r\n\r\n")


class EventTooLarge(Exception):
    """An event did not end within EVENT_BYTES_MAX."""


class Splitter:
    """Cuts a stream of bytes behind its last complete event."""

    __slots__ = ("tail",)

    def __init__(self) -> None:
        self.tail = b""

    def feed(self, piece: bytes) -> bytes:
        """The bytes up to the end of the last complete event; b"" while there is none."""
        if not self.tail:
            if piece.endswith(_ENDINGS):
                return piece
            whole, searched_from = piece, 0
        else:
            searched_from = max(0, len(self.tail) - 3)
            whole = self.tail + piece
        end = 0
        for match in _BLANK_LINE.finditer(whole, searched_from):
            end = match.end()
        self.tail = whole[end:]
        if len(self.tail) > EVENT_BYTES_MAX:
            raise EventTooLarge
        return whole[:end]


def events(block: bytes) -> list[bytes]:
    """The block's events, each with its blank line; joined they are the block again."""
    found, start = [], 0
    for match in _BLANK_LINE.finditer(block):
        found.append(block[start : match.end()])
        start = match.end()
    if start < len(block):
        found.append(block[start:])
    return found


def data_of(event: bytes) -> bytes | None:
    """The event's data, its lines joined by a line feed; None when it has none (a comment)."""
    lines = [
        line.rstrip(b"\r\n")[5:].removeprefix(b" ")
        for line in _LINE.findall(event)
        if line.startswith(b"data:")
    ]
    return b"\n".join(lines) if lines else None


def with_data(event: bytes, data: bytes) -> bytes:
    """The event with other data; its other fields, and its way of writing lines, stay."""
    lines = [line for line in _LINE.findall(event) if line]
    first = next(index for index, line in enumerate(lines) if line.startswith(b"data:"))
    ending = lines[first][len(lines[first].rstrip(b"\r\n")) :]
    name = b"data: " if lines[first].startswith(b"data: ") else b"data:"
    changed = [name + part + ending for part in data.split(b"\n")]
    rest = [line for line in lines[first:] if not line.startswith(b"data:")]
    return b"".join([*lines[:first], *changed, *rest])


def event(data: bytes) -> bytes:
    """An event of our own."""
    return b"data: " + data + b"\n\n"


def comment(text: bytes) -> bytes:
    """A comment: clients skip it, and the connection is seen to live."""
    return b": " + text + b"\n\n"
