"""Choosing what to buy, and ordering it: what the page offers, keeps, refuses and makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from osiris.flows import keys
from osiris.flows.topup import ORDERS_AN_HOUR_MAX
from osiris.ledger.key import DISABLED, TRIAL
from osiris.ledger.order import CRYPTO, QRIS
from osiris.payment_errors import RateUnavailable
from osiris.payments import Coin
from tests.flows.topup_customer import ACCOUNT
from tests.scripted_provider import COIN, with_scripted_money
from tests.web.browser import Browser, web_world
from tests.web.markup import Markup
from tests.web.shopper import EMAIL, KEY_NAME, Shopper, hidden_fields, shopper

if TYPE_CHECKING:
    from osiris.payments import Bill, Started
    from tests.web.browser import Shown

PAGE_BYTES_MAX = 50_000
MARKUP = "<script>alert(1)</script>\"'&"


@pytest.fixture
def ada() -> Shopper:
    return shopper()


def radios(shown: Shown, name: str) -> dict[str, dict[str, str]]:
    """The page's radio buttons of that name by their values."""
    return {
        found["value"]: found
        for found in Markup(shown.html).of("input")
        if found.get("type") == "radio" and found["name"] == name
    }


def chosen(shown: Shown, name: str) -> list[str]:
    return [value for value, found in radios(shown, name).items() if "checked" in found]


# ------------------------------------------------------------------------------------- choosing


def test_without_keys_one_is_led_to_them() -> None:
    """There is nothing to top up yet."""
    world = web_world()
    with_scripted_money(world.app, world.app.now_ms)
    shown = Browser(world, ACCOUNT).get("/topup")
    assert "Create a key first" in shown.text
    assert "/keys" in Markup(shown.html).links


def test_with_a_trial_alone_one_is_told_so() -> None:
    """A trial key takes no further credit."""
    world = web_world()
    with_scripted_money(world.app, world.app.now_ms)
    keys.create(world.app, ACCOUNT, name="trial", kind=TRIAL)
    assert "You have a trial key only" in Browser(world, ACCOUNT).get("/topup").text


def test_a_trial_key_is_shown_and_cant_be_chosen(ada: Shopper) -> None:
    """It is disabled, with the reason, even when the address names it."""
    trial = keys.create(ada.world.app, ACCOUNT, name="trial", kind=TRIAL).key
    shown = ada.choose(key=trial.id, package="100", method=QRIS)
    assert "disabled" in radios(shown, "key")[trial.id]
    assert "trial keys take no top-up" in shown.text
    assert chosen(shown, "key") == [ada.customer.key_id]


def test_packages_have_their_price_in_rupiah_and_their_payments(ada: Shopper) -> None:
    """At the present rate, which stands there with its source and time."""
    shown = ada.choose()
    assert "$100.00 Rp1,791,700" in shown.text
    assert "$2,500.00 Rp44,792,500 in 5 QRIS payments" in shown.text
    assert "Rupiah at Rp17,917 for $1: ExchangeRate-API , 24 Nov 2026, 10:00 UTC" in shown.text
    assert "Nothing is added to it." in shown.text


def test_what_is_chosen_stands_in_the_address_and_is_kept(ada: Shopper) -> None:
    """A reload shows the same choice, and its form orders just that."""
    other = keys.create(ada.world.app, ACCOUNT, name="other").key
    shown = ada.choose(package="250", key=other.id, method=QRIS)
    assert chosen(shown, "package") == ["250"]
    assert chosen(shown, "key") == [other.id]
    assert chosen(shown, "method") == [QRIS]
    assert "$250.00 for other: Rp4,479,250 by QRIS" in shown.text
    fields = hidden_fields(shown.html)
    assert (fields["package"], fields["key"], fields["method"]) == ("250", other.id, QRIS)
    assert ada.browser.post("/orders", **fields).status == 303
    (order,) = ada.orders
    assert (order.key_id, order.amount_nano) == (other.id, 250 * 10**9)


def test_what_is_missing_is_said(ada: Shopper) -> None:
    """There is no form for an order before all is chosen."""
    for query in ({}, {"package": "100"}, {"method": QRIS}):
        shown = ada.choose(**query)
        assert "Choose a package, a key and a way of paying." in shown.text
        assert hidden_fields(shown.html) == {}
    shown = ada.choose(package="100", method=CRYPTO)
    assert "Choose a coin." in shown.text
    assert hidden_fields(shown.html) == {}


@pytest.mark.parametrize("package", ["0", "101", "-100", "1e2", MARKUP])
def test_a_package_that_is_none_is_not_chosen(ada: Shopper, package: str) -> None:
    """Whatever the address says."""
    shown = ada.choose(package=package.replace("&", ""), method=QRIS)
    assert shown.status == 200
    assert chosen(shown, "package") == []
    assert "<script>alert" not in shown.html


def test_the_expiry_that_is_promised_comes_true(ada: Shopper) -> None:
    """The page says until when the key would be valid; paid now, it is."""
    shown = ada.choose(package="100", method=QRIS)
    assert "the key's credit lasts until 24 Dec 2026, 10:00 UTC" in shown.text
    ada.customer.bought()
    again = ada.choose(package="100", method=QRIS)
    assert "the key's credit lasts until 24 Jan 2027, 10:00 UTC" in again.text
    for _ in range(3):
        ada.customer.bought()
    assert "3 months from now is the most" in ada.choose(package="100", method=QRIS).text


def test_expired_credit_is_not_promised_back(ada: Shopper) -> None:
    """Credit that has expired stays lost, and the page says so before one buys."""
    ada.customer.bought()
    ada.world.pass_ms(40 * 86_400_000)
    ada.browser.sign_in(ACCOUNT)
    shown = ada.choose(package="100", method=CRYPTO, coin=COIN)
    assert "The $100.00 that is on the key has expired" in shown.text


def test_a_disabled_key_can_be_topped_up(ada: Shopper) -> None:
    """It says that it is disabled, and the order is made."""
    keys.set_enabled(ada.world.app, ACCOUNT, ada.customer.key_id, enabled=False)
    assert ada.customer.key.status == DISABLED
    assert "This key is disabled" in ada.choose(package="100", method=QRIS).text
    assert ada.send().status == 303


def test_names_are_escaped(ada: Shopper) -> None:
    """A key's name is text, here as on the order's pages."""
    key = keys.create(ada.world.app, ACCOUNT, name=MARKUP).key
    shown = ada.choose(key=key.id, package="100", method=QRIS)
    made = ada.send(key=key.id)
    path = made.location
    ada.customer.pay(ada.orders[0])
    ada.world.pass_ms(11_000)
    for page in (shown, *(map(ada.browser.get, (path, "/orders", f"{path}/receipt")))):
        assert page.status == 200
        assert "<script>alert" not in page.html
        assert MARKUP in page.text
        assert Markup(page.html).forbidden() == []


# ------------------------------------------------------------------------------- ways of paying


def test_without_a_rate_there_is_no_qris(ada: Shopper) -> None:
    """The page says why; coins go on."""
    for source in ada.customer.money.sources:
        source.error = RateUnavailable(details="scripted")
    shown = ada.choose(package="100", method=QRIS)
    assert "There is no rate of the rupiah to rely on now" in shown.text
    assert "disabled" in radios(shown, "method")[QRIS]
    assert "Rp1,791,700" not in shown.text
    assert chosen(shown, "method") == [CRYPTO]
    refused = ada.send()
    assert refused.status == 503
    assert "There is no rate to rely on" in refused.text
    assert ada.orders == []


@pytest.mark.parametrize("method", [QRIS, CRYPTO])
def test_a_way_of_paying_that_is_not_offered_is_disabled(ada: Shopper, method: str) -> None:
    """With the reason; a form that asks for it all the same orders nothing."""
    ada.customer.money.providers.missing = {method}
    shown = ada.choose(package="100", method=method)
    assert "disabled" in radios(shown, "method")[method]
    assert "Not offered here" in shown.text
    refused = ada.send(method=method, coin=COIN)
    assert refused.status == 409
    assert "Nothing was ordered" in refused.text
    assert ada.orders == []


def test_without_any_way_of_paying_the_page_says_so(ada: Shopper) -> None:
    """It is no error: there is just nothing to buy by."""
    ada.customer.money.providers.missing = {QRIS, CRYPTO}
    assert "No way of paying is offered at present." in ada.choose(package="100").text


# ---------------------------------------------------------------------------------------- coins


def with_coins(ada: Shopper, *coins: Coin) -> None:
    ada.customer.money.providers.crypto.coins = lambda: list(coins)  # type: ignore[method-assign]


def test_coins_are_searched_and_the_chosen_one_stays(ada: Shopper) -> None:
    """By name, code or network; what was chosen is listed even when the search finds others."""
    assert list(radios(ada.choose(method=CRYPTO), "coin")) == [COIN, "shib"]
    assert list(radios(ada.choose(method=CRYPTO, q="SHIB"), "coin")) == ["shib"]
    assert list(radios(ada.choose(method=CRYPTO, q="bitc"), "coin")) == [COIN]
    shown = ada.choose(package="100", method=CRYPTO, q="shib", coin=COIN)
    assert list(radios(shown, "coin")) == [COIN, "shib"]
    assert chosen(shown, "coin") == [COIN]
    assert hidden_fields(shown.html)["coin"] == COIN
    assert list(radios(ada.choose(method=CRYPTO, q="ETH+shi-BA"), "coin")) == ["shib"]
    assert "No coin has “nothing”" in ada.choose(method=CRYPTO, q="nothing").text


def test_a_coin_says_its_network_its_memo_and_its_limit(ada: Shopper) -> None:
    """A package above the limit can't be ordered in it."""
    with_coins(
        ada, Coin("xrp", "Ripple", "xrp", True, 2000), Coin(COIN, "Bitcoin", COIN, False, None)
    )
    shown = ada.choose(package="100", method=CRYPTO, coin="xrp")
    assert "Ripple xrp · XRP needs a memo up to $2,000.00" in shown.text
    assert '<dd>Ripple <code class="whole">xrp</code></dd>' in shown.html
    assert hidden_fields(shown.html)["coin"] == "xrp"
    dear = ada.choose(package="2500", method=CRYPTO, coin="xrp")
    assert "disabled" in radios(dear, "coin")["xrp"]
    assert "This coin takes up to $2,000.00." in dear.text
    assert hidden_fields(dear.html) == {}
    refused = ada.send("2500", CRYPTO, coin="xrp")
    assert refused.status == 400
    assert "Choose another package or another coin. Nothing was ordered." in refused.text


def test_many_coins_make_no_large_page(ada: Shopper) -> None:
    """Of hundreds, with ten keys beside them, the first are listed."""
    with_coins(
        ada,
        *(Coin(f"coin{number}", "Some Coin of Note", "net", True, 2000) for number in range(350)),
    )
    for number in range(9):
        keys.create(ada.world.app, ACCOUNT, name=f"{number} " + "n" * 60)
    shown = ada.choose(method=CRYPTO, package="100", key=ada.customer.key_id)
    assert len(radios(shown, "coin")) == 40
    assert "These are the first 40." in shown.text
    assert len(shown.body) < PAGE_BYTES_MAX


def test_a_provider_that_lists_no_coins_is_told_of(ada: Shopper) -> None:
    """The rest of the page is there."""
    ada.customer.money.providers.crypto.away = True
    shown = ada.choose(package="100", method=CRYPTO)
    assert shown.status == 200
    assert "The payment provider does not answer" in shown.text


# ------------------------------------------------------------------------------------- ordering


def test_a_form_sent_twice_makes_one_order(ada: Shopper) -> None:
    """A double click, or a reload of its answer, leads to the same order."""
    fields = hidden_fields(ada.choose(package="100", method=QRIS).html)
    assert len(fields["idempotency"]) == 22
    first, second = (ada.browser.post("/orders", **fields) for _ in range(2))
    assert (first.status, second.status) == (303, 303)
    assert first.location == second.location == f"/orders/{ada.orders[0].id}"
    assert len(ada.orders) == 1
    assert hidden_fields(ada.choose().html).get("idempotency") != fields["idempotency"]


def test_a_used_form_with_another_wish_is_refused(ada: Shopper) -> None:
    """Nothing is ordered twice by one form."""
    assert ada.send(once="token").status == 303
    refused = ada.send("250", once="token")
    assert refused.status == 409
    assert "This form was used before" in refused.text
    assert len(ada.orders) == 1


def test_a_trial_key_is_refused(ada: Shopper) -> None:
    """Also when the form is made by hand."""
    trial = keys.create(ada.world.app, ACCOUNT, name="trial", kind=TRIAL).key
    refused = ada.send(key=trial.id)
    assert refused.status == 409
    assert "A trial key can't be topped up" in refused.text
    assert ada.orders == []


def test_a_silent_provider_costs_nothing(ada: Shopper) -> None:
    """The page comes again with what was chosen, and the next try makes the order."""
    ada.customer.money.providers.qris.away = True
    refused = ada.send("500", once="token")
    assert refused.status == 503
    assert "Nothing was ordered and nothing is lost" in refused.text
    assert chosen(refused, "package") == ["500"]
    assert hidden_fields(refused.html)["package"] == "500"
    ada.customer.money.providers.qris.away = False
    assert ada.send("500", once="token").status == 303


def test_too_many_orders_are_refused_in_words(ada: Shopper) -> None:
    """An account makes so many in an hour."""
    for _ in range(ORDERS_AN_HOUR_MAX):
        order = ada.order()
        ada.browser.post(f"/orders/{order.id}")
    refused = ada.send()
    assert refused.status == 429
    assert "That were many orders" in refused.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": ""},
        {"method": "cash"},
        {"package": "99"},
        {"package": MARKUP},
        {"method": CRYPTO, "coin": ""},
        {"method": CRYPTO, "coin": MARKUP},
        {"method": CRYPTO, "coin": "\udcff\x00"},
        {"once": "x" * 300},
        {"key": ""},
        {"key": "x" * 12},
        {"key": "../" * 300},
        {"key": "\x00"},
    ],
)
def test_a_form_made_by_hand_orders_nothing_wrong(ada: Shopper, wrong: dict[str, str]) -> None:
    """What is not on sale is refused in a page, and nothing is stored."""
    given = {name: value.encode("utf-8", "replace").decode() for name, value in wrong.items()}
    refused = ada.send(**given)
    assert refused.status in (400, 404)
    assert 'role="alert"' in refused.html
    assert "<script>alert" not in refused.html
    assert any(f"Nothing was {done}" in refused.text for done in ("changed", "ordered"))
    assert ada.orders == []


def test_anothers_key_is_refused(ada: Shopper) -> None:
    """As one that is not there."""
    bobs = keys.create(ada.world.app, "bob", name="of Bob").key
    refused = ada.send(key=bobs.id)
    assert refused.status == 404
    assert "Nothing was changed or ordered." in refused.text
    assert "of Bob" not in refused.text
    assert ada.orders == []


def test_the_provider_is_told_where_to_report(ada: Shopper) -> None:
    """At the domain that was called, as API Gateway has it."""
    bills: list[Bill] = []
    provider = ada.customer.money.providers.qris
    start = provider.start

    def seen(bill: Bill) -> Started:
        bills.append(bill)
        return start(bill)

    provider.start = seen  # type: ignore[method-assign]
    ada.send()
    (bill,) = bills
    assert bill.webhook_url.endswith("://osiris.example/webhooks/midtrans")


def test_the_owners_address_is_kept_where_mails_are_sent() -> None:
    """And nowhere else."""
    sends, silent = shopper({"OSIRIS_MAIL_FROM": "us@osiris.example"}), shopper()
    for each in (sends, silent):
        each.order()
    assert sends.world.app.accounts.email(ACCOUNT) == EMAIL
    assert silent.world.app.accounts.email(ACCOUNT) == ""
    assert EMAIL not in str(sends.world.lines)


def test_the_key_is_named_in_the_total(ada: Shopper) -> None:
    """The one key that can be topped up is chosen from the start."""
    shown = ada.choose(package="100", method=CRYPTO, coin=COIN)
    assert f"$100.00 for {KEY_NAME}, in Bitcoin" in shown.text
