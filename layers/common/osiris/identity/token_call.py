"""The call to an issuer's token endpoint, in the form in which Authlib makes calls.

One request, one bounded answer: no redirect is followed (the code would go where it leads), no
proxy of the environment is asked, nothing is sent twice.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from osiris.errors import IdentityUnavailable
from osiris.wire.connection import Connection, WireError
from osiris.wire.tls import shared_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

    from authlib.oauth2 import ClientAuth

CONNECT_TIMEOUT_MS = 2_000
# A person waits for it, below API Gateway's 29 s.
SILENCE_MS = 10_000
# Three tokens of 2 KB are usual; some issuers' are larger.
ANSWER_BYTES_MAX = 64 * 1024


class TokenAnswer(NamedTuple):
    """What came back, under the names that Authlib reads it by."""

    status_code: int
    text: bytes

    def json(self) -> Any:
        """What the body says. Raises ValueError or RecursionError when it is no JSON."""
        return json.loads(self.text)

    def raise_for_status(self) -> None:
        """Raises IdentityUnavailable for an error."""
        if self.status_code >= 400:
            raise IdentityUnavailable(details=f"token endpoint: status {self.status_code}")


class TokenCall:
    """Stands for the session of `requests` that Authlib's client expects."""

    def __init__(self, tls: Callable[[], ssl.SSLContext] = shared_context) -> None:
        self._tls = tls

    def post(
        self, url: str, *, data: Mapping[str, str], headers: Mapping[str, str], auth: ClientAuth
    ) -> TokenAnswer:
        """Post a form. Raises IdentityUnavailable when no answer came; ValueError for no URL."""
        prepared = auth.prepare("POST", url, dict(headers), urlencode(data))  # type: ignore[no-untyped-call]
        url, sent, body = prepared
        parts = urlsplit(url)
        connection = Connection(
            f"{parts.scheme}://{parts.netloc}",
            tls=self._tls,
            connect_timeout_ms=CONNECT_TIMEOUT_MS,
            idle_ms_max=0,
        )
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            response = connection.request(
                "POST", target, sent, body.encode(), timeout_ms=SILENCE_MS
            )
            return TokenAnswer(response.status, response.read(ANSWER_BYTES_MAX))
        except WireError as error:
            raise IdentityUnavailable(details=f"token endpoint: {error!r}") from error
        finally:
            connection.close()
