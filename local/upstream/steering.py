"""What a client asks of the simulator, inside its last user message.

    [sim input=10000 cached=4000 output=2000 first_ms=300 delay_ms=20 chunk_tokens=4]

Any subset, in any order, anywhere in the text. Whole numbers only, and:

    input          input tokens reported
    cached         of these, read from a cache. OpenAI and DeepSeek count them inside the input,
                   Anthropic's own format beside it: each number is reported as it is given
    output         output tokens generated and reported, for each choice; `max_tokens` or
                   `max_completion_tokens` caps them
    first_ms       silence before the first chunk, after a stream's headers
    delay_ms       silence between chunks (an answer in one piece takes as long in all)
    chunk_tokens   tokens in a chunk, 1 if not given
    cut_chunks     the connection is cut after so many chunks of text: 0 is after the headers,
                   -1 is without any answer. An answer in one piece is cut in its middle
    status         an HTTP error in the upstream's shape; together with cut_chunks an error event
                   in the stream after so many chunks
    usage          none: not reported; null: reported as null; negative; huge; repeated: on every
                   chunk of text, cumulative
    stall          silence for ever: after the headers; with first_ms before them; with cut_chunks
                   after so many chunks. It ends when the client leaves
    tool           a tool call instead of text, unless the conversation ends with a tool's result
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

USAGE_MODES = ("none", "null", "negative", "huge", "repeated")

# A million tokens fill the largest context on sale; ten minutes outlast every client's timeout.
_LARGEST = {
    "input": 10_000_000,
    "cached": 10_000_000,
    "output": 1_000_000,
    "first_ms": 600_000,
    "delay_ms": 600_000,
    "chunk_tokens": 1_000_000,
    "cut_chunks": 1_000_000,
    "status": 599,
}
_SMALLEST = {"chunk_tokens": 1, "cut_chunks": -1, "status": 400}
_MARK = re.compile(r"\[sim((?:\s[^\]]*)?)\]")


class Steering(NamedTuple):
    """One message's wishes; None is "not said"."""

    input: int | None = None
    cached: int | None = None
    output: int | None = None
    first_ms: int | None = None
    delay_ms: int = 0
    chunk_tokens: int = 1
    cut_chunks: int | None = None
    status: int | None = None
    usage: str | None = None
    stall: bool = False
    tool: bool = False


def steering_of(messages: list[Any]) -> Steering:
    """The wishes in the last user message that has text. Raises ValueError on an unknown one."""
    for message in reversed(messages):
        if isinstance(message, dict) and message.get("role") == "user":
            text = text_of(message.get("content"))
            if text:
                return parse(text)
    return Steering()


def text_of(content: Any) -> str:
    """The text of a message's content: a string, or a list of parts of which some are text."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = (part.get("text") for part in content if isinstance(part, dict))
    return "\n".join(text for text in texts if isinstance(text, str))


def parse(text: str) -> Steering:
    """The wishes in one text; of several marks the last wins. Raises ValueError."""
    marks = _MARK.findall(text)
    if not marks:
        return Steering()
    return Steering(**dict(_wish(word) for word in marks[-1].split()))


def _wish(word: str) -> tuple[str, Any]:
    name, equals, value = word.partition("=")
    if name in ("stall", "tool") and not equals:
        return name, True
    if name == "usage" and value in USAGE_MODES:
        return name, value
    if name in _LARGEST and re.fullmatch(r"-?[0-9]{1,9}", value):
        number = int(value)
        if _SMALLEST.get(name, 0) <= number <= _LARGEST[name]:
            return name, number
    raise ValueError(f"the simulator does not understand {word!r}")
