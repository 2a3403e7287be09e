"""A key's life in its owner's hands: `/api/keys` with a real sign-in, and what `/v1` then says."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from osiris import secrets_text
from osiris.flows import credit
from osiris.money import nano_from_dollars

if TYPE_CHECKING:
    from tests.e2e.conftest import Harness

PARAMETERS = {"TrialAmount": "0.25", "TrialDays": "3"}


class Owner:
    """The signed-in demo account, by HTTP."""

    def __init__(self, harness: Harness) -> None:
        self._url = f"{harness.stack.url}/api/keys"
        self.token = harness.stack.token()

    def call(
        self,
        method: str,
        path: str = "",
        body: Any = None,
        *,
        token: str | None = None,
        **query: str,
    ) -> httpx.Response:
        """One call; without a token the owner's own is sent."""
        return httpx.request(
            method,
            self._url + path,
            json=body,
            params=query,
            headers={"Authorization": f"Bearer {self.token if token is None else token}"},
            timeout=60,
        )

    def create(self, name: str, **more: str) -> dict[str, Any]:
        """A new key, as the API shows it once."""
        answer = self.call("POST", body={"name": name, **more})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())


@pytest.fixture(scope="module")
def owner(harness: Harness) -> Owner:
    """The demo account."""
    return Owner(harness)


def outcome(harness: Harness, secret: str) -> tuple[int, str | None]:
    """Status and error code of a small chat."""
    answer = harness.chat(secret, "[sim input=10000 output=2000]")
    error = answer.json().get("error")
    return answer.status_code, None if error is None else error["code"]


def test_a_keys_whole_life(harness: Harness, owner: Owner) -> None:
    """Made, funded, used, renamed, switched off and on, deleted with its credit; then unknown."""
    made = owner.create("Production")
    secret, path = made["secret"], f"/{made['id']}"
    assert (made["balance"], made["status"], made["kind"]) == ("0", "live", "paid")
    assert outcome(harness, secret) == (402, "insufficient_balance")
    credit.grant(harness.app, made["id"], amount_nano=nano_from_dollars("5"), days=30)
    assert outcome(harness, secret) == (200, None)

    assert owner.call("PATCH", path, {"name": "Staging"}).json()["name"] == "Staging"
    assert owner.call("PATCH", path, {"status": "disabled"}).json()["status"] == "disabled"
    assert outcome(harness, secret) == (403, "key_disabled")
    assert owner.call("PATCH", path, {"status": "live"}).json()["status"] == "live"
    assert outcome(harness, secret) == (200, None)

    shown = owner.call("GET", path).json()
    assert (shown["balance"], shown["usage"]) == ("4.8", {"requests": 2, "cost": "0.2"})
    assert "secret" not in shown
    assert shown == harness.get(secret, "key").json()
    listed = owner.call("GET").json()
    assert {key["id"]: key["balance"] for key in listed["data"]}[made["id"]] == "4.8"
    assert listed["next"] is None
    assert "secret" not in json.dumps(listed)

    asked = owner.call("DELETE", path)
    assert (asked.status_code, asked.json()["error"]["code"]) == (409, "confirmation_required")
    assert "$4.8 will be forfeited" in asked.json()["error"]["message"]
    wrongly = owner.call("DELETE", path, confirm="Production")
    assert wrongly.status_code == 409
    assert outcome(harness, secret) == (200, None)
    gone = owner.call("DELETE", path, confirm="Staging")
    assert gone.json() == {
        "id": made["id"],
        "object": "key",
        "deleted": True,
        "forfeited": "4.7",
    }
    assert outcome(harness, secret) == (401, "invalid_api_key")
    assert owner.call("GET", path).json()["error"]["code"] == "key_not_found"
    entries = list(harness.app.ledger.entries(made["id"]))
    assert sum(entry.amount_nano for entry in entries) == 0
    assert entries[-1].amount_nano == -nano_from_dollars("4.7")


def test_a_rotated_secret_lives_on_for_its_overlap(harness: Harness, owner: Owner) -> None:
    """With an overlap both secrets work, without one only the newest; older ones never again."""
    made = owner.create("Rotated")
    credit.grant(harness.app, made["id"], amount_nano=nano_from_dollars("5"), days=30)
    path = f"/{made['id']}/rotate"
    second = owner.call("POST", path, {"overlap_hours": 1}).json()
    secrets = [made["secret"], second["secret"]]
    assert len(set(secrets)) == 2
    assert second["old_secret_until"] is not None
    assert [outcome(harness, secret)[0] for secret in secrets] == [200, 200]

    third = owner.call("POST", path, {"overlap_hours": 0}).json()
    secrets.append(third["secret"])
    assert third["old_secret_until"] is None
    assert [outcome(harness, secret)[0] for secret in secrets] == [401, 401, 200]
    shown = harness.get(secrets[-1], "key").json()
    assert (shown["id"], shown["usage"]["requests"]) == (made["id"], 3)


def test_an_account_has_one_trial(harness: Harness, owner: Owner) -> None:
    """It comes with the operator's amount, is spent like any credit, and never comes again."""
    made = owner.create("Try", kind="trial")
    assert (made["kind"], made["balance"]) == ("trial", "0.25")
    assert outcome(harness, made["secret"]) == (200, None)
    again = owner.call("POST", body={"name": "Again", "kind": "trial"})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "trial_already_granted")
    assert owner.call("DELETE", f"/{made['id']}", confirm="Try").json()["forfeited"] == "0.15"
    again = owner.call("POST", body={"name": "Again", "kind": "trial"})
    assert again.json()["error"]["code"] == "trial_already_granted"


def _tampered(token: str, **claims: Any) -> str:
    head, payload, signature = token.split(".")
    read = json.loads(base64.urlsafe_b64decode(payload + "=="))
    forged = json.dumps(read | claims).encode()
    return ".".join([head, base64.urlsafe_b64encode(forged).rstrip(b"=").decode(), signature])


def _unsigned(token: str) -> str:
    head = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    return f"{head}.{token.split('.')[1]}."


def test_only_a_token_that_holds_signs_in(harness: Harness, owner: Owner) -> None:
    """Another's name in it, no signature, another signature, a key's secret: all the same 401."""
    token = owner.token
    other = harness.stack.token().rpartition(".")[2][:-6] + "AAAAAA"
    for bad in (
        _tampered(token, sub="somebody-else"),
        _tampered(token, exp=9_999_999_999),
        _unsigned(token),
        f"{token.rpartition('.')[0]}.{other}",
        harness.stack.api_key,
        "nonsense",
    ):
        answer = owner.call("GET", token=bad)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_token")
        assert answer.headers["X-Request-Id"]
    assert owner.call("GET").status_code == 200


def test_another_accounts_key_is_not_there(harness: Harness, owner: Owner) -> None:
    """Read, changed, rotated or deleted: the same answer as for a key that never was."""
    parsed = secrets_text.parse(harness.new_key())
    assert parsed is not None
    for method, tail, body in (
        ("GET", "", None),
        ("PATCH", "", {"name": "Mine"}),
        ("PATCH", "", {"status": "disabled"}),
        ("POST", "/rotate", {"overlap_hours": 0}),
        ("DELETE", "", None),
    ):
        answers = [owner.call(method, f"/{id}{tail}", body) for id in (parsed.key_id, "0" * 12)]
        assert [answer.json()["error"]["code"] for answer in answers] == ["key_not_found"] * 2
        assert answers[0].json() == answers[1].json()
    key = harness.app.keys.read(parsed.key_id)
    assert key is not None
    assert (key.name, key.status) == ("e2e", "live")


def test_the_log_holds_no_secret_and_no_token(harness: Harness, owner: Owner) -> None:
    """What was created and signed in with above; and the audit holds."""
    log = harness.log()
    assert '"event":"api"' in log
    assert "sk-osiris-" not in log
    assert owner.token not in log
    assert owner.token.rpartition(".")[2] not in log
    assert harness.differences() == []
