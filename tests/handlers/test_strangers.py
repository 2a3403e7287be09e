"""A second account at each route of `/api` that the template has, with the first one's ids.

It sees and changes nothing of the first account's. A route that is added is tried at once; one that
takes a body fails here until BODIES has a right one.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from local.template import Template
from osiris.flows import keys
from osiris.http.keys import keys_api
from osiris.http.topups import topups_api
from osiris.identity import account_id
from tests.flows.used_key import granted
from tests.handlers.caller import ADA, REPOSITORY, RSA, Answered, event
from tests.handlers.topup_caller import TopupCaller
from tests.issuer import ISSUER, jwks_server, token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.rest_api import Route

BOB = account_id(ISSUER, "bob")
KEY_NAME, OTHER_NAME = "Apparatus of Ada", "Second of Ada"
APIS = {"KeysFunction": keys_api, "TopupsFunction": topups_api}
ROUTES = [
    route
    for route in Template.load(REPOSITORY / "template.yaml").api({}).routes
    if route.path.startswith("/api/") and route.function is not None
]
NOT_FOUND = [(404, "key_not_found", None), (404, "order_not_found", None)]
# Whatever is said there is a new name, her ids too.
ANY_TEXT = {"name"}
# In the place of a key's id stands one of his own.
OWN_KEY = "<own>"
# Right ones, had their sender the right to send them.
BODIES: dict[tuple[str, str], list[dict[str, Any]]] = {
    ("POST", "/api/keys"): [{"name": "new", "kind": "paid"}],
    ("PATCH", "/api/keys/{id}"): [{"name": "mine"}, {"status": "disabled"}],
    ("POST", "/api/keys/{id}/rotate"): [{}, {"overlap_hours": 0}],
    ("POST", "/api/topups"): [
        {"package": "100", "key_id": OWN_KEY, "method": "qris"},
        {"package": "100", "key_id": OWN_KEY, "method": "crypto", "coin": "btc"},
    ],
    ("POST", "/api/topups/{id}/cancel"): [{}],
}
_PARAMETER = re.compile(r"\{[^{}]+\}")


class Estate(NamedTuple):
    """What Ada has: `ids` of keys and orders, `marks` that nobody else may be shown."""

    ada: TopupCaller
    ids: list[str]
    marks: list[str]

    def items(self) -> dict[str, list[str]]:
        """Whatever the tables have of her, byte for byte."""
        hers = [*self.ids, ADA]
        return {
            table: sorted(text for text in map(repr, items) if any(id in text for id in hers))
            for table, items in self.ada.world.memory.tables.items()
        }

    def ask(
        self, route: Route, path: str, body: dict[str, Any] | None, *, by: str, id: str = ""
    ) -> Answered:
        """What the route's function answers to this person; `id` is in each parameter."""
        api = APIS[route.function or ""](self.ada.world.app, self.ada.api._tokens)
        query = {"confirm": KEY_NAME, **({"after": id, "q": id} if id else {})}
        text = None if body is None else json.dumps(body)
        bearer = f"Bearer {token(RSA, sub=by)}"
        changes = {"resource": route.path}
        return Answered(api.answer(event(route.method, path, text, query, bearer, changes), None))

    def seen(self, answer: Answered, sent: str) -> list[str]:
        """Her marks in an answer, but for those that were in the question."""
        told = f"{answer.headers}{answer.text}"
        return [mark for mark in self.marks if mark in told and mark not in sent]


def named(routes: list[Route]) -> list[object]:
    return [pytest.param(route, id=f"{route.method} {route.path}") for route in routes]


def bodies(route: Route) -> list[dict[str, Any] | None]:
    found = BODIES.get((route.method, route.path))
    return [None] if found is None else list(found)


def has_parameters(route: Route) -> bool:
    return bool(_PARAMETER.search(route.path))


@pytest.fixture
def hers() -> Iterator[Estate]:
    """Two keys, and orders of which one is credited."""
    with jwks_server() as server:
        ada = TopupCaller(server)
        app = ada.world.app
        keys.rename(app, ADA, ada.key_id, KEY_NAME)
        other = keys.create(app, ADA, name=OTHER_NAME).key
        granted(ada.world, ada.world.stored_key(other.id))
        credited = ada.ordered()
        ada.paid(credited)
        orders = [credited, ada.ordered(package="250"), ada.ordered(key_id=other.id)]
        orders.append(ada.ordered(key_id=other.id, method="crypto", coin="btc"))
        ids = [ada.key_id, other.id, *(order["id"] for order in orders)]
        payments = [part["payment_id"] for order in orders for part in order["parts"]]
        yield Estate(ada, ids, [*ids, *payments, KEY_NAME, OTHER_NAME])


@pytest.fixture
def estate(hers: Estate) -> Iterator[Estate]:
    """Hers, which is afterwards as it was before."""
    before = hers.items()
    assert before["KeysTable"]
    assert before["OrdersTable"]
    yield hers
    assert hers.items() == before


def test_each_body_of_the_template_is_known() -> None:
    """A new route that changes something is tried with a body that would be right."""
    changing = {
        (route.method, route.path) for route in ROUTES if route.method not in ("GET", "DELETE")
    }
    assert changing == BODIES.keys()
    assert {route.function for route in ROUTES} == APIS.keys()


@pytest.mark.parametrize("route", named([route for route in ROUTES if has_parameters(route)]))
def test_anothers_ids_in_a_path_are_none(estate: Estate, route: Route) -> None:
    """404, whatever is asked for, for keys and orders."""
    for id in estate.ids:
        path = _PARAMETER.sub(id, route.path)
        for body in bodies(route):
            answer = estate.ask(route, path, body, by="bob", id=id)
            assert answer.error in NOT_FOUND, (path, answer.text)
            assert estate.seen(answer, path) == []


@pytest.mark.parametrize(
    "route", named([r for r in ROUTES if has_parameters(r) and r.method == "GET"])
)
def test_their_owner_finds_them(hers: Estate, route: Route) -> None:
    """So what a stranger is refused is there, and a mark would be seen."""
    paths = [_PARAMETER.sub(id, route.path) for id in hers.ids]
    answers = [hers.ask(route, path, None, by="ada") for path in paths]
    assert {answer.status for answer in answers} == {200, 404}
    assert any(hers.seen(answer, "") for answer in answers)


@pytest.mark.parametrize("route", named([route for route in ROUTES if not has_parameters(route)]))
def test_anothers_ids_in_a_query_or_a_body_open_nothing(estate: Estate, route: Route) -> None:
    """Each member of a body says an id of hers; where it names a key or an order, that is none."""
    app = estate.ada.world.app
    own = keys.create(app, BOB, name="his").key.id
    for id in estate.ids:
        for body in bodies(route):
            right = {
                name: own if value == OWN_KEY else value for name, value in (body or {}).items()
            }
            for member in sorted(right.keys() - ANY_TEXT) or [""]:
                sent = {**right, member: id} if member else body
                answer = estate.ask(route, route.path, sent, by="bob", id=id)
                assert answer.status < 500, answer.text
                if member.endswith("_id"):
                    assert answer.error in NOT_FOUND, answer.text
                assert estate.seen(answer, f"{sent} {id}") == []


@pytest.mark.parametrize(
    "route", named([r for r in ROUTES if not has_parameters(r) and r.method == "GET"])
)
def test_a_list_has_what_is_ones_own(estate: Estate, route: Route) -> None:
    """Without any id the same route tells each of the two nothing of the other."""
    own = keys.create(estate.ada.world.app, BOB, name="his").key.id
    his, hers = (estate.ask(route, route.path, None, by=person) for person in ("bob", "ada"))
    assert (his.status, hers.status) == (200, 200)
    assert estate.seen(his, "") == []
    assert own not in hers.text
