"""The answer that a request gets, before it takes a wire format.

Tokens are words: a generated token is one word with the space before it, so that text and count
agree. Tokens of input are counted as a quarter of the bytes (UTF-8, rounded up) of all messages'
text, and 85 for each part that is neither text nor a tool's result.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from local.upstream.steering import Steering, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_GREETING = (
    "Hello from the Osiris simulator. Everything works: this answer was made on your own machine,"
    " word by word, and no model was asked. Have a good day!"
)
_TALE = (
    "the river rises and the fields turn green while boats carry grain from the north to the sea"
    " and the scribes count every measure twice"
)
_BYTES_A_TOKEN = 4
_IMAGE_TOKENS = 85
_HUGE = 10**15


class Usage(NamedTuple):
    """Tokens as they will be reported: true ones, unless the client wished for a lie."""

    input: int
    cached: int
    output: int


class Answer(NamedTuple):
    """One answer: what is generated, how it is cut into chunks, what is reported."""

    flavour: str  # openai, deepseek or anthropic
    model: str
    digest: str  # of the request's body: ids come from it, so that equal bodies get equal bytes
    choices: int
    tokens: int  # of each choice
    is_capped: bool
    tool_name: str | None
    include_usage: bool
    steering: Steering
    usage: Usage

    def pieces(self) -> Iterator[str]:
        """The text, or a tool call's arguments, chunk by chunk."""
        words = (
            _arguments(self.tokens, is_capped=self.is_capped) if self.tool_name else self._text()
        )
        while piece := "".join(itertools.islice(words, self.steering.chunk_tokens)):
            yield piece

    def _text(self) -> Iterator[str]:
        if self.steering.output is None:
            return itertools.islice(_words(_GREETING), self.tokens)
        return _tale(self.tokens)

    def reported(self, *, output: int | None = None) -> Usage | None:
        """What is reported when `output` tokens (None: all) are out; None for nothing or null."""
        mode = self.steering.usage
        if mode in ("none", "null"):
            return None
        if mode == "negative":
            return Usage(*(-tokens for tokens in self.usage))
        if mode == "huge":
            return Usage(_HUGE, self.usage.cached, _HUGE)
        return self.usage if output is None else self.usage._replace(output=output)

    def usage_field(self, usage: dict[str, Any] | None) -> dict[str, Any]:
        """The `usage` member of an object: absent when the client wished for none."""
        return {} if self.steering.usage == "none" else {"usage": usage}


def answer_to(body: dict[str, Any], raw: bytes, steering: Steering, *, flavour: str) -> Answer:
    """The answer to a parsed request that has passed `refusals.complaint`."""
    messages = body["messages"]
    tool_name = _tool_name(body) if steering.tool and not _ends_with_result(messages) else None
    choices = 1 if flavour == "anthropic" else body.get("n") or 1
    tokens, is_capped = _generated(body, steering, has_tool=tool_name is not None)
    cached = steering.cached or 0
    counted = max(_input_tokens(body), cached)
    options = body.get("stream_options")
    return Answer(
        flavour=flavour,
        model=body["model"],
        digest=hashlib.sha256(raw).hexdigest(),
        choices=choices,
        tokens=tokens,
        is_capped=is_capped,
        tool_name=tool_name,
        include_usage=isinstance(options, dict) and options.get("include_usage") is True,
        steering=steering,
        usage=Usage(
            input=counted if steering.input is None else steering.input,
            cached=cached,
            output=tokens * choices,
        ),
    )


def _generated(body: dict[str, Any], steering: Steering, *, has_tool: bool) -> tuple[int, bool]:
    wanted = steering.output
    if wanted is None:
        wanted = 8 if has_tool else len(_GREETING.split())
    most = body.get("max_completion_tokens") or body.get("max_tokens")
    if most is not None and most < wanted:
        return most, True
    return wanted, False


def _input_tokens(body: dict[str, Any]) -> int:
    system = body.get("system")  # Anthropic keeps it beside the messages
    contents = [m.get("content") for m in body["messages"] if isinstance(m, dict)]
    byte_count = len(text_of(system).encode(errors="replace"))
    others = 0
    for content in contents:
        byte_count += len(text_of(content).encode(errors="replace"))
        if isinstance(content, list):
            others += sum(_is_image(part) for part in content)
    return -(-byte_count // _BYTES_A_TOKEN) + others * _IMAGE_TOKENS


def _is_image(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") not in ("text", "tool_result", "tool_use")


def _ends_with_result(messages: list[Any]) -> bool:
    last = messages[-1]
    if not isinstance(last, dict):
        return False
    if last.get("role") == "tool":
        return True
    content = last.get("content")
    return isinstance(content, list) and any(
        isinstance(part, dict) and part.get("type") == "tool_result" for part in content
    )


def _tool_name(body: dict[str, Any]) -> str:
    tools = body.get("tools")
    if isinstance(tools, list) and tools and isinstance(tools[0], dict):
        tool = tools[0].get("function", tools[0])
        if isinstance(tool, dict) and isinstance(tool.get("name"), str):
            return str(tool["name"])
    return "simulated_tool"


def _words(text: str) -> Iterator[str]:
    for index, word in enumerate(text.split()):
        yield word if index == 0 else " " + word


def _tale(count: int) -> Iterator[str]:
    words = [" " + word for word in _TALE.split()]
    if count:
        yield "The"
    yield from itertools.islice(itertools.cycle(words), 1, count)


def _arguments(count: int, *, is_capped: bool) -> Iterator[str]:
    """`{"text": "The river …"}` in `count` tokens, without its end if it was capped."""
    if count < 3 and not is_capped:
        yield from ("{", "}") if count == 2 else ("{}",) * count
        return
    if count:
        yield '{"text": "'
    yield from _tale(count - (1 if is_capped else 2)) if count > 1 else ()
    if not is_capped:
        yield '"}'


def arguments_object(text: str) -> dict[str, Any]:
    """A tool call's arguments as an object; a text that was capped gives an empty one."""
    try:
        return dict(json.loads(text))
    except ValueError:
        return {}
