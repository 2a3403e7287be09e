"""One call for each way to be refused by `/v1`, or by the gateway before it."""

from __future__ import annotations

import json
import os
import signal
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx

from osiris import secrets_text
from osiris.flows import credit, keys
from tests.e2e.dynamodb_proxy import Harm

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import Harness

PROMPT = "a prompt nobody may log"
OPUS = "claude-opus-4.6"
GATEWAY_BYTES_MAX = 10 * 1024 * 1024
EVENT_BYTES_MAX = 6 * 1024 * 1024
BODY_BYTES_MAX = 4 * 1024 * 1024


class Asked(NamedTuple):
    """One call that is refused, and whether its key is known."""

    response: httpx.Response
    known: bool


def body(words: str = "", **changes: Any) -> bytes:
    """A chat request with the steering words."""
    content = f"{PROMPT} [sim {words}]" if words else PROMPT
    message = {"role": "user", "content": content}
    return json.dumps({"model": OPUS, "messages": [message], **changes}).encode()


def send(
    harness: Harness,
    secret: str | None,
    content: bytes | None = None,
    *,
    path: str = "/v1/chat/completions",
    method: str = "POST",
) -> httpx.Response:
    """One HTTP request as it is."""
    headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
    return httpx.request(
        method, harness.stack.url + path, content=content, headers=headers, timeout=60
    )


def chat(content: bytes, harness: Harness, secret: str) -> Asked:
    """A refused chat with a good key."""
    return Asked(send(harness, secret, content), known=True)


def read(path: str, harness: Harness, secret: str) -> Asked:
    """A refused GET with a good key."""
    return Asked(send(harness, secret, path=path, method="GET"), known=True)


def stranger(secret: str | None, harness: Harness, _: str) -> Asked:
    """A call with a secret that is none."""
    return Asked(send(harness, secret, body()), known=False)


def no_route(method: str, path: str, harness: Harness, secret: str) -> Asked:
    """A call of what API Gateway does not know."""
    return Asked(send(harness, secret, method=method, path=path), known=False)


def too_large(size: int, known: bool, harness: Harness, secret: str) -> Asked:
    """A body of so many bytes."""
    content = body()[:-1] + b" " * (size - len(body())) + b"}"
    return Asked(send(harness, secret, content), known=known)


def wrong_secret(harness: Harness, secret: str) -> Asked:
    """A secret whose key is there, with one character changed."""
    return stranger(secret[:-1] + ("A" if secret[-1] != "A" else "B"), harness, secret)


def deleted_key(harness: Harness, secret: str) -> Asked:
    """A key that was deleted."""
    key = harness.key(secret)
    keys.delete(harness.app, key.account_id, key.id, confirmed_name=key.name)
    return Asked(send(harness, secret, body()), known=False)


def old_secret(harness: Harness, secret: str) -> Asked:
    """The secret before a rotation without overlap."""
    key = harness.key(secret)
    keys.rotate(harness.app, key.account_id, key.id, overlap_hours=0)
    return Asked(send(harness, secret, body()), known=False)


def disabled_key(harness: Harness, secret: str) -> Asked:
    """A key that its owner has switched off."""
    key = harness.key(secret)
    keys.set_enabled(harness.app, key.account_id, key.id, enabled=False)
    return Asked(send(harness, secret, body()), known=True)


def unpaid(harness: Harness, _: str) -> Asked:
    """A key that never had credit."""
    return Asked(send(harness, harness.new_key(dollars="0"), body()), known=True)


def expired(harness: Harness, _: str) -> Asked:
    """A key whose credit expired a moment after it was given."""
    secret = harness.new_key(dollars="0")
    parsed = secrets_text.parse(secret)
    assert parsed is not None
    credit.grant(long_ago(harness), parsed.key_id, amount_nano=10**9, days=1)
    return Asked(send(harness, secret, body()), known=True)


def long_ago(harness: Harness) -> Any:
    """The app as it would be on an earlier day."""
    app = harness.app
    parts = {name: value for name, value in vars(app).items() if name != "seen"}
    return type(app)(**parts | {"now_ms": lambda: app.now_ms() - 200 * 86_400_000})


def rate_limited(harness: Harness, secret: str) -> Asked:
    """A key of one request a minute, for the second time."""
    keys.set_rate_limit(harness.app, harness.key(secret).id, 1)
    assert send(harness, secret, body("output=1")).status_code == 200
    return Asked(send(harness, secret, body()), known=True)


def many_open(harness: Harness, secret: str) -> Asked:
    """A key with as many open requests as may be."""
    for _ in range(3):
        harness.open_request(secret, dollars="1")
    return Asked(send(harness, secret, body()), known=True)


def all_held(harness: Harness, secret: str) -> Asked:
    """A key whose whole balance an open request may cost."""
    harness.open_request(secret, dollars="100")
    return Asked(send(harness, secret, body()), known=True)


def no_store(harness: Harness, secret: str) -> Asked:
    """A database that never answers: of the key nothing is known, since it was not read."""
    harness.proxy.arm(Harm(1, passed_on=False, do=lambda: None, times=100))
    response = send(harness, harness.new_key(), body())
    harness.proxy.arm()
    return Asked(response, known=False)


def crash(harness: Harness, secret: str) -> Asked:
    """The function dies while it serves the request."""

    def kill() -> None:
        for pid in harness.stack.front.pids("ProxyFunction"):
            os.kill(pid, signal.SIGKILL)

    harness.proxy.arm(Harm(1, passed_on=False, do=kill))
    response = send(harness, secret, body())
    harness.proxy.arm()
    return Asked(response, known=False)


CASES: list[tuple[str, int, str, Callable[[Harness, str], Asked]]] = [
    ("no JSON", 400, "invalid_json", partial(chat, b"{")),
    ("no object", 400, "invalid_json", partial(chat, b"[]")),
    ("no model", 400, "invalid_request", partial(chat, b'{"messages": [{}]}')),
    ("no messages", 400, "invalid_request", partial(chat, body(messages=[]))),
    ("n of 0", 400, "invalid_request", partial(chat, body(n=0))),
    ("no key", 401, "missing_api_key", partial(stranger, None)),
    ("a malformed key", 401, "invalid_api_key", partial(stranger, "sk-osiris-nonsense")),
    ("a wrong secret", 401, "invalid_api_key", wrong_secret),
    ("a deleted key", 401, "invalid_api_key", deleted_key),
    ("an old secret", 401, "invalid_api_key", old_secret),
    ("no credit", 402, "insufficient_balance", unpaid),
    ("credit of yore", 402, "credit_expired", expired),
    ("a disabled key", 403, "key_disabled", disabled_key),
    ("an unknown model", 404, "model_not_found", partial(chat, body(model="gpt-0"))),
    ("an unknown model to read", 404, "model_not_found", partial(read, "/v1/models/gpt-0")),
    ("no such request", 404, "request_not_found", partial(read, "/v1/requests/req_0")),
    (
        "another's request",
        404,
        "request_not_found",
        partial(read, "/v1/requests/req_0Vbst4EXkC5TiYT6"),
    ),
    ("an unknown route", 404, "route_not_found", partial(no_route, "GET", "/v1/nothing")),
    ("an unknown method", 404, "route_not_found", partial(no_route, "PUT", "/v1/models")),
    ("above our limit", 413, "request_too_large", partial(too_large, BODY_BYTES_MAX + 1, True)),
    ("above Lambda's", 413, "request_too_large", partial(too_large, EVENT_BYTES_MAX + 1, False)),
    (
        "above the gateway's",
        413,
        "request_too_large",
        partial(too_large, GATEWAY_BYTES_MAX + 1, False),
    ),
    ("a full window", 429, "rate_limit_exceeded", rate_limited),
    ("many open", 429, "too_many_open_requests", many_open),
    ("all held", 429, "balance_held", all_held),
    ("the upstream's 400", 400, "upstream_rejected", partial(chat, body("status=400"))),
    ("the upstream's 404", 404, "upstream_rejected", partial(chat, body("status=404"))),
    ("the upstream's 413", 413, "upstream_rejected", partial(chat, body("status=413"))),
    ("the upstream's 422", 422, "upstream_rejected", partial(chat, body("status=422"))),
    ("a crash", 502, "internal_error", crash),
    ("the upstream's 500", 502, "upstream_failed", partial(chat, body("status=500"))),
    ("a broken answer", 502, "upstream_failed", partial(chat, body("cut_chunks=2 output=9"))),
    ("no database", 503, "store_unavailable", no_store),
    ("the upstream's 401", 503, "upstream_refused", partial(chat, body("status=401"))),
    ("the upstream's 402", 503, "upstream_refused", partial(chat, body("status=402"))),
    ("the upstream's 403", 503, "upstream_refused", partial(chat, body("status=403"))),
    ("the upstream's 429", 503, "upstream_refused", partial(chat, body("status=429"))),
    ("silence", 504, "upstream_silent", partial(chat, body("stall first_ms=0"))),
]
