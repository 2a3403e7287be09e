"""Every error of `/v1` and of the gateway before it, once over HTTP: form and secrecy."""

from __future__ import annotations

import json
import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import pytest

from osiris import errors, secrets_text
from osiris.flows import credit, keys
from osiris.ids import is_request_id
from tests.e2e.conftest import running
from tests.e2e.dynamodb_proxy import Harm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.conftest import Harness

PROXY_ENVIRONMENT = {"OSIRIS_OPEN_REQUESTS_MAX": "3"}
UPSTREAM_SECRET = "sk-upstream-5Zq0wX7rT2"
PROMPT, ANSWER = "a prompt nobody may log", "The river rises"
OPUS = "claude-opus-4.6"
GATEWAY_BYTES_MAX = 10 * 1024 * 1024
EVENT_BYTES_MAX = 6 * 1024 * 1024
BODY_BYTES_MAX = 4 * 1024 * 1024


@pytest.fixture(scope="module", autouse=True)
def upstream_secret(harness: Harness) -> None:
    """A secret of our own at the upstreams that can be told from every other text."""
    client = harness.stack.cloud.client("ssm")
    for name in ("anthropic", "deepseek", "openai"):
        path = f"{harness.app.settings.secrets_path}/{name}"
        client.put_parameter(Name=path, Type="SecureString", Value=UPSTREAM_SECRET, Overwrite=True)


@pytest.fixture(scope="module")
def told() -> Iterator[dict[str, list[str]]]:
    """What may be in no log: the secrets that were used. Filled by the tests."""
    yield {"secrets": []}


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
    credit.grant(in_april(harness), parsed.key_id, amount_nano=10**9, days=1)
    return Asked(send(harness, secret, body()), known=True)


def in_april(harness: Harness) -> Any:
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
# Not errors of /v1: those of /api/keys (test_keys_api.py, tests/handlers) and the operator's. And
# the deadline, which only a stream lives to see (test_charges.py).
ELSEWHERE = {
    "changed_meanwhile",
    "confirmation_required",
    "deadline_exceeded",
    "identity_unavailable",
    "invalid_token",
    "key_not_found",
    "too_many_keys",
    "trial_already_granted",
    "trial_not_topped_up",
    "trials_not_offered",
}
PAID_TWICE = {"a broken answer", "silence"}


def leaves(kind: type[errors.OsirisError]) -> set[str]:
    """The codes of the error tree."""
    below = kind.__subclasses__()
    return {kind.code} if not below else set().union(*map(leaves, below))


def test_no_error_is_missing_here() -> None:
    """Each code of the tree has a case, or belongs to another door."""
    assert {code for _, _, code, _ in CASES} == leaves(errors.OsirisError) - ELSEWHERE


@pytest.mark.parametrize(("name", "status", "code", "ask"), CASES, ids=[case[0] for case in CASES])
def test_each_error_has_our_form(
    harness: Harness,
    told: dict[str, list[str]],
    name: str,
    status: int,
    code: str,
    ask: Callable[[Harness, str], Asked],
) -> None:
    """Its status and code, an id, where the limit stands for a known key, and nothing inside."""
    secret = harness.new_key()
    told["secrets"].append(secret)
    response, known = ask(harness, secret)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    check_form(response)
    check_headers(response, known=known, paid_twice=name in PAID_TWICE)
    check_hides(harness, response)


def check_form(response: httpx.Response) -> None:
    """OpenAI's form, with a sentence in it."""
    content = response.json()
    assert response.headers["Content-Type"] == "application/json"
    assert content.keys() == {"error"}
    assert content["error"].keys() == {"message", "type", "param", "code"}
    assert re.fullmatch(r"[A-Z'].*\S", content["error"]["message"])
    # A provider's own refusal keeps its type: Anthropic has a "request_too_large".
    assert re.fullmatch(r"[a-z_]+", content["error"]["type"])


def check_headers(response: httpx.Response, *, known: bool, paid_twice: bool) -> None:
    """An id always; Retry-After on each 429; the rate limit for known keys, and them alone."""
    headers = response.headers
    assert headers["X-Request-Id"]
    assert not known or is_request_id(headers["X-Request-Id"])
    limits = [name for name in headers if name.startswith("x-ratelimit-")]
    assert len(limits) == (3 if known else 0)
    assert ("Retry-After" in headers) == (response.status_code == 429)
    assert 1 <= int(headers.get("Retry-After", "1")) <= 60
    assert headers.get("X-Should-Retry") == ("false" if paid_twice else None)
    assert headers["Access-Control-Allow-Origin"] == "*"


def check_hides(harness: Harness, response: httpx.Response) -> None:
    """No upstream's host or key, no secret, no stack trace, no path of ours."""
    shown = response.text + "\n".join(f"{n}: {v}" for n, v in response.headers.items())
    hidden = [UPSTREAM_SECRET, harness.simulator.origin.partition("//")[2]]
    hidden += ["Traceback", ".py", "/opt", "/var/task", "osiris/", "dynamodb", "anthropic.com"]
    assert [text for text in hidden if text.lower() in shown.lower()] == []
    assert not re.search(r"sk-osiris-[0-9A-Za-z]{8}", shown)


def test_the_gateway_throttles_in_our_form(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Above the rate of all keys together: 429 with Retry-After, before any function is asked."""
    parameters = {"RequestsPerSecond": "1"}
    with running(tmp_path_factory.mktemp("throttled"), {}, parameters) as throttled:
        ask = partial(send, throttled, None, path="/v1/models", method="GET")
        with ThreadPoolExecutor(8) as pool:
            answers = [future.result() for future in [pool.submit(ask) for _ in range(8)]]
        refused = [answer for answer in answers if answer.status_code != 200]
        assert 0 < len(refused) < 8
        for answer in refused:
            assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
            assert answer.json()["error"]["code"] == "rate_limit_exceeded"
            check_form(answer)
            check_headers(answer, known=False, paid_twice=False)
            check_hides(throttled, answer)


def test_an_error_in_mid_stream_hides_as_much(harness: Harness) -> None:
    """The upstream's own error event does not pass; ours stands in its place."""
    words = "output=50 cut_chunks=3 status=529"
    response = send(harness, harness.new_key(), body(words, stream=True))
    assert response.status_code == 200
    assert ANSWER in "".join(re.findall(r'"content":"([^"]*)"', response.text))
    assert "simulated" not in response.text
    assert response.text.count('data: {"error":') == 1
    check_hides(harness, response)


def test_every_answer_to_a_known_key_tells_its_limit(harness: Harness) -> None:
    """Well or ill, on each route; what is used shows."""
    secret = harness.new_key()
    first = send(harness, secret, body("output=3"))
    stream = send(harness, secret, body("output=3", stream=True))
    others = [
        send(harness, secret, path=path, method="GET")
        for path in ("/v1/key", "/v1/models", f"/v1/models/{OPUS}", "/v1/requests/req_0")
    ]
    remaining = [r.headers["X-RateLimit-Remaining"] for r in (first, stream, *others)]
    assert remaining == ["39", "38", "38", "38", "38", "38"]
    assert {r.headers["X-RateLimit-Limit"] for r in (first, stream, *others)} == {"40"}
    resets = {int(r.headers["X-RateLimit-Reset"]) for r in (first, stream, *others)}
    oldest_ms = min(used for used in harness.key(secret).window if used)
    assert resets == {-(-(oldest_ms + 60_000) // 1000)}
    assert len({r.headers["X-Request-Id"] for r in (first, stream, *others)}) == 6


def test_the_public_catalogue_tells_strangers_no_limit(harness: Harness) -> None:
    """Without a key the models are listed; with a wrong one the caller is told so."""
    response = send(harness, None, path="/v1/models", method="GET")
    assert (response.status_code, response.json()["object"]) == (200, "list")
    assert not [name for name in response.headers if name.startswith("x-ratelimit-")]
    assert is_request_id(response.headers["X-Request-Id"])
    wrong = send(harness, "sk-osiris-x", path="/v1/models", method="GET")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "invalid_api_key")


def test_the_secret_may_come_in_either_header(harness: Harness) -> None:
    """As OpenAI's clients send it, with any case of the scheme, and as Anthropic's do."""
    secret = harness.new_key()
    for name, value in (
        ("Authorization", f"Bearer {secret}"),
        ("authorization", f"bearer {secret}"),
        ("X-Api-Key", secret),
    ):
        answer = httpx.get(f"{harness.stack.base_url}/key", headers={name: value}, timeout=60)
        assert (answer.status_code, answer.json()["id"]) == (200, harness.key(secret).id)


def test_a_browser_may_ask(harness: Harness) -> None:
    """The preflight of /v1 is answered, for any origin and our headers."""
    response = send(harness, None, method="OPTIONS")
    assert response.status_code in (200, 204)
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    assert "authorization" in response.headers["Access-Control-Allow-Headers"].lower()


def test_the_log_holds_nothing_of_what_was_said(
    harness: Harness, told: dict[str, list[str]]
) -> None:
    """After all that: no secret, no upstream's key, no prompt and no answer; ids and codes."""
    log = harness.log()
    assert any(request.carried(UPSTREAM_SECRET) for request in harness.simulator.requests)
    assert log.count('"event":"request"') > 10
    assert '"code":"store_unavailable"' in log
    assert not re.search(r"sk-osiris-[0-9A-Za-z]", log)
    for text in (*told["secrets"], UPSTREAM_SECRET, PROMPT, ANSWER, "simulated", "[sim"):
        assert text not in log
    assert harness.differences() == []
