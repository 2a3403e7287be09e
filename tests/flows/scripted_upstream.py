"""An upstream that says what a test wrote, on the world's clock; and a client that asks it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from osiris.catalogue import Model, prices_from_dollars
from osiris.errors import OsirisError
from osiris.flows.completion import complete
from osiris.flows.credit import grant
from osiris.flows.exchange import Exchange
from osiris.flows.keys import create
from osiris.upstream import Upstreams
from osiris.wire.faults import Broken, TooLarge

if TYPE_CHECKING:
    from collections.abc import Generator

    from osiris.ledger.entry import Entry
    from osiris.ledger.key import Key
    from osiris.store.secrets import Secrets
    from osiris.wire.connection import Connection
    from tests.builders import World

BALANCE_NANO = 10_000_000_000
UPSTREAM_SECRET = "sk-upstreams-own"
HOST = "upstream.invalid"
MODEL = Model(
    id="claude-opus-4.6",
    name="Claude Opus 4.6",
    upstream="anthropic",
    base_url=f"https://{HOST}/v1",
    upstream_model="claude-opus-4-6",
    secret="anthropic",
    prices=prices_from_dollars(input="5", output="25"),
    context_tokens=200_000,
    output_tokens=64_000,
    image_tokens_max=1_600,
    created_at_s=0,
)
DEEPSEEK = MODEL._replace(
    id="deepseek-v3", prices=prices_from_dollars(input="0.27", output="1.10"), secret="deepseek"
)

# A piece of the answer, so many milliseconds of silence, or what breaks it off.
type Step = bytes | int | Exception


class ScriptedResponse:
    """Stands in for the wire's response."""

    def __init__(self, world: World, status: int, steps: list[Step]) -> None:
        self.status = status
        self._world = world
        self._steps = list(steps)

    def wait(self, timeout_ms: int) -> bool:
        assert timeout_ms > 0
        if not self._steps or not isinstance(self._steps[0], int):
            return True
        if self._steps[0] > timeout_ms:
            self._steps[0] -= timeout_ms
            self._world.pass_ms(timeout_ms)
            return False
        self._world.pass_ms(self._steps.pop(0))  # type: ignore[arg-type]
        return True

    def read1(self, _bytes_max: int) -> bytes:
        step = self._steps.pop(0) if self._steps else b""
        if isinstance(step, Exception):
            raise step
        assert isinstance(step, bytes), "read without waiting"
        return step

    def leave(self) -> None:
        self._steps.clear()

    def read(self, bytes_max: int) -> bytes:
        whole = b"".join(step for step in self._steps if isinstance(step, bytes))
        if len(whole) > bytes_max:
            raise TooLarge
        return whole


class ScriptedUpstreams(Upstreams):
    """The real upstreams over a scripted connection. `requests` holds what was sent on."""

    def __init__(self, world: World) -> None:
        super().__init__(lambda: None)
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.calls_before: list[str] = []
        self.status = 200
        self.steps: list[Step] = []
        self._world = world

    def request(
        self, _method: str, target: str, headers: dict[str, str], body: bytes, *, timeout_ms: int
    ) -> ScriptedResponse:
        """Stands in for the wire's connection, too."""
        assert target == "/v1/chat/completions"
        assert timeout_ms > 0
        self.requests.append((headers, body))
        self.calls_before = list(self._world.transport.calls)
        if self.steps and isinstance(self.steps[0], Exception) and self.status != 200:
            raise self.steps[0]
        return ScriptedResponse(self._world, self.status, self.steps)

    def _connection(self, origin: str) -> Connection:
        assert origin == f"https://{HOST}"
        return cast("Connection", self)


class ScriptedSecrets:
    """Stands in for the upstreams' keys in SSM."""

    def read(self, _name: str, _now_ms: int) -> str:
        return UPSTREAM_SECRET


class Told(NamedTuple):
    """What a client was told: the bytes, and the error that refused or ended it."""

    text: bytes
    pieces: list[bytes]
    cost: str | None
    error: OsirisError | None
    exchange: Exchange

    @property
    def usage(self) -> dict[str, Any]:
        """The usage object of the answer, its numbers as they were written."""
        for line in self.text.decode().splitlines():
            text = line.removeprefix("data: ")
            if '"usage"' in text and '"usage": null' not in text:
                found: dict[str, Any] = json.loads(text, parse_float=str)["usage"]
                return found
        raise AssertionError("no usage in the answer")


class Till:
    """A key with $10, its client, and the upstream."""

    def __init__(self, world: World) -> None:
        self.world = world
        for model in (MODEL, DEEPSEEK):
            world.app.models.put(model)
        self.upstream = ScriptedUpstreams(world)
        world.app.upstreams = self.upstream
        world.app.secrets = cast("Secrets", ScriptedSecrets())
        issued = create(world.app, "ada", name="till")
        self.secret, self.key_id = issued.secret, issued.key.id
        grant(world.app, self.key_id, amount_nano=BALANCE_NANO, days=30)
        world.app.models.all(world.now_ms)
        world.transport.calls.clear()

    @property
    def key(self) -> Key:
        """The key as it stands."""
        return self.world.stored_key(self.key_id)

    def entry(self, told: Told) -> Entry | None:
        """The entry of a request."""
        return self.world.app.ledger.read(self.key_id, told.exchange.request_id)

    def charged(self, told: Told) -> Entry:
        """The request's entry, after it was settled: the balance shows it, the hold is gone."""
        entry = self.entry(told)
        assert entry is not None
        key = self.key
        assert key.balance_nano == key.available_nano == BALANCE_NANO + entry.amount_nano
        assert (key.holds, key.spent_nano) == ({}, entry.cost_nano)
        assert key.requests == (entry.cost_nano > 0)
        return entry

    def ask(
        self,
        *steps: Step,
        status: int = 200,
        secret: str | None = None,
        remaining_ms: int = 880_000,
        leave_after: int | None = None,
        body: bytes | None = None,
        **members: Any,
    ) -> Told:
        """One request, answered by these steps of the upstream."""
        self.upstream.status, self.upstream.steps = status, list(steps)
        world = self.world
        exchange = Exchange(world.app, world.now_ms + remaining_ms)
        content = {
            "model": MODEL.id,
            "messages": [{"role": "user", "content": "hi"}],
            "max_tokens": 2_000,
            **members,
        }
        text = json.dumps(content).encode() if body is None else body
        pieces: list[bytes] = []
        cost, error = None, None
        try:
            completion = complete(world.app, exchange, secret or self.secret, text)
            cost = completion.cost
            for number, piece in enumerate(completion.body):
                pieces.append(piece)
                if number == leave_after:
                    cast("Generator[bytes]", completion.body).close()
                    break
        except OsirisError as ended:
            error = ended
        return Told(b"".join(pieces), pieces, cost, error, exchange)

    def stream(self, *steps: Step, **asked: Any) -> Told:
        """One streamed request."""
        return self.ask(*steps, stream=True, **asked)


def chunk(text: str = "", finish: str | None = None, **members: Any) -> bytes:
    """One event of a stream."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    content = {"id": "c", "choices": [choice], **members}
    return b"data: " + json.dumps(content).encode() + b"\n\n"


def usage_chunk(**usage: Any) -> bytes:
    """The event that carries usage."""
    return chunk(choices=[], usage=usage)


DONE = b"data: [DONE]\n\n"
STOP = chunk(finish="stop")
USAGE = {"prompt_tokens": 10_000, "completion_tokens": 2_000}
FULL = usage_chunk(**USAGE)
CUT = Broken("cut", answered=True)


def answer(text: str = "hello", finish: str | None = "stop", **members: Any) -> bytes:
    """A whole answer."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return json.dumps({"id": "c", "choices": [choice], **members}).encode()
