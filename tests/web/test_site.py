"""What all pages have in common: their language, and what they say when something is wrong."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from osiris.errors import InternalError, StoreUnavailable
from osiris.http.messages import Answer
from osiris.web.site import Page, Site
from osiris.web.words import preferred
from tests.web.browser import Browser, Shown, event, web_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris.web.visit import Visit
    from tests.builders import World

SECRET = "sk-osiris-what-no-log-may-hold"


@pytest.fixture
def nobody() -> Browser:
    return Browser(web_world(), None)


def language_of(shown: Shown) -> str:
    found = re.search(r'<html lang="(\w+)">', shown.html)
    assert found is not None
    return found[1]


# ----------------------------------------------------------------------------------- the language


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("", "en"),
        ("id", "id"),
        ("ID", "id"),
        ("id-ID", "id"),
        ("id-ID,id;q=0.9,en-US;q=0.8,en;q=0.7", "id"),
        ("en-GB,en;q=0.9,id;q=0.8", "en"),
        ("de, id;q=0.5, en;q=0.4", "id"),
        ("en;q=0.1, id;q=0.2", "id"),
        ("id;q=0", "en"),
        ("id;q=0, en;q=0", "en"),
        ("*", "en"),
        ("de-DE", "en"),
        ("  id ; q=0.5", "en"),
        ("id;q=9", "en"),
        ("id;q=0.12345", "en"),
        ("idx", "en"),
        ("id-" + "x" * 1000, "en"),
        (",".join(["de"] * 20 + ["id"]), "en"),
        (",;=,,q", "en"),
        ("\u0131d, \x00", "en"),
    ],
)
def test_the_browsers_language_is_spoken(nobody: Browser, accepted: str, expected: str) -> None:
    """The first of ours by its weights; English for who names none of them, or nonsense."""
    assert preferred(accepted) == expected
    assert language_of(nobody.get("/", accept_language=accepted)) == expected


def test_a_chosen_language_is_kept(nobody: Browser) -> None:
    """What a link chose wins over the browser's settings, then and later, until another is."""
    assert language_of(nobody.get("/?lang=id", accept_language="en")) == "id"
    assert nobody.cookies["__Host-language"] == "id"
    assert language_of(nobody.get("/nothing", accept_language="en")) == "id"
    assert language_of(nobody.get("/?lang=en", accept_language="id")) == "en"
    assert language_of(nobody.get("/", accept_language="id")) == "en"


@pytest.mark.parametrize("unknown", ["de", "", "ID", "id%0d%0aSet-Cookie:%20a=b", "..%2Fid", "%00"])
def test_an_unknown_language_is_nobodys_choice(nobody: Browser, unknown: str) -> None:
    """It sets no cookie, nor does one count that has it."""
    shown = nobody.get(f"/?lang={unknown}", accept_language="id")
    assert language_of(shown) == "id"
    assert shown.header("Set-Cookie") == ""
    nobody.cookies["__Host-language"] = unknown
    assert language_of(nobody.get("/", accept_language="id")) == "id"


def test_a_language_is_chosen_on_every_page(nobody: Browser) -> None:
    """The links keep where one is, with its query; after a form they lead to the start."""
    assert 'href="/nothing/here?a=b&amp;lang=id"' in nobody.get("/nothing/here?a=b").html
    ada = Browser(web_world(), "ada")
    assert 'href="/?lang=id"' in ada.post("/keys", name="").html


# -------------------------------------------------------------------------------------- the errors


def test_an_error_is_told_with_its_id(nobody: Browser) -> None:
    """The page, the header and the log have the same id, by which an operator finds it."""
    shown = nobody.get("/nothing/here")
    assert shown.status == 404
    assert "There is no such page" in shown.text
    line = nobody.world.lines[-1]
    assert line["request_id"] == shown.header("X-Request-Id")
    assert line["request_id"] in shown.text
    assert (line["route"], line["status"], line["code"]) == (
        "GET /{path+}",
        404,
        "route_not_found",
    )


def test_a_log_line_has_the_route_and_no_address(nobody: Browser) -> None:
    """What stands in a path or a query may be anybody's secret."""
    nobody.get(f"/{SECRET}?q={SECRET}", user_agent=SECRET, cookie=SECRET)
    nobody.get(f"/signed-in?code={SECRET}&state={SECRET}")
    nobody.get(f"/keys/{SECRET}")
    assert len(nobody.world.lines) == 3
    assert SECRET not in str(nobody.world.lines)


@pytest.mark.parametrize("path", ["/v1/nothing", "/api/keys/x/y", "/webhooks/x/y"])
def test_programs_are_told_in_json(nobody: Browser, path: str) -> None:
    """Below the API's paths an unknown one gets the API's error, which other origins may read."""
    shown = nobody.get(path)
    assert (shown.status, shown.header("Content-Type")) == (404, "application/json")
    assert shown.header("Access-Control-Allow-Origin") == "*"
    assert json.loads(shown.body)["error"]["code"] == "route_not_found"


def broken(_visit: Visit) -> Answer:
    raise RuntimeError(SECRET)


def cut_short(_visit: Visit) -> Answer:
    return Answer(200, [("Content-Type", "text/csv")], _lines(StoreUnavailable(details="Query")))


def broken_off(_visit: Visit) -> Answer:
    return Answer(200, [("Content-Type", "text/csv")], _lines(RuntimeError(SECRET)))


def _lines(error: Exception) -> Iterator[bytes]:
    yield b"a,b\r\n"
    raise error


def answered(world: World, page: Page, method: str = "GET") -> Shown:
    answer = Site(world.app, {(method, "/keys"): page}).answer(event(method, "/keys"))
    return Shown(answer.status, answer.headers, b"".join(answer.body))


@pytest.fixture
def world() -> World:
    return web_world()


def test_a_defect_is_told_without_its_text(world: World) -> None:
    """Neither the page nor the log has what the exception says, the log where it was raised."""
    shown = answered(world, Page(broken, public=True))
    assert shown.status == 500
    assert "Something went wrong on our side" in shown.text
    assert SECRET not in f"{shown}{world.lines}"
    error, page = world.lines
    assert (error["event"], error["error"]) == ("internal_error", "RuntimeError")
    assert "test_site.py:" in error["places"][-1]
    assert error["request_id"] == page["request_id"] == shown.header("X-Request-Id")
    assert (page["status"], page["code"]) == (500, "internal_error")


def test_a_page_of_errors_that_fails_is_told_in_plain_text(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a broken template or translation there is still an answer, with all its headers."""
    monkeypatch.setattr("osiris.web.site.page", broken)
    shown = answered(world, Page(broken, public=True))
    assert (shown.status, shown.text) == (500, InternalError.message)
    assert shown.header("Content-Type") == "text/plain; charset=utf-8"
    assert shown.header("Content-Security-Policy") != ""
    assert SECRET not in f"{shown}{world.lines}"


@pytest.mark.parametrize("handler", [cut_short, broken_off])
def test_a_stream_that_fails_breaks_off(world: World, handler: object) -> None:
    """A part of an export must not look like the whole: the error reaches the runtime."""
    with pytest.raises((StoreUnavailable, RuntimeError)):
        answered(world, Page(handler, public=True))  # type: ignore[arg-type]
    assert SECRET not in str(world.lines)
    assert world.lines[-1].get("code", world.lines[-1]["event"]) in (
        "store_unavailable",
        "internal_error",
    )
