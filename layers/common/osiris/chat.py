"""A chat completion's request: what of it we must know, and the text that is sent on.

The body is not written anew. Only the model's name is replaced where the upstream calls it
otherwise, and a stream is asked to report its usage.
"""

import json
from typing import Any, NamedTuple

from osiris.errors import InvalidJson, InvalidRequest, RequestTooLarge
from osiris.json_text import ObjectText, parse_object, with_members
from osiris.ledger.hold import Demand

# Lambda takes 6 MB of event, in which the body is an escaped JSON string that may grow.
BODY_BYTES_MAX = 4 * 1024 * 1024
# A hold never refuses its own request, so this bounds how far below $0 one request can go.
CHOICES_MAX = 8
# What is read here decides what a request may cost and is charged. Some readers of JSON (Go's) take
# another case of a name for the name, and the last of them counts: there it must not differ.
_READ = frozenset(
    {
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "model",
        "n",
        "service_tier",
        "stream",
        "stream_options",
    }
)
# Parts of a message that have no more tokens than two bytes each; of a few bytes of PDF, a provider
# makes many pages.
_MEASURED = ("text", "refusal", "input_audio")
# OpenAI's tiers at the catalogue's prices or below. Others cost more, and usage does not tell.
_TIERS = (None, "auto", "default", "flex")
# These bound their output by `max_tokens`, and pass over the newer name without a word
# (earendil-works/pi, issue 8018).
_OLD_NAMED = frozenset({"deepseek"})


class ChatRequest(NamedTuple):
    """A request that can be forwarded."""

    parsed: ObjectText
    model: str
    stream: bool
    demand: Demand


def parse_chat(body: bytes) -> ChatRequest:
    """The request in a body. Raises RequestTooLarge, InvalidJson, or InvalidRequest."""
    if len(body) > BODY_BYTES_MAX:
        raise RequestTooLarge(f"The body is above the limit of {BODY_BYTES_MAX} bytes.")
    try:
        parsed = parse_object(body.decode())
    except ValueError as error:
        raise InvalidJson(f"The body must be one JSON object in UTF-8: {error}.") from error
    _check_case(parsed, _READ)
    _check_tier(parsed)
    return ChatRequest(
        parsed=parsed,
        model=_model(parsed),
        stream=_stream(parsed),
        demand=_demand(parsed, len(body)),
    )


def upstream_body(request: ChatRequest, upstream: str, upstream_model: str) -> bytes:
    """The body as the upstream, of this kind, gets it."""
    changes = {}
    if request.model != upstream_model:
        changes["model"] = json.dumps(upstream_model)
    bound = request.parsed.value("max_completion_tokens")
    if upstream in _OLD_NAMED and _is_count(bound) and request.parsed.value("max_tokens") is None:
        changes["max_tokens"] = str(bound)
    if request.stream:
        options = request.parsed.value("stream_options") or {}
        if options.get("include_usage") is not True:
            changes["stream_options"] = json.dumps({**options, "include_usage": True})
    return with_members(request.parsed, changes).encode()


def _check_case(parsed: ObjectText, read: frozenset[str]) -> None:
    for name in parsed.members:
        meant = name.casefold()
        if meant in read and name != meant:
            raise InvalidRequest(f"'{meant}' must be written in lower case.", param=meant)


def _check_tier(parsed: ObjectText) -> None:
    if parsed.value("service_tier") not in _TIERS:
        raise InvalidRequest(
            '\'service_tier\' must be "auto", "default" or "flex".', param="service_tier"
        )


def _model(parsed: ObjectText) -> str:
    model = parsed.value("model")
    if not isinstance(model, str) or not model:
        raise InvalidRequest("'model' must name a model, as GET /v1/models lists.", param="model")
    return model


def _stream(parsed: ObjectText) -> bool:
    stream = parsed.value("stream")
    if stream is not None and not isinstance(stream, bool):
        raise InvalidRequest("'stream' must be true or false.", param="stream")
    options = parsed.value("stream_options")
    if options is not None and not isinstance(options, dict):
        raise InvalidRequest("'stream_options' must be an object.", param="stream_options")
    if options:
        _check_options(parsed)
    return bool(stream)


def _check_options(parsed: ObjectText) -> None:
    """Whether the upstream reports usage must not depend on its way of reading."""
    try:
        options = parse_object(parsed.text, parsed.members["stream_options"].start)
    except ValueError as error:
        raise InvalidRequest(f"'stream_options' {error}.", param="stream_options") from error
    _check_case(options, frozenset({"include_usage"}))


def _demand(parsed: ObjectText, body_bytes: int) -> Demand:
    messages = parsed.value("messages")
    if not isinstance(messages, list) or not messages:
        raise InvalidRequest("'messages' must be a list of messages, not empty.", param="messages")
    images, image_bytes, unmeasured = 0, 0, False
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            raise InvalidRequest(
                f"'messages[{index}]' must be an object.", param=f"messages[{index}]"
            )
        for part in _parts(message.get("content")):
            if part.get("type") == "image_url":
                images += 1
                image_bytes += len(_image_url(part))
            elif part.get("type") not in _MEASURED:
                unmeasured = True
    return Demand(
        text_bytes=body_bytes - image_bytes,
        images=images,
        choices=_choices(parsed),
        output_tokens_max=_output_tokens_max(parsed),
        unmeasured=unmeasured,
    )


def _parts(content: Any) -> list[dict[str, Any]]:
    if not isinstance(content, list):
        return []
    return [part for part in content if isinstance(part, dict)]


def _image_url(part: dict[str, Any]) -> str:
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, dict) else image
    return url if isinstance(url, str) else ""


def _choices(parsed: ObjectText) -> int:
    choices = parsed.value("n")
    if choices is None:
        return 1
    if not _is_count(choices) or not 1 <= choices <= CHOICES_MAX:
        raise InvalidRequest(f"'n' must be a whole number from 1 to {CHOICES_MAX}.", param="n")
    return int(choices)


def _output_tokens_max(parsed: ObjectText) -> int | None:
    """The client's own bound, the larger of two; what is no count is the upstream's to refuse."""
    named = (parsed.value("max_completion_tokens"), parsed.value("max_tokens"))
    bounds = [bound for bound in named if bound is not None]
    if not bounds or not all(_is_count(bound) and bound > 0 for bound in bounds):
        return None
    return int(max(bounds))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
