"""HTTP errors in the shape of each upstream, and what makes a request one.

Sources: the error classes of the `openai` Python SDK and OpenAI's page "Error codes"; Anthropic's
page "Errors" (types and the 413, 529 statuses); DeepSeek's page "Error Codes". Anthropic's
compatible endpoint uses OpenAI's shape. OpenAI's models from GPT-5 on refuse `max_tokens`
(langgenius/dify, issue 24307).
"""

from __future__ import annotations

import hmac
from typing import Any, NamedTuple

# What a client sends to see how a wrong secret is refused.
WRONG_SECRET = "wrong"  # noqa: S105 - not a secret

_TITLES = {
    400: "Invalid request",
    401: "Incorrect API key provided",
    402: "Insufficient Balance",
    403: "Access to this model is forbidden",
    404: "The model or route does not exist",
    405: "Method not allowed",
    408: "Request timeout",
    409: "Conflict",
    411: "A length is required",
    413: "Request exceeds the maximum size",
    422: "Invalid parameters",
    429: "Rate limit reached",
    500: "The server had an error while processing your request",
    502: "Bad gateway",
    503: "The server is overloaded",
    504: "The request timed out",
    529: "Overloaded",
}
_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_OPENAI_CODES = {
    401: "invalid_api_key",
    403: "model_not_allowed",
    404: "model_not_found",
    429: "rate_limit_exceeded",
}
_DEEPSEEK_TYPES = {400: "invalid_request_error", 401: "authentication_error", 402: "unknown_error"}
_MAY_RETRY_AFTER_S = {429: "7", 503: "7", 529: "7"}


class Refusal(NamedTuple):
    """An HTTP error: its status and what to say."""

    status: int
    message: str


def wished(status: int) -> Refusal:
    """The error that a client wished for."""
    return Refusal(status, f"{_TITLES.get(status, 'Error')} (simulated)")


def refused_secret(headers: dict[str, str]) -> Refusal | None:
    """A missing secret, or the one that is always wrong."""
    given = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
    if not given.strip():
        return Refusal(401, "You didn't provide an API key")
    if hmac.compare_digest(given.encode(), WRONG_SECRET.encode()):
        return Refusal(401, "Incorrect API key provided: wrong")
    return None


def complaint(body: Any, headers: dict[str, str], *, is_native: bool) -> Refusal | None:
    """What is wrong with a parsed body, as an upstream would say it; None when nothing is."""
    if not isinstance(body, dict):
        return Refusal(400, "The body is not a JSON object")
    if not isinstance(body.get("model"), str) or not body["model"]:
        return Refusal(400, "you must provide a model parameter")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        return Refusal(400, "messages: a list with at least one message is required")
    for name, most in (("n", 128), ("max_tokens", 10**9), ("max_completion_tokens", 10**9)):
        value = body.get(name)
        if value is not None and not (type(value) is int and 1 <= value <= most):
            return Refusal(400, f"{name}: an integer from 1 to {most} is required")
    if (
        not is_native
        and flavour_of(body["model"]) == "anthropic"
        and body.get("n") not in (None, 1)
    ):
        return Refusal(400, "n: must be exactly 1")
    if not is_native and body["model"].startswith("gpt-5") and body.get("max_tokens") is not None:
        return Refusal(
            400,
            "Unsupported parameter: 'max_tokens' is not supported with this model."
            " Use 'max_completion_tokens' instead.",
        )
    if is_native and "max_tokens" not in body:
        return Refusal(400, "max_tokens: Field required")
    if is_native and "anthropic-version" not in headers:
        return Refusal(400, "anthropic-version: header is required")
    return None


def flavour_of(model: Any) -> str:
    """Whose manner a model answers in: DeepSeek's and Anthropic's are known by their names."""
    if isinstance(model, str):
        for start, flavour in (("deepseek", "deepseek"), ("claude", "anthropic")):
            if model.startswith(start):
                return flavour
    return "openai"


def headers_of(refusal: Refusal) -> list[tuple[str, str]]:
    """What an upstream's error carries beside its body."""
    seconds = _MAY_RETRY_AFTER_S.get(refusal.status)
    return [("Retry-After", seconds)] if seconds else []


def body_of(refusal: Refusal, *, flavour: str, request_id: str, is_native: bool) -> dict[str, Any]:
    """The error object; the same one is an error event in a stream."""
    status, message = refusal
    if is_native:
        error = {"type": _ANTHROPIC_TYPES.get(status, "api_error"), "message": message}
        return {"type": "error", "error": error, "request_id": request_id}
    default = "invalid_request_error" if status < 500 else "server_error"
    kind: str = default
    code: str | None = _OPENAI_CODES.get(status)
    if flavour == "anthropic":
        kind, code = _ANTHROPIC_TYPES.get(status, "api_error"), None
    elif flavour == "deepseek":
        kind, code = _DEEPSEEK_TYPES.get(status, default), default
    elif status == 429:
        kind = "requests"
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}
