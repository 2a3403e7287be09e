"""An issuer in hand: its pages are two calls, its token endpoint a server on loopback.

The endpoint is strict, as RFC 6749 and RFC 7636 have it: a code is good once, for the client and
the address it was made for, and with the verifier of its challenge.
"""

from __future__ import annotations

import base64
import hashlib
import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from tests.issuer import AUDIENCE, jwks_server, public_jwk, rsa_key, token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.issuer import JwksServer, PrivateKey

CLIENT_SECRET = "the secret of client-1: 100%"
KEY = rsa_key()


class Asked(NamedTuple):
    """What the token endpoint was sent."""

    headers: dict[str, str]
    fields: dict[str, str]


class Issuer:
    """`claims` and `key` are what the next tokens are made of; `answer` stands for the endpoint's
    own, when it is set; `known` are all texts that no log may hold.
    """

    def __init__(self, jwks: JwksServer, token_url: str) -> None:
        self.jwks = jwks
        self.token_url = token_url
        self.client_secret = ""
        self.claims: dict[str, Any] = {}
        self.key: PrivateKey = KEY
        self.answer: Callable[[], tuple[int, bytes]] | None = None
        self.asked: list[Asked] = []
        self.known: set[str] = {CLIENT_SECRET}
        self._open: dict[str, dict[str, str]] = {}
        jwks.publish(public_jwk(KEY, "one", alg="RS256"))

    def authorize(self, url: str) -> tuple[str, str]:
        """What a person does at the pages; the code and the state that they come back with."""
        asked = dict(parse_qsl(urlsplit(url).query, strict_parsing=True))
        assert (asked["response_type"], asked["client_id"]) == ("code", AUDIENCE)
        assert asked["scope"].split() == ["openid", "email"]
        assert asked["code_challenge_method"] == "S256"
        assert min(map(len, (asked["state"], asked["nonce"], asked["code_challenge"]))) >= 43
        assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3
        code = f"code-{len(self._open)}/+ &="
        self._open[code] = asked
        self.known |= {code, asked["state"], asked["nonce"]}
        return code, asked["state"]

    def exchange(self, asked: Asked) -> tuple[int, bytes]:
        """The token endpoint's answer."""
        self.asked.append(asked)
        self.known.add(asked.fields.get("code_verifier", ""))
        if self.answer is not None:
            return self.answer()
        if not self._is_client(asked):
            return 401, b'{"error":"invalid_client"}'
        grant = self._open.pop(asked.fields.get("code", ""), None)
        if grant is None or not _matches(grant, asked.fields):
            return 400, b'{"error":"invalid_grant"}'
        claims = {"nonce": grant["nonce"], **self.claims}
        id_token = token(self.key, **claims)
        self.known |= {id_token, "an access token"}
        tokens = {"id_token": id_token, "access_token": "an access token", "expires_in": 3600}
        return 200, json.dumps({**tokens, "token_type": "Bearer"}).encode()

    def _is_client(self, asked: Asked) -> bool:
        """A public client names itself in the form; one with a secret by Basic, nowhere else."""
        assert "client_secret" not in asked.fields
        given = asked.headers.get("authorization")
        if not self.client_secret:
            return given is None and asked.fields["client_id"] == AUDIENCE
        known = base64.b64encode(f"{AUDIENCE}:{self.client_secret}".encode()).decode()
        return given == f"Basic {known}"


def _matches(grant: dict[str, str], fields: dict[str, str]) -> bool:
    digest = hashlib.sha256(fields["code_verifier"].encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return (
        fields["grant_type"] == "authorization_code"
        and fields["redirect_uri"] == grant["redirect_uri"]
        and challenge == grant["code_challenge"]
    )


@contextmanager
def issuer() -> Iterator[Issuer]:
    """An issuer whose keys and tokens are on loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, text = scripted.exchange(Asked(headers, dict(parse_qsl(body.decode()))))
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", f"{scripted.token_url}?elsewhere")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:
                # Who asked has read enough.
                self.close_connection = True

    with jwks_server() as jwks, ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        scripted = Issuer(jwks, f"http://127.0.0.1:{server.server_port}/oauth2/token")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield scripted
        finally:
            server.shutdown()
            thread.join()
