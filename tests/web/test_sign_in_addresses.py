"""Where a sign-in and a sign-out lead: to pages of ours and of the issuer, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from tests.issuer import AUDIENCE
from tests.web.browser import SITE, event
from tests.web.person import Person

if TYPE_CHECKING:
    from tests.web.scripted_issuer import Issuer

BELOW = "https://x.execute-api.us-east-1.amazonaws.com/live"


@pytest.fixture
def person(at: Issuer) -> Person:
    return Person(at)


# ------------------------------------------------------------------------------- where it leads


@pytest.mark.parametrize(
    "next",
    ["/", "/keys/abc?done=renamed", "/usage?from=2026-01-01&model=a%20b", "/a//b", "/%5Cevil"],
)
def test_a_sign_in_leads_back(person: Person, next: str) -> None:
    """To the page of ours that was asked for, with its query."""
    assert person.sign_in(next).location == next


@pytest.mark.parametrize(
    "next",
    [
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "\\/evil.example",
        "https://evil.example",
        "https:evil.example",
        "HTTPS://osiris.example/keys",
        "javascript:alert(1)",
        "data:text/html,x",
        "evil.example",
        "keys",
        "?x",
        "#x",
        ".evil.example",
        "@evil.example",
        " /keys",
        "\t//evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/keys\r\nSet-Cookie: a=b",
        "/keys\0",
        "/k\u0435ys",
        "/\u2028/evil.example",
        "//[",
        "http://[",
        "/" + "x" * 1_000,
    ],
)
def test_a_sign_in_leads_nowhere_else(person: Person, next: str) -> None:
    """To no other site, whatever the link said that it was begun by: home instead."""
    assert person.sign_in(next).location == "/keys"


def test_below_a_base_path_everything_is_below_it(at: Issuer) -> None:
    """The way back, the pages, the cookies' names; but cookies are the whole host's."""
    person = Person(at, OSIRIS_SITE_URL=BELOW)
    code, state = person.begin("/live/usage?from=2026-01-01")
    shown = person.come_back(code=code, state=state)
    assert shown.location == "/live/usage?from=2026-01-01"
    assert at.asked[-1].fields["redirect_uri"] == f"{BELOW}/signed-in"
    assert " Path=/;" in shown.header("Set-Cookie")
    page = person.browser.get("/keys").html
    assert 'href="/live/keys"' in page
    assert 'action="/live/sign-out"' in page
    person.browser.cookies.clear()
    assert person.browser.get("/keys").location == "/live/sign-in?next=%2Flive%2Fkeys"


@pytest.mark.parametrize("next", ["/keys", "/livelier/keys", "/live", "//live/keys", "live/keys"])
def test_below_a_base_path_nothing_else_is_ours(at: Issuer, next: str) -> None:
    """Other paths of the host may be somebody else's."""
    assert Person(at, OSIRIS_SITE_URL=BELOW).sign_in(next).location == "/live/keys"


def test_without_an_address_of_its_own_the_site_is_where_it_was_called(at: Issuer) -> None:
    """By API Gateway's word for domain and stage."""
    person = Person(at, OSIRIS_SITE_URL="")
    asked = event("GET", "/sign-in", headers={"host": "x.execute-api.example"})
    asked["requestContext"]["path"] = "/live/sign-in"
    asked["headers"]["X-Forwarded-Proto"] = "https"
    asked["multiValueHeaders"]["X-Forwarded-Proto"] = ["https"]
    location = dict(person.browser.site.answer(asked).headers)["Location"]
    (uri,) = parse_qs(urlsplit(location).query)["redirect_uri"]
    assert uri == "https://x.execute-api.example/live/signed-in"


# ------------------------------------------------------------------------------------- signing out


def test_signing_out_leads_through_the_issuers(person: Person) -> None:
    """There with what Cognito and OpenID Connect want to know, and from there to our start page."""
    person.sign_in()
    assert person.session is not None
    shown = person.browser.post("/sign-out", csrf=person.session.csrf)
    url = urlsplit(shown.location)
    assert (url.scheme, url.netloc, url.path) == ("https", "sign-in.example", "/logout")
    assert dict(parse_qsl(url.query)) == {
        "client_id": AUDIENCE,
        "logout_uri": f"{SITE}/",
        "post_logout_redirect_uri": f"{SITE}/",
    }
    assert person.browser.cookies == {}
    policy = shown.header("Content-Security-Policy")
    assert "form-action 'self' https://sign-in.example;" in policy


@pytest.mark.parametrize(
    ("logout_url", "location"),
    [
        ("", f"{SITE}/"),
        ("https://id.example/end?tenant=1", "https://id.example/end?tenant=1&client_id=client-1"),
    ],
)
def test_issuers_sign_out_as_they_do(at: Issuer, logout_url: str, location: str) -> None:
    """One without a page for it leaves us our own; one with a query of its own keeps it."""
    person = Person(at, OSIRIS_OIDC_LOGOUT_URL=logout_url)
    person.browser.sign_in("ada")
    assert person.browser.post("/sign-out").location.startswith(location)
