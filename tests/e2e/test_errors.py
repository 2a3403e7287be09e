"""Every error of `/v1` and of the gateway before it, once over HTTP: form and secrecy."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import httpx
import pytest

from osiris import errors
from osiris.ids import is_request_id
from tests.e2e.conftest import running
from tests.e2e.refused_calls import CASES, OPUS, PROMPT, Asked, body, send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.conftest import Harness

PROXY_ENVIRONMENT = {"OSIRIS_OPEN_REQUESTS_MAX": "3"}
UPSTREAM_SECRET = "sk-upstream-5Zq0wX7rT2"
ANSWER = "The river rises"


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


# Not errors of /v1: those of /api/keys (test_keys_api.py, tests/handlers) and the operator's; those
# of money in, all of payment_errors (test_topups.py, tests/handlers). And the deadline, which only
# a stream lives to see (test_cut_short.py).
ELSEWHERE = {
    "changed_meanwhile",
    "confirmation_required",
    "deadline_exceeded",
    "form_refused",
    "identity_unavailable",
    "invalid_token",
    "key_not_found",
    "sign_in_failed",
    "too_many_keys",
    "trial_already_granted",
    "trial_not_topped_up",
    "trials_not_offered",
}
PAID_TWICE = {"a broken answer", "silence"}


def leaves(kind: type[errors.OsirisError]) -> set[str]:
    """The codes of the error tree's leaves but those of money in."""
    below = [part for part in kind.__subclasses__() if part.__module__ == errors.__name__]
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
