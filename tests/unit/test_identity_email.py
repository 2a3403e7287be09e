"""The address in an ID token: the person's own only if its issuer says so, and one at that."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from osiris.identity import IdTokens, Person, account_id
from osiris.identity.jwks import IssuerKeys, reader
from osiris.wire.tls import shared_context
from tests.issuer import AUDIENCE, ISSUER, jwks_server, public_jwk, rsa_key, token

if TYPE_CHECKING:
    from collections.abc import Iterator

RSA = rsa_key()


@pytest.fixture(scope="module")
def tokens() -> Iterator[IdTokens]:
    with jwks_server() as server:
        server.publish(public_jwk(RSA, "one"))
        keys = IssuerKeys(reader(server.url, shared_context), lambda: time.time_ns() // 1_000_000)
        yield IdTokens(keys, issuer=ISSUER, audience=AUDIENCE)


def test_a_verified_address_comes_with_the_person(tokens: IdTokens) -> None:
    """As the token has it, beside the account, which it does not change."""
    shown = token(RSA, email="Ada+osiris@example.com", email_verified=True)
    assert tokens.person(shown) == Person(account_id(ISSUER, "ada"), "Ada+osiris@example.com")


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"email": "ada@example.com"},
        {"email": "ada@example.com", "email_verified": False},
        {"email": "ada@example.com", "email_verified": "true"},
        {"email": "ada@example.com", "email_verified": 1},
        {"email_verified": True},
        {"email": ["ada@example.com"], "email_verified": True},
        {"email": "", "email_verified": True},
        {"email": "ada", "email_verified": True},
        {"email": "ada@example.com, bob@example.com", "email_verified": True},
        {"email": "ada@example.com\nBcc: bob@example.com", "email_verified": True},
        {"email": "Ada <ada@example.com>", "email_verified": True},
        {"email": "a" * 243 + "@example.com", "email_verified": True},
    ],
)
def test_any_other_is_left_aside(tokens: IdTokens, claims: dict[str, Any]) -> None:
    """Not verified, none, several, or too long: the person is known, the address is not."""
    assert tokens.person(token(RSA, **claims)) == Person(account_id(ISSUER, "ada"), "")
