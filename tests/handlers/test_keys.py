"""`/api/keys` from REST proxy event to answer: shapes, every error, and what may never leave."""

import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from osiris import secrets_text
from osiris.errors import TooManyKeys
from osiris.flows.credit import grant
from osiris.http.api import BODY_BYTES_MAX, KeysApi
from osiris.identity import IdTokens, account_id
from osiris.identity.jwks import IssuerKeys, reader
from osiris.ids import is_request_id
from osiris.money import NANO_PER_DOLLAR
from osiris.wire.tls import shared_context
from tests.builders import World, admitted, canceled, preceded_by, unreachable
from tests.issuer import AUDIENCE, ISSUER, JwksServer, jwks_server, public_jwk, rsa_key, token

REPOSITORY = Path(__file__).parents[2]
RSA = rsa_key()
ADA = account_id(ISSUER, "ada")


class Caller:
    """A signed-in person, the API they speak to, and the world behind it."""

    def __init__(self, server: JwksServer) -> None:
        server.publish(public_jwk(RSA, "one"))
        self.server = server
        self.world = World({"OSIRIS_TRIAL_AMOUNT": "5"})
        keys = IssuerKeys(reader(server.url, shared_context), self.world.app.now_ms)
        self.api = KeysApi(self.world.app, IdTokens(keys, issuer=ISSUER, audience=AUDIENCE))

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: dict[str, str] | None = None,
        bearer: str | None = None,
        **changes: Any,
    ) -> "Answered":
        text = body if isinstance(body, str | None) else json.dumps(body)
        return Answered(self.api.answer(event(method, path, text, query, bearer, changes), None))


class Answered:
    """An answer, checked for what every answer has."""

    def __init__(self, answer: dict[str, Any]) -> None:
        headers = dict(answer["multiValueHeaders"])
        assert is_request_id(headers["X-Request-Id"][0])
        assert headers["Content-Type"] == ["application/json"]
        assert headers["Cache-Control"] == ["no-store"]
        assert answer["isBase64Encoded"] is False
        self.status: int = answer["statusCode"]
        self.headers = headers
        self.text: str = answer["body"]
        self.json: dict[str, Any] = json.loads(self.text)
        # Lambda passes it on as JSON.
        json.dumps(answer)

    @property
    def error(self) -> tuple[int, str, str | None]:
        """Status, code and member at fault."""
        assert self.json.keys() == {"error"}
        error = self.json["error"]
        assert error.keys() == {"message", "type", "param", "code"}
        assert error["message"]
        return self.status, error["code"], error["param"]


def event(
    method: str,
    path: str,
    body: str | None,
    query: dict[str, str] | None,
    bearer: str | None,
    changes: dict[str, Any],
) -> dict[str, Any]:
    """A REST proxy event, as in events/."""
    text = (REPOSITORY / "events" / "keys_no_token.json").read_text()
    resource = re.sub(r"^/api/keys/[^/]+", "/api/keys/{id}", path)
    authorization = f"Bearer {token(RSA)}" if bearer is None else bearer
    given: dict[str, Any] = json.loads(text)
    given["multiValueHeaders"]["Authorization"] = [authorization]
    return (
        given
        | {
            "httpMethod": method,
            "path": path,
            "resource": resource,
            "body": body,
            "queryStringParameters": query,
            "multiValueQueryStringParameters": None,
        }
        | changes
    )


@pytest.fixture
def ada() -> Iterator[Caller]:
    with jwks_server() as server:
        yield Caller(server)


def created(ada: Caller, name: str = "laptop") -> dict[str, Any]:
    answer = ada.call("POST", "/api/keys", {"name": name})
    assert answer.status == 201
    return answer.json


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


# ----------------------------------------------------------------------------------- the errors


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (None, "invalid_request", "name"),
        ("", "invalid_request", "name"),
        ("{", "invalid_json", None),
        ("nonsense", "invalid_json", None),
        ("[]", "invalid_json", None),
        ('"name"', "invalid_json", None),
        ("null", "invalid_json", None),
        ("[" * 10_000, "invalid_json", None),
        ('{"name": "a"} {}', "invalid_json", None),
        ('{"name": "\ud800"}', "invalid_json", None),
        ('{"name": "\\ud800"}', "invalid_json", None),
        ({}, "invalid_request", "name"),
        ({"name": None}, "invalid_request", "name"),
        ({"name": 7}, "invalid_request", "name"),
        ({"name": ["a"]}, "invalid_request", "name"),
        ({"name": ""}, "invalid_request", "name"),
        ({"name": " "}, "invalid_request", "name"),
        ({"name": "n" * 65}, "invalid_request", "name"),
        ({"name": "a\u0000b"}, "invalid_request", "name"),
        ({"name": "a", "kind": "free"}, "invalid_request", "kind"),
        ({"name": "a", "balance": "1000000"}, "invalid_request", "balance"),
        ({"name": "a", "account_id": "bob"}, "invalid_request", "account_id"),
        ({"name": "a", "x" * 5000: 1}, "invalid_request", "x" * 64),
    ],
)
def test_a_body_that_is_not_right(ada: Caller, body: Any, code: str, param: str | None) -> None:
    """The answer is 400, names the member at fault, and nothing was written."""
    assert ada.call("POST", "/api/keys", body).error == (400, code, param)
    assert ada.world.memory.items("KeysTable") == []


@pytest.mark.parametrize(
    ("route", "body", "param"),
    [
        ("", {}, None),
        ("", {"name": "a", "status": "live"}, None),
        ("", {"status": "deleted"}, "status"),
        ("", {"status": True}, "status"),
        ("", {"name": "n" * 100_00}, "name"),
        ("", {"kind": "trial"}, "kind"),
        ("/rotate", {"overlap_hours": 25}, "overlap_hours"),
        ("/rotate", {"overlap_hours": -1}, "overlap_hours"),
        ("/rotate", {"overlap_hours": 1.5}, "overlap_hours"),
        ("/rotate", {"overlap_hours": "1"}, "overlap_hours"),
        ("/rotate", {"overlap_hours": True}, "overlap_hours"),
        ("/rotate", {"overlap_hours": 10**30}, "overlap_hours"),
        ("/rotate", {"overlap_hours": None}, "overlap_hours"),
        ("/rotate", {"hours": 1}, "hours"),
    ],
)
def test_a_change_that_is_not_one(ada: Caller, route: str, body: Any, param: str | None) -> None:
    """PATCH takes a name or a status, rotate whole hours up to a day; all else is 400."""
    key_id = created(ada)["id"]
    before = ada.world.stored_key(key_id)
    method = "POST" if route else "PATCH"
    answer = ada.call(method, f"/api/keys/{key_id}{route}", body)
    assert answer.error == (400, "invalid_request", param)
    assert ada.world.stored_key(key_id) == before


def test_a_custom_domain_may_put_the_api_anywhere(ada: Caller) -> None:
    """A base path mapping shows up in the event's path, and the route is found all the same."""
    answer = ada.call("GET", "/osiris/v2/api/keys", resource="/api/keys")
    assert answer.json == {"data": [], "next": None}


def test_a_body_in_base64_is_read(ada: Caller) -> None:
    """API Gateway may pass bodies in base64."""
    body = "eyJuYW1lIjogIk5hw69mIn0="
    assert ada.call("POST", "/api/keys", body, isBase64Encoded=True).json["name"] == "Naïf"


def test_a_body_that_is_too_large(ada: Caller) -> None:
    """The answer is 413, with the limit named."""
    answer = ada.call("POST", "/api/keys", {"name": "n" * BODY_BYTES_MAX})
    assert answer.error == (413, "request_too_large", None)
    assert str(BODY_BYTES_MAX) in answer.text


@pytest.mark.parametrize(
    "bearer",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer not-a-token",
        "Basic YWRhOnB3",
        "Bearer sk-osiris-4e6q4CjDqlFW",
        "Bearer " + "x" * 20_000,
    ],
)
@pytest.mark.parametrize("path", ["/api/keys", "/api/keys/4e6q4CjDqlFW"])
def test_who_is_not_signed_in(ada: Caller, path: str, bearer: str) -> None:
    """Every route asks for a token first: 401, before the database is asked."""
    assert ada.call("GET", path, bearer=bearer).error == (401, "invalid_token", None)
    assert ada.world.transport.calls == []


def test_a_token_of_another_service_or_time(ada: Caller) -> None:
    """The token's own faults are one answer, and the log says which."""
    answer = ada.call("GET", "/api/keys", bearer=f"Bearer {token(RSA, aud='other')}")
    assert answer.error == (401, "invalid_token", None)
    assert ada.world.lines[-1]["details"] == "InvalidAudienceError"


def test_anothers_key_is_no_key(ada: Caller) -> None:
    """Reading, changing, rotating and deleting it are 404 on each route, as for none at all."""
    key_id = created(ada)["id"]
    bob = f"Bearer {token(RSA, sub='bob')}"
    before = ada.world.stored_key(key_id)
    for name in (key_id, "0" * 12, "x", "a%20b"):
        for method, route, body in (
            ("GET", "", None),
            ("PATCH", "", {"name": "mine"}),
            ("PATCH", "", {"status": "disabled"}),
            ("DELETE", "", None),
            ("POST", "/rotate", {"overlap_hours": 0}),
        ):
            answer = ada.call(method, f"/api/keys/{name}{route}", body, bearer=bob)
            assert answer.error == (404, "key_not_found", None)
    assert ada.call("GET", "/api/keys", bearer=bob).json["data"] == []
    assert ada.world.stored_key(key_id) == before


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api"),
        ("GET", "/api/keys/a/b"),
        ("PUT", "/api/keys"),
        ("DELETE", "/api/keys"),
        ("GET", "/api/keys/a/rotate"),
        ("OPTIONS", "/api/keys"),
        ("BREW", "/api/keys"),
        ("GET", "/v1/models"),
    ],
)
def test_no_such_route(ada: Caller, method: str, path: str) -> None:
    """An unknown path, and an unknown method on a known one, are 404 in our shape."""
    assert ada.call(method, path).error == (404, "route_not_found", None)


def test_an_account_that_is_full(ada: Caller) -> None:
    """The eleventh key is 409, and the message says what to do."""
    for number in range(10):
        created(ada, f"key {number}")
    answer = ada.call("POST", "/api/keys", {"name": "one more"})
    assert answer.error == (409, "too_many_keys", None)
    assert answer.json["error"]["message"] == TooManyKeys.message


def test_trials_that_are_not_offered(ada: Caller) -> None:
    """Without an amount there are no trials: 409."""
    app = ada.world.app
    app.settings = app.settings._replace(trial_amount="0")
    answer = ada.call("POST", "/api/keys", {"name": "try", "kind": "trial"})
    assert answer.error == (409, "trials_not_offered", None)


def test_two_rotations_at_once(ada: Caller) -> None:
    """One of them is 409: the secret that the other was told holds."""
    path = f"/api/keys/{created(ada)['id']}/rotate"
    ada.world.meet("UpdateItem", preceded_by(lambda: other_call(ada, "POST", path)))
    assert ada.call("POST", path).error == (409, "changed_meanwhile", None)


def other_call(ada: Caller, method: str, path: str) -> None:
    """The same person's call through another environment of the function."""
    tokens = ada.api._tokens
    answer = KeysApi(ada.world.app, tokens).answer(event(method, path, None, None, None, {}), None)
    assert answer["statusCode"] == 200


@pytest.mark.parametrize("fault", [unreachable, canceled])
def test_a_store_out_of_reach(ada: Caller, fault: Any) -> None:
    """DynamoDB silent, or nothing but conflicts: 503."""
    ada.world.meet("TransactWriteItems", *[fault] * 10)
    answer = ada.call("POST", "/api/keys", {"name": "laptop"})
    assert answer.error == (503, "store_unavailable", None)


def test_an_issuer_out_of_reach(ada: Caller) -> None:
    """Without the issuer's keys nobody's token can be checked: 503, and no 401."""
    ada.server.status = 500
    answer = ada.call("GET", "/api/keys")
    assert answer.error == (503, "identity_unavailable", None)
    assert ada.world.lines[-1]["details"] == "JWKS: status 500"


def test_a_defect_of_ours(ada: Caller) -> None:
    """An unexpected exception is 500, says nothing of itself, and is logged by its place."""

    def broken(_call: Any, _payload: Any) -> Any:
        raise ZeroDivisionError("sk-osiris-secret")

    ada.world.meet("GetItem", broken)
    answer = ada.call("GET", "/api/keys")
    assert answer.error == (500, "internal_error", None)
    logged = json.dumps(ada.world.lines)
    assert "ZeroDivisionError" in logged
    assert "sk-osiris-secret" not in logged + answer.text


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
