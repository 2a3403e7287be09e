"""The routes of `/api/keys`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from osiris.errors import InvalidRequest
from osiris.flows import keys as flows
from osiris.http.shapes import key_json, time_json
from osiris.http.signed_in import Body, Call, Route, SignedInApi
from osiris.ledger.key import LIVE
from osiris.money import dollars_from_nano

if TYPE_CHECKING:
    from osiris.app.full import FullApp
    from osiris.flows.keys import Issued
    from osiris.identity import IdTokens


def keys_api(app: FullApp, tokens: IdTokens) -> SignedInApi:
    """What answers events of `/api/keys` for one app."""
    return SignedInApi(app, tokens, path="/api/keys", routes=_ROUTES)


class CreateBody(Body):
    """What creates a key."""

    name: str
    kind: Literal["paid", "trial"] = "paid"


class ChangeBody(Body):
    """One change of a key."""

    name: str | None = None
    status: Literal["live", "disabled"] | None = None


class RotateBody(Body):
    """How long the old secret lives on: a day, unless one says otherwise.

    So a rotation breaks nothing that still uses it; after a leak, send 0.
    """

    overlap_hours: int = Field(default=flows.OVERLAP_HOURS_MAX, ge=0, le=flows.OVERLAP_HOURS_MAX)


def _create(call: Call) -> tuple[int, dict[str, Any]]:
    wanted = call.body(CreateBody)
    issued = flows.create(call.app, call.account_id, name=wanted.name, kind=wanted.kind)
    return 201, _issued_json(call, issued)


def _list(call: Call) -> tuple[int, dict[str, Any]]:
    # At most ten keys: there is never another page.
    keys = flows.list_keys(call.app, call.account_id)
    now_ms = call.app.now_ms()
    return 200, {"data": [key_json(key, now_ms) for key in keys], "next": None}


def _read(call: Call, key_id: str) -> tuple[int, dict[str, Any]]:
    key = flows.read(call.app, call.account_id, key_id)
    return 200, key_json(key, call.app.now_ms())


def _change(call: Call, key_id: str) -> tuple[int, dict[str, Any]]:
    wanted = call.body(ChangeBody)
    if (wanted.name is None) == (wanted.status is None):
        raise InvalidRequest("Send either 'name' or 'status'.")
    if wanted.name is not None:
        key = flows.rename(call.app, call.account_id, key_id, wanted.name)
    else:
        enabled = wanted.status == LIVE
        key = flows.set_enabled(call.app, call.account_id, key_id, enabled=enabled)
    return 200, key_json(key, call.app.now_ms())


def _rotate(call: Call, key_id: str) -> tuple[int, dict[str, Any]]:
    wanted = call.body(RotateBody)
    issued = flows.rotate(call.app, call.account_id, key_id, overlap_hours=wanted.overlap_hours)
    old_secret_until = time_json(issued.key.old_secret_until_ms)
    return 200, _issued_json(call, issued) | {"old_secret_until": old_secret_until}


def _delete(call: Call, key_id: str) -> tuple[int, dict[str, Any]]:
    forfeited_nano = flows.delete(
        call.app, call.account_id, key_id, confirmed_name=call.request.query.get("confirm")
    )
    forfeited = dollars_from_nano(forfeited_nano)
    return 200, {"id": key_id, "object": "key", "deleted": True, "forfeited": forfeited}


_ROUTES: dict[tuple[str, str], Route] = {
    ("POST", "/api/keys"): _create,
    ("GET", "/api/keys"): _list,
    ("GET", "/api/keys/<key_id>"): _read,
    ("PATCH", "/api/keys/<key_id>"): _change,
    ("DELETE", "/api/keys/<key_id>"): _delete,
    ("POST", "/api/keys/<key_id>/rotate"): _rotate,
}


def _issued_json(call: Call, issued: Issued) -> dict[str, Any]:
    return key_json(issued.key, call.app.now_ms()) | {"secret": issued.secret}
