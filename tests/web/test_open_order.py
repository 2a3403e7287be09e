"""A key's open order in the way of another: the page says how it makes way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from osiris.ledger.order import AMOUNT_DIFFERS, CRYPTO, QRIS
from tests.flows.topup_customer import payment_id
from tests.scripted_provider import COIN
from tests.web.markup import Markup
from tests.web.shopper import Shopper, hidden_fields, shopper

if TYPE_CHECKING:
    from osiris.ledger.order import Order

PAY_OR_CANCEL = "Pay or cancel that one first; nothing else is ordered."
PAY_REST = "Pay its rest, or wait until it ends, 24 Nov 2026, 10:20 UTC; nothing else is ordered."
WAIT = "Wait until it is credited or ends, 24 Nov 2026, 10:20 UTC, or cancel it where its page"


@pytest.fixture
def ada() -> Shopper:
    return shopper()


def way_out(ada: Shopper, order: Order) -> str:
    """What the page says of the open order; nothing else can be ordered, and it leads there."""
    ada.look(order)
    shown = ada.choose(package="250", method=order.method, coin=order.coin)
    assert f"/orders/{order.id}" in Markup(shown.html).links
    assert hidden_fields(shown.html) == {}
    said = [each for each in (PAY_OR_CANCEL, PAY_REST, WAIT) if each in shown.text]
    assert len(said) == 1, shown.text
    return said[0]


def test_a_second_order_leads_to_the_open_one(ada: Shopper) -> None:
    """The page knows it before, and the refusal after; another way of paying is free."""
    open_order = ada.order()
    for shown in (ada.choose(package="250", method=QRIS), ada.send("250")):
        assert f"/orders/{open_order.id}" in Markup(shown.html).links
        assert hidden_fields(shown.html) == {}
    refused = ada.send("250")
    assert refused.status == 409
    assert "No second order was made" in refused.text
    assert ada.send("250", CRYPTO, coin=COIN).status == 303
    assert len(ada.orders) == 2


@pytest.mark.parametrize(("package", "method", "coin"), [("2500", QRIS, ""), ("100", CRYPTO, COIN)])
def test_a_part_paid_order_takes_its_rest(
    ada: Shopper, package: str, method: str, coin: str
) -> None:
    """It can't be cancelled any more: one pays on, or waits, and is told until when."""
    order = ada.order(package, method, coin=coin)
    assert way_out(ada, order) == PAY_OR_CANCEL
    ada.customer.pay(order, share="1" if method == QRIS else "0.6")
    assert way_out(ada, order) == PAY_REST


def test_an_order_that_takes_nothing_is_waited_for(ada: Shopper) -> None:
    """A code that was paid with too little, a coin on its way, something to be decided."""
    code = ada.order()
    ada.customer.pay(code, share="0.6")
    assert way_out(ada, code) == WAIT
    coin = ada.order("100", CRYPTO, coin=COIN)
    ada.customer.provider(coin).detect(payment_id(coin))
    assert way_out(ada, coin) == WAIT
    other = shopper()
    doubted = other.order("2500")
    other.world.app.orders.flag(doubted.id, AMOUNT_DIFFERS, payment_id(doubted))
    shown = other.choose(package="250", method=QRIS)
    assert "which takes no payment now. Wait until" in shown.text
