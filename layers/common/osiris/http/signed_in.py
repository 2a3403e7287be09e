"""What the APIs of a signed-in account share: a REST proxy event in, its answer out, errors too."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from pydantic import BaseModel, ConfigDict, ValidationError

from osiris.errors import (
    InvalidJson,
    InvalidRequest,
    InvalidToken,
    OsirisError,
    RequestTooLarge,
    RouteNotFound,
)
from osiris.http.errors import error_headers, error_json, unexpected
from osiris.http.messages import Request
from osiris.ids import request_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from osiris.app.full import FullApp
    from osiris.identity import IdTokens

# Far above any body that says something here.
BODY_BYTES_MAX = 16 * 1024
PARAM_LENGTH_MAX = 64

_ALWAYS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

type Route = Callable[..., tuple[int, dict[str, Any]]]


class Body(BaseModel):
    """A JSON body: its members are those that are named, of exactly these types."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Call:
    """One request under way, and whom it speaks for once that is known.

    `email` is the person's verified address, or empty; it is never logged.
    """

    def __init__(self, app: FullApp, event: Mapping[str, Any]) -> None:
        self.app = app
        self.request = Request.from_event(event)
        self.request_id = request_id(app.now_ms(), app.entropy(16))
        self.account_id = ""
        self.email = ""

    def body[B: Body](self, kind: type[B]) -> B:
        """The body, read as this kind. Raises InvalidJson, InvalidRequest or RequestTooLarge."""
        text = self.request.body
        if len(text) > BODY_BYTES_MAX:
            raise RequestTooLarge(f"The body may have {BODY_BYTES_MAX} bytes at most.")
        try:
            return kind.model_validate_json(text or b"{}")
        except ValidationError as error:
            raise _refusal(error) from error


class SignedInApi:
    """Answers events of the routes below one path ("/api/keys"), by (method, rule)."""

    def __init__(
        self,
        app: FullApp,
        tokens: IdTokens,
        *,
        path: str,
        routes: Mapping[tuple[str, str], Route],
    ) -> None:
        self._app = app
        self._tokens = tokens
        self._path = path
        # A custom domain's base path mapping stays in an event's path.
        base_path = re.compile(f"^.+(?={path})")
        self._resolver = APIGatewayRestResolver(strip_prefixes=[base_path])
        self._resolver.exception_handler(Exception)(self._failed)
        for (method, rule), route in routes.items():
            self._resolver.route(rule, method)(self._signed_in(route))

    def answer(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """The answer to one REST proxy event."""
        self._resolver.append_context(call=Call(self._app, event))  # type: ignore[no-untyped-call]
        return self._resolver.resolve(event, context)

    def _signed_in(self, route: Route) -> Callable[..., Response[str]]:
        """The route, for whoever shows a token that holds."""

        def serve(**path_parameters: str) -> Response[str]:
            call: Call = self._resolver.context["call"]
            call.account_id, call.email = self._tokens.person(_bearer(call.request))
            status, content = route(call, **path_parameters)
            return self._response(call, status, content)

        return serve

    def _failed(self, failure: Exception) -> Response[str]:
        call: Call = self._resolver.context["call"]
        if isinstance(failure, NotFoundError):
            error: OsirisError = RouteNotFound(f"There is no such route below {self._path}.")
        elif isinstance(failure, OsirisError):
            error = failure
        else:
            error = unexpected(failure, self._app.telemetry, request_id=call.request_id)
        return self._response(call, error.status, error_json(error), error)

    def _response(
        self, call: Call, status: int, content: Any, error: OsirisError | None = None
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
