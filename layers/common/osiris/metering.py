"""Reading an answer beside its bytes: usage, whether it ended well, and how much it said.

Bytes pass as they came. Held back are only the event that carries the final usage, or the stream's
`[DONE]`, and what follows it: they leave after the charge is recorded, with `usage.cost` added.

The marks below are searched for in whole events. Text inside a JSON string can't imitate them,
because its double quotes are escaped.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from osiris.errors import UpstreamFailed
from osiris.json_text import parse_object, with_members
from osiris.sse import EVENT_BYTES_MAX, EventTooLarge, Splitter, data_of, events, with_data
from osiris.usage import estimate, merged, read_usage, usage_object

if TYPE_CHECKING:
    from osiris.usage import Usage

_USAGE = re.compile(rb'"usage"\s*:\s*\{')
_ERROR = re.compile(rb'"error"\s*:\s*[{"]')
_FINISH = re.compile(rb'"finish_reason"\s*:\s*"')
_OUTPUT = re.compile(
    rb'"(?:content|reasoning_content|reasoning|refusal|arguments|name)"\s*:\s*"'
    rb'([^"\\]*(?:\\.[^"\\]*)*)"',
    re.DOTALL,
)
_DONE = b"[DONE]"


class Meter:
    """What is known of an answer so far."""

    __slots__ = ("finished", "output_bytes", "reported")

    def __init__(self) -> None:
        self.reported: dict[str, Any] | None = None
        self.output_bytes = 0
        self.finished = False

    @property
    def empty(self) -> bool:
        """Whether the upstream said nothing and gave no reason for having finished."""
        return not self.output_bytes and not self.finished

    def usage(self, *, input_bytes: int, limits: tuple[int, int], complete: bool) -> Usage | None:
        """The usage reported; of an answer that counts as complete, otherwise an estimate."""
        found = None if self.reported is None else read_usage(self.reported, limits)
        if found is None and complete:
            return estimate(input_bytes=input_bytes, output_bytes=self.output_bytes, limits=limits)
        return found

    def look(self, text: bytes) -> None:
        """Count the output in this text, and see whether it gives a reason for finishing."""
        # A stream's output stands behind this name; a whole answer has none.
        for match in _OUTPUT.finditer(text, max(0, text.find(b'"delta"'))):
            self.output_bytes += match.end(1) - match.start(1)
        if not self.finished and _has(text, b'"finish_reason"', _FINISH):
            self.finished = True


class StreamMeter(Meter):
    """The meter of a streamed answer."""

    __slots__ = ("_held", "_splitter", "_usage_at", "ended", "failed")

    def __init__(self) -> None:
        super().__init__()
        self.ended = False
        self.failed = False
        self._splitter = Splitter()
        self._held: list[bytes] = []
        self._usage_at: int | None = None

    def feed(self, piece: bytes) -> bytes:
        """What of the stream may pass now: whole events, up to the first that must wait."""
        block = self._splitter.feed(piece)
        if not block:
            return b""
        if not self._held and not _is_marked(block):
            self.look(block)
            return block
        passed = []
        for event in events(block):
            self._read(event)
            if self.failed:
                break
            if self._held:
                continue
            passed.append(event)
        if sum(map(len, self._held)) > EVENT_BYTES_MAX:
            raise EventTooLarge
        return b"".join(passed)

    def close(self) -> None:
        """The stream has come to its proper end: an event without its blank line may be the last.

        Clients read it so. Where it reports the usage, or is the `[DONE]`, it waits as these do.
        """
        tail = self._splitter.tail
        data = data_of(tail)
        if data is None or not (data.strip() == _DONE or _object(data)):
            return
        held, known = len(self._held), (self.ended, self._usage_at)
        self._read(tail)
        if (self.ended, self._usage_at) == known:
            del self._held[held:]
            return
        self._splitter.tail = b""
        if not (self.ended or self.finished):
            self._held.append(b"\n\n")  # an error of ours comes next

    def rest(self, cost: str | None, *, cut: bool = False) -> bytes:
        """What was held back, with the cost in the usage; and what follows the last whole event.

        Where the stream was `cut`, the beginning of an event is left out: an error of ours comes
        next, and must not be read as its end.
        """
        if cost is not None and self._usage_at is not None:
            self._held[self._usage_at] = _with_cost_event(self._held[self._usage_at], cost)
        return b"".join(self._held) + (b"" if cut or self.failed else self._splitter.tail)

    def _read(self, event: bytes) -> None:
        self.look(event)
        data = data_of(event)
        if data is not None and data.strip() == _DONE:
            self.ended = True
            self._held.append(event)
            return
        content = _object(data)
        if content.get("error"):
            self.failed = True
            return
        found = usage_object(content)
        if found is not None:
            self.reported = merged(self.reported, found)
            if _is_final(content):
                self._usage_at = len(self._held)
                self._held.append(event)
                return
        if self._held:
            self._held.append(event)


def read_answer(body: bytes) -> Meter:
    """The meter of a whole answer. Raises UpstreamFailed when it is no JSON object, or an error."""
    content = _object(body)
    if not content or content.get("error"):
        raise UpstreamFailed(details="an answer of status 200 that is no completion")
    meter = Meter()
    meter.reported = usage_object(content)
    meter.look(body)
    return meter


def with_cost(text: str, cost: str) -> str:
    """A JSON object's text with `usage.cost` set; as it was when it has no usage object."""
    try:
        usage = parse_object(text).members.get("usage")
        if usage is None or not isinstance(usage.value, dict):
            return text
        return with_members(parse_object(text, usage.start), {"cost": cost})
    except ValueError:
        return text


def _with_cost_event(event: bytes, cost: str) -> bytes:
    data = data_of(event)
    assert data is not None
    # What an upstream sends need not be UTF-8; its bytes are kept all the same.
    text = with_cost(data.decode(errors="surrogateescape"), cost)
    return with_data(event, text.encode(errors="surrogateescape"))


def _is_marked(block: bytes) -> bool:
    """Whether the block may hold usage, an error, or the end: then its events are read one by one.

    Nearly every block of a stream is not, and passes after these three searches.
    """
    return (
        _has(block, b'"usage"', _USAGE) or _has(block, b'"error"', _ERROR) or block.find(_DONE) >= 0
    )


def _has(text: bytes, mark: bytes, pattern: re.Pattern[bytes]) -> bool:
    """Whether the pattern, which begins with the mark, is in the text: `find` is the faster."""
    at = text.find(mark)
    return at >= 0 and pattern.search(text, at) is not None


def _is_final(content: dict[str, Any]) -> bool:
    """Whether usage in this event is that of the whole answer, not a figure on the way.

    Anthropic's own streams begin with the input's, and end with the output's beside it.
    """
    choices = content.get("choices")
    if not isinstance(choices, list) or not choices:
        return content.get("type") != "message_start"
    return any(isinstance(choice, dict) and choice.get("finish_reason") for choice in choices)


def _object(data: bytes | None) -> dict[str, Any]:
    # A text that is not UTF-8 must not hide the usage beside it.
    text = (data or b"{}").decode("utf-8-sig", errors="replace")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
