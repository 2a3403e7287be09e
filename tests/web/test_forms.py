"""Forms: only a page of the same session can send one, and nothing else has any effect."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from osiris.flows import keys
from osiris.web.visit import FIELDS_MAX, FORM_BYTES_MAX
from tests.web.browser import SITE, Browser, Shown, event, web_world
from tests.web.estate import Estate, estate
from tests.web.template_routes import PageRoute, page_actions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

POSTS = [route for route in page_actions() if route.method == "POST"]
WRITES = {"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem"}
# Right for each form, whichever it is: what is refused is refused for how it was sent.
FIELDS = {
    "name": "another name",
    "status": "disabled",
    "overlap_hours": "0",
    "confirm": "Apparatus of Ada",
    "package": "100",
    "method": "crypto",
    "coin": "btc",
    "idempotency": "0123456789abcdef",
}


@pytest.fixture(scope="module")
def of_ada() -> Estate:
    return estate()


@pytest.fixture
def ada(of_ada: Estate) -> Iterator[Browser]:
    """Ada, signed in; nothing that the test sends may write anything, or be a failure of ours."""
    world = of_ada.world
    browser = Browser(world, "ada")
    before = world.memory.tables
    world.transport.calls.clear()
    world.lines.clear()
    yield browser
    assert not WRITES & set(world.transport.calls)
    assert world.memory.tables == before
    assert "internal_error" not in str(world.lines)
    assert browser.csrf not in str(world.lines)


def fields_of(of_ada: Estate) -> dict[str, str]:
    return {**FIELDS, "key": of_ada.key.id, "key_id": of_ada.key.id}


def sent(
    browser: Browser, target: str, body: bytes, headers: Mapping[str, str] | None = None
) -> Shown:
    """A body, just as it is."""
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    answer = browser.site.answer(
        event("POST", target, body, {"cookie": cookies, **(headers or {})})
    )
    return Shown(answer.status, answer.headers, b"".join(answer.body))


@pytest.fixture(params=POSTS, ids=lambda route: f"{route.path} {route.do}")
def target(request: pytest.FixtureRequest, of_ada: Estate) -> str:
    """Each form's address in turn, with ids that are Ada's own."""
    address: str = request.param.target(of_ada.values)
    return address


# ---------------------------------------------------------------------------- whose form it is


@pytest.mark.parametrize(
    "token", [None, "", "0" * 22, "é", "\0", "null", "another session's", "cut", "in capitals"]
)
def test_a_form_needs_its_sessions_token(
    ada: Browser, of_ada: Estate, target: str, token: str | None
) -> None:
    """None, a wrong one, a part of it, and that of the same person's other session are refused."""
    other = Browser(of_ada.world, "ada").csrf
    meant = {"another session's": other, "cut": ada.csrf[:-1], "in capitals": ada.csrf.swapcase()}
    fields = fields_of(of_ada)
    if token is not None:
        fields["csrf"] = meant.get(token, token)
    shown = ada.post_as(target, fields, origin=SITE, sec_fetch_site="same-origin")
    assert shown.status == 403
    assert "This form is too old" in shown.text


def test_the_last_of_two_tokens_counts(ada: Browser, target: str) -> None:
    """A right one before a wrong one helps nobody."""
    body = urlencode([("csrf", ada.csrf), ("csrf", "0" * 22), *FIELDS.items()]).encode()
    assert sent(ada, target, body).status == 403


@pytest.mark.parametrize("place", ["query", "header"])
def test_a_token_elsewhere_is_none(ada: Browser, target: str, place: str) -> None:
    """It stands in the form or not at all."""
    asked = f"{target}?csrf={ada.csrf}" if place == "query" else target
    headers = {"x-csrf": ada.csrf, "csrf": ada.csrf} if place == "header" else {}
    assert sent(ada, asked, urlencode(FIELDS).encode(), headers).status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": f"{SITE}.evil.example"},
        {"origin": "http://osiris.example"},
        {"origin": f"{SITE}:8443"},
        {"origin": "https://sub.osiris.example"},
        {"origin": f"{SITE}/"},
        {"origin": ""},
        {"origin": f"null, {SITE}"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": ""},
        {"sec-fetch-site": "cross-site", "origin": SITE},
    ],
    ids=str,
)
def test_another_sites_form_is_refused(
    ada: Browser, of_ada: Estate, target: str, headers: dict[str, str]
) -> None:
    """Though it had the token: what the browser says of where it comes from is believed."""
    body = urlencode({**fields_of(of_ada), "csrf": ada.csrf}).encode()
    assert sent(ada, target, body, headers).status == 403


def test_a_form_without_a_session_leads_to_the_sign_in(ada: Browser, target: str) -> None:
    """And from there to the keys, not to a form's address."""
    kept, ada.cookies = ada.cookies, {}
    shown = ada.post(target, **FIELDS)
    assert (shown.status, shown.location) == (303, "/sign-in?next=%2Fkeys")
    ada.cookies = kept


# -------------------------------------------------------------------------- what is in a form


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"csrf=%s&x=" + b"x" * FORM_BYTES_MAX, 413, id="too large"),
        pytest.param(b"csrf=%s" + b"&x=" * FIELDS_MAX, 400, id="too many fields"),
        pytest.param(b"&" * (FORM_BYTES_MAX + 1), 413, id="too many marks"),
        pytest.param(b"csrf=%s&name=\xc3\xa9", 400, id="not in ASCII"),
        pytest.param(b"csrf=%s&name=\xff\xfe", 400, id="not in UTF-8"),
        pytest.param(b"csrf=%s&name=%%ff", 400, id="percent signs that are not UTF-8"),
        pytest.param(b"csrf=%s&name=%%ed%%a0%%80", 400, id="a lone surrogate"),
        pytest.param(b"csrf=%s&%%ff=name", 400, id="such a name"),
    ],
)
def test_what_cannot_be_read_is_refused(
    ada: Browser, target: str, body: bytes, status: int
) -> None:
    """Whatever else is right, with the page's own words and never as our failure."""
    whole = body.replace(b"%s", ada.csrf.encode()).replace(b"%%", b"%")
    shown = sent(ada, target, whole)
    assert shown.status == status
    assert "Nothing was changed" in shown.text


@pytest.mark.parametrize("body", [b"", b"&", b"=", b"csrf", b"{}", b'{"csrf": "x"}', b"--x\r\n"])
def test_what_is_no_form_has_no_token(ada: Browser, target: str, body: bytes) -> None:
    """Other kinds of body are forms without fields."""
    assert sent(ada, target, body, {"content-type": "application/json"}).status == 403


def test_as_many_bytes_and_fields_as_may_be(of_ada: Estate) -> None:
    """The limits themselves are within."""
    ada = Browser(of_ada.world, "ada")
    fields = [("csrf", ada.csrf), ("name", ""), *[("x", "")] * (FIELDS_MAX - 3)]
    body = urlencode(fields).encode() + b"&y="
    body += b"y" * (FORM_BYTES_MAX - len(body))
    assert len(body) == FORM_BYTES_MAX
    shown = sent(ada, "/keys", body)
    assert shown.status == 400
    assert "A name has 1 to 64 printable characters" in shown.text


# ----------------------------------------------------------------------------- what is let in


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "null"},
        {"origin": SITE},
        {"origin": "null", "sec-fetch-site": "same-origin"},
        {"origin": SITE, "sec-fetch-site": "same-origin", "content-type": "text/plain"},
    ],
    ids=str,
)
@pytest.mark.parametrize("route", POSTS, ids=lambda route: f"{route.path} {route.do}")
def test_a_form_of_ours_is_taken(route: PageRoute, headers: dict[str, str]) -> None:
    """With its session's token, from this site or from one the browser keeps to itself."""
    fresh = estate()
    ada = Browser(fresh.world, "ada")
    body = urlencode({**fields_of(fresh), "do": route.do, "csrf": ada.csrf}).encode()
    shown = sent(ada, route.target(fresh.values), body, headers)
    assert shown.status in (200, 303, 409), shown.text
    assert not shown.location.startswith("/sign-in")


def test_a_form_below_a_base_path_has_the_sites_origin() -> None:
    """An origin has no path."""
    site_url = "https://x.execute-api.us-east-1.amazonaws.com/live"
    world = web_world({"OSIRIS_SITE_URL": site_url})
    ada = Browser(world, "ada")
    origin = site_url.removesuffix("/live")
    for given, status in ((origin, 303), (site_url, 403), (SITE, 403)):
        shown = ada.post_as("/keys", {"csrf": ada.csrf, "name": "laptop"}, origin=given)
        assert shown.status == status
    assert len(keys.list_keys(world.app, "ada")) == 1
