"""Signing in: the issuer's whole part is played, and what can go wrong with it does."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from osiris.identity import account_id
from osiris.identity.sign_in import CODE_LENGTH_MAX
from osiris.identity.token_call import ANSWER_BYTES_MAX
from osiris.web.session import seal_of
from tests.issuer import AUDIENCE, ISSUER, rsa_key
from tests.web.person import UNDER_WAY, Person
from tests.web.scripted_issuer import CLIENT_SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.web.scripted_issuer import Issuer

EMAIL = "ada@lovelace.example"
ADA = account_id(ISSUER, "ada")


@pytest.fixture
def person(at: Issuer) -> Iterator[Person]:
    """Whatever comes of it, no log line has a code, a state, a token, a secret or an e-mail."""
    somebody = Person(at)
    yield somebody
    logged = str(somebody.browser.world.lines)
    for known in (*at.known, EMAIL, *somebody.browser.cookies.values()):
        assert not known or known not in logged, known
        assert not known or quote(known) not in logged, known


# ---------------------------------------------------------------------------------- the good path


def test_a_person_is_signed_in(person: Person) -> None:
    """The account is the issuer's word for the person, the e-mail what the issuer has verified."""
    person.issuer.claims = {"email": EMAIL, "email_verified": True}
    shown = person.sign_in()
    assert (shown.status, shown.location) == (303, "/keys")
    session = person.session
    assert session is not None
    assert (session.account_id, session.email) == (ADA, EMAIL)
    assert UNDER_WAY not in person.browser.cookies
    assert EMAIL in person.browser.get("/keys").html


@pytest.mark.parametrize("verified", [False, None, "true", 1])
def test_an_address_that_is_not_verified_is_none(person: Person, verified: object) -> None:
    """Anybody could have typed it."""
    person.issuer.claims = {"email": EMAIL, "email_verified": verified}
    assert person.sign_in().status == 303
    assert person.session is not None
    assert person.session.email == ""


def test_each_sign_in_is_a_fresh_session(person: Person) -> None:
    """Nothing of what the browser had before is in it: not the id, not the forms' token."""
    person.sign_in()
    first = person.session
    person.sign_in()
    second = person.session
    assert first is not None
    assert second is not None
    assert not {first.id, first.csrf} & {second.id, second.csrf}


def test_a_session_before_a_sign_in_is_not_taken_over(person: Person) -> None:
    """Who signs in over somebody's session has an own one, of the own account."""
    person.browser.sign_in("mallory")
    person.sign_in()
    assert person.session is not None
    assert person.session.account_id == ADA


def test_a_client_with_a_secret_says_it_in_the_header_alone(at: Issuer) -> None:
    """By Basic, from the parameter that the setting names, without the line break at its end."""
    at.client_secret = CLIENT_SECRET
    person = Person(at, OSIRIS_OIDC_CLIENT_SECRET="issuer-secret")
    person.browser.world.app.secrets.known["issuer-secret"] = CLIENT_SECRET + "\n"  # type: ignore[attr-defined]
    assert person.sign_in().location == "/keys"
    assert CLIENT_SECRET not in str(at.asked[-1].fields)


def test_a_secret_that_is_missing_is_told(at: Issuer) -> None:
    """Nothing is sent without it."""
    person = Person(at, OSIRIS_OIDC_CLIENT_SECRET="issuer-secret")
    person.failed(person.sign_in(), "secret issuer-secret", status=503)
    assert at.asked == []


# ----------------------------------------------------------------------- who comes back, and how


def test_another_state_is_refused(person: Person) -> None:
    """One that was not given out here, none at all, and one in other letters."""
    for state in ("another", "", "é\ud7ff", "upper"):
        code, right = person.begin()
        given = right.swapcase() if state == "upper" else state
        person.failed(person.come_back(code=code, state=given), "another state")
    assert person.issuer.asked == []


def test_another_browser_is_refused(person: Person, at: Issuer) -> None:
    """A link with somebody's code signs nobody else in: neither the attacker nor the victim."""
    code, state = person.begin()
    other = Person(at)
    details = "none is under way in this browser"
    other.failed(other.come_back(code=code, state=state), details)
    other.begin()
    other.failed(other.come_back(code=code, state=state), "another state")
    assert at.asked == []


def test_a_sign_in_takes_ten_minutes_at_most(person: Person) -> None:
    """Afterwards what the browser kept of it opens nothing."""
    code, state = person.begin()
    person.browser.world.pass_ms(601_000)
    person.failed(person.come_back(code=code, state=state), "none is under way in this browser")
    code, state = person.begin()
    person.browser.world.pass_ms(600_000)
    assert person.come_back(code=code, state=state).status == 303


@pytest.mark.parametrize("use", ["session", "secret"])
def test_no_other_cookie_is_a_sign_in(person: Person, use: str) -> None:
    """What is sealed for another use is none under way."""
    code, state = person.begin()
    seal = seal_of(person.browser.world.app)
    content = {"state": state, "nonce": "n", "code_verifier": "v", "next": "/keys"}
    person.browser.cookies[UNDER_WAY] = seal.close(use, content)
    person.failed(person.come_back(code=code, state=state), "none is under way in this browser")


def test_the_issuers_refusal_is_told(person: Person) -> None:
    """Also with a code beside it; its words are shown to nobody."""
    for more in ({}, {"code": "x", "error_description": "<script>Pay here"}):
        _, state = person.begin()
        shown = person.come_back(error="access_denied", state=state, **more)
        person.failed(shown, "the issuer refused")
        assert "You are not signed in" in shown.text
        assert "<script>Pay" not in shown.html
    assert person.issuer.asked == []


@pytest.mark.parametrize("code", ["", "x" * (CODE_LENGTH_MAX + 1)])
def test_a_code_that_can_be_none_is_not_sent(person: Person, code: str) -> None:
    """Empty, or longer than any."""
    _, state = person.begin()
    person.failed(person.come_back(code=code, state=state), "no usable code")
    assert person.issuer.asked == []


def test_a_wrong_code_is_the_issuers_to_refuse(person: Person) -> None:
    """Its word for it is all that is logged."""
    _, state = person.begin()
    person.failed(person.come_back(code="wrong", state=state), "token endpoint: invalid_grant")


def test_coming_back_twice_signs_in_once(person: Person) -> None:
    """The second time nothing is under way; with a copy of the cookie the code is used up."""
    code, state = person.begin()
    kept = person.browser.cookies[UNDER_WAY]
    assert person.come_back(code=code, state=state).status == 303
    person.browser.cookies = {UNDER_WAY: kept}
    person.failed(person.come_back(code=code, state=state), "token endpoint: invalid_grant")
    again = person.come_back(code=code, state=state)
    person.failed(again, "none is under way in this browser")


# --------------------------------------------------------------------------- what the issuer says


@pytest.mark.parametrize(
    ("claims", "details"),
    [
        ({"nonce": "another"}, "the answer to another sign-in"),
        ({"nonce": None}, "the answer to another sign-in"),
        ({"aud": "client-2"}, "InvalidAudienceError"),
        ({"aud": [AUDIENCE, "client-2"]}, "meant for others, too"),
        ({"iss": "https://other.example"}, "InvalidIssuerError"),
        ({"exp": 1}, "ExpiredSignatureError"),
        ({"token_use": "access"}, "not an ID token"),
        ({"sub": ""}, "a subject of no usable length"),
    ],
)
def test_a_token_that_does_not_hold_signs_nobody_in(
    person: Person, claims: dict[str, object], details: str
) -> None:
    """It is checked as every token is, and for being the answer to this very sign-in."""
    person.issuer.claims = claims
    person.failed(person.sign_in(), details)


def test_a_token_of_another_key_signs_nobody_in(person: Person) -> None:
    """Whoever answers at the token endpoint, the signature decides."""
    person.issuer.key = rsa_key()
    person.failed(person.sign_in(), "InvalidSignatureError")


@pytest.mark.parametrize(
    ("status", "body", "details", "told"),
    [
        (400, b'{"error":"invalid_grant"}', "invalid_grant", 401),
        (400, b'{"error":"it was code-0"}', "an error of its own", 401),
        (200, b'{"error":["x"],"id_token":"x"}', "an error of its own", 401),
        (400, b"<html>no", "status 400", 503),
        (403, b'["no"]', "status 403", 503),
        (500, b'{"error":"server_error"}', "status 500", 503),
        (302, b"", "ValueError", 503),
        (200, b"", "ValueError", 503),
        (200, b"id_token=x", "ValueError", 503),
        (200, b'["id_token"]', "ValueError", 503),
        (200, b'"id_token"', "ValueError", 503),
        (200, b"\xff\xfe", "ValueError", 503),
        (200, b"[" * 50_000, "RecursionError", 503),
        (200, b'{"id_token":"x","expires_in":"soon"}', "ValueError", 503),
        (200, b'{"id_token":"x","expires_in":1e999}', "OverflowError", 503),
        (200, b'{"id_token":"x","expires_in":{"a":1}}', "TypeError", 503),
        (200, b'{"id_token":"' + b"x" * ANSWER_BYTES_MAX + b'"}', "TooLarge", 503),
    ],
)
def test_an_answer_that_is_no_token_is_told(
    person: Person, status: int, body: bytes, details: str, told: int
) -> None:
    """An issuer's refusal is a failed sign-in, nonsense an issuer that does not work."""
    person.issuer.answer = lambda: (status, body)
    shown = person.sign_in()
    assert len(person.issuer.asked) == 1
    logged = person.browser.world.lines[-1]["details"]
    assert logged.startswith(f"token endpoint: {details}")
    person.failed(shown, logged, status=told)


@pytest.mark.parametrize("body", [b"{}", b'{"id_token":null}', b'{"id_token":{"a":"b"}}'])
def test_without_an_id_token_nobody_is_signed_in(person: Person, body: bytes) -> None:
    """An access token speaks for nobody here."""
    person.issuer.answer = lambda: (200, body)
    person.failed(person.sign_in(), "the issuer gave no ID token")


@pytest.mark.parametrize("text", [b'"x"', b'"a.b.c"', b'""', b'"' + b"x" * 20_000 + b'"'])
def test_an_id_token_that_is_none_is_refused(person: Person, text: bytes) -> None:
    """Its text is looked at as hostile as any."""
    person.issuer.answer = lambda: (200, b'{"id_token":' + text + b"}")
    shown = person.sign_in()
    person.failed(shown, person.browser.world.lines[-1]["details"])


def test_an_issuer_out_of_reach_is_told(at: Issuer) -> None:
    """Nothing of the person is lost by it, and nothing is told of the network."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/token"
        person = Person(at, OSIRIS_OIDC_TOKEN_URL=url)
        shown = person.sign_in()
    assert shown.status == 503
    assert "The sign-in service does not answer" in shown.text
    assert "127.0.0.1" not in shown.html
    assert person.browser.world.lines[-1]["code"] == "identity_unavailable"


def test_keys_out_of_reach_are_told(person: Person) -> None:
    """A token that can't be checked signs nobody in."""
    person.issuer.jwks.status = 500
    shown = person.sign_in()
    person.failed(shown, "JWKS: status 500", status=503)
