"""Orders before they are paid: who may have one, the same again, one at a time, and lists."""

from __future__ import annotations

import pytest

from osiris.errors import (
    ChangedMeanwhile,
    InvalidRequest,
    KeyNotFound,
    StoreUnavailable,
    TrialNotToppedUp,
)
from osiris.flows import keys, topup
from osiris.ledger.key import TRIAL
from osiris.ledger.order import (
    CRYPTO,
    PENDING,
    QRIS,
    QUOTED_MS_MAX,
)
from osiris.payment_errors import (
    OrderNotFound,
    OrderOpen,
    PaymentsNotOffered,
    TooManyOrders,
)
from tests.builders import preceded_by, unreachable
from tests.flows.topup_customer import HOUR_MS, MINUTE_MS, Customer, payment_id

BOTH = pytest.mark.parametrize("method", [QRIS, CRYPTO])

# ------------------------------------------------------------------------------------- refused


@BOTH
def test_some_keys_take_no_order(ada: Customer, method: str) -> None:
    """Trial, deleted, foreign and unknown ones; no rate is read and no provider asked before."""
    app = ada.world.app
    gone = keys.create(app, "ada", name="gone").key.id
    keys.delete(app, "ada", gone)
    for key_id, error in (
        (keys.create(app, "ada", name="t", kind=TRIAL).key.id, TrialNotToppedUp),
        (gone, KeyNotFound),
        (keys.create(app, "bob", name="k").key.id, KeyNotFound),
        ("Z" * 12, KeyNotFound),
        ("../keys", KeyNotFound),
    ):
        with pytest.raises(error):
            ada.order(method=method, key_id=key_id)
    assert sum(source.reads for source in ada.money.sources) == 0
    assert ada.money.providers.qris.asked == ada.money.providers.crypto.asked == []
    assert topup.list_orders(app, "ada", after_id="", most=9) == ([], "")


@pytest.mark.parametrize(
    "package", ["", "99", "0100", "100.0", "-100", "１００", "1e2", "9" * 5000]
)
def test_only_what_is_on_sale_is_ordered(ada: Customer, package: str) -> None:
    """By its very name."""
    with pytest.raises(InvalidRequest) as raised:
        ada.order(package)
    assert raised.value.param == "package"
    assert "100, 250, 500, 1000, 2500" in raised.value.message


@BOTH
def test_a_method_that_is_not_offered(ada: Customer, method: str) -> None:
    """The operator takes no payments by it."""
    ada.money.providers.missing.add(method)
    with pytest.raises(PaymentsNotOffered):
        ada.order(method=method)


# ---------------------------------------------------------------------------- one at a time


@BOTH
def test_a_key_has_one_open_order_of_a_kind(ada: Customer, method: str) -> None:
    """The refusal names it; another method, another key, and its end make room."""
    order = ada.order(method=method)
    with pytest.raises(OrderOpen) as raised:
        ada.order("250", method)
    assert raised.value.message.endswith(f"It is {order.id}.")
    ada.order(method=QRIS if method == CRYPTO else CRYPTO)
    ada.order(method=method, key_id=keys.create(ada.world.app, "ada", name="k").key.id)
    ada.world.pass_ms(20 * MINUTE_MS)
    assert ada.order(method=method).state == PENDING


def test_a_partly_paid_order_is_open(ada: Customer) -> None:
    """Until the rest came, or its quote ended."""
    order = ada.order("1000")
    ada.pay(order, 1)
    ada.told(order, 1)
    with pytest.raises(OrderOpen):
        ada.order()
    ada.pay(order, 2)
    ada.told(order, 2)
    assert ada.order().id != order.id


def test_of_two_orders_at_once_one_stands(ada: Customer) -> None:
    """The other finds the place taken."""
    ada.world.meet("TransactWriteItems", preceded_by(ada.order))
    with pytest.raises(OrderOpen):
        ada.order()
    orders, _ = topup.list_orders(ada.world.app, "ada", after_id="", most=9)
    assert len(orders) == 1


def test_an_order_that_was_never_started_gives_way(ada: Customer) -> None:
    """Whoever made it died; a minute later the key may have another."""
    ada.world.meet("UpdateItem", unreachable)
    with pytest.raises(StoreUnavailable):
        ada.order()
    with pytest.raises(OrderOpen):
        ada.order()
    ada.world.pass_ms(QUOTED_MS_MAX)
    assert ada.order().state == PENDING


# ------------------------------------------------------------------------------------- reading


def test_orders_are_listed_newest_first(ada: Customer) -> None:
    """By pages, of one account alone."""
    app = ada.world.app
    made = []
    for number in range(5):
        made.append(ada.order(method=CRYPTO if number % 2 else QRIS).id)
        ada.world.pass_ms(20 * MINUTE_MS)
    first, after = topup.list_orders(app, "ada", after_id="", most=2)
    second, after = topup.list_orders(app, "ada", after_id=after, most=2)
    third, after = topup.list_orders(app, "ada", after_id=after, most=2)
    assert [order.id for order in (*first, *second, *third)] == made[::-1]
    assert after == ""
    assert topup.list_orders(app, "bob", after_id="", most=2) == ([], "")
    assert topup.list_orders(app, "bob", after_id=made[0], most=2) == ([], "")
    for strange in ("x", "req_0000000000000000", made[0][:-1], "order#" + made[0]):
        with pytest.raises(InvalidRequest):
            topup.list_orders(app, "ada", after_id=strange, most=2)


def test_a_foreign_order_is_none(ada: Customer) -> None:
    """Nor is one that does not exist, or is no id at all; none is asked about."""
    order = ada.order()
    asked = ada.provider(order).asked
    asked.clear()
    for account_id, order_id in (
        ("bob", order.id),
        ("ada", "ord_0000000000000000"),
        ("ada", ""),
        ("ada", "payment#midtrans#p1"),
        ("ada", f"{order.id}-1"),
    ):
        for act in (topup.read, topup.cancel):
            with pytest.raises(OrderNotFound):
                act(ada.world.app, account_id, order_id)
    assert asked == []
    assert payment_id(order) == f"{order.id}-1"


def test_a_place_that_is_always_taken(ada: Customer) -> None:
    """Others take and leave it at each try: after three there is an error that says so."""
    transport = ada.world.transport
    ada.order()
    ada.world.pass_ms(20 * MINUTE_MS)

    def take_and_leave() -> None:
        faults, transport.faults = transport.faults, {}
        topup.cancel(ada.world.app, "ada", ada.order().id)
        transport.faults = faults

    ada.world.meet("TransactWriteItems", *[preceded_by(take_and_leave)] * topup.CREATE_TRIES_MAX)
    with pytest.raises(ChangedMeanwhile):
        ada.order()


def test_an_account_orders_at_a_pace(ada: Customer) -> None:
    """Each order costs its provider calls: so many in an hour, and no provider hears of more."""
    app = ada.world.app
    for _ in range(topup.ORDERS_AN_HOUR_MAX):
        topup.cancel(app, "ada", ada.order().id)
    started = len(ada.money.providers.qris.payments)
    with pytest.raises(TooManyOrders) as raised:
        ada.order()
    assert raised.value.retry_after_s == 60
    assert len(ada.money.providers.qris.payments) == started
    ada.world.pass_ms(HOUR_MS)
    assert ada.order().state == PENDING


def test_an_open_order_is_found_before_anybody_is_asked(ada: Customer) -> None:
    """Neither rates nor providers hear of an order that can't be made."""
    ada.order(method=CRYPTO)
    asked = len(ada.money.providers.crypto.asked)
    with pytest.raises(OrderOpen):
        ada.order(method=CRYPTO)
    assert len(ada.money.providers.crypto.asked) == asked
