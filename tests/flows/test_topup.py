"""Top-ups from order to credit, over the in-memory store and scripted providers."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import pytest

from osiris.flows import keys, topup
from osiris.flows.topup import Wish
from osiris.flows.watch import watch
from osiris.ledger.expiry import months_later
from osiris.ledger.order import CREDITED, CRYPTO, PART_PAID, PENDING, QRIS, shown_state
from osiris.money import NANO_PER_DOLLAR
from tests.scripted_provider import COIN, Money, ScriptedProvider, with_scripted_money

if TYPE_CHECKING:
    from osiris.ledger.key import Key
    from osiris.ledger.order import Order
    from tests.builders import World

DOLLAR = NANO_PER_DOLLAR
MINUTE_MS = 60_000


class Till(NamedTuple):
    """Ada's key, and the providers that take her money."""

    world: World
    money: Money
    key_id: str

    def order(self, package: str = "100", method: str = QRIS) -> Order:
        wish = Wish(package, self.key_id, method, COIN if method == CRYPTO else "")
        made = topup.create(self.world.app, "ada", wish, idempotency_key="", webhooks_url="")
        return made.order

    def provider(self, order: Order) -> ScriptedProvider:
        return self.money.providers.of(order.provider)

    def pay(self, order: Order, part: int = 1, share: str = "1") -> None:
        self.provider(order).pay(order.parts[part - 1].payment_id, share)

    def watched(self, order: Order) -> Order:
        """The order after the watch came by."""
        self.world.pass_ms(MINUTE_MS)
        watch(self.world.app)
        return self.stored(order)

    def stored(self, order: Order) -> Order:
        stored = self.world.app.orders.read(order.id)
        assert stored is not None
        return stored

    @property
    def key(self) -> Key:
        return self.world.stored_key(self.key_id)


@pytest.fixture
def till(world: World) -> Till:
    money = with_scripted_money(world.app, lambda: world.now_ms)
    return Till(world, money, keys.create(world.app, "ada", name="laptop").key.id)


@pytest.mark.parametrize("method", [QRIS, CRYPTO])
def test_a_paid_order_is_credited_once(till: Till, method: str) -> None:
    """The key gets the package and a month; asking again changes nothing."""
    order = till.order(method=method)
    assert order.state == PENDING
    till.pay(order)
    paid_at_ms = till.world.now_ms + MINUTE_MS
    for _ in range(3):
        order = till.watched(order)
    assert shown_state(order) == CREDITED
    assert till.key.balance_nano == till.key.available_nano == 100 * DOLLAR
    assert till.key.expires_at_ms == months_later(paid_at_ms, 1)


def test_a_large_package_is_several_payments(till: Till) -> None:
    """Each is credited as it is paid, all come to the package, and the expiry moves once."""
    order = till.order("2500")
    assert len(order.parts) == 5
    assert max(int(part.price) for part in order.parts) <= 10_000_000
    assert sum(int(part.price) for part in order.parts) == 2500 * 17917
    till.pay(order, part=2)
    order = till.watched(order)
    assert shown_state(order) == PART_PAID
    expires_at_ms = till.key.expires_at_ms
    for number in (1, 3, 4, 5):
        till.pay(order, part=number)
    order = till.watched(order)
    assert shown_state(order) == CREDITED
    assert till.key.balance_nano == 2500 * DOLLAR
    assert till.key.expires_at_ms == expires_at_ms


@pytest.mark.parametrize(("share", "dollars"), [("0.6", "60"), ("1.5", "150")])
@pytest.mark.parametrize("method", [QRIS, CRYPTO])
def test_less_and_more_are_credited_in_proportion(
    till: Till, method: str, share: str, dollars: str
) -> None:
    """Nothing that was received is dropped."""
    order = till.order(method=method)
    till.pay(order, share=share)
    till.watched(order)
    difference = till.key.balance_nano - int(Decimal(dollars) * DOLLAR)
    assert abs(difference) < DOLLAR // 1000
