"""`/webhooks/{provider}`: what payment providers tell us, and answers as their retries want them.

Midtrans comes again four times after 503 and once after 500, twice after 400 and 404, never after
2xx; NOWPayments waits 3 s. So: 503 for whatever may work later, 4xx for what never will, 2xx once
it is done or a person has to decide.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from osiris.errors import (
    ChangedMeanwhile,
    OsirisError,
    RequestTooLarge,
    RouteNotFound,
    StoreUnavailable,
)
from osiris.flows.payment import confirm
from osiris.http.errors import error_json, unexpected
from osiris.http.messages import Request
from osiris.ids import request_id
from osiris.payment_errors import PaymentsNotOffered
from osiris.telemetry import WEBHOOK_REFUSED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris.app.full import FullApp

# Notifications are 1 to 2 KB.
BODY_BYTES_MAX = 64 * 1024
# NOWPayments waits 3 s in all; the status call is most of it.
TIMEOUT_MS = 1_500

_HEADERS = {
    "Content-Type": "application/json",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


def serve_webhook(app: FullApp, event: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to one REST proxy event."""
    request = Request.from_event(event)
    id = request_id(app.now_ms(), app.entropy(16))
    provider = request.path_parameters.get("provider", "")
    try:
        _receive(app, request, provider)
    except OsirisError as error:
        return _refused(app, id, provider, error)
    except Exception as error:  # noqa: BLE001 - the edge
        unexpected(error, app.telemetry, request_id=id)
        # 500 would be tried again but once.
        return _refused(app, id, provider, StoreUnavailable(details="a defect of ours"))
    app.telemetry.line("webhook", request_id=id, provider=provider, status=200)
    return _answer(200, {"received": True}, id)


def _receive(app: FullApp, request: Request, provider: str) -> None:
    if len(request.body) > BODY_BYTES_MAX:
        raise RequestTooLarge(f"The body may have {BODY_BYTES_MAX} bytes at most.")
    try:
        hint = app.providers.of(provider).verify(request.headers, request.body)
    except PaymentsNotOffered as error:
        # No route without a secret.
        raise RouteNotFound(details=error.details) from error
    try:
        confirm(app, provider, hint.payment_id, timeout_ms=TIMEOUT_MS, hint=hint)
    except ChangedMeanwhile as error:
        raise StoreUnavailable(details="changed at each try") from error


def _refused(app: FullApp, id: str, provider: str, error: OsirisError) -> dict[str, Any]:
    app.telemetry.line(
        "webhook",
        metrics=[WEBHOOK_REFUSED],
        request_id=id,
        provider=provider[:32],
        status=error.status,
        code=error.code,
        details=error.details,
    )
    return _answer(error.status, error_json(error), id)


def _answer(status: int, content: dict[str, Any], id: str) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {**_HEADERS, "X-Request-Id": id},
        "body": json.dumps(content, separators=(",", ":")),
        "isBase64Encoded": False,
    }
