"""What the pages may do: no more than they do, and no less.

A browser is led through every route of theirs over the in-memory DynamoDB, past all that can have
become of keys, requests and orders, and what was called is compared with what the template allows.
What others do meanwhile (the proxy, the reconciler) is done with rights of their own.
"""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest

from osiris.flows.credit import grant
from osiris.flows.reconcile import reconcile
from osiris.web.assets import by_public_name
from tests.builders import admitted, settled
from tests.deploy.rights import allowed, note_secrets, whole_template
from tests.deploy.shop import DOLLAR, HOUR_MS, MINUTE_MS, Shop, ask_about_all, shop
from tests.scripted_provider import COIN
from tests.web.browser import ENVIRONMENT, SESSION_KEY, Browser
from tests.web.template_routes import page_routes

if TYPE_CHECKING:
    from local.template import Template
    from osiris.ledger.order import Order
    from tests.builders import World
    from tests.web.browser import Shown

EMAIL = "ada@example.com"
# The issuer is out of reach here. What it says is asked for with no right of AWS's.
UNANSWERED = {"GET /signed-in"}


@pytest.fixture(scope="module")
def template() -> Template:
    return whole_template()


def test_the_web_function_has_the_rights_that_it_uses(template: Template) -> None:
    """Every page and form, each with all that can be there to be read or moved."""
    here = shop(ENVIRONMENT)
    note_secrets(here.world.app, here.used, SESSION_KEY)
    look_around(Browser(here.world, None))
    ada = Browser(here.world, "ada", email=EMAIL)
    manage_keys(here, ada)
    look_back(here, ada)
    top_up(here, ada)
    leave(ada)
    assert answered(here.world) == {" ".join(route[:2]) for route in page_routes()} - UNANSWERED
    assert here.used.rights == allowed(template, "WebFunction")


def answered(world: World) -> set[str]:
    """The routes that had an answer which was no error."""
    pages = (line for line in world.lines if line["event"] == "page")
    return {line["route"] for line in pages if line["status"] < 400}


def look_around(nobody: Browser) -> None:
    """What is there for everybody, and the way in."""
    for path in ("/", "/models", "/getting-started", "/billing", "/limits", "/privacy"):
        assert nobody.get(path).status == 200, path
    for name in by_public_name():
        assert nobody.get(f"/assets/{name}").status == 200
    assert nobody.get("/sign-in").status == 303
    assert nobody.get("/signed-in?code=c&state=s").status == 401
    assert nobody.get("/keys").location.startswith("/sign-in")


def manage_keys(here: Shop, ada: Browser) -> None:
    """Each form of a key, on keys with and without credit."""
    done(ada.post("/keys", name="trial", kind="trial"))
    key_id = here.key_id()
    here.used.pause(lambda: grant(here.world.app, key_id, amount_nano=DOLLAR, days=30))
    path = f"/keys/{key_id}"
    for part in ("", "/meter", "/secret"):
        assert ada.get(f"{path}{part}").status == 200
    for status in ("disabled", "live"):
        done(ada.post(path, do="status", status=status))
    done(ada.post(path, do="rename", name="desk"))
    done(ada.post(path, do="rotate", overlap_hours="1"))
    done(ada.post(path, do="delete", confirm="desk"))


def look_back(here: Shop, ada: Browser) -> None:
    """A key's history: hours that are summed and open ones, and a hold that was lost before them.

    Behind a page of the ledger that is older than any request can run, a hold that waits for
    recovery is looked up by itself.
    """
    world, used = here.world, here.used
    key_id = here.key_id()
    request_id = used.pause(lambda: use(here, key_id))
    path = f"/keys/{key_id}"
    for page in ("/usage", f"{path}/ledger", f"{path}/requests", f"/requests/{request_id}"):
        assert ada.get(page).status == 200, page
    world.pass_ms(30 * MINUTE_MS)
    older = re.search(r'<a [^>]*href="([^"]*before=[^"]*)"', ada.get(f"{path}/ledger").html)
    assert older is not None
    assert ada.get(unescape(older[1])).status == 200
    for export in ("ledger.csv", "requests.csv"):
        assert ada.get(f"{path}/{export}").status == 200
    assert ada.get(f"/find?id={request_id}").status == 303


def use(here: Shop, key_id: str) -> str:
    """Requests before and after a run of the reconciler, and more entries than a page has.

    The id of the first request.
    """
    world = here.world
    grant(world.app, key_id, amount_nano=10 * DOLLAR, days=30)
    key = world.stored_key(key_id)
    first = admitted(world, key, DOLLAR)
    settled(world, key, first, DOLLAR, 1_000_000)
    world.pass_ms(2 * HOUR_MS)
    assert reconcile(world.app).failed == 0
    admitted(world, key, DOLLAR)  # and lost
    last = admitted(world, key, DOLLAR)
    settled(world, key, last, DOLLAR, 1_000_000)
    for _ in range(60):
        world.pass_ms(1)
        grant(world.app, key_id, amount_nano=1, days=30)
    return first


def top_up(here: Shop, ada: Browser) -> None:
    """Choosing, ordering, cancelling, and looking at orders with all that can become of them."""
    key_id = here.key_id()
    assert ada.get("/topup").status == 200
    assert ada.get(f"/topup?key={key_id}&package=100&method=crypto&q={COIN}").status == 200
    wish = {"key": key_id, "package": "100", "method": "qris", "idempotency": "once" * 8}
    ordered = done(ada.post("/orders", **wish))
    assert ada.post("/orders", **wish).location == ordered.location
    assert ada.get(f"{ordered.location}/state").status == 200
    done(ada.post(ordered.location))
    credited: list[Order] = []

    def look(order: Order) -> None:
        ada.sign_in("ada", email=EMAIL)
        assert ada.get(f"/orders/{order.id}").status == 200
        credited.append(order)

    ask_about_all(here, look)
    assert ada.get(f"/orders/{credited[0].id}/receipt").status == 200
    assert ada.get("/orders").status == 200


def leave(ada: Browser) -> None:
    """Signed out, a copy of the cookie opens nothing."""
    copy = dict(ada.cookies)
    assert ada.post("/sign-out").status == 303
    ada.cookies = copy
    assert ada.get("/keys").location.startswith("/sign-in")


def done(shown: Shown) -> Shown:
    """A form's answer: it led on."""
    assert shown.status == 303, shown.text
    return shown
