"""One kept-alive HTTP/1.1 connection to one origin, for one request at a time.

An execution environment serves one request at a time, so there is no pool. Headers and body leave
in one `sendall` (http.client's own connection makes two TLS records of them); http.client parses
what comes back. Nothing is ever sent twice by this module: its caller knows what may be repeated.
"""

import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from osiris.wire.channel import Channel
from osiris.wire.faults import Broken, ConnectFailed, Silent, TooLarge, WireError
from osiris.wire.response import Response, exchange

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

__all__ = [
    "Broken",
    "ConnectFailed",
    "Connection",
    "Response",
    "Silent",
    "TooLarge",
    "WireError",
]

_DEFAULT_PORTS = {"http": 80, "https": 443}
# Some servers answer 411 when these come without a length.
_METHODS_WITH_BODY = ("POST", "PUT", "PATCH")


class Connection:
    """A connection that is made when first needed, kept, and made anew once it is stale."""

    __slots__ = (
        "_channel",
        "_connect_timeout_ms",
        "_host",
        "_idle_ms_max",
        "_netloc",
        "_port",
        "_response",
        "_tls",
    )

    def __init__(
        self,
        origin: str,
        *,
        tls: "Callable[[], ssl.SSLContext]",
        connect_timeout_ms: int,
        idle_ms_max: int,
    ) -> None:
        """Name the origin, "https://host[:port]" or "http://host[:port]"; nothing is opened.

        `tls` is called for https alone. `connect_timeout_ms` bounds each address tried and each
        step of the TLS handshake. ValueError when the origin is not one.
        """
        parts = urlsplit(origin)
        scheme, netloc = parts.scheme, parts.netloc
        if scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in netloc:
            raise ValueError("an origin is http://host[:port] or https://host[:port]")
        if parts.path or parts.query or parts.fragment:
            raise ValueError("an origin has no path, query or fragment")
        self._netloc = netloc
        self._host = parts.hostname
        self._port = parts.port or _DEFAULT_PORTS[scheme]
        self._tls = tls if scheme == "https" else None
        self._connect_timeout_ms = connect_timeout_ms
        self._idle_ms_max = idle_ms_max
        self._channel: Channel | None = None
        self._response: Response | None = None

    def request(
        self, method: str, target: str, headers: dict[str, str], body: bytes, *, timeout_ms: int
    ) -> Response:
        """Send one request and return its answer once the headers are there.

        Host and Content-Length are added. `timeout_ms` is the longest silence: while sending,
        before the headers, and between the pieces of the body. ConnectFailed, Broken, Silent;
        ValueError when a header or the target holds what HTTP does not allow.
        """
        request = self._head(method, target, headers, body) + body
        channel = self._channel = self._kept() or self._connect()
        try:
            self._response = exchange(channel, method, request, timeout_ms)
        except WireError:
            self.close()
            raise
        return self._response

    def close(self) -> None:
        """Close the connection; the next request makes another."""
        if self._channel:
            self._channel.close()
        self._channel = self._response = None

    def _head(self, method: str, target: str, headers: dict[str, str], body: bytes) -> bytes:
        names = "".join(headers)
        text = "".join((method, target, names, *headers.values()))
        # Printable ASCII: no line break, no NUL, nothing that two parsers could read differently.
        if not (text.isascii() and text.isprintable() and target.startswith("/")):
            raise ValueError("the target or a header has a character that HTTP does not allow")
        if not method.isalpha() or " " in target or " " in names or ":" in names or "" in headers:
            raise ValueError("the method, the target or a header's name is not one")
        lines = [f"{method} {target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if "Host" not in headers and "host" not in headers:
            lines.append(f"Host: {self._netloc}")
        if body or method in _METHODS_WITH_BODY:
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "\r\n"]).encode("ascii")

    def _kept(self) -> Channel | None:
        """The open connection, when it can carry another request."""
        channel, response = self._channel, self._response
        if channel and response and response.ended and channel.is_fresh(self._idle_ms_max):
            return channel
        self.close()
        return None

    def _connect(self) -> Channel:
        timeout_s = self._connect_timeout_ms / 1000
        sock = None
        try:
            sock = socket.create_connection((self._host, self._port), timeout_s)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                # Without close_notify an end may be a cut; for a body without a length it matters.
                sock = self._tls().wrap_socket(
                    sock, server_hostname=self._host, suppress_ragged_eofs=False
                )
        except OSError as exc:
            if sock:
                sock.close()
            raise ConnectFailed(f"{self._netloc}: {exc}") from exc
        return Channel(sock)
