"""Who may see what: nobody anything without a session, and nobody anything of another account."""

from __future__ import annotations

from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlencode, urlsplit

import pytest

from osiris.flows import keys
from osiris.ids import ORDER_PREFIX
from osiris.web.session import opened_session, seal_of
from tests.web.browser import Browser, Shown, web_world
from tests.web.estate import EMAIL, Estate, estate
from tests.web.template_routes import PIECES, PUBLIC, PageRoute, page_actions, page_routes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SIGNED_IN = [route for route in page_actions() if not route.is_public]
# API Gateway's statement for each route in the function's policy, of which Lambda takes 20 KB.
STATEMENT_BYTES, POLICY_BYTES_MAX = 500, 20 * 1024
# Whatever a page may call what it is asked for, or sent.
QUERY_NAMES: tuple[str, ...] = (
    *("key", "key_id", "order", "order_id", "request_id", "id", "after", "before", "cursor"),
    *("at", "pasted", "model", "q", "next", "package", "method", "coin", "idempotency"),
)
# What makes each form right, had its sender the right to send it.
FIELDS = {
    "name": "his name now",
    "status": "disabled",
    "overlap_hours": "0",
    "confirm": "Apparatus of Ada",
    "package": "100",
    "method": "qris",
}


def named(routes: list[PageRoute]) -> list[object]:
    return [pytest.param(route, id=" ".join(route).strip()) for route in routes]


# ------------------------------------------------------------------------------------ the routes


def test_every_route_of_the_template_is_answered() -> None:
    """By the pages of exactly these routes, and no others are there in vain."""
    assert Browser(web_world(), None).site.routes == {route[:2] for route in page_routes()}


def test_the_public_routes_are_these() -> None:
    """Each of the list is in the template; what is not in it needs a session."""
    assert {route[:2] for route in page_routes()} >= PUBLIC | PIECES
    assert not [route for route in PUBLIC if route[0] != "GET"]


def test_the_routes_fit_into_the_functions_policy() -> None:
    """Beyond 20 KB a deployment fails."""
    assert len(page_routes()) * STATEMENT_BYTES < POLICY_BYTES_MAX


# ------------------------------------------------------------------------------- without a session


def refuses(shown: Shown, route: PageRoute, target: str) -> bool:
    """Whether it leads to the sign-in, and from there back to where one wanted to go."""
    if route.is_piece:
        return shown.status == 401 and "Sign in again" in shown.text
    back = target if route.method == "GET" else "/keys"
    return (shown.status, shown.location) == (303, "/sign-in?" + urlencode({"next": back}))


def visited(browser: Browser, route: PageRoute, target: str, **fields: str) -> Shown:
    if route.method == "GET":
        return browser.get(target)
    return browser.post(target, do=route.do, **fields)


@pytest.mark.parametrize("route", named(SIGNED_IN))
def test_nobody_is_let_in_without_a_session(route: PageRoute) -> None:
    """A page leads to the sign-in and back, a part of one says so; no table is touched."""
    nobody = Browser(web_world(), None)
    target = route.target({"key_id": "abc", "order_id": "ord_1"})
    assert refuses(visited(nobody, route, target), route, target)
    if route.method == "GET":
        asked = f"{target}?from=2026-01-01&path=x&self=y"
        assert refuses(nobody.get(asked), route, asked)
    assert nobody.world.transport.calls == []


@pytest.mark.parametrize("route", named(SIGNED_IN))
def test_a_session_that_was_signed_out_opens_nothing(route: PageRoute) -> None:
    """A copy of its cookie is refused as no cookie is, and the browser is told to drop it."""
    ada = Browser(web_world(), "ada")
    copied = dict(ada.cookies)
    assert ada.post("/sign-out").status == 303
    assert ada.cookies == {}
    ada.cookies = copied
    target = route.target({})
    shown = visited(ada, route, target, **FIELDS)
    assert refuses(shown, route, target)
    assert ada.cookies == {}
    assert keys.list_keys(ada.world.app, "ada") == []


def test_public_pages_show_nothing_of_whose_session_it_is() -> None:
    """They are answered without a look at the table, so to a copied cookie, too."""
    ada = Browser(web_world(), "ada", email=EMAIL)
    assert EMAIL in ada.get("/keys").html
    ada.world.transport.calls.clear()
    for path in ("/", "/billing", "/nothing"):
        shown = ada.get(path)
        assert "Sign out" in shown.text
        assert EMAIL not in shown.html
    assert "GetItem" not in ada.world.transport.calls


def test_signing_out_leaves_other_sessions(estate_of_ada: Estate) -> None:
    """The same person's other browser goes on."""
    here = Browser(estate_of_ada.world, "ada")
    there = Browser(estate_of_ada.world, "ada")
    here.post("/sign-out")
    assert there.get("/keys").status == 200


def test_a_renewed_copy_is_signed_out_with_its_session() -> None:
    """Revoked is the session, not one of its cookies, for as long as any of them could live."""
    ada = Browser(web_world(), "ada")
    ada.world.pass_ms(3_600_000)
    ada.get("/keys")
    renewed = dict(ada.cookies)
    ada.world.pass_ms(3_600_000)
    ada.post("/sign-out")
    assert ada.cookies == {}
    ada.cookies = dict(renewed)
    session = opened_session(seal_of(ada.world.app), renewed["__Host-session"], ada.world.now_ms)
    assert session is not None
    assert ada.get("/keys").status == 303
    (item,) = ada.world.memory.items("CatalogueTable")
    assert item["expires_at_s"]["N"] == str(-(-session.ends_at_ms // 1000))


def test_a_long_way_back_is_forgotten() -> None:
    """A sign-in leads home when the page asked for has an address that no cookie should keep."""
    shown = Browser(web_world(), None).get("/usage?from=" + "%22" * 2_000)
    assert (shown.status, shown.location) == (303, "/sign-in")


# -------------------------------------------------------------------------- another's account


@pytest.fixture(scope="module")
def estate_of_ada() -> Estate:
    return estate()


@pytest.fixture
def bob(estate_of_ada: Estate) -> Iterator[Browser]:
    """Bob, signed in, with a key of his own. Whatever he does, what Ada has stays as it was."""
    before = estate_of_ada.items()
    yield Browser(estate_of_ada.world, "bob", email="bob@example.com")
    assert estate_of_ada.items() == before


def leaked(shown: Shown, sent: str, marks: frozenset[str]) -> list[str]:
    """Ada's marks in an answer, but for those that were in the question."""
    told = unescape(unquote(f"{shown.headers}{shown.body.decode()}"))
    return sorted(mark for mark in marks if mark in told and mark not in unquote(sent))


@pytest.mark.parametrize("route", named([route for route in SIGNED_IN if route.parameters]))
def test_a_stranger_finds_nothing_under_anothers_ids(
    bob: Browser, estate_of_ada: Estate, route: PageRoute
) -> None:
    """With her ids in the path, and his own session and token: there is no such thing."""
    for values in ways(route, estate_of_ada):
        target = route.target(values)
        shown = visited(bob, route, target, **FIELDS)
        assert shown.status in (400, 404, 409), target
        assert leaked(shown, target, estate_of_ada.marks) == []


def ways(route: PageRoute, of: Estate) -> Iterator[Mapping[str, str]]:
    """Her ids where they belong, and each of them everywhere."""
    yield of.values
    for id in of.ids:
        yield dict.fromkeys(route.parameters, id)


@pytest.mark.parametrize("route", named(SIGNED_IN))
def test_a_stranger_gets_nothing_by_anothers_ids_in_a_query_or_a_form(
    bob: Browser, estate_of_ada: Estate, route: PageRoute
) -> None:
    """On pages about his own, each name that a page may read says an id of hers."""
    app = bob.world.app
    own = next(iter(keys.list_keys(app, "bob")), None) or keys.create(app, "bob", name="his").key
    for id in sorted(estate_of_ada.ids):
        target = route.target({**estate_of_ada.values, "key_id": own.id})
        if route.method == "POST":
            hers = {
                **FIELDS,
                **dict.fromkeys(QUERY_NAMES[:6], id),
                "idempotency": id,
                "do": route.do,
            }
            sent, shown = f"{target} {hers}", bob.post(target, **hers)
        else:
            sent = target + "?" + urlencode(dict.fromkeys(QUERY_NAMES, id))
            shown = bob.get(sent)
        assert shown.status < 500, sent
        assert leaked(shown, sent, estate_of_ada.marks) == []
        assert urlsplit(shown.location).path != "/sign-in" or route.path == "/sign-out"
        bob.sign_in("bob")


def test_ada_herself_finds_it_all(estate_of_ada: Estate) -> None:
    """So what a stranger is refused is there, and a mark would be seen."""
    ada = Browser(estate_of_ada.world, "ada", email=EMAIL)
    orders = sorted(id for id in estate_of_ada.ids if id.startswith(ORDER_PREFIX))
    seen = "".join(unescape(ada.get(f"/orders/{id}").html) for id in orders)
    for route in SIGNED_IN:
        if route.method == "GET":
            target = route.target(estate_of_ada.values)
            shown = ada.get(target + ("?id=" + quote(estate_of_ada.values["key_id"])))
            assert shown.status in (200, 303), target
            seen += unescape(shown.html)
    missing = [mark for mark in estate_of_ada.marks if mark not in seen]
    assert missing == []
