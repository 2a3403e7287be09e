"""What the stand-in answers: fixed, but shaped and sized as the real services answer.

Key, model and events are the product's own nouns, written by the product's own store.
"""

import json
import time
from base64 import b64encode
from functools import cache
from typing import Any

from osiris import secrets_text
from osiris.catalogue import Model, prices_from_dollars
from osiris.ledger.key import PAID, Key, new_key
from osiris.store.items import key_item, model_item

KEY_ID = "0BenchBench0"
SECRET = secrets_text.make(KEY_ID, bytes(range(32)))
REQUESTS_MAX = 40
BALANCE_NANO = 25_000_000_000
HOLD_NANO = 20_000_000
MODELS = ("gpt-4o", "gpt-4o-plain", *[f"another-model-{number}" for number in range(6)])
# What the event says that carries a token; the upstream's usual fields are around it.
_TOKEN = " token"
_CHUNK: dict[str, Any] = {
    "id": "chatcmpl-Bz1N5vK3w2QpXc8rT7uYdLmHs4gJa",
    "object": "chat.completion.chunk",
    "created": 1795514400,
    "model": "gpt-4o-2024-08-06",
    "service_tier": "default",
    "system_fingerprint": "fp_07871e2ad8",
}
_USAGE = {
    "prompt_tokens": 412,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
}


def the_key() -> Key:
    """A key in ordinary use: its window is full of admissions of ten minutes ago."""
    now_ms = time.time_ns() // 1_000_000
    key = new_key(
        id=KEY_ID,
        account_id="6f0f4a5e-20d1-4f0e-9a35-5d1d5d0f4b1c",
        name="laptop",
        kind=PAID,
        secret_hash=secrets_text.hash_of(SECRET),
        rate_limit=REQUESTS_MAX,
        now_ms=now_ms - 86_400_000,
        grant_nano=BALANCE_NANO,
        expires_at_ms=now_ms + 30 * 86_400_000,
    )
    used = [now_ms - 600_000 + slot for slot in range(REQUESTS_MAX)]
    return key._replace(last_used_at_ms=now_ms, requests=1234, spent_nano=10**10, window=used)


def the_model(model_id: str, base_url: str) -> Model:
    """A model of the catalogue, served by the stand-in."""
    return Model(
        id=model_id,
        name=model_id.upper(),
        upstream="openai",
        base_url=base_url,
        upstream_model="gpt-4o-2024-08-06",
        secret="OPENAI_API_KEY",
        prices=prices_from_dollars(input="2.50", output="10", cache_read="1.25"),
        context_tokens=128_000,
        output_tokens=16_384,
        image_tokens_max=1_445,
        created_at_s=1_795_514_400,
    )


def dynamodb(operation: str, payload: dict[str, Any], base_urls: dict[str, str]) -> dict[str, Any]:
    """DynamoDB's answer to one of the proxy's calls."""
    match operation:
        case "Query":
            urls = [base_urls.get(model_id, base_urls[MODELS[0]]) for model_id in MODELS]
            items = [model_item(the_model(*pair)) for pair in zip(MODELS, urls, strict=True)]
            return {"Count": len(items), "ScannedCount": len(items), "Items": items}
        case "UpdateItem":
            return {"Attributes": _updated(payload)}
        case "PutItem":
            return {}
    raise AssertionError(operation)


def _updated(payload: dict[str, Any]) -> dict[str, Any]:
    """The key as Admit (which adds a hold) or Settle (which removes it) leaves it."""
    item = {**_key_item()}
    if "REMOVE" not in payload["UpdateExpression"]:
        request_id = payload["ExpressionAttributeNames"]["#request"]
        hold = payload["ExpressionAttributeValues"][":hold"]
        item["holds"] = {"M": {request_id: hold}}
        item["available_nano"] = {"N": str(BALANCE_NANO - int(hold["N"]))}
    return item


@cache
def _key_item() -> dict[str, Any]:
    item = key_item(the_key())
    item["secret_hash"] = {"B": b64encode(item["secret_hash"]["B"]).decode()}
    return item


@cache
def events(tokens: int) -> list[bytes]:
    """A stream of that many tokens, as OpenAI sends it: one event each, and three at its end."""
    said = [_event(_choice({"content": _TOKEN})) for _ in range(tokens)]
    usage = {**_USAGE, "completion_tokens": tokens, "total_tokens": 412 + tokens}
    last = _event({"choices": [], "usage": usage})
    return [*said, _event(_choice({}, "stop")), last, b"data: [DONE]\n\n"]


def _choice(delta: dict[str, str], finish_reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return {"choices": [choice], "usage": None}


def _event(content: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(_CHUNK | content, separators=(",", ":")).encode() + b"\n\n"
