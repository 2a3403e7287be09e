"""The routes of `/v1`: a request in, an answer out, errors included."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from osiris.errors import (
    ModelNotFound,
    OsirisError,
    RequestNotFound,
    RouteNotFound,
    UpstreamRefusedUs,
)
from osiris.flows.admission import caller, identify
from osiris.flows.completion import complete
from osiris.flows.exchange import Exchange
from osiris.http.errors import error_headers, error_json, unexpected, with_errors_in_band
from osiris.http.messages import Answer, Request
from osiris.http.shapes import key_json, model_json, rate_limit_headers, request_json
from osiris.ids import is_request_id
from osiris.telemetry import UPSTREAM_REFUSED

if TYPE_CHECKING:
    from collections.abc import Callable

    from osiris.app import App

Headers = list[tuple[str, str]]

_ALWAYS: Headers = [
    ("Access-Control-Allow-Origin", "*"),
    (
        "Access-Control-Expose-Headers",
        "X-Request-Id, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, "
        "X-Osiris-Cost, Retry-After, X-Should-Retry",
    ),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
]


def serve(app: App, request: Request, *, remaining_ms: int) -> Answer:
    """Answer a request within the function's remaining time."""
    deadline_at_ms = app.now_ms() + remaining_ms - app.settings.deadline_margin_ms
    exchange = Exchange(app, deadline_at_ms)
    try:
        route = _ROUTES.get((request.method, request.route))
        if route is None:
            raise RouteNotFound
        answer = route(app, exchange, request)
    except OsirisError as error:
        answer = _error_answer(app, exchange, error)
    except Exception as error:  # noqa: BLE001 - the edge
        answer = _error_answer(
            app, exchange, unexpected(error, app.telemetry, request_id=exchange.request_id)
        )
    headers = [*answer.headers, ("X-Request-Id", exchange.request_id), *_ALWAYS]
    if exchange.key is not None:
        headers += rate_limit_headers(exchange.key, app.now_ms())
    return answer._replace(headers=headers)


def _chat(app: App, exchange: Exchange, request: Request) -> Answer:
    completion = complete(app, exchange, _secret_text(request), request.body)
    headers = [("Content-Type", completion.media_type)]
    if completion.cost is not None:
        headers.append(("X-Osiris-Cost", completion.cost))
    body = completion.body
    if not isinstance(body, tuple):
        body = with_errors_in_band(body, app.telemetry, exchange.request_id)
    return Answer(200, headers, body)


def _models(app: App, exchange: Exchange, request: Request) -> Answer:
    _identify_if_any(app, exchange, request)
    models = app.models.all(app.now_ms()).values()
    data = [model_json(model) for model in models]
    return _json(200, {"object": "list", "data": data, "next": None})


def _model(app: App, exchange: Exchange, request: Request) -> Answer:
    _identify_if_any(app, exchange, request)
    model = app.models.all(app.now_ms()).get(request.path_parameters.get("id", ""))
    if model is None:
        raise ModelNotFound
    return _json(200, model_json(model))


def _key(app: App, exchange: Exchange, request: Request) -> Answer:
    key = identify(app, exchange, caller(_secret_text(request)))
    return _json(200, key_json(key, app.now_ms()))


def _request(app: App, exchange: Exchange, request: Request) -> Answer:
    key = identify(app, exchange, caller(_secret_text(request)))
    request_id = request.path_parameters.get("id", "")
    entry = app.ledger.read(key.id, request_id) if is_request_id(request_id) else None
    if entry is None or entry.id != request_id:
        raise RequestNotFound
    return _json(200, request_json(entry))


_ROUTES: dict[tuple[str, str], Callable[[App, Exchange, Request], Answer]] = {
    ("POST", "/v1/chat/completions"): _chat,
    ("GET", "/v1/models"): _models,
    ("GET", "/v1/models/{id}"): _model,
    ("GET", "/v1/key"): _key,
    ("GET", "/v1/requests/{id}"): _request,
}


def _identify_if_any(app: App, exchange: Exchange, request: Request) -> None:
    """The catalogue is public; who sends a key is told whether it holds."""
    secret_text = _secret_text(request)
    if secret_text is not None:
        identify(app, exchange, caller(secret_text))


def _secret_text(request: Request) -> str | None:
    """The secret, from `Authorization: Bearer` as OpenAI's SDKs send it, or `x-api-key`."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        return credentials.strip()
    return request.headers.get("x-api-key")


def _json(status: int, content: Any) -> Answer:
    body = json.dumps(content, separators=(",", ":")).encode()
    return Answer(status, [("Content-Type", "application/json")], (body,))


def _error_answer(app: App, exchange: Exchange, error: OsirisError) -> Answer:
    if error.details is not None and exchange.hold_nano == 0:
        # Once admitted, the request's own line tells it.
        app.telemetry.line(
            "refused",
            metrics=[UPSTREAM_REFUSED] if isinstance(error, UpstreamRefusedUs) else [],
            request_id=exchange.request_id,
            code=error.code,
            details=error.details,
        )
    answer = _json(error.status, error_json(error))
    return answer._replace(headers=answer.headers + error_headers(error))
