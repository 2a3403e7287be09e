"""Webhooks that are genuine and yet credit nothing now: they differ, or nobody can be asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from local.payments.midtrans import record
from osiris.flows import topup
from osiris.ledger.order import AMOUNT_DIFFERS, CRYPTO, QRIS, STATE_UNKNOWN
from tests.builders import Fault, conflict, lost, unreachable
from tests.handlers.topup_shop import RECEIVED, SERVER_KEY, Heard

if TYPE_CHECKING:
    from osiris.ledger.order import Order
    from tests.handlers.topup_shop import Shop

BOTH = pytest.mark.parametrize("method", [QRIS, CRYPTO])

# ---------------------------------------------------------------------------- genuine, not ours


def signed(shop: Shop, order: Order, **changes: str) -> Heard:
    """A webhook with Midtrans' own signature over what it says."""
    body = json.loads(shop.told(order).body) | changes
    body["signature_key"] = record.signature(
        body["order_id"], body["status_code"], body["gross_amount"], SERVER_KEY
    )
    return shop.hear("midtrans", json.dumps(body))


def test_another_amount_than_the_status_has(shop: Shop) -> None:
    """Signed, and belied: nothing is credited on it."""
    heard = signed(shop, shop.order(), gross_amount="17917000.00")
    shop.refuses(heard, 400, "webhook_differs")
    assert shop.refusal()["details"] == "differs from the status by amount"


def test_another_currency_than_the_status_has(shop: Shop) -> None:
    """The signature does not even cover it."""
    shop.refuses(signed(shop, shop.order(), currency="USD"), 400, "webhook_differs")


def test_an_order_that_is_not_known_there(shop: Shop) -> None:
    """The provider itself says so."""
    heard = signed(shop, shop.order(), order_id="ord_0000000000000000-1")
    shop.refuses(heard, 404, "payment_not_found")


def test_a_payment_of_another_shop(shop: Shop) -> None:
    """The same merchant's, and none of ours."""
    order = shop.order()
    told = shop.told(order)
    shop.world.memory.call(
        "DeleteItem", {"TableName": "OrdersTable", "Key": {"pk": {"S": f"order#{order.id}"}}}
    )
    shop.refuses(shop.hear_of(order, told), 404, "order_not_found")


def change_order(shop: Shop, order: Order, attribute: str, value: Any) -> None:
    """Write into the order by hand."""
    shop.world.memory.call(
        "UpdateItem",
        {
            "TableName": "OrdersTable",
            "Key": {"pk": {"S": f"order#{order.id}"}},
            "UpdateExpression": f"SET {attribute} = :value",
            "ExpressionAttributeValues": {":value": value},
        },
    )


def test_an_order_of_another_provider(shop: Shop) -> None:
    """A payment of one provider is never credited to an order of another's."""
    order = shop.order()
    told = shop.told(order)
    change_order(shop, order, "provider", {"S": "nowpayments"})
    shop.refuses(shop.hear_of(order, told), 400, "webhook_differs")


def test_another_price_than_the_orders(shop: Shop) -> None:
    """Status and webhook agree, the order does not: a person looks, and it need not come again."""
    order = shop.order(CRYPTO)
    told = shop.told(order)
    change_order(shop, order, "parts[0].price", {"S": "99"})
    assert shop.hear_of(order, told) == RECEIVED
    undecided(shop, order, AMOUNT_DIFFERS)


@BOTH
def test_a_state_that_nobody_knows(
    shop: Shop, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """200 and a metric: to come again would not help, and a person decides."""
    order = shop.order(method)
    told = shop.told(order, "unknown_status" if method == CRYPTO else "pay")
    if method == QRIS:
        monkeypatch.setitem(record.STATUS_CODES, "under_review", "200")
        payment = shop.midtrans._account.find(f"{order.id}-1")
        assert payment is not None
        payment.status = "under_review"
    assert shop.hear_of(order, told) == RECEIVED
    undecided(shop, order, STATE_UNKNOWN)


def undecided(shop: Shop, order: Order, problem: str) -> None:
    """Nothing is credited, its owner sees why, and the operator is told."""
    assert (shop.dollars, shop.refusal()["status"]) == (0, 200)
    (line,) = [line for line in shop.world.lines if line["event"] == "payment_undecided"]
    assert (line["PaymentUndecided"], line["problem"]) == (1, problem)
    stored = shop.world.app.orders.read(order.id)
    assert stored is not None
    assert stored.problem == problem


# ------------------------------------------------------------------------------- come again later


@BOTH
@pytest.mark.parametrize("kind", ["503", "500", "garbage", "drop_after", "429"])
def test_a_provider_that_can_not_be_asked(shop: Shop, method: str, kind: str) -> None:
    """503, so that it comes again; then it is credited."""
    order = shop.order(method)
    told = shop.told(order)
    path = "/v2/" if method == QRIS else "/v1/payment/"
    shop.simulator(order).faults.add(kind=kind, path=path, times=9)
    shop.refuses(shop.hear_of(order, told), 503, "provider_unavailable")
    shop.simulator(order).faults.clear()
    assert shop.hear_of(order, told) == RECEIVED
    assert shop.dollars == 100


@BOTH
@pytest.mark.parametrize("operation", ["GetItem", "TransactWriteItems"])
@pytest.mark.parametrize("fault", [unreachable, lost, conflict])
def test_a_store_that_can_not_be_reached(
    shop: Shop, method: str, operation: str, fault: Fault
) -> None:
    """503, never 500; what was done before the reply was lost is not done again."""
    order = shop.order(method)
    told = shop.told(order)
    shop.world.meet(operation, *[fault] * 6)
    heard = shop.hear_of(order, told)
    shop.world.transport.faults.clear()
    assert heard.status == 503
    assert shop.refusal()["WebhookRefused"] == 1
    assert shop.hear_of(order, told) == RECEIVED
    assert shop.dollars == 100


def test_a_defect_of_ours(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """503, too: Midtrans repeats a 500 but once. The line says where, and no value."""
    order = shop.order()
    told = shop.told(order)

    def broken(*_: object) -> None:
        raise ZeroDivisionError(SERVER_KEY)

    with monkeypatch.context() as patched:
        patched.setattr(shop.world.app.orders, "payment", broken)
        shop.refuses(shop.hear_of(order, told), 503, "store_unavailable")
    (line,) = [line for line in shop.world.lines if line["event"] == "internal_error"]
    assert line["error"] == "ZeroDivisionError"
    assert shop.hear_of(order, told) == RECEIVED
    assert shop.dollars == 100


def test_an_order_stays_readable(shop: Shop) -> None:
    """Whatever webhooks did: its owner reads it, and the reading asks the provider."""
    order = shop.order()
    shop.hear("midtrans", "{}")
    shop.told(order, way="lost")
    assert topup.read(shop.world.app, "ada", order.id).order.credited_nano == order.amount_nano
