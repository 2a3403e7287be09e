"""Ada's top-ups, led through all that can become of them, for whoever asks about payments."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from osiris.flows import keys, topup
from osiris.flows.credit import grant
from osiris.flows.expiry import sweep
from osiris.ledger.order import CREDITED, CRYPTO, KEY_DELETED, QRIS, REFUNDED, shown_state
from osiris.money import NANO_PER_DOLLAR
from tests.builders import World
from tests.deploy.rights import SENDER, Recorder, note_money
from tests.scripted_provider import COIN, Money, ScriptedProvider, with_scripted_money

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from osiris.ledger.order import Order

DOLLAR = NANO_PER_DOLLAR
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000


class Shop(NamedTuple):
    """Ada's top-ups, noted where `used.note` is around them."""

    used: Recorder
    world: World
    money: Money

    def key_id(self) -> str:
        return self.used.pause(lambda: keys.create(self.world.app, "ada", name="laptop").key.id)

    def order(self, key_id: str, method: str = QRIS, *, idempotency_key: str = "") -> Order:
        wish = topup.Wish("100", key_id, method, COIN if method == CRYPTO else "")
        return topup.create(
            self.world.app,
            "ada",
            wish,
            idempotency_key=idempotency_key,
            webhooks_url="",
            email="ada@example.com",
        ).order

    def stored(self, order: Order) -> Order:
        stored = self.used.pause(lambda: self.world.app.orders.read(order.id))
        assert stored is not None
        return stored

    def provider(self, order: Order) -> ScriptedProvider:
        return self.money.providers.of(order.provider)


def shop(environment: Mapping[str, str] | None = None) -> Shop:
    """A stack that sends mails, over a recorder, its providers in hand."""
    used = Recorder()
    world = World({"OSIRIS_MAIL_FROM": SENDER, **(environment or {})}, transport=used)
    money = with_scripted_money(world.app, lambda: world.now_ms)
    note_money(world.app, used, money)
    return Shop(used, world, money)


def ask_about_all(shop: Shop, ask: Callable[[Order], object]) -> None:
    """Let the function ask about payments of which anything that can become of one has become."""
    shop.used.pause(lambda: _ask_about_all(shop, ask))


def _ask_about_all(shop: Shop, ask: Callable[[Order], object]) -> None:
    def asked(order: Order) -> Order:
        shop.world.pass_ms(MINUTE_MS)
        shop.used.note(lambda: ask(order))
        return shop.stored(order)

    world, key_id = shop.world, shop.key_id()
    grant(world.app, key_id, amount_nano=10 * DOLLAR, days=1)
    code = shop.order(key_id)
    shop.provider(code).pay(code.parts[0].payment_id)
    world.pass_ms(DAY_MS)
    assert sweep(world.app).forfeited == 1
    assert shown_state(asked(code)) == CREDITED
    assert world.stored_key(key_id).balance_nano == 110 * DOLLAR, "the forfeiture is reversed"

    coin = shop.order(key_id, CRYPTO)
    provider, payment_id = shop.provider(coin), coin.parts[0].payment_id
    provider.detect(payment_id)
    assert asked(coin).payment_ids
    provider.pay(payment_id, "0.5")
    provider.deposit(payment_id, provider.payments[payment_id].asked)
    assert shown_state(asked(coin)) == CREDITED

    late = shop.order(key_id)
    shop.provider(late).pay(late.parts[0].payment_id)
    keys.delete(world.app, "ada", key_id, confirmed_name="laptop")
    assert asked(late).problem == KEY_DELETED
    shop.provider(code).give_back(code.parts[0].payment_id)
    assert shown_state(asked(code)) == REFUNDED
    assert world.stored_key(key_id).balance_nano == 0, "the same dollars are not lost twice"
