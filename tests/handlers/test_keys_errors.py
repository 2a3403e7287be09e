"""`/api/keys` refusing: every error in one shape, by one table, and nothing changed."""

import json
from typing import Any

import pytest

from osiris.errors import TooManyKeys
from osiris.http.keys import keys_api
from osiris.http.signed_in import BODY_BYTES_MAX
from tests.builders import canceled, preceded_by, unreachable
from tests.handlers.caller import RSA, Caller, created, event
from tests.issuer import token


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
    answer = keys_api(ada.world.app, tokens).answer(event(method, path, None, None, None, {}), None)
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
