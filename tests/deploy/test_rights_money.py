"""What the functions that take money in may do: no more than their flows do, and no less.

Each way of asking about a payment (an owner who reads an order, a webhook, the watch) is led
through all that can have become of one. What others do meanwhile is done with rights of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from osiris.flows import coins, keys, mail, quote, topup
from osiris.flows.credit import grant
from osiris.flows.expiry import sweep
from osiris.flows.reconcile import reconcile
from osiris.flows.watch import watch
from osiris.http.webhooks import serve_webhook
from osiris.ledger.order import EXPIRED
from osiris.payments import Hint
from tests.builders import admitted
from tests.deploy.rights import allowed, whole_template
from tests.deploy.shop import DAY_MS, DOLLAR, HOUR_MS, ask_about_all, shop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local.template import Template
    from osiris.ledger.order import Order
    from tests.scripted_provider import ScriptedProvider


@pytest.fixture(scope="module")
def template() -> Template:
    return whole_template()


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
