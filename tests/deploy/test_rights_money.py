"""What the functions that take money in may do: no more than their flows do, and no less.

Each way of asking about a payment (an owner who reads an order, a webhook, the watch) is led
through all that can have become of one. What others do meanwhile is done with rights of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from osiris.flows import coins, keys, mail, quote, topup
from osiris.flows.credit import grant
from osiris.flows.expiry import sweep
from osiris.flows.reconcile import reconcile
from osiris.flows.watch import watch
from osiris.http.webhooks import serve_webhook
from osiris.ledger.order import CREDITED, CRYPTO, EXPIRED, KEY_DELETED, QRIS, REFUNDED, shown_state
from osiris.money import NANO_PER_DOLLAR
from osiris.payments import Hint
from tests.builders import World, admitted
from tests.deploy.rights import SENDER, Recorder, allowed, note_money, whole_template
from tests.scripted_provider import COIN, Money, ScriptedProvider, with_scripted_money

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local.template import Template
    from osiris.ledger.order import Order

DOLLAR = NANO_PER_DOLLAR
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000


@pytest.fixture(scope="module")
def template() -> Template:
    return whole_template()


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


def shop() -> Shop:
    used = Recorder()
    world = World({"OSIRIS_MAIL_FROM": SENDER}, transport=used)
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


def test_the_topups_function_has_the_rights_that_it_uses(template: Template) -> None:
    """Offers, orders by each method, replays, pages, cancelling, and asking after a payment."""
    here = shop()
    used, app = here.used, here.world.app
    key_id = here.key_id()
    quote.offer(app)
    coins.search(app, "b", most=1)
    order = here.order(key_id, idempotency_key="once")
    assert here.order(key_id, idempotency_key="once").id == order.id
    topup.list_orders(app, "ada", after_id="", most=1)
    topup.cancel(app, "ada", order.id)
    ask_about_all(here, lambda order: topup.read(app, "ada", order.id))
    assert used.rights == allowed(template, "TopupsFunction")


def test_the_webhooks_function_has_the_rights_that_it_uses(
    template: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Genuine webhooks about whatever can become of a payment."""
    here = shop()
    for provider in (here.money.providers.qris, here.money.providers.crypto):
        monkeypatch.setattr(provider, "verify", verifier(provider))

    def tell(order: Order) -> None:
        for id in here.provider(order).payments:
            answer = serve_webhook(here.world.app, webhook(order.provider, id))
            assert answer["statusCode"] == 200

    ask_about_all(here, tell)
    assert here.used.rights == allowed(template, "TopupWebhookFunction")


def verifier(provider: ScriptedProvider) -> Callable[[Mapping[str, str], bytes], Hint]:
    """Takes a payment's id for a genuine webhook about it."""

    def verify(_headers: Mapping[str, str], body: bytes) -> Hint:
        status = provider.payments[body.decode()]
        return Hint(status.id, status.reference, status.price, status.price_currency, status.told)

    return verify


def webhook(provider: str, payment_id: str) -> dict[str, Any]:
    return {
        "httpMethod": "POST",
        "resource": "/webhooks/{provider}",
        "path": f"/webhooks/{provider}",
        "pathParameters": {"provider": provider},
        "headers": {},
        "multiValueHeaders": {},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "body": payment_id,
        "isBase64Encoded": False,
    }


def test_the_sweeper_has_the_rights_that_it_uses(template: Template) -> None:
    """A sweep that warns, one that forfeits beside a hold, and one that lets the key go."""
    here = shop()
    used, world = here.used, here.world
    key = used.pause(lambda: keys.create(world.app, "ada", name="laptop").key)
    used.pause(lambda: grant(world.app, key.id, amount_nano=10 * DOLLAR, days=8))
    sweep(world.app)
    world.pass_ms(2 * DAY_MS)
    assert sweep(world.app).warned == 1
    opened = used.pause(lambda: admitted(world, key, DOLLAR))
    world.pass_ms(7 * DAY_MS)
    assert sweep(world.app).forfeited == 1
    used.pause(
        lambda: world.app.keys.settle(key.id, request_id=opened, hold_nano=DOLLAR, amount_nano=0)
    )
    assert sweep(world.app).retired == 1
    assert used.rights == allowed(template, "ExpirySweeperFunction")


def test_the_reconciler_has_the_rights_that_it_uses(template: Template) -> None:
    """Both tasks: holds, hours and low balances of all keys; orders and events that are due."""
    here = shop()
    used, world = here.used, here.world
    key = used.pause(lambda: keys.create(world.app, "ada", name="desk").key)
    used.pause(lambda: grant(world.app, key.id, amount_nano=2 * DOLLAR, days=30))
    used.pause(lambda: admitted(world, key, DOLLAR))
    for _ in range(2):
        world.pass_ms(HOUR_MS)
        assert reconcile(world.app).failed == 0
    ended = used.pause(lambda: here.order(key.id))
    world.pass_ms(HOUR_MS)
    assert watch(world.app).events == 1  # the low balance
    assert here.stored(ended).state == EXPIRED

    def come_by(order: Order) -> None:
        used.pause(lambda: world.app.orders.schedule(order.id, world.now_ms))
        watch(world.app)

    ask_about_all(here, come_by)
    assert used.rights == allowed(template, "ReconcilerFunction")


def test_the_mailer_has_the_rights_that_it_uses(template: Template) -> None:
    """An event about an account whose address is known."""
    here = shop()
    key_id = here.key_id()
    here.used.pause(lambda: here.order(key_id))
    detail = {
        "id": "low-k-1",
        "account_id": "ada",
        "key_id": key_id,
        "balance": "4",
        "expires_at_ms": 1,
    }
    assert mail.tell(here.world.app, "balance.low", detail)
    assert here.used.rights == allowed(template, "MailerFunction")
