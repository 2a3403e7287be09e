"""Sign-in tokens: who is let in, and that nobody else is."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from osiris.errors import IdentityUnavailable, InvalidToken
from osiris.identity import IdTokens, account_id
from osiris.identity import jwks as rules
from osiris.identity.jwks import IssuerKeys, reader
from osiris.wire.tls import shared_context
from tests.issuer import (
    AUDIENCE,
    ISSUER,
    JwksServer,
    ec_key,
    jwks_server,
    public_jwk,
    rsa_key,
    token,
)

RSA, OTHER_RSA, EC = rsa_key(), rsa_key(), ec_key()


class Issuer:
    """The tokens' check over an issuer's JWKS, and the clock of its cache."""

    def __init__(self, server: JwksServer) -> None:
        self.server = server
        self.now_ms = 1_000_000_000
        self.keys = IssuerKeys(reader(server.url, shared_context), lambda: self.now_ms)
        self.tokens = IdTokens(self.keys, issuer=ISSUER, audience=AUDIENCE)
        server.publish(public_jwk(RSA, "one", alg="RS256"), public_jwk(EC, "two", alg="ES256"))

    def refusal(self, text: str) -> str:
        """What the log says about a token that does not hold."""
        with pytest.raises(InvalidToken) as refused:
            self.tokens.account_id(text)
        assert refused.value.details is not None
        assert text not in refused.value.details
        assert refused.value.message == InvalidToken.message
        return refused.value.details


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with jwks_server() as server:
        yield Issuer(server)


def _part(content: Any) -> str:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def _claims(**claims: Any) -> dict[str, Any]:
    now_s = int(time.time())
    return {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ada",
        "iat": now_s,
        "exp": now_s + 300,
        **claims,
    }


def test_tokens_of_both_algorithms_name_the_account(issuer: Issuer) -> None:
    """RS256 and ES256 tokens of the same person speak for the same account, by one reading."""
    expected = account_id(ISSUER, "ada")
    assert issuer.tokens.account_id(token(RSA)) == expected
    assert issuer.tokens.account_id(token(EC, alg="ES256", kid="two")) == expected
    assert issuer.server.readings == 1


def test_an_account_is_of_one_person_at_one_issuer() -> None:
    """Another subject or issuer is another account; an id never changes: keys belong to it."""
    ids = {
        account_id("https://a.example", "ada"),
        account_id("https://a.example", "bob"),
        account_id("https://b.example", "ada"),
        account_id("https://a.exampl", "eada"),
    }
    assert len(ids) == 4
    assert all(len(text) == 22 and text.isalnum() for text in ids)
    assert account_id("https://a.example", "ada") == "hOu8cMsgNE6GaHBWjzSsZd"


@pytest.mark.parametrize(
    ("claims", "details"),
    [
        ({"iss": "https://evil.example"}, "InvalidIssuerError"),
        ({"iss": None}, "MissingRequiredClaimError"),
        ({"iss": [ISSUER]}, "InvalidIssuerError"),
        ({"aud": "client-2"}, "InvalidAudienceError"),
        ({"aud": None}, "MissingRequiredClaimError"),
        ({"aud": [AUDIENCE, "client-2"]}, "meant for others, too"),
        ({"exp": int(time.time()) - 3600}, "ExpiredSignatureError"),
        ({"exp": None}, "MissingRequiredClaimError"),
        ({"exp": "soon"}, "DecodeError"),
        ({"exp": float("inf")}, "DecodeError"),
        ({"iat": int(time.time()) + 3600}, "ImmatureSignatureError"),
        ({"iat": None}, "MissingRequiredClaimError"),
        ({"nbf": int(time.time()) + 3600}, "ImmatureSignatureError"),
        ({"token_use": "access"}, "not an ID token"),
        ({"sub": None}, "MissingRequiredClaimError"),
        ({"sub": ""}, "a subject of no usable length"),
        ({"sub": "s" * 256}, "a subject of no usable length"),
        ({"sub": 7}, "InvalidSubjectError"),
    ],
)
def test_a_claim_that_is_not_right_is_refused(
    issuer: Issuer, claims: dict[str, Any], details: str
) -> None:
    """Issuer, audience, times, kind and subject are each checked, though the signature holds."""
    assert issuer.refusal(token(RSA, **claims)) == details


def test_what_may_be_missing_or_a_little_off(issuer: Issuer) -> None:
    """No `token_use`, an audience as a list of one, and clocks half a minute apart are fine."""
    now_s = int(time.time())
    for claims in (
        {"token_use": None},
        {"aud": [AUDIENCE]},
        {"iat": now_s + 15},
        {"exp": now_s - 15},
    ):
        assert issuer.tokens.account_id(token(RSA, **claims)) == account_id(ISSUER, "ada")


def test_no_signature_is_no_token(issuer: Issuer) -> None:
    """`alg` none, in any spelling, is refused before any key is looked for."""
    for alg in ("none", "None", "NONE", "", None, 0, ["RS256"], {"a": 1}):
        unsigned = f"{_part({'alg': alg, 'kid': 'one'})}.{_part(_claims())}."
        issuer.refusal(unsigned)
    assert issuer.server.readings == 0


def test_a_public_key_is_not_a_shared_secret(issuer: Issuer) -> None:
    """A token signed by HMAC with the public key's text as its secret is refused."""
    public = json.dumps(public_jwk(RSA, "one")).encode()
    signed = f"{_part({'alg': 'HS256', 'kid': 'one'})}.{_part(_claims())}"
    mac = hmac.new(public, signed.encode(), hashlib.sha256).digest()
    assert issuer.refusal(f"{signed}.{_part(mac)}") == "an algorithm that is not taken"


def test_a_published_shared_secret_is_not_used(issuer: Issuer) -> None:
    """Even an issuer that publishes a symmetric key is not believed by it."""
    secret = b"0123456789abcdef0123456789abcdef"
    issuer.server.publish(
        {"kty": "oct", "k": _part(secret), "kid": "oct", "alg": "HS256"}, public_jwk(RSA, "one")
    )
    for alg in ("HS256", "RS256"):
        signed = f"{_part({'alg': alg, 'kid': 'oct'})}.{_part(_claims())}"
        mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
        issuer.refusal(f"{signed}.{_part(mac)}")


def test_an_unusable_key_hides_no_other(issuer: Issuer) -> None:
    """An encryption key of the same id, and one whose id is no text, leave the signing key be."""
    issuer.server.publish(
        public_jwk(RSA, "one"),
        public_jwk(OTHER_RSA, "one", use="enc"),
        public_jwk(EC, "two") | {"kid": ["two"]},
    )
    assert issuer.tokens.account_id(token(RSA, kid="one"))


def test_other_keys_and_changed_tokens_do_not_hold(issuer: Issuer) -> None:
    """A stranger's signature, a key of another algorithm, and changed claims are refused."""
    assert issuer.refusal(token(OTHER_RSA)) == "InvalidSignatureError"
    assert issuer.refusal(token(RSA, kid="two")) == "InvalidAlgorithmError"
    assert issuer.refusal(token(EC, alg="ES256")) == "InvalidAlgorithmError"
    assert issuer.refusal(token(RSA, alg="RS512")) == "an algorithm that is not taken"
    assert issuer.refusal(token(RSA, alg="PS256")) == "an algorithm that is not taken"
    header, _, signature = token(RSA).split(".")
    changed = f"{header}.{_part(_claims(sub='eve'))}.{signature}"
    assert issuer.refusal(changed) == "InvalidSignatureError"


@pytest.mark.parametrize(
    "text",
    [
        ".",
        "..",
        "not-a-token",
        "a.b.c",
        "é.é.é",
        "\ud800",
        f"{_part(b'[' * 4000)}.{_part({})}.",
        f"{_part([])}.{_part({})}.",
        f"{_part({'alg': 'RS256', 'kid': 7})}.{_part({})}.",
        f"{_part({'alg': 'RS256', 'kid': ['one']})}.{_part({})}.",
        f"{_part({'alg': 'RS256', 'kid': 'one', 'crit': ['x']})}.{_part({})}.",
        "x" * 10_241,
        f"{_part({'alg': 'RS256', 'kid': 'one'})}.{_part(b'[' * 4000)}.",
    ],
)
def test_hostile_text_is_refused(issuer: Issuer, text: str) -> None:
    """Whatever is sent as a token, the answer is a refusal and no crash."""
    issuer.refusal(text)


def test_a_weak_key_is_not_believed(issuer: Issuer) -> None:
    """A published RSA key below 2048 bits does not make a token hold."""
    weak = rsa_key(1024)
    issuer.server.publish(public_jwk(weak, "one"))
    with pytest.warns(UserWarning, match="1024"):
        weak_token = token(weak)
    assert issuer.refusal(weak_token) == "InvalidKeyError"


def test_one_key_needs_no_id_and_several_do(issuer: Issuer) -> None:
    """A token without `kid` holds where the issuer has a single key."""
    assert issuer.refusal(token(RSA, kid=None)) == "no such key of the issuer"
    issuer.now_ms += rules.READ_AGAIN_MS
    issuer.server.publish(public_jwk(RSA, "one"))
    assert issuer.tokens.account_id(token(RSA, kid=None)) == account_id(ISSUER, "ada")


def test_a_rotated_key_is_found_and_the_old_one_forgotten(issuer: Issuer) -> None:
    """An unknown key id makes us read again; a key no longer published is then not believed."""
    issuer.tokens.account_id(token(RSA))
    issuer.server.publish(public_jwk(OTHER_RSA, "new"))
    issuer.now_ms += rules.READ_AGAIN_MS
    assert issuer.tokens.account_id(token(OTHER_RSA, kid="new")) == account_id(ISSUER, "ada")
    assert issuer.server.readings == 2
    assert issuer.refusal(token(RSA)) == "no such key of the issuer"


def test_a_key_taken_back_is_forgotten_in_time(issuer: Issuer) -> None:
    """Keys are read again after an hour, so that one no longer published is not believed."""
    issuer.tokens.account_id(token(RSA))
    issuer.server.publish(public_jwk(OTHER_RSA, "new"))
    issuer.now_ms += rules.FRESH_MS - 1
    issuer.tokens.account_id(token(RSA))
    issuer.now_ms += 1
    assert issuer.refusal(token(RSA)) == "no such key of the issuer"
    assert issuer.server.readings == 2


def test_made_up_key_ids_do_not_hammer_the_issuer(issuer: Issuer) -> None:
    """A thousand unknown key ids in a minute cost one more reading, and block nobody else."""
    issuer.tokens.account_id(token(RSA))
    issuer.now_ms += rules.READ_AGAIN_MS
    signed = token(RSA).split(".", 1)[1]
    for number in range(1000):
        issuer.now_ms += 50
        header = _part({"alg": "RS256", "kid": f"made-up-{number}"})
        assert issuer.refusal(f"{header}.{signed}") == "no such key of the issuer"
    assert issuer.server.readings == 2
    assert issuer.tokens.account_id(token(RSA)) == account_id(ISSUER, "ada")


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (500, b"{}"),
        (404, b'{"keys":[]}'),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b"{}"),
        (200, b'{"keys":[]}'),
        (200, b'{"keys":[1]}'),
        (200, b'{"keys":[{"kid":["x"],"kty":"RSA"}]}'),
        (200, b'{"keys":[{"kty":"RSA","kid":"one","n":"AQAB"}]}'),
        (200, b'{"keys":[{"kty":"EC","crv":"P-521","kid":"one","x":"AA","y":"AA"}]}'),
        (200, b"[" * 4000),
        (200, b" " * (rules.JWKS_BYTES_MAX + 1)),
    ],
)
def test_an_issuer_that_can_not_be_read_is_no_refusal(
    issuer: Issuer, status: int, text: bytes
) -> None:
    """Without keys the answer is 503, for a few seconds without asking again, then we ask."""
    issuer.server.status, issuer.server.text = status, text
    for _ in range(3):
        with pytest.raises(IdentityUnavailable) as unavailable:
            issuer.tokens.account_id(token(RSA))
        assert unavailable.value.details is not None
        assert unavailable.value.details.startswith("JWKS: ")
    assert issuer.server.readings == 1
    issuer.server.status = 200
    issuer.server.publish(public_jwk(RSA, "one"))
    issuer.now_ms += rules.READ_AGAIN_AFTER_FAILURE_MS
    assert issuer.tokens.account_id(token(RSA)) == account_id(ISSUER, "ada")


def test_nobody_listens() -> None:
    """A refused connection is 503, too."""
    with jwks_server() as server:
        url = server.url
    keys = IssuerKeys(reader(url, shared_context), lambda: 0)
    with pytest.raises(IdentityUnavailable, match="Sign-in can't be checked"):
        IdTokens(keys, issuer=ISSUER, audience=AUDIENCE).account_id(token(RSA))


def test_known_keys_outlive_an_outage_for_a_day(issuer: Issuer) -> None:
    """While the issuer is down, its known keys still count; unknown ones are 503, not 401."""
    issuer.tokens.account_id(token(RSA))
    issuer.server.status = 500
    issuer.now_ms += rules.USABLE_MS - 1
    assert issuer.tokens.account_id(token(RSA)) == account_id(ISSUER, "ada")
    with pytest.raises(IdentityUnavailable):
        issuer.tokens.account_id(token(OTHER_RSA, kid="new"))
    assert issuer.server.readings == 2
    issuer.now_ms += 1
    with pytest.raises(IdentityUnavailable):
        issuer.tokens.account_id(token(RSA))


def test_keys_for_encryption_are_passed_over(issuer: Issuer) -> None:
    """A key that is not for signatures does not verify one."""
    issuer.server.publish(public_jwk(RSA, "one", use="enc"), public_jwk(EC, "two"))
    assert issuer.refusal(token(RSA)) == "no such key of the issuer"


def test_one_odd_key_does_not_hide_the_others(issuer: Issuer) -> None:
    """Keys of kinds and contents that we can't read are passed over."""
    odd: list[dict[str, Any]] = [
        {"kid": "a", "kty": "RSA", "n": 7, "e": 3},
        {"kid": "b", "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kid": "c", "kty": "lattice"},
        {"kid": "d", "kty": "RSA", "alg": ["RS256"]},
        {"kid": "e"},
        {},
    ]
    issuer.server.publish(*odd, public_jwk(RSA, "one"))
    assert issuer.tokens.account_id(token(RSA)) == account_id(ISSUER, "ada")
