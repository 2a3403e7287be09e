"""A JSON call to an origin: one request, one bounded answer, nothing repeated."""

import ssl
from collections.abc import Callable
from typing import Any, NamedTuple

from osiris.wire.connection import Connection
from osiris.wire.exact_json import parse
from osiris.wire.tls import shared_context

CONNECT_TIMEOUT_MS = 2_000
# Below the 60 s after which the usual load balancers drop a quiet connection.
IDLE_MS_MAX = 30_000
# Answers have 1 to 5 KB; an error page of a proxy may have more.
ANSWER_BYTES_MAX = 256 * 1024


class Answer(NamedTuple):
    """An answer's status and what its body says; None when that is not JSON (see `exact_json`)."""

    status: int
    body: Any

    @property
    def members(self) -> dict[str, Any]:
        """The body's members; none when it is no object."""
        return self.body if isinstance(self.body, dict) else {}


class JsonOrigin:
    """A base URL, "https://host[:port][/path]", and the kept connection to it."""

    def __init__(
        self, base_url: str, *, tls: Callable[[], ssl.SSLContext] = shared_context
    ) -> None:
        """Nothing is opened. ValueError when the URL is none."""
        scheme, _, rest = base_url.partition("://")
        host, slash, path = rest.partition("/")
        self._path = (slash + path).rstrip("/")
        self._connection = Connection(
            f"{scheme}://{host}",
            tls=tls,
            connect_timeout_ms=CONNECT_TIMEOUT_MS,
            idle_ms_max=IDLE_MS_MAX,
        )

    def call(
        self,
        method: str,
        target: str,
        headers: dict[str, str],
        body: bytes = b"",
        *,
        timeout_ms: int,
        bytes_max: int = ANSWER_BYTES_MAX,
    ) -> Answer:
        """Send the request and read its answer, whatever its status.

        `timeout_ms` bounds each wait for the next bytes. ConnectFailed: nothing was sent; any
        other WireError: the outcome is unknown. ValueError when a header holds what HTTP does not
        allow (nothing was sent; the text names no header's value).
        """
        asked = {"Accept": "application/json", "Accept-Encoding": "identity", **headers}
        if body:
            asked["Content-Type"] = "application/json"
        response = self._connection.request(
            method, self._path + target, asked, body, timeout_ms=timeout_ms
        )
        text = response.read(bytes_max)
        try:
            return Answer(response.status, parse(text))
        except ValueError:
            return Answer(response.status, None)

    def close(self) -> None:
        """Close the connection; the next call makes another."""
        self._connection.close()
