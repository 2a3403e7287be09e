"""Ada's key, and orders of credit for it from scripted providers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from osiris.flows import keys, topup
from osiris.flows.topup import Wish
from osiris.flows.watch import watch
from osiris.ledger.order import CRYPTO, QRIS
from tests.scripted_provider import COIN, Money, ScriptedProvider, with_scripted_money

if TYPE_CHECKING:
    from osiris.ledger.key import Key
    from osiris.ledger.order import Order
    from tests.builders import World

MINUTE_MS = 60_000


class Shop(NamedTuple):
    """A world in which credit is bought."""

    world: World
    money: Money
    key_id: str

    @property
    def key(self) -> Key:
        return self.world.stored_key(self.key_id)

    def other_key(self, account_id: str = "ada", name: str = "other") -> str:
        """A second key, by its id."""
        return keys.create(self.world.app, account_id, name=name).key.id

    def order(self, package: str = "100", method: str = QRIS) -> Order:
        """An order of ada's."""
        coin = COIN if method == CRYPTO else ""
        wish = Wish(package, self.key_id, method, coin)
        made = topup.create(self.world.app, "ada", wish, idempotency_key="", webhooks_url="")
        return made.order

    def provider(self, order: Order) -> ScriptedProvider:
        """Who takes the order's money."""
        return self.money.providers.of(order.provider)

    def pay(self, order: Order, share: str = "1") -> None:
        """Pay the order's first part; nobody has heard of it yet."""
        self.provider(order).pay(order.parts[0].payment_id, share)

    def watch(self) -> None:
        """Let a minute pass, and the watch come by."""
        self.world.pass_ms(MINUTE_MS)
        watch(self.world.app)

    def paid(self, package: str = "100", method: str = QRIS) -> Order:
        """An order that was paid and credited."""
        order = self.order(package, method)
        self.pay(order)
        self.watch()
        return order

    def delete_key(self) -> None:
        """Ada's key goes, with what is left on it."""
        keys.delete(self.world.app, "ada", self.key_id, confirmed_name="laptop")


def shop_in(world: World) -> Shop:
    """Ada's shop."""
    money = with_scripted_money(world.app, lambda: world.now_ms)
    return Shop(world, money, keys.create(world.app, "ada", name="laptop").key.id)
