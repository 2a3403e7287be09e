"""Money in by the real APIs of the local stack: ordered, paid at a simulator, and then spent."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

import httpx
import pytest

from osiris.ledger.expiry import months_later
from osiris.store.order_items import order_pk
from osiris.store.values import typed, typed_item
from tests.e2e.money import BTC, QRIS, dollars, until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.e2e.money import Customer, Shop

BOTH = pytest.mark.parametrize("method", [QRIS, BTC], ids=["qris", "crypto"])
# Later than a quote's end and the minutes in which a payer who sent in time may be seen.
LATE_S = 40 * 60
COST = "0.1"


def end_quote(shop: Shop, order_id: str) -> None:
    """Let the order's quote have ended: only time has passed."""
    shop.stack.cloud.client("dynamodb").update_item(
        TableName=shop.app.settings.orders_table,
        Key={"pk": typed(order_pk(order_id))},
        UpdateExpression="SET expires_at_ms = :at",
        ExpressionAttributeValues=typed_item({":at": shop.app.now_ms() - 1}),
    )


def pay_on_the_page(shop: Shop, reference: str) -> None:
    """What a developer does: find the payment on the simulator's page, choose, press the button."""
    url = shop.till.midtrans.url
    page = httpx.get(url, timeout=30).text
    card = next(one for one in page.split("<article")[1:] if f"<h2>{reference}</h2>" in one)
    form = re.search(r"<form method=(\w+) action=\"([^\"]+)\">(.*?)</form>", card)
    assert form is not None
    hidden = re.findall(r"<input type=hidden name=(\w+) value=\"([^\"]+)\">", form[3])
    for field, choice in (("what", "pay"), ("webhook", "normal")):
        assert re.search(rf"<select name={field}>.*?<option value=\"{choice}\"", form[3])
        hidden.append((field, choice))
    done = httpx.request(form[1], url + form[2], data=dict(hidden), timeout=30)
    assert done.status_code == 303
    assert shop.till.midtrans.courier.wait()


def test_from_order_to_spent_credit_by_qris(shop: Shop, ada: Customer) -> None:
    """402 before; ordered, paid on the simulator's page, credited with a month; then it answers."""
    assert ada.chat() == (402, "insufficient_balance")
    order = ada.order(QRIS)
    (part,) = order["parts"]
    assert (order["state"], part["price"], part["price_currency"]) == ("pending", "1791700", "IDR")
    assert part["qr_text"].startswith("000201")
    assert part["qr_svg"].startswith("<svg")
    pay_on_the_page(shop, part["reference"])

    assert until(lambda: ada.balance == "100", "credited")
    shown = ada.read(order["id"])
    assert (shown["state"], shown["why"], shown["credited"]) == ("credited", None, "100")
    (payment,) = shown["payments"]
    assert (payment["received"], payment["provider_state"]) == ("1791700.00", "settlement")
    (posted,) = shop.postings(ada.key_id)
    assert ada.key.expires_at_ms == months_later(posted.at_ms, 1)
    assert ada.chat() == (200, None)
    assert ada.balance == "99.9"


def test_from_order_to_spent_credit_by_crypto(shop: Shop, ada: Customer) -> None:
    """The same by bitcoin, from its address to the credit; each status told does it no harm."""
    order = ada.order(BTC)
    (part,) = order["parts"]
    assert part["qr_text"] == f"bitcoin:{part['address']}?amount={part['amount']}"
    ada.pay(order)
    told = [one.event for one in shop.till.nowpayments.deliveries if one.status == 200][-4:]
    assert told == ["confirming", "confirmed", "sending", "finished"]
    assert shop.entries(ada.key_id) == [("purchase", dollars("100"))]
    assert ada.read(order["id"])["state"] == "credited"
    assert ada.chat() == (200, None)
    assert ada.balance == "99.9"


def test_a_dear_package_is_paid_in_its_parts(shop: Shop, ada: Customer) -> None:
    """$2,500 is five codes, each credited as it is paid; they sum up, and the expiry moves once."""
    order = ada.order(QRIS, "2500")
    parts = order["parts"]
    assert [int(part["price"]) <= 10_000_000 for part in parts] == [True] * 5
    assert sum(int(part["price"]) for part in parts) == 2500 * 17917
    assert sum(Decimal(part["credit"]) for part in parts) == 2500
    credited, expiries = Decimal(0), set()
    for number in (3, 1, 5, 2, 4):
        assert ada.read(order["id"])["state"] == ("part_paid" if credited else "pending")
        ada.pay(order, part=number)
        credited += Decimal(parts[number - 1]["credit"])
        assert Decimal(ada.balance) == credited
        expiries.add(ada.key.expires_at_ms)
    assert len(expiries) == 1
    shown = ada.read(order["id"])
    assert (shown["state"], shown["credited"]) == ("credited", "2500")
    assert {part["state"] for part in shown["parts"]} == {"credited"}


def test_rupiah_that_come_late_buy_what_was_quoted(shop: Shop, ada: Customer) -> None:
    """The order has expired and another was made; then the first is paid: both are credited."""
    first = ada.order(QRIS)
    shop.pass_s(shop.till.midtrans, LATE_S)
    shop.till.set_back()
    end_quote(shop, first["id"])
    shop.watch(first["id"])
    shown = ada.read(first["id"])
    assert (shown["state"], "qr_text" in shown["parts"][0]) == ("expired", False)
    assert shown["why"] == "The quote has ended. What is paid all the same is still credited."
    second = ada.order(QRIS)
    ada.pay(first, "late")
    ada.pay(second)
    assert ada.balance == "200"
    assert {ada.read(order["id"])["state"] for order in (first, second)} == {"credited"}


def test_a_coin_that_comes_late_buys_at_its_price_then(shop: Shop, ada: Customer) -> None:
    """After the quote's end the provider's rate counts: a coin that fell by half brings half."""
    order = ada.order(BTC)
    price = shop.till.nowpayments.prices.usd("btc")
    shop.pass_s(shop.till.nowpayments, LATE_S)
    shop.till.nowpayments.prices.set_usd("btc", price / 2)
    ada.pay(order, "late")
    amount = Decimal(order["parts"][0]["amount"])
    worth = shop.till.nowpayments.prices.convert(amount, "btc", "usd")
    shop.till.nowpayments.prices.set_usd("btc", price)
    assert shop.entries(ada.key_id) == [("purchase", dollars(worth))]
    shown = ada.read(order["id"])
    assert shown["state"] == "part_paid"
    assert shown["why"] == "Not all of it has been paid. What came is credited."


@pytest.mark.parametrize(
    ("method", "what", "credited"),
    [
        (QRIS, "less", "60"),
        (QRIS, "more", "150"),
        (QRIS, "fee", "100"),
        (QRIS, "twice", "100"),
        (BTC, "less", "60"),
        (BTC, "more", "150"),
        (BTC, "twice", "200"),
        (BTC, "wrong_coin", "100"),
        (BTC, "below_minimum", "0"),
    ],
    ids=lambda value: value["method"] if isinstance(value, dict) else value,
)
def test_whatever_was_really_received_is_credited(
    shop: Shop, ada: Customer, method: Mapping[str, str], what: str, credited: str
) -> None:
    """In proportion to the quote; a coin beside the quote at its price. Once, with its entry."""
    order = ada.order(method)
    ada.pay(order, what)
    ada.pay(order, "replay")
    shown = ada.read(order["id"])
    assert abs(Decimal(ada.balance) - Decimal(credited)) < Decimal("0.001")
    assert shown["credited"] == ada.balance
    purchases = [amount for type, amount in shop.entries(ada.key_id) if type == "purchase"]
    assert len(purchases) == len([one for one in shown["payments"] if one["credited"] != "0"])
    whole = {"0": "pending", "60": "part_paid"}.get(credited, "credited")
    nearly = what == "wrong_coin" and Decimal(credited) > Decimal(shown["credited"])
    assert shown["state"] == ("part_paid" if nearly else whole)


@BOTH
def test_a_refund_takes_the_credit_back(
    shop: Shop, ada: Customer, method: Mapping[str, str]
) -> None:
    """Once, though it is told twice; what was spent stays owed, its owner sees why, then 402."""
    order = ada.order(method)
    ada.pay(order)
    assert ada.chat() == (200, None)
    ada.pay(order, "refund")
    ada.pay(order, "replay")
    shown = ada.read(order["id"])
    assert (shown["state"], shown["credited"], shown["taken_back"]) == ("refunded", "100", "100")
    assert ada.balance == f"-{COST}"
    assert [type for type, _ in shop.entries(ada.key_id)] == ["purchase", "charge", "refund"]
    assert ada.chat() == (402, "insufficient_balance")


def test_a_chargeback_in_part_takes_back_its_part(shop: Shop, ada: Customer) -> None:
    """The bank took 40 %: so much is taken back, and the order stands for the rest."""
    order = ada.order(QRIS)
    ada.pay(order)
    ada.pay(order, "partial_chargeback")
    assert ada.balance == "60"
    assert [type for type, _ in shop.entries(ada.key_id)] == ["purchase", "chargeback"]
    shown = ada.read(order["id"])
    assert (shown["state"], shown["taken_back"]) == ("credited", "40")
