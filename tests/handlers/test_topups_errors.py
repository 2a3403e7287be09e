"""`/api/topups`: every refusal, by its status, code and member at fault."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from osiris.flows import keys
from osiris.ledger.key import TRIAL
from tests.handlers.caller import ADA, RSA
from tests.handlers.topup_caller import TopupCaller
from tests.issuer import jwks_server, token

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def ada() -> Iterator[TopupCaller]:
    with jwks_server() as server:
        yield TopupCaller(server)


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"package": None}, "package"),
        ({"package": 100}, "package"),
        ({"package": "99"}, "package"),
        ({"package": "1" * 5000}, "package"),
        ({"package": ["100"]}, "package"),
        ({"key_id": None}, "key_id"),
        ({"key_id": 7}, "key_id"),
        ({"method": None}, "method"),
        ({"method": "card"}, "method"),
        ({"method": True}, "method"),
        ({"coin": "btc"}, "coin"),
        ({"method": "crypto"}, "coin"),
        ({"method": "crypto", "coin": ""}, "coin"),
        ({"method": "crypto", "coin": 5}, "coin"),
        ({"method": "crypto", "coin": "doge"}, "coin"),
        ({"method": "crypto", "coin": "\u0000"}, "coin"),
        ({"amount": "5"}, "amount"),
        ({"account_id": "bob"}, "account_id"),
    ],
)
def test_a_body_that_is_not_valid(ada: TopupCaller, changes: dict[str, Any], param: str) -> None:
    """The member at fault is named, and nothing is ordered."""
    answer = ada.call("POST", "/api/topups", ada.wish(**changes))
    assert answer.error == (400, "invalid_request", param)
    assert ada.call("GET", "/api/topups").json["data"] == []


@pytest.mark.parametrize(
    "body", ["", "[]", "7", "null", '"x"', "{", "\ud800", "[" * 9_999, '{"package": NaN}', "{}{}"]
)
def test_a_body_that_is_none(ada: TopupCaller, body: str) -> None:
    """400 in words, whatever it is."""
    status, code, _ = ada.call("POST", "/api/topups", body).error
    assert (status, code) in ((400, "invalid_json"), (400, "invalid_request"))


def test_a_body_that_is_too_large(ada: TopupCaller) -> None:
    """Far above any body that says something here."""
    body = json.dumps(ada.wish(coin="x" * 20_000))
    assert ada.call("POST", "/api/topups", body).error == (413, "request_too_large", None)


def test_keys_that_take_no_order(ada: TopupCaller) -> None:
    """Trial, deleted and unknown ones."""
    app = ada.world.app
    trial = keys.create(app, ADA, name="t", kind=TRIAL).key.id
    gone = keys.create(app, ADA, name="gone").key.id
    keys.delete(app, ADA, gone)
    for key_id, error in (
        (trial, (409, "trial_not_topped_up", None)),
        (gone, (404, "key_not_found", None)),
        ("Z" * 12, (404, "key_not_found", None)),
        ("../../x", (404, "key_not_found", None)),
    ):
        assert ada.call("POST", "/api/topups", ada.wish(key_id=key_id)).error == error


def test_one_open_order_of_a_kind(ada: TopupCaller) -> None:
    """The message names the open one."""
    order = ada.ordered()
    answer = ada.call("POST", "/api/topups", ada.wish(package="250"))
    assert answer.error == (409, "order_open", None)
    assert order["id"] in answer.json["error"]["message"]


def test_what_can_not_be_paid_now(ada: TopupCaller) -> None:
    """A coin's bounds, a method that nobody takes, a provider or a rate out of reach."""
    shib = ada.wish(package="2500", method="crypto", coin="shib")
    assert ada.call("POST", "/api/topups", shib).error == (400, "payment_refused", "coin")
    ada.money.providers.crypto.away = True
    btc = ada.wish(method="crypto", coin="btc")
    assert ada.call("POST", "/api/topups", btc).error == (503, "provider_unavailable", None)
    ada.money.sources[0].rupiah_per_dollar *= 2
    assert ada.call("POST", "/api/topups", ada.wish()).error == (503, "rate_unavailable", None)
    ada.money.providers.missing.add("crypto")
    answer = ada.call("POST", "/api/topups", btc)
    assert answer.error[:2] == (409, "payment_method_not_offered")
    assert ada.call("GET", "/api/topups/coins").error[:2] == (409, "payment_method_not_offered")


def test_an_order_that_has_ended_is_not_cancelled(ada: TopupCaller) -> None:
    """It is credited, or cancelled before."""
    order = ada.ordered()
    path = f"/api/topups/{order['id']}/cancel"
    assert ada.call("POST", path).status == 200
    assert ada.call("POST", path).error == (409, "order_ended", None)


@pytest.mark.parametrize(
    "id", ["ord_0000000000000000", "x", "ord_", "ord_000000000000000%2F", "packagesx"]
)
@pytest.mark.parametrize(("method", "more"), [("GET", ""), ("POST", "/cancel")])
def test_an_order_that_is_none(ada: TopupCaller, id: str, method: str, more: str) -> None:
    """404, whatever is written there."""
    assert ada.call(method, f"/api/topups/{id}{more}").error[0] == 404


@pytest.mark.parametrize(
    ("path", "most"), [("/api/topups", 50), ("/api/topups/coins", 1000)], ids=["orders", "coins"]
)
def test_limits(ada: TopupCaller, path: str, most: int) -> None:
    """A number from 1 to the page's most, and no other text."""
    for limit in ("1", str(most)):
        assert ada.call("GET", path, query={"limit": limit}).status == 200
    strange = [
        str(most + 1),
        "0",
        "-1",
        "",
        "x",
        "1.0",
        "1e1",
        " 1",
        "\u0661",
        "9" * 5_000,
        "0" * 8 + "19999",
        "0" * 8 + "1" * 5_000,
    ]
    for limit in strange:
        error = ada.call("GET", path, query={"limit": limit}).error
        assert error == (400, "invalid_request", "limit"), limit


@pytest.mark.parametrize("after", ["x", "ord_", "ord_000000000000000", "\ud800", "order#" * 999])
def test_a_page_that_no_page_named(ada: TopupCaller, after: str) -> None:
    """400, and no read of the index."""
    answer = ada.call("GET", "/api/topups", query={"after": after})
    assert answer.error == (400, "invalid_request", "after")


def test_an_idempotency_key_has_a_length(ada: TopupCaller) -> None:
    """Up to 255 characters."""
    headers = {"Authorization": [f"Bearer {token(RSA)}"], "Idempotency-Key": ["x" * 256]}
    answer = ada.call("POST", "/api/topups", ada.wish(), multiValueHeaders=headers)
    assert answer.error == (400, "invalid_request", None)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/topups/packages"),
        ("GET", "/api/topups/coins"),
        ("POST", "/api/topups"),
        ("GET", "/api/topups"),
        ("GET", "/api/topups/ord_0000000000000000"),
        ("POST", "/api/topups/ord_0000000000000000/cancel"),
    ],
)
@pytest.mark.parametrize("bearer", ["", "Bearer x", "Basic eDp5"])
def test_whoever_shows_no_token_sees_nothing(
    ada: TopupCaller, method: str, path: str, bearer: str
) -> None:
    """401 on every route, before anything is read."""
    ada.world.transport.calls.clear()
    assert ada.call(method, path, bearer=bearer).error == (401, "invalid_token", None)
    assert ada.world.transport.calls == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/api/topups"),
        ("PUT", "/api/topups/ord_0000000000000000"),
        ("GET", "/api/topups/ord_0000000000000000/cancel"),
        ("GET", "/api/topups/a/b/c"),
    ],
)
def test_no_such_route(ada: TopupCaller, method: str, path: str) -> None:
    """404 in our own words."""
    assert ada.call(method, path).error == (404, "route_not_found", None)
