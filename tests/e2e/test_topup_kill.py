"""A function that moves money is killed before and after each of its calls; it comes out right.

A dry run counts the calls, to the store and to the provider, so that a new one is killed at, too.
Whoever died before a call left what whoever died after the one before it left: each of these states
is mended by the provider's repeat of its webhook in the one case, and by the reconciler in the
other. The provider's clock is moved, so that its repeats need no waiting.
"""

from __future__ import annotations

import os
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from osiris.money import nano_from_dollars
from tests.e2e.call_proxy import Harm
from tests.e2e.money import BTC, QRIS
from tests.e2e.till import TOPUPS, WEBHOOK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.e2e.money import Customer, Shop

PACKAGE_NANO = nano_from_dollars("100")
# Of one customer: an account may order 20 times an hour.
ORDERS = 8
# From one step of a confirmation to the next, by the provider's clock.
STEP_S = 60.0
# Midtrans repeats first after 33 to 150 s, NOWPayments after 60; and no other webhook is due then.
REPEAT_S, LONG_S = 151.0, 100_000.0
# One is enough unless the machine is so busy that the function gives up waiting for its provider.
REPEATS_MAX, LONGER = 3, 6

type Case = tuple[int, str, bool]


class Told(NamedTuple):
    """What one webhook has to tell: `begun` makes all that comes before, `tell` sends it."""

    method: Mapping[str, str]
    type: str

    def begun(self, shop: Shop, customer: Customer) -> dict[str, Any]:
        """An order about which there will be one more webhook."""
        till = shop.till
        till.midtrans.switches.pending_webhook = False
        till.midtrans.switches.bank_confirm_s = LONG_S
        till.nowpayments.switches.confirm_s = STEP_S
        order = customer.order(self.method)
        if self.type == "refund":
            customer.pay(order)
        elif self.method is BTC:
            customer.pay(order, "more")
            for _ in range(2):
                shop.pass_s(till.nowpayments, STEP_S)
        return order

    def tell(self, shop: Shop, customer: Customer, order: Mapping[str, Any]) -> None:
        """Send it."""
        if self.type == "refund":
            customer.pay(order, "refund")
        elif self.method is BTC:
            shop.pass_s(shop.till.nowpayments, STEP_S)
        else:
            customer.pay(order)

    def amount_nano(self, shop: Shop, order: Mapping[str, Any]) -> int:
        """What it brings: the package, and of a coin the half that came in excess, at its price."""
        if self.type == "refund":
            return -PACKAGE_NANO
        if self.method is QRIS:
            return PACKAGE_NANO
        asked = Decimal(order["parts"][0]["amount"])
        beside = (asked * Decimal("1.5")).quantize(Decimal("1e-8")) - asked
        dollars = shop.till.nowpayments.prices.convert(beside, "btc", "usd")
        return PACKAGE_NANO + nano_from_dollars(str(dollars))


WEBHOOKS = {
    "qris": Told(QRIS, "purchase"),
    "crypto": Told(BTC, "purchase"),
    "refund": Told(QRIS, "refund"),
}


def cases(calls: list[str]) -> Iterator[Case]:
    """Each call with its number, before it and after it."""
    for number, call in enumerate(calls, 1):
        yield number, call, False
        yield number, call, True


def credit_one(shop: Shop, customer: Customer, told: Told, case: Case | None) -> list[str]:
    """Have one webhook told, with the process killed as the case says; mend; check. The calls."""
    simulator = shop.till.simulator(told.method["method"])
    calls = shop.till.sent[WEBHOOK].calls
    order = told.begun(shop, customer)
    before = customer.key.balance_nano
    number, _, passed_on = case or (0, "", False)
    calls.arm(Harm(number, passed_on, lambda: shop.kill(WEBHOOK)) if case else None)
    told.tell(shop, customer, order)
    made = list(calls.made)
    if case is not None:
        assert len(made) == number
        assert simulator.deliveries[-1].status == 502
        if passed_on:
            shop.watch(order["id"])
            assert customer.key.balance_nano - before == told.amount_nano(shop, order)
        for tried in range(REPEATS_MAX):
            shop.pass_s(simulator, REPEAT_S * LONGER**tried)
            if simulator.deliveries[-1].status == 200:
                break
    assert simulator.deliveries[-1].status == 200
    simulator.clock.set(offset_s=0)

    assert customer.key.balance_nano - before == told.amount_nano(shop, order)
    (payment,) = shop.payments(order["id"])
    posted = [
        entry.amount_nano
        for entry in shop.postings(customer.key_id)
        if (entry.order_id, entry.type) == (order["id"], told.type)
    ]
    assert posted == [told.amount_nano(shop, order)]
    assert payment.outstanding_nano == 0
    return made


@pytest.mark.parametrize("kind", WEBHOOKS)
def test_a_webhook_killed_at_any_call_counts_once(shop: Shop, kind: str) -> None:
    """A purchase, one by a coin in excess, a refund: done once, by the repeat or the reconciler."""
    told, customer = WEBHOOKS[kind], shop.customer()
    credit_one(shop, customer, told, None)  # so that the process has its secrets
    calls = credit_one(shop, customer, told, None)
    assert "dynamodb TransactWriteItems" in calls
    assert any(call.startswith(("midtrans GET", "nowpayments GET")) for call in calls)
    assert ("nowpayments GET /v1/estimate" in calls) == (kind == "crypto")
    for place, case in enumerate(cases(calls)):
        if place % ORDERS == 0:
            customer = shop.customer()
        credit_one(shop, customer, told, case)


def order_one(
    shop: Shop, customer: Customer, method: Mapping[str, str], case: Case | None
) -> list[str]:
    """Order, with the process killed as the case says; repeat; pay; check. The calls made."""
    calls, wish = shop.till.sent[TOPUPS].calls, customer.wish(method)
    idempotency_key = os.urandom(8).hex()
    before = customer.key.balance_nano
    number, _, passed_on = case or (0, "", False)
    calls.arm(Harm(number, passed_on, lambda: shop.kill(TOPUPS)) if case else None)
    answer = customer.call("POST", "/topups", wish, idempotency_key=idempotency_key)
    made = list(calls.made)
    if case is not None:
        assert (len(made), answer.status_code) == (number, 502)
        answer = customer.call("POST", "/topups", wish, idempotency_key=idempotency_key)
    assert answer.status_code == 201, answer.text
    order = answer.json()
    listed = customer.call("GET", "/topups").json()["data"]
    assert [one["id"] for one in listed if one["state"] in ("quoted", "pending")] == [order["id"]]
    customer.pay(order)
    assert customer.key.balance_nano == before + PACKAGE_NANO
    assert customer.read(order["id"])["state"] == "credited"
    return made


@pytest.mark.parametrize("method", [QRIS, BTC], ids=["qris", "crypto"])
def test_an_order_killed_at_any_call_is_made_once(shop: Shop, method: Mapping[str, str]) -> None:
    """Sent again under its Idempotency-Key it is one order that can be paid, credited once."""
    shop.till.midtrans.switches.pending_webhook = False
    customer = shop.customer()
    order_one(shop, customer, method, None)
    calls = order_one(shop, customer, method, None)
    assert "dynamodb TransactWriteItems" in calls
    assert any(" POST " in call for call in calls)
    for place, case in enumerate(cases(calls)):
        if place % ORDERS == 0:
            customer = shop.customer()
            order_one(shop, customer, method, None)  # what a second order finds, the next ones find
        order_one(shop, customer, method, case)
