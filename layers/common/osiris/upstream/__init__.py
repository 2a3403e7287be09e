"""Who answers: one kept-alive connection to each upstream, and its errors as ours."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from osiris.errors import (
    OsirisError,
    UpstreamFailed,
    UpstreamRefusedUs,
    UpstreamRejected,
    UpstreamSilent,
)
from osiris.wire.connection import ConnectFailed, Connection, Silent, WireError

if TYPE_CHECKING:
    from collections.abc import Callable

    from osiris.catalogue import Model
    from osiris.wire.connection import Response

CONNECT_TIMEOUT_MS = 5_000
IDLE_MS_MAX = 50_000
ERROR_BYTES_MAX = 64 * 1024
# A whole answer: the gateway streams more, but it must fit the function's memory several times.
ANSWER_BYTES_MAX = 32 * 1024 * 1024

# The upstream's word about the request itself; the client gets it.
_ABOUT_THE_REQUEST = frozenset({400, 404, 413, 422})
# The upstream's word about us: our key, our account, our rate. Never passed on as such.
_ABOUT_US = frozenset({401, 402, 403, 429})
# Anthropic says these by 400, with the type of an error about the request (anthropics/claude-code,
# issues 66314, 38035 and 72457).
_MESSAGES_ABOUT_US = (
    "credit balance is too low",
    "reached your specified API usage limits",
    "organization has been disabled",
)
_MESSAGE_LENGTH_MAX = 2_000


class Upstreams:
    """Connections to upstreams, one for each origin."""

    def __init__(self, tls: Callable[[], Any]) -> None:
        self._tls = tls
        self._connections: dict[str, Connection] = {}

    def open(self, model: Model, *, secret: str, body: bytes, timeout_ms: int) -> Response:
        """Forward the request; the answer's status is 200, its body unread.

        Raises UpstreamRejected, UpstreamRefusedUs, UpstreamFailed or UpstreamSilent.
        """
        origin, path = split_url(model.base_url)
        headers = {
            "host": origin.partition("://")[2],
            "authorization": f"Bearer {secret}",
            "content-type": "application/json",
            "accept": "*/*",
            "accept-encoding": "identity",
            "user-agent": "osiris",
        }
        try:
            response = self._connection(origin).request(
                "POST", f"{path}/chat/completions", headers, body, timeout_ms=timeout_ms
            )
            if response.status == 200:
                return response
            text = response.read(ERROR_BYTES_MAX)
        except WireError as error:
            raise translated(error) from error
        except ValueError as error:
            # Nothing was sent: the secret or the base URL has what HTTP does not allow, a line
            # break as a rule. The error names neither.
            raise UpstreamRefusedUs(details=str(error)) from error
        raise error_of(response.status, text, hidden=(secret, origin.partition("://")[2]))

    def _connection(self, origin: str) -> Connection:
        connection = self._connections.get(origin)
        if connection is None:
            connection = Connection(
                origin,
                tls=self._tls,
                connect_timeout_ms=CONNECT_TIMEOUT_MS,
                idle_ms_max=IDLE_MS_MAX,
            )
            self._connections[origin] = connection
        return connection


def split_url(base_url: str) -> tuple[str, str]:
    """A base URL's origin and path: ("https://api.openai.com", "/v1")."""
    scheme, _, rest = base_url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host}", (slash + path).rstrip("/")


def translated(error: WireError) -> OsirisError:
    """The wire's error as ours. What was sent may have been paid for: then retrying pays twice."""
    if isinstance(error, ConnectFailed):
        return UpstreamFailed(details=repr(error))
    if isinstance(error, Silent):
        return UpstreamSilent(details=repr(error), should_retry=False)
    return UpstreamFailed(details=repr(error), should_retry=False)


def error_of(status: int, text: bytes, *, hidden: tuple[str, ...]) -> OsirisError:
    """An upstream's answer that is not 200, as our error; `hidden` never shows up in it."""
    if status in _ABOUT_US:
        return UpstreamRefusedUs(details=f"status {status}")
    told = _told(text)
    message = told.get("message")
    if status not in _ABOUT_THE_REQUEST or not isinstance(message, str):
        return UpstreamFailed(details=f"status {status}")
    for words in _MESSAGES_ABOUT_US:
        if words in message:
            return UpstreamRefusedUs(details=f"status {status}: {words}")
    for secret in hidden:
        message = message.replace(secret, "…")
    return UpstreamRejected(
        status,
        message[:_MESSAGE_LENGTH_MAX],
        param=_text_or(told.get("param"), None),
        type=_text_or(told.get("type"), None) or UpstreamRejected.type,
        code=_text_or(told.get("code"), None) or UpstreamRejected.code,
    )


def _told(text: bytes) -> dict[str, Any]:
    try:
        error = json.loads(text).get("error")
    except (ValueError, AttributeError, RecursionError):
        return {}
    return error if isinstance(error, dict) else {}


def _text_or(value: object, default: str | None) -> str | None:
    return value[:100] if isinstance(value, str) else default
