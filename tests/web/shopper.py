"""Somebody who tops up her key on the pages, in a world whose providers are scripted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from osiris.flows import keys
from osiris.flows.topup import ASK_AGAIN_MS
from osiris.ledger.order import QRIS
from tests.flows.topup_customer import ACCOUNT, Customer
from tests.scripted_provider import with_scripted_money
from tests.web.browser import Browser, Shown, web_world

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris.ledger.order import Order
    from tests.builders import World

EMAIL = "ada@lovelace.example"
KEY_NAME = "laptop"


class Shopper(NamedTuple):
    """Ada at her browser; `customer` is what she does elsewhere: pay."""

    browser: Browser
    customer: Customer

    @property
    def world(self) -> World:
        return self.customer.world

    def choose(self, **query: str) -> Shown:
        """The page to choose on, with these choices in its address."""
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        return self.browser.get(f"/topup?{asked}")

    def send(
        self,
        package: str = "100",
        method: str = QRIS,
        *,
        coin: str = "",
        once: str = "",
        **more: str,
    ) -> Shown:
        """The form of the choice; `once` is the token in it."""
        fields = {"key": self.customer.key_id, "package": package, "method": method, **more}
        return self.browser.post("/orders", **fields, coin=coin, idempotency=once)

    def order(self, package: str = "100", method: str = QRIS, *, coin: str = "") -> Order:
        """An order that was made by the form."""
        made = self.send(package, method, coin=coin)
        assert made.status == 303, made.text
        order = self.world.app.orders.read(made.location.rpartition("/")[2])
        assert order is not None
        return order

    def look(self, order: Order, then: str = "") -> Shown:
        """The order's page, or what is below it, so much later that its provider is asked."""
        self.world.pass_ms(ASK_AGAIN_MS)
        return self.browser.get(f"/orders/{order.id}{then}")

    @property
    def orders(self) -> list[Order]:
        """All orders of hers."""
        return self.world.app.orders.of_account(ACCOUNT, most=50)[0]


def shopper(environment: Mapping[str, str] | None = None) -> Shopper:
    """Ada with a key, in a world of her own."""
    world = web_world(environment)
    money = with_scripted_money(world.app, world.app.now_ms)
    key_id = keys.create(world.app, ACCOUNT, name=KEY_NAME).key.id
    return Shopper(Browser(world, ACCOUNT, email=EMAIL), Customer(world, money, key_id))


def hidden_fields(html: str) -> dict[str, str]:
    """The hidden fields of the page's form for an order."""
    form = html.partition('action="/orders"')[2].partition("</form>")[0]
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))
