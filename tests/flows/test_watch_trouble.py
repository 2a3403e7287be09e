"""The watch when something is wrong: no order, event or provider keeps the others waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from osiris.flows import keys
from osiris.flows.audit import audit
from osiris.flows.credit import grant
from osiris.flows.expiry import sweep
from osiris.flows.orders import newest
from osiris.flows.watch import SILENT_MAX, watch
from osiris.ledger.order import CRYPTO
from osiris.store.order_items import order_pk
from osiris.store.values import typed
from tests.flows.topup_customer import DAY_MS, DOLLAR, MINUTE_MS, Customer

if TYPE_CHECKING:
    from osiris.ledger.order import Order


def spoil(ada: Customer, order: Order, update: str, value: object) -> None:
    """Write into an order's item what nobody of us writes."""
    ada.world.transport.inner.call(
        "UpdateItem",
        {
            "TableName": "OrdersTable",
            "Key": {"pk": typed(order_pk(order.id))},
            "UpdateExpression": update,
            "ExpressionAttributeValues": {":value": typed(value)},
        },
    )


@pytest.mark.parametrize(
    ("update", "value"), [("SET credited_nano = :value", -1), ("SET parts = :value", "none")]
)
def test_an_order_that_nobody_can_read(ada: Customer, update: str, value: object) -> None:
    """It is told of and due again in a day; those behind it are asked about."""
    bad, good = ada.order(), ada.order(method=CRYPTO)
    spoil(ada, bad, update, value)
    ada.pay(good)
    ada.world.pass_ms(MINUTE_MS)
    for _ in range(2):
        watch(ada.world.app)
    assert ada.dollars == 100
    told = [line for line in ada.world.lines if line["event"] == "watch_failed"]
    assert [line["order_id"] for line in told] == [bad.id]
    spoil(ada, bad, "SET credited_nano = :value", 0)
    spoil(ada, bad, "SET parts = :value", [part._asdict() for part in bad.parts])


def test_attributes_of_a_newer_version_are_passed_over(ada: Customer) -> None:
    """After going back to an older version its keys and orders can be read."""
    order = ada.order()
    spoil(ada, order, "SET colour = :value", "green")
    assert ada.watched(order).state == order.state
    pk = {"pk": typed(f"key#{ada.key_id}")}
    payload = {
        "TableName": "KeysTable",
        "Key": pk,
        "UpdateExpression": "SET colour = :value",
        "ExpressionAttributeValues": {":value": typed("green")},
    }
    ada.world.transport.inner.call("UpdateItem", payload)
    assert ada.key.id == ada.key_id


def test_a_silent_provider_is_left_alone_for_the_run(ada: Customer) -> None:
    """After a few unanswered questions it is asked no more, and the other one is."""
    app = ada.world.app
    for number in range(SILENT_MAX + 2):
        key_id = keys.create(app, "ada", name=f"key {number}").key.id
        ada.order(key_id=key_id)
    paid = ada.order(method=CRYPTO)
    ada.pay(paid)
    qris = ada.money.providers.qris
    qris.away = True
    qris.asked.clear()
    ada.world.pass_ms(MINUTE_MS)
    done = watch(app)
    assert len(qris.asked) == SILENT_MAX
    assert (done.asked, done.failed) == (SILENT_MAX + 3, SILENT_MAX + 2)
    assert ada.dollars == 100
    qris.away = False
    ada.world.pass_ms(MINUTE_MS)
    assert watch(app).failed == 0


def test_the_operator_sees_an_order_that_nobody_can_read(ada: Customer) -> None:
    """The audit tells of its sums, and the list shows it, wrong as it is."""
    order, app = ada.order(), ada.world.app
    spoil(ada, order, "SET credited_nano = :value", -1)
    assert {(found.subject, found.what) for found in audit(app).differences} == {
        (order.id, "credited_nano")
    }
    assert [listed.id for listed in newest(app, most=9)] == [order.id]
    spoil(ada, order, "SET credited_nano = :value", 0)


def test_a_key_that_nobody_can_read_stops_no_sweep(ada: Customer) -> None:
    """Its owner is warned as the others are, and it is left when it expires."""
    app = ada.world.app
    key_ids = [ada.key_id, keys.create(app, "ada", name="other").key.id]
    for key_id in key_ids:
        grant(app, key_id, amount_nano=DOLLAR, days=1)
    pk = {"pk": typed(f"key#{key_ids[0]}")}
    change = {
        "TableName": "KeysTable",
        "Key": pk,
        "UpdateExpression": "SET available_nano = available_nano + :by",
    }
    call = ada.world.transport.inner.call
    call("UpdateItem", change | {"ExpressionAttributeValues": {":by": typed(5)}})
    ada.world.pass_ms(MINUTE_MS)
    assert sweep(app).warned == len(key_ids)
    ada.world.pass_ms(2 * DAY_MS)
    done = sweep(app)
    assert (done.forfeited, done.failed) == (1, 1)
    call("UpdateItem", change | {"ExpressionAttributeValues": {":by": typed(-5)}})
