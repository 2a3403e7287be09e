"""Who a sign-in token speaks for: an OpenID Connect ID token, checked against its issuer's keys.

https://openid.net/specs/openid-connect-core-1_0.html, section 3.1.3.7. Signature by one of two
algorithms, whatever the token's header claims; issuer; audience; times; and, where an issuer says
what kind of token it is (Cognito's `token_use`), that it is an ID token.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import jwt

from osiris.errors import InvalidToken
from osiris.identity.jwks import ALGORITHMS
from osiris.ids import random_base62

if TYPE_CHECKING:
    from osiris.identity.jwks import IssuerKeys

# 22 digits are 131 bits: no two people share an account by chance, nor by trying.
ACCOUNT_ID_LENGTH = 22
# How far an issuer's clock may be from ours.
LEEWAY_S = 30
# API Gateway passes 10 KB of headers at most.
TOKEN_LENGTH_MAX = 10_240
# OpenID Connect Core, section 2.
SUBJECT_LENGTH_MAX = 255
# RFC 5321, section 4.5.3.1.3, less the brackets.
EMAIL_LENGTH_MAX = 254
# RFC 5322's plain addresses: one each, whatever it is put into.
_EMAIL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9.-]+")

# What reading hostile JSON, base64 and numbers can raise beside PyJWT's own errors.
_UNREADABLE = (jwt.PyJWTError, ValueError, TypeError, ArithmeticError, RecursionError)


class Person(NamedTuple):
    """Whom a token speaks for. `email` is empty unless the issuer has verified it."""

    account_id: str
    email: str


class IdTokens:
    """The check of ID tokens of one issuer, meant for one audience."""

    def __init__(self, keys: IssuerKeys, *, issuer: str, audience: str) -> None:
        assert issuer
        assert audience
        self._keys = keys
        self._issuer = issuer
        self._audience = audience

    def person(self, token: str, *, nonce: str | None = None) -> Person:
        """The person it speaks for; with a nonce, it must be the answer to that sign-in.

        Raises InvalidToken, with a reason for the log that holds nothing of the token, and
        IdentityUnavailable when the issuer's keys can't be read.
        """
        claims = self._claims(token)
        if claims.get("token_use", "id") != "id":
            raise InvalidToken(details="not an ID token")
        if isinstance(claims["aud"], list) and claims["aud"] != [self._audience]:
            # Section 3.1.3.7 (3): refuse a token that others trust, too.
            raise InvalidToken(details="meant for others, too")
        if nonce is not None and claims.get("nonce") != nonce:
            # Section 3.1.3.7 (11).
            raise InvalidToken(details="the answer to another sign-in")
        subject = claims["sub"]
        if not 0 < len(subject) <= SUBJECT_LENGTH_MAX:
            raise InvalidToken(details="a subject of no usable length")
        return Person(account_id(self._issuer, subject), _verified_email(claims))

    def account_id(self, token: str) -> str:
        """The account of the person it speaks for. Raises as `person`."""
        return self.person(token).account_id

    def _claims(self, token: str) -> dict[str, Any]:
        if len(token) > TOKEN_LENGTH_MAX:
            raise InvalidToken(details="too long")
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in ALGORITHMS:
                raise InvalidToken(details="an algorithm that is not taken")
            key = self._keys.find(header.get("kid"))
            if key is None:
                raise InvalidToken(details="no such key of the issuer")
            return jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY_S,
                options={
                    "require": ["iss", "aud", "exp", "iat", "sub"],
                    "enforce_minimum_key_length": True,
                },
            )
        except _UNREADABLE as error:
            raise InvalidToken(details=type(error).__name__) from error


def _verified_email(claims: dict[str, Any]) -> str:
    """OpenID Connect Core, section 5.1: `email` is the person's own when `email_verified` is."""
    email = claims.get("email")
    if claims.get("email_verified") is not True or not isinstance(email, str):
        return ""
    return email if len(email) <= EMAIL_LENGTH_MAX and _EMAIL.fullmatch(email) else ""


def account_id(issuer: str, subject: str) -> str:
    """An account's id: base62 digits of the SHA-256 of its issuer and subject, on two lines.

    The same person at the same issuer always has the same; another issuer's never clashes with it.
    """
    digest = hashlib.sha256(f"{issuer}\n{subject}".encode()).digest()
    return random_base62(digest, ACCOUNT_ID_LENGTH)
