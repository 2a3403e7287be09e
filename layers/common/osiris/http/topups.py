"""The routes of `/api/topups`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from osiris.errors import InvalidRequest
from osiris.flows import coins, quote
from osiris.flows import topup as flows
from osiris.http.order_shapes import coin_json, offer_json, order_json
from osiris.http.signed_in import Body, Call, Route, SignedInApi

if TYPE_CHECKING:
    from osiris.app.full import FullApp
    from osiris.flows.topup import Shown
    from osiris.identity import IdTokens

COINS_SHOWN = 50
COINS_SHOWN_MAX = 1_000
PAGE = 20


class CreateBody(Body):
    """What orders credit for a key."""

    package: str
    key_id: str
    method: Literal["qris", "crypto"]
    coin: str = ""


def topups_api(app: FullApp, tokens: IdTokens) -> SignedInApi:
    """What answers events of `/api/topups` for one app."""
    return SignedInApi(app, tokens, path="/api/topups", routes=_ROUTES)


def _packages(call: Call) -> tuple[int, dict[str, Any]]:
    return 200, offer_json(quote.offer(call.app), call.app.settings)


def _coins(call: Call) -> tuple[int, dict[str, Any]]:
    most = _limit(call, COINS_SHOWN, COINS_SHOWN_MAX)
    found = coins.search(call.app, call.request.query.get("q", ""), most=most)
    return 200, {"data": [coin_json(coin) for coin in found], "next": None}


def _create(call: Call) -> tuple[int, dict[str, Any]]:
    wanted = call.body(CreateBody)
    if bool(wanted.coin) != (wanted.method == "crypto"):
        raise InvalidRequest("Send 'coin' with method 'crypto', and with no other.", param="coin")
    shown = flows.create(
        call.app,
        call.account_id,
        flows.Wish(wanted.package, wanted.key_id, wanted.method, wanted.coin),
        idempotency_key=call.request.headers.get("idempotency-key", ""),
        webhooks_url=call.request.url_of("/webhooks"),
        email=call.email,
    )
    return 201, _shown_json(call, shown)


def _list(call: Call) -> tuple[int, dict[str, Any]]:
    orders, after = flows.list_orders(
        call.app,
        call.account_id,
        after_id=call.request.query.get("after", ""),
        most=_limit(call, PAGE, flows.PAGE_MAX),
    )
    now_ms = call.app.now_ms()
    return 200, {
        "data": [order_json(order, [], now_ms, whole=False) for order in orders],
        "next": after or None,
    }


def _read(call: Call, order_id: str) -> tuple[int, dict[str, Any]]:
    return 200, _shown_json(call, flows.read(call.app, call.account_id, order_id))


def _cancel(call: Call, order_id: str) -> tuple[int, dict[str, Any]]:
    return 200, _shown_json(call, flows.cancel(call.app, call.account_id, order_id))


_ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/api/topups/packages"): _packages,
    ("GET", "/api/topups/coins"): _coins,
    ("POST", "/api/topups"): _create,
    ("GET", "/api/topups"): _list,
    ("GET", "/api/topups/<order_id>"): _read,
    ("POST", "/api/topups/<order_id>/cancel"): _cancel,
}


def _shown_json(call: Call, shown: Shown) -> dict[str, Any]:
    return order_json(shown.order, shown.payments, call.app.now_ms(), whole=True)


def _limit(call: Call, default: int, most: int) -> int:
    text = call.request.query.get("limit", str(default))
    is_short_number = len(text) <= len(str(most)) and text.isascii() and text.isdigit()
    if not is_short_number or not 0 < int(text) <= most:
        raise InvalidRequest(f"'limit' must be a number from 1 to {most}.", param="limit")
    return int(text)
