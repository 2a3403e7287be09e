"""An order's pages: how it is paid, what each state says, that it turns by itself, its receipt."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from osiris.http.order_shapes import qr_svg
from osiris.ledger.order import (
    AMOUNT_DIFFERS,
    CRYPTO,
    CURRENCY_DIFFERS,
    KEY_DELETED,
    NOT_ACCEPTED,
    STATE_UNKNOWN,
    TRANSITIONS,
    UNDONE,
    VALUE_UNKNOWN,
)
from osiris.ledger.payment import CHARGEBACK
from osiris.payments import midtrans_status, nowpayments_status
from osiris.web.order_words import PART_STATES, PROBLEMS, STATES, TOLD, told_words
from osiris.web.words import Words
from tests.builders import unreachable
from tests.flows.topup_customer import MINUTE_MS, payment_id
from tests.scripted_provider import COIN
from tests.web.markup import Markup
from tests.web.shopper import Shopper, shopper

if TYPE_CHECKING:
    from osiris.ledger.order import Order
    from osiris.payments import Bill, Started
    from tests.web.browser import Shown

PAGE_BYTES_MAX = 50_000
# As long as a QRIS text with its dynamic parts is.
QRIS_TEXT = "00020101021226620014COM.GO-JEK.WWW" + "0123456789" * 24
QUOTE_MS = 20 * MINUTE_MS
ALL_PROBLEMS = (
    AMOUNT_DIFFERS,
    CURRENCY_DIFFERS,
    KEY_DELETED,
    NOT_ACCEPTED,
    STATE_UNKNOWN,
    UNDONE,
    VALUE_UNKNOWN,
)


@pytest.fixture
def ada() -> Shopper:
    return shopper()


def giving(ada: Shopper, **changes: Any) -> None:
    """Let the providers tell of each payment's start with these differences."""
    for provider in (ada.customer.money.providers.qris, ada.customer.money.providers.crypto):

        def start(bill: Bill, given: Any = provider.start) -> Started:
            started: Started = given(bill)
            return started._replace(**changes)

        provider.start = start  # type: ignore[method-assign]


def is_settled(shown: Shown) -> bool:
    """Whether the page looks no more by itself, with a script or without."""
    settled = "data-settled" in shown.html
    assert ('http-equiv="refresh"' in shown.html) != settled
    return settled


def codes(shown: Shown) -> list[str]:
    """The accessible names of the QR codes."""
    return [
        found["aria-label"]
        for found in Markup(shown.html).of("div")
        if found.get("class") == "qr" and found["role"] == "img"
    ]


def steps(shown: Shown) -> tuple[int, int]:
    """How many steps are done, and how many are the present one."""
    found = Markup(shown.html).of("li")
    done = sum(step.get("class") == "done" for step in found)
    return done, sum("aria-current" in step for step in found)


def piece_is_in_page(ada: Shopper, order: Order) -> bool:
    """What a script loads anew is what stands in the page."""
    piece, page = (ada.browser.get(f"/orders/{order.id}{then}") for then in ("/state", ""))
    return piece.html.strip() in page.html


# ----------------------------------------------------------------------------------------- QRIS


def test_an_order_shows_how_to_pay_it(ada: Shopper) -> None:
    """The code with a name, the exact amount, the time left, the step; it looks by itself."""
    giving(ada, qr_text=QRIS_TEXT)
    order = ada.order()
    shown = ada.browser.get(f"/orders/{order.id}")
    assert codes(shown) == ["QRIS code for Rp1,791,700"]
    assert "<svg viewBox=" in shown.html
    assert "Waiting for payment. No payment has arrived yet." in shown.text
    assert f'data-countdown="{order.expires_at_ms}">20 min' in shown.html
    assert steps(shown) == (1, 1)
    assert f'data-poll="/orders/{order.id}/state" data-every-s="3"' in shown.html
    assert "Check now" in shown.text
    assert not is_settled(shown)
    assert "Rp17,917 for $1 ExchangeRate-API , 24 Nov 2026, 10:00 UTC" in shown.text
    assert payment_id(order) in shown.text
    assert Markup(shown.html).forbidden() == []
    assert piece_is_in_page(ada, order)


def test_it_turns_to_credited_by_itself(ada: Shopper) -> None:
    """What the script asks for says so, and stops asking; the page survives a reload."""
    order = ada.order()
    assert "data-settled" not in ada.look(order, "/state").html
    ada.customer.pay(order)
    piece = ada.look(order, "/state")
    assert "Credited. $100.00 went to the key." in piece.text
    assert "data-settled" in piece.html
    assert piece_is_in_page(ada, order)
    shown = ada.look(order)
    assert is_settled(shown)
    assert steps(shown) == (4, 0)
    assert codes(shown) == []
    assert "The key's credit lasts until 24 Dec 2026, 10:00 UTC." in shown.text
    assert "settlement" not in shown.text
    key_path = f"/keys/{order.key_id}"
    assert {key_path, f"{key_path}/ledger", f"/orders/{order.id}/receipt"} <= Markup(
        shown.html
    ).links


def test_the_piece_is_the_same_until_something_happens(ada: Shopper) -> None:
    """Else the script would take away what is being read, or copied, every three seconds."""
    order = ada.order("100", CRYPTO, coin=COIN)
    first = ada.look(order, "/state")
    ada.world.pass_ms(3_000)
    assert ada.browser.get(f"/orders/{order.id}/state").body == first.body


def test_several_payments_are_numbered_steps(ada: Shopper) -> None:
    """Each with its own state; four codes at once, the next when one is paid; no large page."""
    giving(ada, qr_text=QRIS_TEXT)
    order = ada.order("2500")
    shown = ada.look(order)
    assert len(codes(shown)) == 4
    assert "Payment 5 of 5: Rp8,958,500 → $500.00 to be paid Its code shows here once" in shown.text
    assert len(shown.body) < PAGE_BYTES_MAX
    ada.customer.pay(order, 2)
    shown = ada.look(order)
    assert len(codes(shown)) == 4
    assert "Payment 2 of 5: Rp8,958,500 → $500.00 credited" in shown.text
    assert "Partly paid. $500.00 of $2,500.00 is paid, and is on the key already." in shown.text
    assert not is_settled(shown)
    for part in (1, 3, 4, 5):
        ada.customer.pay(order, part)
    shown = ada.look(order)
    assert "Credited. $2,500.00 went to the key." in shown.text
    assert shown.text.count("$500.00 credited") == 5
    assert is_settled(shown)


def test_the_dearest_package_makes_no_large_page() -> None:
    """Nine payments, and all that can be said of each."""
    ada = shopper({"OSIRIS_PACKAGES": "5000"})
    giving(ada, qr_text=QRIS_TEXT)
    order = ada.order("5000")
    assert len(order.parts) == 9
    for part in range(1, 9):
        shown = ada.look(order)
        assert len(shown.body) < PAGE_BYTES_MAX
        ada.customer.pay(order, part)
    assert codes(ada.look(order)) == ["QRIS code for Rp9,953,888"]


# --------------------------------------------------------------------------------------- crypto


def test_a_coins_order_shows_what_to_send_and_where(ada: Shopper) -> None:
    """The exact amount, the address, the network, to be copied, and what goes wrong otherwise."""
    giving(ada, network="btc")
    order = ada.order("100", CRYPTO, coin=COIN)
    shown = ada.look(order)
    address = order.parts[0].address
    assert codes(shown) == ["QR code of the address"]
    assert {"0.00200000", address} <= {
        found.get("data-copy") for found in Markup(shown.html).of("button")
    }
    assert "Send Bitcoin on the network BTC. What is sent on another network" in shown.text
    assert "paid in Bitcoin" in shown.text
    assert "The memo must go with it." not in shown.text
    assert "Too little is credited in proportion" in shown.text
    assert not is_settled(shown)


def test_a_memo_is_warned_of(ada: Shopper) -> None:
    """Without it nobody can tell whose payment it is."""
    giving(ada, memo="813947339")
    shown = ada.look(ada.order("100", CRYPTO, coin=COIN))
    assert "The memo must go with it." in shown.text
    assert 'data-copy="813947339"' in shown.html


def test_a_coin_that_was_seen_says_not_to_pay_again(ada: Shopper) -> None:
    """There is no code any more, the provider's word is shown, and the page goes on looking."""
    order = ada.order("100", CRYPTO, coin=COIN)
    ada.customer.provider(order).detect(payment_id(order))
    shown = ada.look(order)
    assert "Payment seen. A payment was seen and is not final yet." in shown.text
    assert "seen; the network is confirming it (the provider gives no count)" in shown.text
    assert (codes(shown), steps(shown)) == ([], (2, 1))
    assert "Cancel the order" not in shown.text
    ada.world.pass_ms(QUOTE_MS)
    assert not is_settled(ada.look(order))
    ada.customer.pay(order)
    assert is_settled(ada.look(order))


def test_too_little_is_credited_and_told(ada: Shopper) -> None:
    """The rest alone is asked for, at the same address, while the quote lasts; then a new order."""
    giving(ada, qr_text="bitcoin:address?amount=0.00200000")
    order = ada.order("100", CRYPTO, coin=COIN)
    whole = qr_svg(order.parts[0].qr_text, sized=False)
    assert whole in ada.look(order).html
    ada.customer.pay(order, share="0.6")
    shown = ada.look(order)
    assert "Partly paid. $60.00 of $100.00 is paid" in shown.text
    assert codes(shown) == ["QR code of the address"]
    assert whole not in shown.html
    assert qr_svg(order.parts[0].address, sized=False) in shown.html
    assert 'data-copy="0.0008"' in shown.html
    assert "0.00200000" not in shown.html
    assert "A further payment to the same address is credited at the" in shown.text
    assert not is_settled(shown)
    ada.world.pass_ms(QUOTE_MS)
    shown = ada.look(order)
    assert "$60.00 of $100.00 was paid, and is on the key: nothing of it is lost." in shown.text
    assert f"/topup?key={order.key_id}" in Markup(shown.html).links
    assert codes(shown) == []
    assert is_settled(shown)


def test_a_coin_whose_worth_fell_takes_the_rest(ada: Shopper) -> None:
    """All of the amount came, the rest of it at a lower rate: its worth is asked for."""
    order = ada.order("100", CRYPTO, coin=COIN)
    provider = ada.customer.provider(order)
    ada.customer.pay(order, share="0.6")
    ada.look(order)
    provider.coin_dollars = Decimal(47_000)
    provider.deposit(payment_id(order), Decimal("0.0008"))
    shown = ada.look(order)
    assert "Partly paid. $97.60 of $100.00 is paid, and is on the key already." in shown.text
    assert "Amount BTC worth $2.40 Coin Bitcoin BTC Address" in shown.text
    assert codes(shown) == ["QR code of the address"]


def test_a_code_that_took_too_little_takes_no_rest(ada: Shopper) -> None:
    """A QRIS code is paid once: what came is credited, and the rest is another order's."""
    order = ada.order()
    ada.customer.pay(order, share="0.6")
    shown = ada.look(order)
    assert "Partly paid. $60.00 of $100.00 was paid, and is on the key: nothing" in shown.text
    assert "This order can't take the rest." in shown.text
    assert (codes(shown), is_settled(shown)) == ([], False)
    ada.world.pass_ms(QUOTE_MS)
    shown = ada.look(order)
    assert "The quote has ended. For the rest, make another order." in shown.text


def test_too_much_is_credited_and_told(ada: Shopper) -> None:
    """What came beside the quote is worth what the provider says."""
    order = ada.order("100", CRYPTO, coin=COIN)
    ada.customer.pay(order, share="1.5")
    shown = ada.look(order)
    assert "Credited. $150.00 went to the key." in shown.text
    assert "0.003 BTC" in shown.text


# --------------------------------------------------------------------------------------- states


@pytest.mark.parametrize(("method", "coin"), [("qris", ""), (CRYPTO, COIN)])
def test_an_order_that_ended_says_so_at_once(ada: Shopper, method: str, coin: str) -> None:
    """Before the watch has come by and after; what came in the last moment is still looked for."""
    order = ada.order("100", method, coin=coin)
    ada.world.pass_ms(QUOTE_MS)
    shown = ada.look(order)
    assert "Ended unpaid. The quote has ended, and no payment has come." in shown.text
    assert (codes(shown), is_settled(shown)) == ([], False)
    assert "Cancel the order" not in shown.text
    ada.customer.watched(order, 5 * MINUTE_MS)
    assert ada.customer.state(order) == "expired"
    shown = ada.look(order)
    assert "we ask the provider until 8 days after the end" in shown.text
    assert is_settled(shown)
    ada.customer.pay(order)
    assert "Credited. $100.00 went to the key." in ada.look(order).text


def test_an_order_is_cancelled(ada: Shopper) -> None:
    """And can be paid no more; pressed twice it is the same, and says that nothing is lost."""
    order = ada.order()
    path = f"/orders/{order.id}"
    assert "Cancel the order" in ada.look(order).text
    for _ in range(2):
        pressed = ada.browser.post(path)
        assert (pressed.status, pressed.location) == (303, path)
    shown = ada.look(order)
    assert "Cancelled. It was cancelled, and nothing was paid." in shown.text
    assert (codes(shown), is_settled(shown)) == ([], True)


def test_a_paid_order_cant_be_cancelled(ada: Shopper) -> None:
    """The page says so, and shows what came."""
    order = ada.order()
    ada.customer.pay(order)
    refused = ada.browser.post(f"/orders/{order.id}")
    assert refused.status == 409
    assert "This order can't be cancelled any more" in refused.text
    assert "Credited. $100.00 went to the key." in refused.text


def test_a_silent_provider_keeps_nobody_from_looking(ada: Shopper) -> None:
    """The page shows what is known; cancelling says that nothing is lost."""
    order = ada.order()
    ada.customer.provider(order).away = True
    assert "Waiting for payment." in ada.look(order).text
    refused = ada.browser.post(f"/orders/{order.id}")
    assert refused.status == 503
    assert "nothing is lost" in refused.text
    assert "Waiting for payment." in refused.text
    assert 'http-equiv="refresh"' not in refused.html
    assert "Check now" in refused.text


def test_an_order_that_was_never_made_says_so(ada: Shopper) -> None:
    """Its provider refused it, so nobody could pay it."""
    ada.customer.money.providers.qris.away = True
    assert ada.send().status == 503
    (order,) = ada.orders
    shown = ada.look(order)
    assert "Not made. The payment provider never took this order" in shown.text
    assert is_settled(shown)
    assert "Not made" in ada.browser.get("/orders").text


def test_an_order_that_is_being_made_says_so(ada: Shopper) -> None:
    """It can't be paid yet; after a minute nobody makes it any more."""
    ada.customer.money.providers.qris.away = True
    ada.world.meet("UpdateItem", *[unreachable] * 50)
    ada.send()
    ada.world.transport.faults.clear()
    (order,) = ada.orders
    shown = ada.look(order)
    assert "Being made." in shown.text
    assert (steps(shown), is_settled(shown)) == ((0, 1), False)
    ada.world.pass_ms(MINUTE_MS)
    assert is_settled(ada.look(order))


@pytest.mark.parametrize(("by", "word"), [("refund", "Refunded."), (CHARGEBACK, "Charged back.")])
def test_money_that_went_back_is_told(ada: Shopper, by: str, word: str) -> None:
    """With what was taken off the key."""
    order = ada.customer.bought()
    ada.customer.provider(order).give_back(payment_id(order), by=by)
    shown = ada.look(order)
    assert word in shown.text
    assert "taken back: $100.00" in shown.text
    assert is_settled(shown)
    assert "taken back: $100.00" in ada.browser.get("/orders").text


def test_a_part_that_went_back_is_told(ada: Shopper) -> None:
    """The order stays credited, and says how much of it is gone."""
    order = ada.customer.bought()
    provider = ada.customer.provider(order)
    provider.give_back(payment_id(order), provider.payments[payment_id(order)].received / 4)
    shown = ada.look(order)
    assert "$25.00 of it was given back, and taken off the key." in shown.text


def test_every_state_has_its_words() -> None:
    """Of orders, of parts, of problems, and of both providers' payments."""
    assert set(TRANSITIONS) <= set(STATES)
    assert set(ALL_PROBLEMS) == set(PROBLEMS)
    assert set(PART_STATES) == {
        *("waiting", "closed", "detected", "part_paid", "credited", "returned")
    }
    told = {*midtrans_status.STATES, *nowpayments_status.STATES} - {"authorize", "canceled"}
    assert told - set(TOLD) == set()
    assert told_words(Words("en"), "<never heard of>") == "<never heard of>"
