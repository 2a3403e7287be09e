"""The pages' routes as the template has them, each with values in its parameters' places."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from local.template import Template
from osiris.web.pages.keys import CHANGES
from tests.web.browser import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Mapping

# Whoever adds a route here has thought about it: it is answered to anybody.
PUBLIC = {
    ("GET", "/"),
    ("GET", "/assets/{name}"),
    ("GET", "/{path+}"),
    ("GET", "/sign-in"),
    ("GET", "/signed-in"),
}
# Parts of pages, which a script loads: they are answered with 401, not with another page.
PIECES = {("GET", "/keys/{key_id}/meter"), ("GET", "/orders/{order_id}/state")}

_PARAMETER = re.compile(r"\{([^{}+]+)\+?\}")


class PageRoute(NamedTuple):
    """One route of the template that the pages' function answers; `do` is what its form asks for.

    Only a route whose forms do several things has a `do`.
    """

    method: str
    path: str
    do: str = ""

    @property
    def is_public(self) -> bool:
        return self[:2] in PUBLIC

    @property
    def is_piece(self) -> bool:
        return self[:2] in PIECES

    @property
    def parameters(self) -> list[str]:
        return _PARAMETER.findall(self.path)

    def target(self, values: Mapping[str, str]) -> str:
        """The path with these values, and something for every other parameter."""
        return _PARAMETER.sub(lambda found: values.get(found[1], "some"), self.path)


@cache
def page_routes() -> tuple[PageRoute, ...]:
    """All of them, without a `do`."""
    routes = Template.load(REPOSITORY / "template.yaml").api({}).routes
    return tuple(
        PageRoute(route.method, route.path) for route in routes if route.function == "WebFunction"
    )


@cache
def page_actions() -> tuple[PageRoute, ...]:
    """All that can be asked for: a route with several forms once for each of them."""
    several = {("POST", "/keys/{key_id}"): tuple(CHANGES)}
    assert several.keys() <= {route[:2] for route in page_routes()}
    return tuple(
        route._replace(do=do) for route in page_routes() for do in several.get(route[:2], ("",))
    )
