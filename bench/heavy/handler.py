"""The same request built with the usual libraries: boto3, httpx, pydantic, Powertools' Logger.

It does the proxy's work and no more: the same three writes with the same conditions, the same
stream, the same hold, charge and log line, under the same runtime. Written as one would write it:
one boto3 client (with the store's own time limits, which are cheaper than boto3's defaults), one
httpx client, `iter_lines` and JSON for each event, the usage from the last.
"""

import json
import os
import ssl
import time
from collections.abc import Iterator
from typing import Any

import httpx
from aws_lambda_powertools import Logger
from pydantic import BaseModel, ConfigDict, Field

from osiris import secrets_text
from osiris.catalogue import Model
from osiris.http.messages import Answer
from osiris.ids import request_id
from osiris.ledger import entry as states
from osiris.ledger.entry import Entry, charge
from osiris.ledger.hold import Demand, hold_nano
from osiris.money import dollars_from_nano
from osiris.store.keys import Keys
from osiris.store.ledger import Ledger
from osiris.store.models import Models
from osiris.store.transport_boto3 import Boto3Transport, client_of
from osiris.usage import read_usage

DYNAMODB = Boto3Transport(client_of("dynamodb"))
KEYS = Keys(DYNAMODB, os.environ["OSIRIS_KEYS_TABLE"])
LEDGER = Ledger(DYNAMODB, os.environ["OSIRIS_LEDGER_TABLE"])
MODELS = Models(DYNAMODB, os.environ["OSIRIS_CATALOGUE_TABLE"])
CLIENT = httpx.Client(verify=ssl.create_default_context(), timeout=270)
LOGGER = Logger()


class Message(BaseModel):
    """A message of the conversation."""

    model_config = ConfigDict(extra="allow")
    role: str
    content: str | list[Any] | None = None


class ChatBody(BaseModel):
    """The body of a chat request; what is not named here is passed on."""

    model_config = ConfigDict(extra="allow")
    model: str = Field(min_length=1)
    messages: list[Message] = Field(min_length=1)
    stream: bool = False
    n: int = Field(default=1, ge=1, le=128)
    max_tokens: int | None = Field(default=None, gt=0)


class Admitted:
    """A request that was let in."""

    def __init__(self, key_id: str, body: ChatBody, model: Model, body_bytes: int) -> None:
        self.key_id = key_id
        self.body = body
        self.model = model
        self.at_ms = _now_ms()
        self.id = request_id(self.at_ms, os.urandom(16))
        self.demand = Demand(body_bytes, 0, body.n, body.max_tokens)
        self.hold_nano = hold_nano(self.demand, model)
        self.output_bytes = 0
        self.finished = False


def lambda_handler(event: dict[str, Any], _context: Any) -> Answer:
    """Admit, forward, relay."""
    secret = secrets_text.parse(event["headers"]["Authorization"].removeprefix("Bearer "))
    assert secret is not None
    body = ChatBody.model_validate_json(event["body"])
    model = MODELS.all(_now_ms())[body.model]
    request = Admitted(secret.key_id, body, model, len(event["body"]))
    admission = KEYS.admit(
        request.key_id,
        secret_hash=secret.hash,
        request_id=request.id,
        hold_nano=request.hold_nano,
        slot=os.urandom(1)[0] % 40,
        open_requests_max=40,
        now_ms=request.at_ms,
    )
    assert admission.admitted
    headers = [("Content-Type", "text/event-stream"), ("X-Request-Id", request.id)]
    return Answer(200, headers, _relay(request))


def _relay(request: Admitted) -> Iterator[bytes]:
    body = request.body.model_dump(exclude_unset=True)
    body |= {"model": request.model.upstream_model, "stream_options": {"include_usage": True}}
    url = f"{request.model.base_url}/chat/completions"
    headers = {"Authorization": "Bearer sk-upstream", "Accept-Encoding": "identity"}
    with CLIENT.stream("POST", url, json=body, headers=headers) as response:
        for line in response.iter_lines():
            if not line.startswith("data: "):
                continue
            if line == "data: [DONE]":
                break
            content = json.loads(line[6:])
            if "error" in content:
                raise RuntimeError(content["error"])
            for choice in content["choices"]:
                request.output_bytes += len((choice["delta"].get("content") or "").encode())
                request.finished = request.finished or choice["finish_reason"] is not None
            if content.get("usage"):
                entry = _settled(request, content["usage"])
                content["usage"]["cost"] = float(dollars_from_nano(entry.cost_nano))
                line = f"data: {json.dumps(content)}"
            yield line.encode() + b"\n\n"
    yield b"data: [DONE]\n\n"


def _settled(request: Admitted, usage: dict[str, Any]) -> Entry:
    entry = charge(
        key_id=request.key_id,
        request_id=request.id,
        model=request.model,
        state=states.COMPLETED,
        streamed=True,
        usage=read_usage(usage, (request.model.context_tokens, request.model.output_tokens)),
        admitted_at_ms=request.at_ms,
        now_ms=_now_ms(),
    )
    standing = LEDGER.record(entry)
    KEYS.settle(
        request.key_id,
        request_id=request.id,
        hold_nano=request.hold_nano,
        amount_nano=standing.amount_nano,
    )
    facts = {"request_id": request.id, "key_id": request.key_id, "model": request.model.id}
    LOGGER.info("request", extra={**facts, "cost_nano": entry.cost_nano})
    return entry


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
