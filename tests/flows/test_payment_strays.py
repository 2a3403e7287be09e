"""Payments that do not fit: no key, no order, another provider, figures that belie each other."""

from __future__ import annotations

from decimal import Decimal

import pytest

from osiris.errors import InvalidRequest, KeyNotFound, TrialNotToppedUp
from osiris.flows import keys, orders
from osiris.flows.payment import confirm
from osiris.ledger.key import TRIAL
from osiris.ledger.order import (
    AMOUNT_DIFFERS,
    CREDITED,
    CRYPTO,
    CURRENCY_DIFFERS,
    KEY_DELETED,
    PENDING,
    QRIS,
    REFUNDED,
    STATE_UNKNOWN,
    VALUE_UNKNOWN,
)
from osiris.ledger.payment import RECEIVED, UNKNOWN
from osiris.payment_errors import BillRefused, OrderNotFound, PaymentNotFound, WebhookDiffers
from osiris.payments import Hint
from tests.flows.topup_customer import MINUTE_MS, Customer, payment_id

# ------------------------------------------------------------------------------ a deleted key


def deleted_meanwhile(ada: Customer) -> str:
    """A paid order whose key is gone; the id of another key of hers."""
    order = ada.order()
    ada.pay(order)
    keys.delete(ada.world.app, "ada", ada.key_id)
    ada.told(order)
    ada.watched(order)
    return order.id


def test_a_payment_for_a_deleted_key_waits_for_a_person(ada: Customer) -> None:
    """It is recorded and told of, not credited; its owner reads why."""
    order_id = deleted_meanwhile(ada)
    order, (payment,) = orders.find(ada.world.app, order_id)
    assert (order.problem, order.credited_nano) == (KEY_DELETED, 0)
    assert (payment.bought_nano, payment.credited_nano) == (order.amount_nano, 0)
    assert orders.undecided(ada.world.app) == [order]
    line = ada.line("payment_undecided")
    assert (line["PaymentUndecided"], line["order_id"]) == (1, order_id)
    assert ada.postings == []


def test_a_person_gives_it_a_home(ada: Customer) -> None:
    """Once, to a paid key of whoever asked for it; and it stays there when it goes back."""
    order_id = deleted_meanwhile(ada)
    app = ada.world.app
    home = ada._replace(key_id=another_key(ada))
    ada.world.pass_ms(MINUTE_MS)
    assert orders.assign(app, order_id, home.key_id) == 100_000_000_000
    assert orders.assign(app, order_id, home.key_id) == 0
    order, (payment,) = orders.find(app, order_id)
    assert (order.problem, payment.key_id, home.dollars) == ("", home.key_id, 100)
    assert home.state(order) == CREDITED
    assert orders.undecided(app) == []
    ada.provider(order).give_back(payment.id)
    ada.told(order)
    assert (home.dollars, home.state(order)) == (0, REFUNDED)


def test_a_payment_without_a_home_may_go_back(ada: Customer) -> None:
    """Then nothing is left to decide."""
    order_id = deleted_meanwhile(ada)
    order, (payment,) = orders.find(ada.world.app, order_id)
    orders.refund(ada.world.app, order_id, payment.id, amount=None, manual=False)
    assert ada.state(order) == REFUNDED
    assert orders.undecided(ada.world.app) == []
    assert ada.postings == []


def test_a_home_must_be_a_paid_key(ada: Customer) -> None:
    """Not a trial, a deleted or an unknown one."""
    order_id = deleted_meanwhile(ada)
    app = ada.world.app
    trial = keys.create(app, "ada", name="t", kind=TRIAL).key.id
    for key_id, error in (
        (trial, TrialNotToppedUp),
        (ada.key_id, KeyNotFound),
        ("Z" * 12, KeyNotFound),
    ):
        with pytest.raises(error):
            orders.assign(app, order_id, key_id)
    with pytest.raises(OrderNotFound):
        orders.assign(app, "ord_0000000000000000", another_key(ada))


def test_a_payment_is_valued_by_hand(ada: Customer) -> None:
    """One that the rules could not reckon; once, and only where the provider has money."""
    app = ada.world.app
    order = ada.order(method=CRYPTO)
    provider, id = ada.provider(order), payment_id(order)
    with pytest.raises(InvalidRequest, match="received nothing"):
        orders.assign(app, order.id, ada.key_id, payment_id=id, amount_nano=5)
    ada.pay(order)
    provider.change(id, currency="eth")
    ada.told(order)
    assert ada.stored(order).problem == CURRENCY_DIFFERS
    amount_nano = 90_000_000_000
    assert orders.assign(app, order.id, ada.key_id, payment_id=id, amount_nano=amount_nano)
    assert (ada.dollars, ada.stored(order).problem) == (90, "")
    with pytest.raises(InvalidRequest, match="valued before"):
        orders.assign(app, order.id, ada.key_id, payment_id=id, amount_nano=amount_nano)
    other = ada.order(method=CRYPTO, key_id=another_key(ada))
    with pytest.raises(InvalidRequest, match="another order"):
        orders.assign(app, other.id, ada.key_id, payment_id=id, amount_nano=amount_nano)


def another_key(ada: Customer) -> str:
    return keys.create(ada.world.app, "ada", name="desk").key.id


# -------------------------------------------------------------------- figures that don't agree


def hint(ada: Customer, id: str, **changes: object) -> Hint:
    """What a genuine webhook about a payment claims, but for what is changed."""
    status = ada.money.providers.qris.payments[id]
    plain = Hint(id, status.reference, status.price, status.price_currency, status.told)
    return plain._replace(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "differing"),
    [
        ({"price": Decimal(1)}, "amount"),
        ({"price_currency": "USD"}, "currency"),
        ({"reference": "ord_0000000000000000-1"}, "order"),
        ({"price": Decimal(1), "price_currency": "USD"}, "amount, currency"),
    ],
)
def test_a_webhook_that_the_status_belies(
    ada: Customer, changes: dict[str, object], differing: str
) -> None:
    """Nothing is credited on it; the status alone does, when the next one asks."""
    order = ada.order()
    ada.pay(order)
    told = hint(ada, payment_id(order), **changes)
    with pytest.raises(WebhookDiffers) as raised:
        confirm(ada.world.app, "midtrans", payment_id(order), timeout_ms=1, hint=told)
    assert raised.value.details == f"differs from the status by {differing}"
    assert ada.postings == []
    ada.watched(order)
    assert ada.dollars == 100


def test_an_old_webhook_is_no_difference(ada: Customer) -> None:
    """What it tells of the state may be over; the order, the amount and the currency hold."""
    order = ada.order()
    ada.pay(order)
    told = hint(ada, payment_id(order), told="pending", price=Decimal("1791700.00"))
    confirm(ada.world.app, "midtrans", payment_id(order), timeout_ms=1, hint=told)
    assert ada.dollars == 100


def test_an_order_of_another_provider(ada: Customer) -> None:
    """A payment of one provider that names an order of another's is credited to nobody."""
    order = ada.order(method=CRYPTO)
    qris = ada.money.providers.qris
    mine = ada.order()
    qris.pay(payment_id(mine))
    qris.change(payment_id(mine), reference=f"{order.id}-1")
    with pytest.raises(WebhookDiffers):
        confirm(ada.world.app, "midtrans", payment_id(mine), timeout_ms=1)
    assert ada.postings == []
    assert ada.state(order) == PENDING


@pytest.mark.parametrize("reference", ["", "QRIS-01bf", "ord_0000000000000000-1", "{}-9", "{}-0"])
def test_a_payment_of_no_order(ada: Customer, reference: str) -> None:
    """It is none of ours: other payments of the same merchant, or a part that is not there."""
    order = ada.order()
    ada.pay(order)
    ada.provider(order).change(payment_id(order), reference=reference.format(order.id))
    with pytest.raises(OrderNotFound):
        ada.told(order)
    ada.watched(order)
    assert ada.postings == []


def test_an_unknown_payment(ada: Customer) -> None:
    """The provider's own word for it."""
    with pytest.raises(PaymentNotFound):
        confirm(ada.world.app, "midtrans", "p99", timeout_ms=1)


PROBLEMS = [
    (QRIS, {"state": UNKNOWN, "told": "under_review"}, STATE_UNKNOWN),
    (CRYPTO, {"state": UNKNOWN, "told": "under_review"}, STATE_UNKNOWN),
    (QRIS, {"price_currency": "USD"}, CURRENCY_DIFFERS),
    (CRYPTO, {"price": Decimal(99)}, AMOUNT_DIFFERS),
    (CRYPTO, {"currency": "eth"}, CURRENCY_DIFFERS),
]


@pytest.mark.parametrize(("method", "changes", "problem"), PROBLEMS)
def test_a_person_looks_at_strange_figures(
    ada: Customer, method: str, changes: dict[str, object], problem: str
) -> None:
    """Nothing is credited, the order says so; and once the figures are right it is credited."""
    order = ada.order(method=method)
    ada.pay(order)
    provider, id = ada.provider(order), payment_id(order)
    right = provider.payments[id]
    provider.change(id, **changes)
    for _ in range(2):
        ada.told(order)
    assert ada.postings == []
    assert ada.stored(order).problem == problem
    assert [found.id for found in orders.undecided(ada.world.app)] == [order.id]
    line = ada.line("payment_undecided")
    assert (line["problem"], line["PaymentUndecided"]) == (problem, 1)
    provider.payments[id] = right
    assert right.state == RECEIVED
    ada.watched(order)
    assert (ada.state(order), ada.dollars) == (CREDITED, 100)
    assert ada.stored(order).problem == ""


def test_a_coin_without_a_rate_waits_for_a_person(
    ada: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider took it and won't value it: a person does, or the rate comes back."""
    order = ada.bought(method=CRYPTO)
    deposit = ada.provider(order).deposit(payment_id(order), Decimal("0.001"), coin="odd")

    def refused(_currency: str, _amount: Decimal) -> Decimal:
        raise BillRefused

    with monkeypatch.context() as patched:
        patched.setattr(ada.provider(order), "value_dollars", refused)
        ada.told_of(order, deposit)
    assert (ada.dollars, ada.stored(order).problem) == (100, VALUE_UNKNOWN)
    ada.told_of(order, deposit)
    assert (ada.dollars, ada.stored(order).problem) == (150, "")


def test_a_problem_of_another_payment_is_told_again(ada: Customer) -> None:
    """One part is credited, the other is still for a person."""
    order = ada.order("1000")
    ada.provider(order).change(payment_id(order, 1), state=UNKNOWN, told="under_review")
    ada.pay(order, 2)
    ada.told(order, 1)
    ada.told(order, 2)
    assert ada.watched(order).problem == STATE_UNKNOWN
    assert ada.dollars == 500


def test_an_unknown_word_takes_nothing_back(ada: Customer) -> None:
    """A credited payment whose state nobody knows stays credited until a person has looked."""
    order = ada.bought()
    ada.provider(order).change(payment_id(order), state=UNKNOWN, told="under_review")
    ada.told(order)
    assert (ada.dollars, ada.stored(order).problem) == (100, STATE_UNKNOWN)
