"""`/api/keys` from REST proxy event to answer: shapes, every error, and what may never leave."""

import importlib.util
import json
from types import ModuleType

import pytest

from osiris import secrets_text
from osiris.flows.credit import grant
from osiris.money import NANO_PER_DOLLAR
from tests.builders import admitted
from tests.handlers.caller import ADA, REPOSITORY, RSA, Answered, Caller, created, event
from tests.issuer import AUDIENCE, ISSUER, token

# ---------------------------------------------------------------------------------- the answers


def test_a_key_in_json(ada: Caller) -> None:
    """Its members are those documented; the secret is in the answer that made it, only there."""
    key = created(ada)
    secret = key.pop("secret")
    assert secrets_text.parse(secret) is not None
    assert key == {
        "id": key["id"],
        "object": "key",
        "name": "laptop",
        "prefix": f"sk-osiris-{key['id'][:4]}…",
        "kind": "paid",
        "status": "live",
        "balance": "0",
        "available": "0",
        "held": "0",
        "expires_at": None,
        "rate_limit": {
            "limit": 40,
            "window_s": 60,
            "remaining": 40,
            "reset_at": "2026-11-24T10:00:00.000Z",
        },
        "usage": {"requests": 0, "cost": "0"},
        "created_at": "2026-11-24T10:00:00.000Z",
        "last_used_at": None,
    }
    path = f"/api/keys/{key['id']}"
    assert ada.call("GET", path).json == key
    assert ada.call("GET", "/api/keys").json == {"data": [key], "next": None}
    assert ada.call("PATCH", path, {"name": "desk"}).json == {**key, "name": "desk"}
    assert ada.world.stored_key(key["id"]).account_id == ADA


def test_a_key_is_switched_off_and_on(ada: Caller) -> None:
    """PATCH takes the status that the key then shows."""
    path = f"/api/keys/{created(ada)['id']}"
    assert ada.call("PATCH", path, {"status": "disabled"}).json["status"] == "disabled"
    assert ada.call("PATCH", path, {"status": "live"}).json["status"] == "live"


def test_a_rotation_tells_the_new_secret_and_the_old_ones_end(ada: Caller) -> None:
    """The overlap is a day unless one says otherwise, and none is none."""
    key = created(ada)
    path = f"/api/keys/{key['id']}/rotate"
    for body, until in (
        (None, "2026-11-25T10:00:00.000Z"),
        ({}, "2026-11-25T10:00:00.000Z"),
        ({"overlap_hours": 1}, "2026-11-24T11:00:00.000Z"),
        ({"overlap_hours": 0}, None),
    ):
        rotated = ada.call("POST", path, body).json
        assert rotated["secret"] != key["secret"]
        assert rotated["old_secret_until"] == until
        assert rotated["id"] == key["id"]


def test_deleting_says_what_is_forfeited(ada: Caller) -> None:
    """With credit the name is asked for, and the answer says what was taken."""
    key_id = created(ada, "Produksi №1")["id"]
    amount_nano = 12_340_000_000
    grant(ada.world.app, key_id, amount_nano=amount_nano, days=30)
    refused = ada.call("DELETE", f"/api/keys/{key_id}")
    assert refused.error == (409, "confirmation_required", "confirm")
    assert refused.json["error"]["message"].startswith("$12.34 will be forfeited.")
    deleted = ada.call("DELETE", f"/api/keys/{key_id}", query={"confirm": "Produksi №1"})
    assert deleted.json == {"id": key_id, "object": "key", "deleted": True, "forfeited": "12.34"}
    assert ada.call("GET", f"/api/keys/{key_id}").error == (404, "key_not_found", None)


def test_a_trial_key(ada: Caller) -> None:
    """It comes with the operator's amount and its expiry; there is no second."""
    trial = ada.call("POST", "/api/keys", {"name": "try", "kind": "trial"}).json
    assert (trial["kind"], trial["balance"]) == ("trial", "5")
    assert trial["expires_at"] == "2026-12-01T10:00:00.000Z"
    again = ada.call("POST", "/api/keys", {"name": "try", "kind": "trial"})
    assert again.error == (409, "trial_already_granted", None)


# -------------------------------------------------------------------------------------- the log


def test_one_line_a_request_without_secrets(ada: Caller) -> None:
    """It names request, account, route and status; never a token, a secret or a name."""
    key = created(ada, "geheim")
    admitted_key = ada.world.stored_key(key["id"])
    grant(ada.world.app, key["id"], amount_nano=NANO_PER_DOLLAR, days=1)
    admitted(ada.world, admitted_key, 1)
    path = f"/api/keys/{key['id']}"
    rotated = ada.call("POST", f"{path}/rotate").json
    ada.call("DELETE", path, query={"confirm": "geheim?"})
    assert [(line["route"], line["status"], line["code"]) for line in ada.world.lines] == [
        ("POST /api/keys", 201, None),
        ("POST /api/keys/{id}/rotate", 200, None),
        ("DELETE /api/keys/{id}", 409, "confirmation_required"),
    ]
    assert {line["account_id"] for line in ada.world.lines} == {ADA}
    logged = json.dumps(ada.world.lines)
    for secret in (key["secret"], rotated["secret"], "geheim", token(RSA).split(".")[1][:40]):
        assert secret not in logged


# ---------------------------------------------------------------------------------- the handler


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """functions/keys/handler.py as Lambda would import it, with nothing to connect to."""
    for name, value in {
        "OSIRIS_KEYS_TABLE": "keys",
        "OSIRIS_LEDGER_TABLE": "ledger",
        "OSIRIS_OIDC_ISSUER": ISSUER,
        "OSIRIS_OIDC_AUDIENCE": AUDIENCE,
        "OSIRIS_OIDC_JWKS_URL": "http://127.0.0.1:1/jwks.json",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    spec = importlib.util.spec_from_file_location(
        "keys_handler", REPOSITORY / "functions" / "keys" / "handler.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("situation", ["no_token", "broken_token"])
def test_the_handler_answers_without_a_database(handler: ModuleType, situation: str) -> None:
    """The events in events/ are refused before anything is connected to."""
    given = json.loads((REPOSITORY / "events" / f"keys_{situation}.json").read_text())
    answer = Answered(handler.lambda_handler(given, None))
    assert answer.error == (401, "invalid_token", None)


def test_the_handler_needs_its_issuer(handler: ModuleType) -> None:
    """A token can't be checked where the issuer can't be read: 503, not 401."""
    answer = handler.lambda_handler(event("GET", "/api/keys", None, None, None, {}), None)
    assert Answered(answer).error == (503, "identity_unavailable", None)
