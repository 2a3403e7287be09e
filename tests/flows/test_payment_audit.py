"""I4 of the audit: each figure of payments and orders, shifted by hand, is found and named."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from osiris.flows.audit import audit
from osiris.flows.audit_payments import READS_MAX
from osiris.ledger.audit import Difference
from osiris.store.order_items import full_id
from tests.builders import World, preceded_by
from tests.flows.test_audit import shift as shift_key
from tests.flows.topup_customer import DAY_MS, DOLLAR, Customer, payment_id

if TYPE_CHECKING:
    from osiris.ledger.order import Order


@pytest.fixture
def world() -> World:
    """A world whose books are not audited at its end: they are wrong on purpose."""
    return World()


@pytest.fixture
def order(ada: Customer) -> Order:
    """$100 that were bought, of which $25 went back."""
    order = ada.bought()
    ada.provider(order).give_back(payment_id(order), order_price(order) / 4)
    ada.told(order)
    return ada.stored(order)


def order_price(order: Order) -> Decimal:
    return Decimal(order.parts[0].price)


def change(world: World, pk: str, update: str, values: dict[str, Any] | None = None) -> None:
    """Write into the Orders table by hand."""
    payload: dict[str, Any] = {
        "TableName": "OrdersTable",
        "Key": {"pk": {"S": pk}},
        "UpdateExpression": update,
    }
    if values:
        payload["ExpressionAttributeValues"] = values
    world.memory.call("UpdateItem", payload)


def shift(world: World, pk: str, attribute: str, by: int) -> None:
    update = f"SET {attribute} = {attribute} + :by"
    change(world, pk, update, {":by": {"N": str(by)}})


def differences(world: World) -> list[Difference]:
    found = audit(world.app, segments=1).differences
    assert all(difference.invariant == "I4" for difference in found)
    return found


def paid(order: Order) -> str:
    """The payment's id among those of all providers."""
    return f"midtrans#{payment_id(order)}"


def test_sound_books_pass(ada: Customer, order: Order) -> None:
    """Bought, refunded in part, and an order that nobody paid."""
    ada.order()
    found = audit(ada.world.app, segments=1)
    assert (found.payments, found.differences) == (1, [])


@pytest.mark.parametrize(("attribute", "kept"), [("credited_nano", -1), ("taken_back_nano", 1)])
def test_a_payments_figure_is_wrong(ada: Customer, order: Order, attribute: str, kept: int) -> None:
    """It is not what its entries come to, nor what its order sums up."""
    shift(ada.world, f"payment#{paid(order)}", attribute, -5 if kept < 0 else 5)
    stored = getattr(order, attribute)
    assert differences(ada.world) == [
        Difference("I4", paid(order), "credited_nano", 75 * DOLLAR, 75 * DOLLAR - 5),
        Difference("I4", order.id, attribute, stored - 5 * (1 if kept < 0 else -1), stored),
    ]


def test_nothing_was_received(ada: Customer, order: Order) -> None:
    """And yet it was credited."""
    change(
        ada.world,
        f"payment#{paid(order)}",
        "SET received = :none",
        {":none": {"S": "0"}},
    )
    assert differences(ada.world) == [
        Difference("I4", paid(order), "bought_nano", 100 * DOLLAR, 100 * DOLLAR)
    ]


@pytest.mark.parametrize("attribute", ["credited_nano", "taken_back_nano"])
def test_an_orders_sum_is_wrong(ada: Customer, order: Order, attribute: str) -> None:
    """It is not that of its payments."""
    shift(ada.world, f"order#{order.id}", attribute, 5)
    stored = getattr(order, attribute)
    assert differences(ada.world) == [Difference("I4", order.id, attribute, stored, stored + 5)]


def test_an_order_that_forgot_a_payment(ada: Customer, order: Order) -> None:
    """Whether or not its sums still have it."""
    change(ada.world, f"order#{order.id}", "REMOVE payment_ids")
    assert differences(ada.world) == [Difference("I4", order.id, "payments", 1, 0)]
    none = {":none": {"N": "0"}}
    change(ada.world, f"order#{order.id}", "SET taken_back_nano = :none", none)
    change(ada.world, f"order#{order.id}", "SET credited_nano = :none", none)
    assert [(found.what, found.found) for found in differences(ada.world)] == [
        ("credited_nano", 0),
        ("payments", 0),
        ("taken_back_nano", 0),
    ]


def test_an_entry_without_its_payment(ada: Customer, order: Order) -> None:
    """The order misses it, too."""
    place = {"pk": {"S": f"payment#{paid(order)}"}}
    ada.world.memory.call("DeleteItem", {"TableName": "OrdersTable", "Key": place})
    assert differences(ada.world) == [
        Difference("I4", paid(order), "payment", "a payment of these entries", None),
        Difference("I4", order.id, "credited_nano", 0, 100 * DOLLAR),
        Difference("I4", order.id, "payments", 0, 1),
        Difference("I4", order.id, "taken_back_nano", 0, 25 * DOLLAR),
    ]


def test_a_payment_without_its_order(ada: Customer, order: Order) -> None:
    """Nobody could see it."""
    place = {"pk": {"S": f"order#{order.id}"}}
    ada.world.memory.call("DeleteItem", {"TableName": "OrdersTable", "Key": place})
    assert differences(ada.world) == [
        Difference("I4", order.id, "order", "an order of these payments", None)
    ]


def test_what_a_key_forfeited_is_wrong(ada: Customer, order: Order) -> None:
    """The key's figure says what refunds may give back."""
    ada.swept(after_ms=40 * DAY_MS)
    forfeited_nano = 75 * DOLLAR
    shift_key(ada.world, ada.key, "forfeited_nano", 5)
    assert differences(ada.world) == [
        Difference("I4", ada.key_id, "forfeited_nano", forfeited_nano, forfeited_nano + 5)
    ]


# ------------------------------------------------------------------------ while money is moved


def test_payments_that_move_meanwhile_are_no_difference(ada: Customer) -> None:
    """Between the entries' reading and the payments', and between payments and orders."""
    order = ada.order("2500")
    for part in range(1, 6):
        ada.pay(order, part)
    parts = iter(range(1, 6))

    def one_more() -> None:
        ada.told(order, next(parts))

    ada.world.meet("Scan", *[preceded_by(one_more)] * 4)
    assert audit(ada.world.app, segments=1).differences == []


def test_a_payment_that_always_moves_is_read_a_bounded_number_of_times(
    ada: Customer, order: Order
) -> None:
    """A real difference is told all the same."""
    shift(ada.world, f"payment#{paid(order)}", "credited_nano", -5)

    def moved() -> None:
        shift(ada.world, f"payment#{paid(order)}", "credited_at_ms", 1)

    ada.world.meet("GetItem", *[preceded_by(moved)] * 200)
    ada.world.transport.calls.clear()
    assert {each.subject for each in differences(ada.world)} == {paid(order), order.id}
    assert ada.world.transport.calls.count("GetItem") <= 4 * READS_MAX
    (payment,) = ada.world.app.orders.payments(order)
    assert full_id(payment) == paid(order)
