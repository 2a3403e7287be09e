"""What a person has to decide about, and orders whose key is gone: nothing is asked for in vain."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from osiris.flows import keys, orders
from osiris.ledger.order import CANCELLED, CRYPTO, KEY_DELETED, QRIS, UNDONE, VALUE_UNKNOWN
from osiris.ledger.payment import ENDED, UNKNOWN, WAITING
from osiris.web.order_words import PROBLEMS
from tests.flows.topup_customer import ACCOUNT, DAY_MS, DOLLAR, payment_id
from tests.scripted_provider import COIN
from tests.web.shopper import KEY_NAME, Shopper, shopper
from tests.web.test_order_list import state_tags
from tests.web.test_order_pages import (
    ALL_PROBLEMS,
    QUOTE_MS,
    codes,
    is_settled,
    piece_is_in_page,
    steps,
)

if TYPE_CHECKING:
    from osiris.ledger.order import Order
    from tests.web.browser import Shown

KEY_IS_GONE = "The key of this order was deleted, so it can't be paid any more."


@pytest.fixture
def ada() -> Shopper:
    return shopper()


def asks_for_nothing(shown: Shown) -> bool:
    """There is no code, address, amount, countdown or step, and no promise of a credit."""
    asked = ("data-countdown", "sum-to-pay", "download=")
    told = ("Waiting for payment", "No payment has arrived", "to be paid", "the same is credited")
    in_page = [each for each in asked if each in shown.html] + [
        each for each in told if each in shown.text
    ]
    return (in_page, codes(shown), steps(shown)) == ([], [], (0, 0))


def without_key(ada: Shopper, order: Order) -> None:
    """She deletes the order's key."""
    keys.delete(ada.world.app, ACCOUNT, order.key_id, confirmed_name=KEY_NAME)


# ------------------------------------------------------------------------- what a person decides


@pytest.mark.parametrize(("method", "coin"), [(QRIS, ""), (CRYPTO, COIN)])
@pytest.mark.parametrize("problem", ALL_PROBLEMS)
def test_what_a_person_decides_is_told_in_words(
    ada: Shopper, problem: str, method: str, coin: str
) -> None:
    """Each kind says what was not lost, and nothing is to be paid; the list says the same."""
    order = ada.order("2500" if method == QRIS else "100", method, coin=coin)
    ada.world.app.orders.flag(order.id, problem, payment_id(order))
    ada.customer.provider(order).away = True
    shown = ada.browser.get(f"/orders/{order.id}")
    assert "To be decided. A person decides about the payment of this order" in shown.text
    assert f"Something has to be decided. {PROBLEMS[problem]}" in shown.text
    assert asks_for_nothing(shown)
    assert piece_is_in_page(ada, order)
    assert state_tags(ada) == ["To be decided"]
    ada.world.pass_ms(QUOTE_MS)
    shown = ada.browser.get(f"/orders/{order.id}")
    assert "no payment has come" not in shown.text
    assert asks_for_nothing(shown)
    assert state_tags(ada) == ["To be decided"]


def test_what_is_in_no_doubt_any_more_is_payable_again(ada: Shopper) -> None:
    """The provider said something odd, and then that it waits for the payment."""
    order = ada.order()
    provider = ada.customer.provider(order)
    provider.change(payment_id(order), state=UNKNOWN, told="odd")
    assert asks_for_nothing(ada.look(order))
    provider.change(payment_id(order), state=WAITING, told="pending")
    shown = ada.look(order)
    assert "Waiting for payment." in shown.text
    assert len(codes(shown)) == 1
    ada.customer.pay(order)
    shown = ada.look(order)
    assert "Credited. $100.00 went to the key." in shown.text
    assert "to be decided" not in shown.text.lower()


def test_a_part_in_doubt_leaves_none_to_pay(ada: Shopper) -> None:
    """Which parts are in doubt is not known, so the rest waits; what was credited is told."""
    order = ada.order("2500")
    ada.customer.pay(order)
    for part in (2, 3):
        ada.customer.provider(order).change(payment_id(order, part), state=UNKNOWN, told="odd")
    shown = ada.look(order)
    assert "Partly paid. $500.00 of $2,500.00 was credited. A person decides about" in shown.text
    assert "Payment 3 of 5: Rp8,958,500 → $500.00 not credited" in shown.text
    assert asks_for_nothing(shown)
    assert state_tags(ada) == ["Partly paid", "to be decided"]


def test_a_payment_that_was_undone_leaves_none_to_pay(ada: Shopper) -> None:
    """An earlier doubt about another part may stand behind it."""
    order = ada.order("2500")
    ada.customer.pay(order)
    ada.look(order)
    ada.customer.provider(order).change(
        payment_id(order), state=ENDED, told="deny", received=Decimal(0)
    )
    shown = ada.look(order)
    assert f"Something has to be decided. {PROBLEMS[UNDONE]}" in shown.text
    assert asks_for_nothing(shown)


@pytest.mark.parametrize("why", ["its key is gone", "a person decides"])
def test_what_takes_no_payment_can_be_cancelled(ada: Shopper, why: str) -> None:
    """So that its code is dead, and another order can be made; no credit is promised."""
    order = ada.order()
    if why == "its key is gone":
        without_key(ada, order)
    else:
        ada.customer.provider(order).change(payment_id(order), state=UNKNOWN, told="odd")
    shown = ada.look(order)
    assert 'id="cancel"' in shown.html
    assert asks_for_nothing(shown)
    assert ada.browser.post(f"/orders/{order.id}").status == 303
    assert ada.customer.stored(order).state == CANCELLED


def test_a_coin_without_a_rate_takes_no_more(ada: Shopper) -> None:
    """Whatever else came to its address would have no rate either."""
    order = ada.order("100", CRYPTO, coin=COIN)
    provider = ada.customer.provider(order)
    ada.customer.pay(order, share="0.6")
    ada.look(order)
    provider.coin_dollars *= 10**12
    provider.deposit(payment_id(order), Decimal("0.0002"))
    shown = ada.look(order)
    assert f"Something has to be decided. {PROBLEMS[VALUE_UNKNOWN]}" in shown.text
    assert "$60.00 of $100.00 was credited." in shown.text
    assert "Too little, too much, too late" not in shown.text
    assert asks_for_nothing(shown)


# ------------------------------------------------------------------------------- without its key


@pytest.mark.parametrize(("method", "coin"), [(QRIS, ""), (CRYPTO, COIN)])
def test_an_order_without_its_key_cant_be_paid(ada: Shopper, method: str, coin: str) -> None:
    """It says why, and what happens to money that comes all the same; and it does happen."""
    order = ada.order("100", method, coin=coin)
    without_key(ada, order)
    shown = ada.look(order)
    assert f"Key deleted. {KEY_IS_GONE}" in shown.text
    assert "a person decides, and it goes to another key or back to you" in shown.text
    assert asks_for_nothing(shown)
    assert not is_settled(shown)
    assert piece_is_in_page(ada, order)
    assert state_tags(ada) == ["Key deleted"]
    ada.customer.pay(order)
    shown = ada.look(order)
    assert f"Something has to be decided. {PROBLEMS[KEY_DELETED]}" in shown.text
    assert "To be decided." in shown.text
    assert asks_for_nothing(shown)
    assert state_tags(ada) == ["To be decided"]
    other = keys.create(ada.world.app, ACCOUNT, name="other").key.id
    assert orders.assign(ada.world.app, order.id, other) == 100 * DOLLAR
    assert state_tags(ada) == ["Credited"]


def test_an_order_that_ended_without_its_key_promises_no_credit(ada: Shopper) -> None:
    """Neither one whose quote has ended, nor one that was cancelled."""
    ended = ada.order("100", CRYPTO, coin=COIN)
    ada.world.pass_ms(QUOTE_MS)
    cancelled = ada.order()
    ada.browser.post(f"/orders/{cancelled.id}")
    without_key(ada, cancelled)
    for order, label in ((ended, "Ended unpaid"), (cancelled, "Cancelled")):
        shown = ada.look(order)
        assert f"{label}. {KEY_IS_GONE}" in shown.text
        assert asks_for_nothing(shown)
    assert state_tags(ada) == ["Cancelled", "Ended unpaid"]


def test_a_coin_on_its_way_to_a_deleted_key_is_told(ada: Shopper) -> None:
    """It was seen; it won't be credited by itself, and the page goes on looking."""
    order = ada.order("100", CRYPTO, coin=COIN)
    ada.customer.provider(order).detect(payment_id(order))
    ada.look(order)
    without_key(ada, order)
    shown = ada.look(order)
    assert "Payment seen. A payment was seen and is not final yet. The key of this" in shown.text
    assert "the credit comes as soon as" not in shown.text
    assert asks_for_nothing(shown)
    ada.world.pass_ms(QUOTE_MS)
    assert not is_settled(ada.look(order))


def test_the_rest_for_a_deleted_key_is_not_asked_for(ada: Shopper) -> None:
    """Nor is what was credited said to be on a key."""
    order = ada.order("2500")
    ada.customer.pay(order)
    ada.look(order)
    without_key(ada, order)
    for _ in range(2):
        shown = ada.look(order)
        assert "$500.00 of $2,500.00 was credited. The key was deleted since" in shown.text
        assert "on the key" not in shown.text
        assert asks_for_nothing(shown)
        assert state_tags(ada) == ["Partly paid"]
        ada.world.pass_ms(DAY_MS // 24)
