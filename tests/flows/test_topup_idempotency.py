"""The same order again: one Idempotency-Key makes one order, whatever becomes of its calls."""

from __future__ import annotations

import pytest

from osiris.errors import InvalidRequest, StoreUnavailable
from osiris.flows import keys, topup
from osiris.ledger.order import (
    CANCELLED,
    CREDITED,
    CRYPTO,
    EXPIRED,
    PENDING,
    QRIS,
    QUOTED,
)
from osiris.payment_errors import BillRefused, IdempotencyMismatch, ProviderUnavailable
from osiris.payments import Bill, ReferenceTaken, Started
from tests.builders import Fault, lost, preceded_by, repeated_late, unreachable
from tests.flows.topup_customer import MINUTE_MS, Customer

BOTH = pytest.mark.parametrize("method", [QRIS, CRYPTO])


@BOTH
def test_the_same_again_is_the_same_order(ada: Customer, method: str) -> None:
    """An Idempotency-Key and its body; also when it is paid, and for a day."""
    order = ada.order(method=method, once="o1")
    assert ada.order(method=method, once="o1") == order
    ada.pay(order)
    ada.told(order)
    ada.world.pass_ms(24 * 60 * MINUTE_MS)
    shown = ada.ordered("100", method, once="o1")
    assert (shown.order.id, len(shown.payments)) == (order.id, 1)
    assert ada.provider(order).asked.count("start") == 1


def test_another_body_is_a_mistake(ada: Customer) -> None:
    """One key, one wish: package, method, coin and key belong to it."""
    ada.order(once="o1")
    other = keys.create(ada.world.app, "ada", name="k").key.id
    for package, method, key_id in (("250", QRIS, ""), ("100", CRYPTO, ""), ("100", QRIS, other)):
        with pytest.raises(IdempotencyMismatch):
            ada.ordered(package, method, key_id=key_id, once="o1")


def test_another_accounts_key_is_another(ada: Customer) -> None:
    """What bob calls o1 is none of ada's."""
    order = ada.order(once="o1")
    key_id = keys.create(ada.world.app, "bob", name="k").key.id
    wish = topup.Wish("250", key_id, QRIS, "")
    made = topup.create(ada.world.app, "bob", wish, idempotency_key="o1", webhooks_url="")
    assert made.order.id != order.id


def test_the_same_twice_at_once_is_one_order(ada: Customer) -> None:
    """The one that comes second shows the order of the first."""
    ada.world.meet("TransactWriteItems", preceded_by(lambda: ada.order(once="o1")))
    second = ada.order(once="o1")
    orders, _ = topup.list_orders(ada.world.app, "ada", after_id="", most=9)
    assert [order.id for order in orders] == [second.id]
    assert ada.stored(second).parts == second.parts


@BOTH
def test_two_that_start_it_at_once_show_one_payment(ada: Customer, method: str) -> None:
    """A coin's second address is known to nobody; both callers show the first."""
    ada.world.meet("UpdateItem", preceded_by(lambda: ada.order(method=method, once="o1")))
    slower = ada.order(method=method, once="o1")
    assert slower == ada.stored(slower)
    assert slower.state == PENDING


@BOTH
def test_after_a_failed_start_it_may_be_tried_again(ada: Customer, method: str) -> None:
    """The order that failed is cancelled; the same key and body make another."""
    provider = ada.money.providers.of(ada.money.providers.name_for(method))
    # Another key's order: the list of coins is kept, so that what fails is the start.
    ada.order(method=method, key_id=keys.create(ada.world.app, "ada", name="k").key.id)
    provider.away = True
    with pytest.raises(ProviderUnavailable):
        ada.order(method=method, once="o1")
    provider.away = False
    order = ada.order(method=method, once="o1")
    assert order.state == PENDING
    assert ada.order(method=method, once="o1") == order
    with pytest.raises(IdempotencyMismatch):
        ada.order("250", method, once="o1")


@BOTH
def test_a_crash_between_creation_and_start(ada: Customer, method: str) -> None:
    """The same call takes the order up; without it nobody can pay, and it ends by itself."""
    ada.world.meet("UpdateItem", unreachable)
    with pytest.raises(StoreUnavailable):
        ada.order(method=method, once="o1")
    (order,), _ = topup.list_orders(ada.world.app, "ada", after_id="", most=9)
    assert (order.state, order.was_started) == (QUOTED, False)
    if method == QRIS:
        taken_up = ada.order(method=method, once="o1")
        assert (taken_up.id, taken_up.state) == (order.id, PENDING)
        assert ada.pay(taken_up)
        ada.told(taken_up)
        assert ada.dollars == 100
    else:
        assert ada.watched(order, after_ms=60 * MINUTE_MS).state == EXPIRED


@pytest.mark.parametrize("fault", [repeated_late, lost])
def test_a_creation_whose_reply_was_lost(ada: Customer, fault: Fault) -> None:
    """It stands: the transport's repeat finds it, or the caller's own."""
    ada.world.meet("TransactWriteItems", fault)
    if fault is lost:
        with pytest.raises(StoreUnavailable):
            ada.order(once="o1")
    order = ada.order(once="o1")
    orders, _ = topup.list_orders(ada.world.app, "ada", after_id="", most=9)
    assert [found.id for found in orders] == [order.id]


def test_a_reference_that_is_taken(ada: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A try of ours whose answer was lost: the next attempt has another name, three at most."""
    provider = ada.money.providers.qris
    tried: list[str] = []
    start = provider.start

    def taken(bill: Bill) -> Started:
        tried.append(bill.reference)
        if len(tried) < 3:
            raise ReferenceTaken
        return start(bill)

    monkeypatch.setattr(provider, "start", taken)
    order = ada.order()
    assert tried == [f"{order.id}-1", f"{order.id}-1-1", f"{order.id}-1-2"]
    ada.pay(order)
    ada.told_of(order, f"{order.id}-1-2")
    assert ada.state(order) == CREDITED
    monkeypatch.setattr(provider, "start", always_taken)
    with pytest.raises(ProviderUnavailable):
        ada.order()


def always_taken(_bill: Bill) -> Started:
    raise ReferenceTaken


def test_a_provider_that_refuses_leaves_room(
    ada: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order is cancelled, so that another may be made at once."""

    def refused(_bill: Bill) -> Started:
        raise BillRefused

    with monkeypatch.context() as patched:
        patched.setattr(ada.money.providers.qris, "start", refused)
        with pytest.raises(BillRefused):
            ada.order()
    (order,), _ = topup.list_orders(ada.world.app, "ada", after_id="", most=9)
    assert order.state == CANCELLED
    assert ada.order().state == PENDING


def test_an_idempotency_key_has_a_length(ada: Customer) -> None:
    """Up to 255 characters of any kind."""
    assert ada.order(once="\ud800é" * 100).state == PENDING
    with pytest.raises(InvalidRequest, match="255"):
        ada.order(once="x" * 256)
