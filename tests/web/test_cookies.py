"""Cookies: what a browser is told to keep, and what is read of a header that anybody may write."""

from __future__ import annotations

import pytest

from osiris.web.cookies import COOKIES_LENGTH_MAX, cookie, read_cookies
from osiris.web.session import new_session, seal_of, sealed_session
from tests.web.browser import Browser, Shown, event, web_world

LOCAL = "http://127.0.0.1:8080"


def attributes(header: str) -> tuple[str, set[str]]:
    """A Set-Cookie header's name, and its attributes but for how long it lives."""
    pair, *others = header.split("; ")
    return pair.partition("=")[0], {part for part in others if not part.startswith("Max-Age=")}


def set_cookies(shown: Shown) -> list[str]:
    return [value for name, value in shown.headers if name == "Set-Cookie"]


def test_each_cookie_is_for_this_host_alone() -> None:
    """By https: no other host can set it, no script read it, no other site's form send it."""
    ada = Browser(web_world(), "ada")
    ada.world.pass_ms(3_600_000)
    shown = [ada.get("/keys?lang=id"), ada.post("/keys", name="laptop"), ada.get("/sign-in")]
    headers = [header for one in shown for header in set_cookies(one)]
    names = {name for name, _ in map(attributes, headers)}
    assert names == {"__Host-session", "__Host-language", "__Host-secret", "__Host-sign-in"}
    for header in headers:
        assert attributes(header)[1] == {"Path=/", "HttpOnly", "SameSite=Lax", "Secure"}
        assert "domain" not in header.lower()


def test_on_ones_own_machine_cookies_need_no_https() -> None:
    """By plain http a browser takes neither the prefix nor `Secure`; the session works there."""
    world = web_world({"OSIRIS_SITE_URL": LOCAL})
    browser = Browser(world, None)
    app = world.app
    session = new_session("ada", "", now_ms=app.now_ms(), entropy=bytes(32))
    browser.cookies["osiris-session"] = sealed_session(seal_of(app), session)
    world.pass_ms(3_600_000)
    shown = browser.get("/keys")
    assert shown.status == 200
    name, others = attributes(*set_cookies(shown))
    assert (name, others) == ("osiris-session", {"Path=/", "HttpOnly", "SameSite=Lax"})
    assert shown.header("Strict-Transport-Security") == ""
    browser.cookies = {"__Host-session": browser.cookies["osiris-session"]}
    assert browser.get("/keys").status == 303


def test_by_https_a_cookie_without_the_prefix_is_not_ours() -> None:
    """Such a one may come from any subdomain."""
    ada = Browser(web_world(), "ada")
    ada.cookies = {"osiris-session": ada.cookies["__Host-session"]}
    assert ada.get("/keys").status == 303


def test_a_cookie_is_taken_away_with_the_attributes_it_was_set_with() -> None:
    """Else the browser would keep it."""
    assert cookie("session", "", lives_ms=0, secure=True) == (
        "__Host-session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"
    )


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", {}),
        ("a=1", {"a": "1"}),
        ("a=1; b=2", {"a": "1", "b": "2"}),
        ("a=1;b=2;", {"a": "1", "b": "2"}),
        ("a=1; a=2", {"a": "1"}),
        ("a=x=y==", {"a": "x=y=="}),
        ('a="q"; b="\\"', {"a": '"q"', "b": '"\\"'}),
        ("a=", {"a": ""}),
        ("a; b=2", {"b": "2"}),
        ("=x; b=2", {"": "x", "b": "2"}),
        (";;; ; b=2", {"b": "2"}),
        ("a b=1; b=2", {"a b": "1", "b": "2"}),
        ("{}=[]; b=2", {"{}": "[]", "b": "2"}),
        ("expires=1; path=/; b=2", {"expires": "1", "path": "/", "b": "2"}),
        ("$Version=1; b=2", {"$Version": "1", "b": "2"}),
        ("a=\x01\x7f; b=2", {"a": "\x01\x7f", "b": "2"}),
        ("a=é€; b=2", {"a": "é€", "b": "2"}),
        ("a=1, b=2", {"a": "1, b=2"}),
    ],
)
def test_each_cookie_is_read_by_itself(header: str, expected: dict[str, str]) -> None:
    """What one is like changes nothing for the next; no quotes and no attributes are understood."""
    assert read_cookies(header) == expected


@pytest.mark.parametrize("blank", ["\u00a0", "\u2000", "\u3000", "\x0b", "\x0c", "\x85", "\x1f"])
def test_a_blank_makes_another_name(blank: str) -> None:
    """Browsers hold a name with a blank before it not to be prefixed, so it must not be ours."""
    assert "__Host-session" not in read_cookies(f"{blank}__Host-session=x; __Host-session{blank}=y")


def test_a_header_beyond_the_limit_is_not_read() -> None:
    """Its length is what API Gateway would have refused."""
    assert read_cookies("a=1; b=" + "x" * COOKIES_LENGTH_MAX) == {}


@pytest.mark.parametrize(
    "stranger",
    [
        "theme",
        "prefs={a:1}",
        'x="unended',
        "=nameless",
        "path=/elsewhere",
        "a=\x01\x02",
        "ü=ö",
        "a b c",
        "$Version=1; $Path=/",
        "x=" + "y" * 4000,
        ";;;",
    ],
)
def test_a_strangers_cookie_signs_nobody_out(stranger: str) -> None:
    """Whatever another application of the same domain has set, before ours or after it."""
    ada = Browser(web_world(), "ada")
    ours = f"__Host-session={ada.cookies['__Host-session']}"
    for header in (f"{stranger}; {ours}", f"{ours}; {stranger}"):
        answer = ada.site.answer(event("GET", "/keys", headers={"cookie": header}))
        assert answer.status == 200


@pytest.mark.parametrize(
    "header",
    ["\0", "__Host-session", "__Host-session=", "__Host-session=\x00\x01", "a=b" * 6_000],
)
def test_a_hostile_header_is_somebody_unknown(header: str) -> None:
    """No cookie header is an error."""
    browser = Browser(web_world(), None)
    for path, status in (("/", 200), ("/keys", 303)):
        assert browser.site.answer(event("GET", path, headers={"cookie": header})).status == status
