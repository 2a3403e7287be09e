"""API Gateway's own answers, as AWS gives them and as the template wants them.

Source: API Gateway Developer Guide, "Gateway response types" and "Gateway responses in API
Gateway". Body templates there are no VTL: only `$context` variables are replaced.

AWS's pages disagree about the 10 MB refusal: the list of types has REQUEST_TOO_LARGE with its
default text, "Important notes" says that its customisation is not supported. Here the template is
obeyed; without one the answer is AWS's plain text.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from local.rest_api import GatewayResponse

_VARIABLE = re.compile(r"\$context\.([A-Za-z][A-Za-z.]*[A-Za-z])")


class Refusal(NamedTuple):
    """One of API Gateway's own answers before the template is asked."""

    kind: str  # the gateway response type
    status: int
    message: str
    error_type: str  # of the header x-amzn-ErrorType


UNKNOWN_ROUTE = Refusal(
    "MISSING_AUTHENTICATION_TOKEN",
    403,
    "Missing Authentication Token",
    "MissingAuthenticationTokenException",
)
# An unknown route with an Authorization header: API Gateway reads it as a SigV4 signature.
UNSIGNED = Refusal(
    "INVALID_SIGNATURE",
    403,
    "Authorization header requires 'Credential' parameter. Authorization header requires "
    "'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. "
    "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
    "IncompleteSignatureException",
)
THROTTLED = Refusal("THROTTLED", 429, "Too Many Requests", "TooManyRequestsException")
EVENT_TOO_LARGE = Refusal("REQUEST_TOO_LARGE", 413, "Request Too Long", "BadRequestException")
TIMED_OUT = Refusal(
    "INTEGRATION_TIMEOUT", 504, "Endpoint request timed out", "InternalServerErrorException"
)
# A function that failed or answered in the wrong form; and Lambda's 429, which API Gateway reports
# as 500 (AWS re:Post, "API Gateway proxy integration does not forward Lambda throttling").
FUNCTION_FAILED = Refusal(
    "INTEGRATION_FAILURE", 502, "Internal server error", "InternalServerErrorException"
)
FUNCTION_THROTTLED = FUNCTION_FAILED._replace(status=500)
# A STREAM method whose function does not write the streaming form: documented as 500.
STREAM_MALFORMED = FUNCTION_FAILED._replace(status=500)


def body_too_large(text: str) -> Refusal:
    """The refusal of a body above 10 MB; `text` is AWS's sentence."""
    return Refusal("REQUEST_TOO_LARGE", 413, text, "RequestTooLargeException")


def unreadable(status: int, text: str) -> Refusal:
    """The refusal of what is no proper HTTP; no template changes it."""
    return Refusal("", status, text, "BadRequestException")


class Rendered(NamedTuple):
    """A gateway response as it is sent."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def render(
    refusal: Refusal, responses: Mapping[str, GatewayResponse], context: Mapping[str, str]
) -> Rendered:
    """The answer to a refusal; `context` gives what `$context` knows (requestId, path, …)."""
    fallback = "DEFAULT_4XX" if refusal.status < 500 else "DEFAULT_5XX"
    found = responses.get(refusal.kind)
    if found is None and refusal.kind and refusal.kind != "REQUEST_TOO_LARGE":
        found = responses.get(fallback)
    if found is None:
        return _default(refusal)
    known = {
        **context,
        "error.message": refusal.message,
        "error.messageString": '"' + refusal.message.replace('"', '\\"') + '"',
        "error.responseType": refusal.kind,
    }
    headers = [(name, _parameter(value, known)) for name, value in found.headers.items()]
    media_type = "application/json"
    template = '{"message":$context.error.messageString}'
    if found.bodies:
        media_type = next(iter(found.bodies)) if media_type not in found.bodies else media_type
        template = found.bodies[media_type]
    body = _VARIABLE.sub(lambda match: known.get(match[1], ""), template)
    headers += [("Content-Type", media_type), ("x-amzn-ErrorType", refusal.error_type)]
    return Rendered(found.status or refusal.status, headers, body.encode())


def _default(refusal: Refusal) -> Rendered:
    if refusal.kind in ("", "REQUEST_TOO_LARGE") and refusal is not EVENT_TOO_LARGE:
        headers = [("Content-Type", "text/plain; charset=utf-8")]
        return Rendered(refusal.status, headers, refusal.message.encode())
    headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", refusal.error_type)]
    return Rendered(refusal.status, headers, f'{{"message":"{refusal.message}"}}'.encode())


def _parameter(value: str, known: Mapping[str, str]) -> str:
    """A header's value: `'text'` stands for itself, `context.x` for what the context knows."""
    if value.startswith("'") and value.endswith("'"):
        return value[1:-1]
    return known.get(value.removeprefix("context."), "")
