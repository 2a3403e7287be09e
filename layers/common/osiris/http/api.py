"""The routes of `/api/keys`: a REST proxy event in, its answer out, errors included."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Literal

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from osiris.errors import (
    InvalidJson,
    InvalidRequest,
    InvalidToken,
    OsirisError,
    RequestTooLarge,
    RouteNotFound,
)
from osiris.flows import keys as flows
from osiris.http.errors import error_headers, error_json, unexpected
from osiris.http.messages import Request
from osiris.http.shapes import key_json, time_json
from osiris.ids import request_id
from osiris.ledger.key import LIVE
from osiris.money import dollars_from_nano

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from osiris.app.full import FullApp
    from osiris.flows.keys import Issued
    from osiris.identity import IdTokens

# Far above any body that says something here.
BODY_BYTES_MAX = 16 * 1024
PARAM_LENGTH_MAX = 64

# A custom domain's base path mapping, which stays in an event's path.
_BASE_PATH = re.compile("^.+(?=/api/keys)")

_ALWAYS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class CreateBody(_Body):
    """What creates a key."""

    name: str
    kind: Literal["paid", "trial"] = "paid"


class ChangeBody(_Body):
    """One change of a key."""

    name: str | None = None
    status: Literal["live", "disabled"] | None = None


class RotateBody(_Body):
    """How long the old secret lives on: a day, unless one says otherwise.

    So a rotation breaks nothing that still uses it; after a leak, send 0.
    """

    overlap_hours: int = Field(default=flows.OVERLAP_HOURS_MAX, ge=0, le=flows.OVERLAP_HOURS_MAX)


class _Call:
    """One request under way, and the account that it speaks for once that is known."""

    def __init__(self, app: FullApp, event: Mapping[str, Any]) -> None:
        self.app = app
        self.request = Request.from_event(event)
        self.request_id = request_id(app.now_ms(), app.entropy(16))
        self.account_id = ""

    def body[B: _Body](self, kind: type[B]) -> B:
        """The body, read as this kind. Raises InvalidJson, InvalidRequest or RequestTooLarge."""
        text = self.request.body
        if len(text) > BODY_BYTES_MAX:
            raise RequestTooLarge(f"The body may have {BODY_BYTES_MAX} bytes at most.")
        try:
            return kind.model_validate_json(text or b"{}")
        except ValidationError as error:
            raise _refusal(error) from error


class KeysApi:
    """Answers events of `/api/keys` for one app."""

    def __init__(self, app: FullApp, tokens: IdTokens) -> None:
        self._app = app
        self._tokens = tokens
        self._resolver = APIGatewayRestResolver(strip_prefixes=[_BASE_PATH])
        self._resolver.exception_handler(Exception)(self._failed)
        for (method, rule), route in _ROUTES.items():
            self._resolver.route(rule, method)(self._signed_in(route))

    def answer(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """The answer to one REST proxy event."""
        self._resolver.append_context(call=_Call(self._app, event))  # type: ignore[no-untyped-call]
        return self._resolver.resolve(event, context)

    def _signed_in(self, route: Route) -> Callable[..., Response[str]]:
        """The route, for whoever shows a token that holds."""

        def serve(**path_parameters: str) -> Response[str]:
            call: _Call = self._resolver.context["call"]
            call.account_id = self._tokens.account_id(_bearer(call.request))
            status, content = route(call, **path_parameters)
            return self._response(call, status, content)

        return serve

    def _failed(self, failure: Exception) -> Response[str]:
        call: _Call = self._resolver.context["call"]
        if isinstance(failure, NotFoundError):
            error: OsirisError = RouteNotFound("There is no such route below /api/keys.")
        elif isinstance(failure, OsirisError):
            error = failure
        else:
            error = unexpected(failure, self._app.telemetry, request_id=call.request_id)
        return self._response(call, error.status, error_json(error), error)

    def _response(
        self, call: _Call, status: int, content: Any, error: OsirisError | None = None
    ) -> Response[str]:
        self._app.telemetry.line(
            "api",
            request_id=call.request_id,
            account_id=call.account_id or None,
            route=f"{call.request.method} {call.request.route}",
            status=status,
            code=None if error is None else error.code,
            details=None if error is None else error.details,
        )
        headers = {**_ALWAYS, "X-Request-Id": call.request_id}
        headers |= dict([] if error is None else error_headers(error))
        body = json.dumps(content, separators=(",", ":"))
        return Response(status, "application/json", body, headers)


type Route = Callable[..., tuple[int, dict[str, Any]]]


def _create(call: _Call) -> tuple[int, dict[str, Any]]:
    wanted = call.body(CreateBody)
    issued = flows.create(call.app, call.account_id, name=wanted.name, kind=wanted.kind)
    return 201, _issued_json(call, issued)


def _list(call: _Call) -> tuple[int, dict[str, Any]]:
    # At most ten keys: there is never another page.
    keys = flows.list_keys(call.app, call.account_id)
    now_ms = call.app.now_ms()
    return 200, {"data": [key_json(key, now_ms) for key in keys], "next": None}


def _read(call: _Call, key_id: str) -> tuple[int, dict[str, Any]]:
    key = flows.read(call.app, call.account_id, key_id)
    return 200, key_json(key, call.app.now_ms())


def _change(call: _Call, key_id: str) -> tuple[int, dict[str, Any]]:
    wanted = call.body(ChangeBody)
    if (wanted.name is None) == (wanted.status is None):
        raise InvalidRequest("Send either 'name' or 'status'.")
    if wanted.name is not None:
        key = flows.rename(call.app, call.account_id, key_id, wanted.name)
    else:
        enabled = wanted.status == LIVE
        key = flows.set_enabled(call.app, call.account_id, key_id, enabled=enabled)
    return 200, key_json(key, call.app.now_ms())


def _rotate(call: _Call, key_id: str) -> tuple[int, dict[str, Any]]:
    wanted = call.body(RotateBody)
    issued = flows.rotate(call.app, call.account_id, key_id, overlap_hours=wanted.overlap_hours)
    old_secret_until = time_json(issued.key.old_secret_until_ms)
    return 200, _issued_json(call, issued) | {"old_secret_until": old_secret_until}


def _delete(call: _Call, key_id: str) -> tuple[int, dict[str, Any]]:
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


def _issued_json(call: _Call, issued: Issued) -> dict[str, Any]:
    return key_json(issued.key, call.app.now_ms()) | {"secret": issued.secret}


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise InvalidToken(details="no bearer token")
    return token.strip()


def _refusal(error: ValidationError) -> OsirisError:
    """Pydantic's first complaint, which names no value that was sent."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return InvalidJson("The body is not JSON in UTF-8.")
    if not first["loc"]:
        return InvalidJson("The body must be a JSON object.")
    param = str(first["loc"][0])[:PARAM_LENGTH_MAX]
    return InvalidRequest(f"{first['msg']}: '{param}'.", param=param)
