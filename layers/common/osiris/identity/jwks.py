"""The public keys that an issuer signs with, read from its JWKS address and kept.

A key id that is not known makes us read again, since issuers rotate their keys; but not more often
than once in a while, since anybody can send made-up key ids. While the issuer can't be reached,
the keys last read go on for a day.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from jwt import PyJWK, PyJWTError

from osiris.errors import IdentityUnavailable
from osiris.times import DAY_MS, HOUR_MS, MINUTE_MS
from osiris.wire.connection import Connection, WireError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

# Asymmetric alone: with a symmetric one the public key would be the secret.
ALGORITHMS = ["RS256", "ES256"]

FRESH_MS = HOUR_MS
USABLE_MS = DAY_MS
# Between two readings: a rotation waits no longer than this, a flood costs no more than one.
READ_AGAIN_MS = MINUTE_MS
READ_AGAIN_AFTER_FAILURE_MS = 5_000

CONNECT_TIMEOUT_MS = 2_000
SILENCE_MS = 3_000
# Issuers publish two to ten keys, of less than 4 KB each with their certificates.
JWKS_BYTES_MAX = 256 * 1024


class _Reading(NamedTuple):
    keys: dict[str | None, PyJWK]
    at_ms: int


class IssuerKeys:
    """The keys at one address; `read_text` gets its text, or raises IdentityUnavailable."""

    def __init__(self, read_text: Callable[[], bytes], now_ms: Callable[[], int]) -> None:
        self._read_text = read_text
        self._now_ms = now_ms
        self._last: _Reading | None = None
        self._read_again_at_ms = 0
        self._failure: str | None = None

    def find(self, key_id: str | None) -> PyJWK | None:
        """The key of that id, or None. No id means the only key, where there is but one.

        Raises IdentityUnavailable when no answer would be right.
        """
        now_ms = self._now_ms()
        found = self._known(key_id, now_ms, FRESH_MS)
        if found is None and now_ms >= self._read_again_at_ms:
            self._read(now_ms)
        found = found or self._known(key_id, now_ms, USABLE_MS)
        if found is None and self._failure is not None:
            raise IdentityUnavailable(details=self._failure)
        return found

    def _known(self, key_id: str | None, now_ms: int, age_ms_max: int) -> PyJWK | None:
        if self._last is None or now_ms - self._last.at_ms >= age_ms_max:
            return None
        keys = self._last.keys
        if key_id is None and len(keys) == 1:
            return next(iter(keys.values()))
        return keys.get(key_id)

    def _read(self, now_ms: int) -> None:
        try:
            self._last = _Reading(_usable_keys(self._read_text()), now_ms)
        except IdentityUnavailable as failure:
            self._failure = failure.details
            self._read_again_at_ms = now_ms + READ_AGAIN_AFTER_FAILURE_MS
        else:
            self._failure = None
            self._read_again_at_ms = now_ms + READ_AGAIN_MS


def reader(url: str, tls: Callable[[], ssl.SSLContext]) -> Callable[[], bytes]:
    """What reads the text at the address; ValueError when it is none of http or https."""
    parts = urlsplit(url)
    connection = Connection(
        f"{parts.scheme}://{parts.netloc}",
        tls=tls,
        connect_timeout_ms=CONNECT_TIMEOUT_MS,
        idle_ms_max=0,
    )
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def read_text() -> bytes:
        try:
            response = connection.request(
                "GET", target, {"Accept": "application/json"}, b"", timeout_ms=SILENCE_MS
            )
            text = response.read(JWKS_BYTES_MAX)
        except WireError as error:
            raise IdentityUnavailable(details=f"JWKS: {error!r}") from error
        finally:
            # Once an hour is too seldom to keep it.
            connection.close()
        if response.status != 200:
            raise IdentityUnavailable(details=f"JWKS: status {response.status}")
        return text

    return read_text


def _usable_keys(text: bytes) -> dict[str | None, PyJWK]:
    """The keys that sign by an algorithm we take. Raises IdentityUnavailable when there is none."""
    try:
        published = json.loads(text)["keys"]
        keys = [(jwk.get("kid"), _key(jwk)) for jwk in published]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise IdentityUnavailable(details=f"JWKS: {type(error).__name__}") from error
    # One id may stand for a signing and an encryption key: the first is meant here.
    usable = {
        key_id: key
        for key_id, key in keys
        if key is not None and (key_id is None or isinstance(key_id, str))
    }
    if not usable:
        raise IdentityUnavailable(details="JWKS: no usable key")
    return usable


def _key(jwk: dict[str, Any]) -> PyJWK | None:
    if jwk.get("use", "sig") != "sig":
        return None
    try:
        key = PyJWK(jwk)
    except (PyJWTError, ValueError, TypeError, AttributeError):
        # One key that nobody can read must not hide the others.
        return None
    return key if key.algorithm_name in ALGORITHMS else None
