"""Every answer's headers, every page's markup: what a browser must not be made to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from osiris.web.rendering import TEMPLATES
from osiris.web.visit import NEXT_LENGTH_MAX
from tests.web.browser import Browser, Shown, event
from tests.web.estate import Estate, estate
from tests.web.markup import Markup
from tests.web.template_routes import page_routes

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE_BYTES_MAX = 50_000
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "form-action": "'self' https://sign-in.example",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000",
}


@pytest.fixture(scope="module")
def of_ada() -> Estate:
    return estate()


@pytest.fixture
def ada(of_ada: Estate) -> Browser:
    return Browser(of_ada.world, "ada", email="ada@lovelace.example")


@pytest.fixture
def nobody(of_ada: Estate) -> Browser:
    return Browser(of_ada.world, None)


# ------------------------------------------------------------------------------------ the headers

ANSWERS: dict[str, tuple[int, Callable[[Browser, Browser], Shown]]] = {
    "a public page": (200, lambda nobody, _: nobody.get("/")),
    "the same to a member": (200, lambda _, ada: ada.get("/")),
    "a page": (200, lambda _, ada: ada.get("/keys")),
    "a part of a page": (401, lambda nobody, _: nobody.get("/keys/abc/meter")),
    "the way to the sign-in": (303, lambda nobody, _: nobody.get("/keys")),
    "the way to the issuer": (303, lambda nobody, _: nobody.get("/sign-in")),
    "a failed sign-in": (401, lambda nobody, _: nobody.get("/signed-in?code=x&state=y")),
    "no such page": (404, lambda nobody, _: nobody.get("/nothing/here")),
    "no such asset": (404, lambda nobody, _: nobody.get("/assets/style.css")),
    "no such route of the API": (404, lambda nobody, _: nobody.get("/v1/nothing")),
    "no such key": (404, lambda _, ada: ada.get("/keys/abc")),
    "a form that was refused": (403, lambda _, ada: ada.post("/keys", csrf="wrong")),
    "a form that was wrong": (400, lambda _, ada: ada.post("/keys", name="")),
    "an asset": (200, lambda nobody, _: nobody.get(asset_of(nobody))),
    "an export": (200, lambda _, ada: ada.get(f"/keys/{key_id(ada)}/ledger.csv")),
}


def asset_of(browser: Browser) -> str:
    return Markup(browser.get("/").html).of("script")[0]["src"]


def key_id(browser: Browser) -> str:
    found = re.search(r'/keys/(\w{12})"', browser.get("/keys").html)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("kind", ANSWERS)
def test_every_kind_of_answer_has_the_strict_headers(
    nobody: Browser, ada: Browser, kind: str
) -> None:
    """Each of them once, with the one policy, which allows nothing inline."""
    status, ask = ANSWERS[kind]
    shown = ask(nobody, ada)
    assert shown.status == status
    names = [name for name, _ in shown.headers if name != "Set-Cookie"]
    assert len(names) == len(set(names))
    parts = [part.partition(" ") for part in shown.header("Content-Security-Policy").split("; ")]
    assert {name: value for name, _, value in parts} == POLICY
    assert {name: shown.header(name) for name in HEADERS} == HEADERS
    assert re.fullmatch(r"req_\w{16}", shown.header("X-Request-Id"))


@pytest.mark.parametrize("kind", ANSWERS)
def test_what_is_a_persons_is_kept_by_no_cache(nobody: Browser, ada: Browser, kind: str) -> None:
    """And what any cache may keep sets no cookie, though it was asked for in a language."""
    _, ask = ANSWERS[kind]
    shown = ask(nobody, ada)
    if kind == "an asset":
        assert shown.header("Cache-Control") == "public, max-age=31536000, immutable"
    elif kind == "a public page":
        assert shown.header("Cache-Control") == "no-cache"
        assert "Cookie" in shown.header("Vary")
    else:
        assert shown.header("Cache-Control") == "no-store"
    asked = nobody.get(asset_of(nobody) + "?lang=id")
    assert asked.status == 200
    assert asked.header("Set-Cookie") == ""


# ------------------------------------------------------------------------------------- the markup


def reached(browser: Browser, start: str) -> dict[str, Shown]:
    """Every page that links lead to, without the sign-in's and those with a query of their own."""
    found: dict[str, Shown] = {}
    waiting = [start]
    while waiting:
        path = waiting.pop()
        if path in found or path.partition("?")[0] in ("/sign-in", ""):
            continue
        if not path.startswith("/") or "lang=" in path:
            continue
        found[path] = browser.get(path)
        kind = found[path].header("Content-Type")
        if found[path].status == 200 and kind.startswith("text/html"):
            waiting += Markup(found[path].html).links
        assert len(found) < 300
    return found


def test_every_link_leads_somewhere(ada: Browser, nobody: Browser) -> None:
    """Signed in or not, whoever follows the pages' links finds pages, each within its size."""
    for browser in (ada, nobody):
        pages = reached(browser, "/")
        assert len(pages) >= 8
        assert {path for path, shown in pages.items() if shown.status not in (200, 303)} == set()
        assert not [path for path, shown in pages.items() if len(shown.body) > PAGE_BYTES_MAX]


@pytest.mark.parametrize("language", ["en", "id"])
def test_no_page_has_script_or_style_in_it(
    ada: Browser, nobody: Browser, of_ada: Estate, language: str
) -> None:
    """They come from files of ours, as the policy wants it; each page has one main heading."""
    paths = [route.target(of_ada.values) for route in page_routes() if route.method == "GET"]
    public = {*reached(nobody, "/"), "/nothing/here"}
    for browser, path in [*((ada, path) for path in paths), *((nobody, path) for path in public)]:
        shown = browser.get(path, accept_language=language)
        if not shown.header("Content-Type").startswith("text/html"):
            continue
        markup = Markup(shown.html)
        assert markup.forbidden() == [], path
        if "<!doctype" in shown.html:
            assert len(markup.of("h1")) == 1, path
            assert markup.of("html") == [{"lang": language}], path


def test_no_template_has_script_or_style_in_it() -> None:
    """Nor does one switch escaping off but for a picture drawn here, or leave a value unquoted."""
    for path in TEMPLATES.iterdir():
        source = path.read_text().replace("{{ part.qr | safe }}", "")
        assert not re.search(r"<style|\bstyle=|<script(?![^>]*\bsrc=)|\son[a-z]+\s*=", source), path
        assert not re.search(r"javascript:|\|\s*safe\b|autoescape|Markup", source), path
        assert not re.search(r"""=\s*\{\{""", source), path


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "\"' onfocus=alert(1) x='"])
def test_what_is_asked_for_stays_text(ada: Browser, of_ada: Estate, text: str) -> None:
    """In whatever parameter of whatever page it comes: its markup is written out, or left out."""
    names = ("id", "q", "lang", "done", "key", "model", "from", "after", "package", text)
    for route in page_routes():
        if route.method == "GET":
            asked = route.target(dict.fromkeys(route.parameters, "x")) + "?"
            own = route.target(of_ada.values) + "?"
            query = "&".join(f"{quoted(name)}={quoted(text)}" for name in names)
            for target in (asked + query, own + query):
                shown = ada.get(target)
                assert shown.status < 500, target
                assert "<script>alert" not in shown.html
                if shown.header("Content-Type").startswith("text/html"):
                    assert Markup(shown.html).forbidden() == [], target


def quoted(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


# ------------------------------------------------------------------------------ links to ourselves


@pytest.mark.parametrize("name", ["path", "self", "visit", "request", "csrf", "template", "status"])
def test_no_name_of_a_parameter_is_special(ada: Browser, nobody: Browser, name: str) -> None:
    """A query may call its parameters as it likes."""
    for browser in (ada, nobody):
        for path in ("/", "/keys", "/nothing"):
            shown = browser.get(f"{path}?{name}=x")
            assert shown.status in (200, 303, 404)
            if shown.status != 303:
                assert f"{path}?{name}=x&amp;lang=id" in shown.html


@pytest.mark.parametrize("is_placed", [True, False])
@pytest.mark.parametrize(
    "path",
    ["//evil.example/x", "///evil.example", "/\\evil.example", "/%5Cevil.example", "/a%0d%0ab"],
)
def test_a_hostile_path_leads_to_no_other_site(nobody: Browser, path: str, is_placed: bool) -> None:
    """The page that says that there is none links to itself in other languages, here."""
    asked = event("GET", "/nothing")
    asked["path"] = path
    asked["requestContext"]["path"] = path if is_placed else None
    asked["pathParameters"] = {"path": path.removeprefix("/")}
    answer = nobody.site.answer(asked)
    links = Markup(b"".join(answer.body).decode()).links
    assert answer.status == 404
    assert len([link for link in links if "lang=id" in link]) == 1
    for link in links:
        assert re.match(r"/(?![/\\])", link), link


@pytest.mark.parametrize("path", ["/keys/\u2028", "/keys/é", "/keys/a b", "/keys/\x7f"])
def test_a_redirects_address_is_plain(nobody: Browser, path: str) -> None:
    """Whatever was asked for, in ASCII, without a blank, and no longer than a header may be."""
    asked = event("GET", "/keys/x")
    asked["path"] = asked["requestContext"]["path"] = path
    location = dict(nobody.site.answer(asked).headers)["Location"]
    assert re.fullmatch(r"/sign-in\?next=[!-~]+", location)
    long = nobody.get("/keys?x=" + "%C3%A9" * NEXT_LENGTH_MAX)
    assert long.location == "/sign-in"
