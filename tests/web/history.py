"""Keys with a history, at a browser: short ones with an entry of each kind, and a very long one."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

from osiris.flows import credit
from osiris.ledger.entry import CHARGEBACK
from osiris.money import NANO_PER_DOLLAR
from tests.builders import World
from tests.flows.test_long_history import Account
from tests.flows.topup_customer import ACCOUNT, DAY_MS, Customer, payment_id
from tests.scripted_provider import with_scripted_money
from tests.web.browser import ENVIRONMENT, Browser, web_world

if TYPE_CHECKING:
    from osiris.ledger.key import Key
    from osiris.ledger.order import Order
    from tests.web.browser import Shown


def table(shown: Shown) -> list[list[str]]:
    """The page's table as texts, row by row."""
    body = shown.html.partition("<tbody>")[2].partition("</tbody>")[0]
    return [
        [_text("<t" + cell) for cell in re.split(r"<t(?=[hd][ >])", row)[1:]]
        for row in re.findall(r"<tr.*?</tr>", body, re.DOTALL)
    ]


def _text(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def every_kind(world: World, key: Key, *, reason: str) -> Order:
    """Her key has one entry of each type but a refund; returns the order that brought the credit.

    It was spent in part, the rest expired, and then all of it was charged back.
    """
    ada = Customer(world, with_scripted_money(world.app, world.app.now_ms), key.id)
    order = ada.bought()
    world.pass_ms(1)
    ada.spent(30)
    ada.swept(40 * DAY_MS)
    ada.provider(order).give_back(payment_id(order), by=CHARGEBACK)
    ada.told(order)
    world.pass_ms(1)
    credit.grant(world.app, key.id, amount_nano=200 * NANO_PER_DOLLAR, days=9, reason=reason)
    return ada.stored(order)


class LongHistory:
    """Ada at a browser, with a key of 100,000 requests; what each page takes is counted.

    Or another account of hers.
    """

    def __init__(self, account: Account | None = None) -> None:
        self.account = account or Account()
        world = World(ENVIRONMENT, transport=self.account.world.transport.inner)
        world.now_ms = self.account.world.now_ms
        world.app.secrets = web_world().app.secrets
        self._money = with_scripted_money(world.app, world.app.now_ms)
        self.browser = Browser(world, ACCOUNT)

    def bought(self) -> Order:
        """A paid order for a key of hers that no request used."""
        return Customer(self.browser.world, self._money, self.account.keys[-1].id).bought()

    def get(self, path: str) -> tuple[Shown, int]:
        """A page, and the number of items that were read for it."""
        shown, _, items = self.account.read(lambda: self.browser.get(path))
        return shown, items
