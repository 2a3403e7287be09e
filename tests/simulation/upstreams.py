"""Scripted upstreams: what an answer will be is written in the request, as its last message."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from osiris.catalogue import Model, Prices
from osiris.errors import OsirisError, UpstreamFailed, UpstreamRefusedUs, UpstreamRejected
from osiris.wire.connection import Broken, Silent

if TYPE_CHECKING:
    from tests.simulation.actors import Actor

# $2 for a thousand tokens of output; input costs an odd amount, so that costs are rounded.
PRICES = Prices(1_100_000_001, 1_100_000_001, 1_100_000_001, 1_100_000_001, 2_000_000_000_000)
MODEL = Model(
    id="m",
    name="m",
    upstream="openai",
    base_url="https://upstream.invalid/v1",
    upstream_model="m",
    secret="openai",
    prices=PRICES,
    context_tokens=1000,
    output_tokens=40,
    image_tokens_max=0,
    created_at_s=0,
)
MINIMUM_NANO = 1_000_000
REJECTED = "upstreams_own_word"


class Script(NamedTuple):
    """An upstream's answer. `end`: done, cut, silent, error, refused, rejected, failed, empty."""

    end: str
    stream: bool
    chunks: int
    tokens: int
    reports: bool
    held_tokens: int
    pause_ms: int = 0

    @property
    def cost_nano(self) -> int | None:
        """The cost of an answer that came whole, where usage tells it."""
        if not self.reports or self.end != "done":
            return None
        total = 10 * PRICES.input_nano_per_mtok + self.tokens * PRICES.output_nano_per_mtok
        return max(MINIMUM_NANO, -(-total // 1_000_000))

    def body(self) -> bytes:
        """The request that asks for this answer."""
        content = {
            "model": "m",
            "stream": self.stream,
            "max_tokens": self.held_tokens,
            "messages": [{"role": "user", "content": json.dumps(self)}],
        }
        return json.dumps(content).encode()


def script_of(body: bytes) -> Script:
    """The script in a request's body."""
    return Script(*json.loads(json.loads(body)["messages"][-1]["content"]))


class FakeUpstreams:
    """Stands in for `osiris.upstream.Upstreams`."""

    def __init__(self) -> None:
        self.actor: Actor

    def open(self, _model: Model, *, secret: str, body: bytes, timeout_ms: int) -> FakeResponse:
        """The scripted answer, or error."""
        assert secret == "upstream's key"
        assert timeout_ms > 0
        self.actor.world.forwarded.add(self.actor.name)
        self.actor.wait(0)
        script = script_of(body)
        error = _error(script)
        if error is not None:
            raise error
        return FakeResponse(self.actor, script)


def _error(script: Script) -> OsirisError | None:
    match script.end:
        case "refused":
            return UpstreamRefusedUs(details="simulated")
        case "rejected":
            return UpstreamRejected(400, "no", param=None, type="t", code=REJECTED)
        case "failed":
            return UpstreamFailed(details="simulated")
    return None


class FakeResponse:
    """Stands in for a wire's response of status 200, its pieces as they come."""

    status = 200

    def __init__(self, actor: Actor, script: Script) -> None:
        self._actor = actor
        self._script = script
        self._pieces = _stream(script) if script.stream else _whole(script)

    def wait(self, timeout_ms: int) -> bool:
        """Whether a piece came in time."""
        if self._pieces or self._script.end != "silent":
            if self._script.pause_ms > timeout_ms:
                self._actor.wait(timeout_ms)
                self._script = self._script._replace(pause_ms=self._script.pause_ms - timeout_ms)
                return False
            if self._script.pause_ms:
                self._actor.wait(self._script.pause_ms)
            return True
        self._actor.wait(timeout_ms)
        return False

    def read1(self, _bytes_max: int) -> bytes:
        """The next piece; nothing at the end."""
        if self._pieces:
            return self._pieces.pop(0)
        if self._script.end == "cut":
            raise Broken("simulated", answered=True)
        if self._script.end == "silent":
            raise Silent("simulated")
        return b""

    def leave(self) -> None:
        """Nothing is left to be closed."""


def _usage(script: Script) -> dict[str, Any]:
    return {"prompt_tokens": 10, "completion_tokens": script.tokens}


def _stream(script: Script) -> list[bytes]:
    pieces = [_event(choices=[_choice("token ", None)]) for _ in range(script.chunks)]
    if script.end == "error":
        return [*pieces, _event(error={"message": "overloaded"})]
    if script.end in ("cut", "silent"):
        # Some upstreams report usage on their way.
        return [*pieces, _event(choices=[], usage=_usage(script))] if script.reports else pieces
    if script.end == "empty":
        return [b"data: [DONE]\n\n"]
    pieces.append(_event(choices=[_choice("", "stop")]))
    if script.reports:
        pieces.append(_event(choices=[], usage=_usage(script)))
    return [*pieces, b"data: [DONE]\n\n"]


def _whole(script: Script) -> list[bytes]:
    if script.end == "error":
        return [b'{"error":{"message":"overloaded"}}']
    text = "" if script.end == "empty" else "token " * script.chunks
    reason = None if script.end == "empty" else "stop"
    message = {"role": "assistant", "content": text}
    content: dict[str, Any] = {"choices": [{"message": message, "finish_reason": reason}]}
    if script.reports:
        content["usage"] = _usage(script)
    whole = json.dumps(content).encode()
    return [whole[:20]] if script.end in ("cut", "silent") else [whole[:20], whole[20:]]


def _choice(text: str, reason: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": {"content": text}, "finish_reason": reason}


def _event(**content: Any) -> bytes:
    return b"data: " + json.dumps(content).encode() + b"\n\n"
