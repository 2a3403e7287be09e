"""An OpenID issuer for tests: real keys, its JWKS on a loopback socket, and tokens of any kind."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt import PyJWS
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

ISSUER = "https://issuer.example/pool"
AUDIENCE = "client-1"

type PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def public_jwk(key: PrivateKey, key_id: str, **members: Any) -> dict[str, Any]:
    """The public half of a key, as issuers publish it."""
    if isinstance(key, rsa.RSAPrivateKey):
        jwk = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        jwk = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    # PyJWT says what the key may be used for by `key_ops`; issuers say it by `use`.
    jwk.pop("key_ops", None)
    return {**jwk, "kid": key_id, "use": "sig", **members}


def token(key: PrivateKey, *, alg: str = "RS256", kid: str | None = "one", **claims: Any) -> str:
    """An ID token that holds, but for what `claims` change; a claim of None is left out."""
    now_s = int(time.time())
    full = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ada",
        "iat": now_s,
        "exp": now_s + 300,
        "token_use": "id",
        **claims,
    }
    given = {name: value for name, value in full.items() if value is not None}
    headers = None if kid is None else {"kid": kid}
    # Not by jwt.encode: it refuses to sign claims that are wrong.
    return PyJWS().encode(json.dumps(given).encode(), key, algorithm=alg, headers=headers)


class JwksServer:
    """What the issuer publishes now, and how often it was read."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.status = 200
        self.text = b'{"keys":[]}'
        self.readings = 0

    def publish(self, *jwks: dict[str, Any]) -> None:
        self.text = json.dumps({"keys": jwks}).encode()


@contextmanager
def jwks_server() -> Iterator[JwksServer]:
    """A JWKS address on loopback that answers with what the test last published."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            served.readings += 1
            self.send_response(served.status)
            self.send_header("Content-Length", str(len(served.text)))
            self.end_headers()
            self.wfile.write(served.text)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        served = JwksServer(f"http://127.0.0.1:{server.server_port}/jwks.json")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()
