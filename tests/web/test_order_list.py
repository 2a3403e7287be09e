"""The list of orders and their receipts, and that nobody sees another's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from osiris.flows import keys
from osiris.flows.expiry import sweep
from osiris.flows.topup import Shown
from osiris.ledger.order import CRYPTO
from osiris.web.order_view import order_view
from osiris.web.words import Words
from tests.flows.topup_customer import ACCOUNT, DOLLAR, MINUTE_MS, payment_id
from tests.scripted_provider import COIN
from tests.web.browser import Browser
from tests.web.markup import Markup
from tests.web.shopper import EMAIL, KEY_NAME, Shopper, shopper

if TYPE_CHECKING:
    from osiris.store.transport import Payload
    from tests.builders import Call

PAGE_BYTES_MAX = 50_000


@pytest.fixture
def ada() -> Shopper:
    return shopper()


def test_there_are_no_orders_at_first(ada: Shopper) -> None:
    """The empty list leads to the first."""
    shown = ada.browser.get("/orders")
    assert "No orders yet" in shown.text
    assert "/topup" in Markup(shown.html).links


def test_orders_are_listed_newest_first_by_pages(ada: Shopper) -> None:
    """Twenty a page, each once, with a link to the older ones while there are any."""
    made = []
    for _ in range(45):
        ada.world.pass_ms(4 * MINUTE_MS)
        ada.browser.sign_in(ACCOUNT)
        order = ada.order()
        ada.browser.post(f"/orders/{order.id}")
        made.append(f"/orders/{order.id}")
    path, seen = "/orders", []
    for rows in (20, 20, 5):
        shown = ada.browser.get(path)
        links = [link["href"] for link in Markup(shown.html).of("a")]
        here = [link for link in links if link in made]
        assert len(here) == rows
        assert len(shown.body) < PAGE_BYTES_MAX
        seen += here
        path = next((link for link in links if "after=" in link and "lang=" not in link), "")
    assert seen == made[::-1]
    assert path == ""


def test_the_list_says_of_an_order_what_its_page_says(ada: Shopper) -> None:
    """A payment that is not final yet is seen, also after the quote has ended."""
    order = ada.order("100", CRYPTO, coin=COIN)
    ada.customer.provider(order).detect(payment_id(order))
    for _ in range(2):
        assert "Payment seen" in ada.look(order).text
        assert state_tags(ada) == ["Payment seen"]
        ada.world.pass_ms(60 * MINUTE_MS)
    ada.customer.pay(order)
    ada.look(order)
    ada.world.meet("BatchGetItem", keys_alone)
    assert state_tags(ada) == ["Credited"]


def keys_alone(call: Call, payload: Payload) -> Payload:
    """Nothing is read of an order that its own state tells all of."""
    assert payload["RequestItems"].keys() == {"KeysTable"}
    return call(payload)


def state_tags(ada: Shopper) -> list[str]:
    """The states in the list of orders."""
    return re.findall(r'<span class="tag[^"]*">([^<]*)</span>', ada.browser.get("/orders").html)


def test_a_receipt_is_whole_or_not_there(ada: Shopper) -> None:
    """Payments that DynamoDB leaves out, each time it is asked, are not taken for none."""
    order = ada.customer.bought()

    def nothing(_call: Call, payload: Payload) -> Payload:
        return {"Responses": {}, "UnprocessedKeys": payload["RequestItems"]}

    ada.world.meet("BatchGetItem", *[nothing] * 5)
    shown = ada.browser.get(f"/orders/{order.id}/receipt")
    assert shown.status == 503
    assert "Our database does not answer. Nothing is lost." in shown.text


@pytest.mark.parametrize("after", ["x", "ord_", "'", "%00", "ord_" + "z" * 500])
def test_a_place_that_is_none_is_refused(ada: Shopper, after: str) -> None:
    """In a page."""
    shown = ada.browser.get(f"/orders?after={after}")
    assert shown.status == 400
    assert "That could not be read" in shown.text


def test_there_is_no_receipt_before_there_is_credit(ada: Shopper) -> None:
    """It leads to the order."""
    order = ada.order()
    shown = ada.look(order, "/receipt")
    assert (shown.status, shown.location) == (303, f"/orders/{order.id}")


def test_a_receipt_tells_what_was_paid(ada: Shopper) -> None:
    """Order, account, key, price, rate, references, credit; and that it is no tax invoice."""
    order = ada.customer.bought("1000")
    shown = ada.look(order, "/receipt")
    references = [payment_id(order, part) for part in (1, 2)]
    for text in (
        order.id,
        EMAIL,
        KEY_NAME,
        "$1,000.00",
        "Rp17,917,000",
        "Rp17,917 for $1",
        "ExchangeRate-API",
        *references,
        "Order number at Midtrans",
        "not a tax invoice",
    ):
        assert text in shown.text
    assert shown.text.count("$500.00") == 2
    assert "data-print hidden" in shown.html
    ada.customer.provider(order).give_back(references[0])
    shown = ada.look(order, "/receipt")
    assert "Taken back $500.00 Left of it $500.00" in shown.text


def test_a_receipt_of_a_coin_has_its_amount(ada: Shopper) -> None:
    """With all its digits, its rate, and the number that the provider gave the payment."""
    shown = ada.look(ada.customer.bought("100", CRYPTO), "/receipt")
    assert "Price 0.002 BTC" in shown.text
    assert "Rate $50,000.00 for 1 BTC, fixed by the provider for this order" in shown.text
    assert "≈" not in shown.text
    assert "Provider's reference p1" in shown.text
    assert "Order number at" not in shown.text


@pytest.mark.parametrize(
    ("amount", "rate"),
    [
        ("0.00103093", "≈ $96,999.796"),
        ("99.87654321", "≈ $1.0012361"),
        ("8", "$12.50"),
        ("3", "≈ $33.333333"),
        ("12345678901.5", "≈ $0.0000000081"),
        ("0.0000000001", "$1,000,000,000,000.00"),
        ("0.000000000000000001", ""),
        ("9" * 40, ""),
        ("0", ""),
        ("", ""),
        ("NaN", ""),
    ],
)
def test_a_coins_rate_is_its_worth_in_the_quote(ada: Shopper, amount: str, rate: str) -> None:
    """To eight digits, and marked where it is rounded; empty where there is none to be told."""
    order = ada.order("100", CRYPTO, coin=COIN)
    part = order.parts[0]._replace(amount=amount)
    view = order_view(Shown(order._replace(parts=(part,)), []), 0, has_key=True)
    told = view.coin_rate
    mark = "≈ " if told is not None and told.is_rounded else ""
    assert mark + ("" if told is None else Words("en").dollars_of(told.dollars)) == rate


@pytest.mark.parametrize("then", ["", "/state", "/receipt"])
def test_anothers_order_is_not_there(ada: Shopper, then: str) -> None:
    """Nor can it be cancelled; an id that is none is answered alike."""
    order = ada.customer.bought()
    bob = Browser(ada.world, "bob")
    for id in (order.id, order.id[:-1], "x", "ord_%2e%2e"):
        shown = bob.get(f"/orders/{id}{then}")
        assert shown.status == 404
        assert "There is no such order" in shown.text
    assert bob.post(f"/orders/{order.id}").status == 404
    assert ada.customer.stored(order).state == order.state


def test_looking_moves_no_money_of_its_own(ada: Shopper) -> None:
    """However often a paid order is looked at, it was credited once."""
    order = ada.order()
    ada.customer.pay(order)
    for then in ("", "/state", "/receipt", "/state"):
        ada.look(order, then)
    sweep(ada.world.app)
    assert ada.customer.key.balance_nano == 100 * DOLLAR


def test_an_order_of_a_deleted_key_is_still_read(ada: Shopper) -> None:
    """Its page, its receipt and the list do without the key's name."""
    order = ada.customer.bought()
    keys.delete(ada.world.app, ACCOUNT, order.key_id, confirmed_name=KEY_NAME)
    for path in (f"/orders/{order.id}", f"/orders/{order.id}/receipt", "/orders"):
        shown = ada.browser.get(path)
        assert shown.status == 200
        assert KEY_NAME not in shown.text
        assert "sk-osiris-" in shown.text
