"""What is on sale: packages at the rupiah's rate, and coins as the provider lists them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from osiris.errors import InvalidRequest
from osiris.flows import coins, quote, rates, topup
from osiris.flows.quote import Package
from osiris.ledger.order import CRYPTO, QRIS
from osiris.payment_errors import (
    BillRefused,
    PaymentsNotOffered,
    ProviderUnavailable,
    RateUnavailable,
)
from osiris.payments import Coin
from tests.builders import World
from tests.flows.topup_customer import ACCOUNT, HOUR_MS, MINUTE_MS, Customer
from tests.scripted_provider import with_scripted_money

# ---------------------------------------------------------------------------------- the packages


def test_packages_at_the_present_rate(ada: Customer) -> None:
    """Whole rupiah, and the number of QRIS payments that a package takes."""
    offer = quote.offer(ada.world.app)
    assert offer.packages == [
        Package(100, 1_791_700, 1),
        Package(250, 4_479_250, 1),
        Package(500, 8_958_500, 1),
        Package(1000, 17_917_000, 2),
        Package(2500, 44_792_500, 5),
    ]
    assert (offer.methods, offer.problem) == ([QRIS, CRYPTO], "")
    assert offer.rate == (Decimal(17917), "er-api", ada.world.now_ms)


def test_a_method_that_nobody_takes_is_not_offered(ada: Customer) -> None:
    """Without QRIS no rate is read at all."""
    ada.money.providers.missing.add(QRIS)
    offer = quote.offer(ada.world.app)
    assert (offer.methods, offer.rate, offer.problem) == ([CRYPTO], None, "")
    assert ada.money.sources[0].reads == 0
    ada.money.providers.missing.add(CRYPTO)
    assert quote.offer(ada.world.app).methods == []


def test_the_operator_sets_packages_and_margin() -> None:
    """What is sold, and what is added to the rate."""
    world = World({"OSIRIS_PACKAGES": "10 20", "OSIRIS_RATE_MARGIN_PERCENT": "1.5"})
    with_scripted_money(world.app, lambda: world.now_ms)
    offer = quote.offer(world.app)
    # 17,917 and 1.5 %, times 10, up to whole rupiah.
    assert offer.packages == [Package(10, 181_858, 1), Package(20, 363_716, 1)]


# -------------------------------------------------------------------------------------- the rate


def test_a_rate_is_read_once_an_hour(ada: Customer) -> None:
    """From both sources; a quote keeps the rate that it was made with."""
    app, (first, second) = ada.world.app, ada.money.sources
    order = ada.order()
    first.rupiah_per_dollar = second.rupiah_per_dollar = Decimal(18_000)
    ada.world.pass_ms(HOUR_MS - 1)
    assert rates.current(app).rupiah_per_dollar == Decimal(17917)
    assert (first.reads, second.reads) == (1, 1)
    ada.world.pass_ms(1)
    assert rates.current(app).rupiah_per_dollar == Decimal(18000)
    assert ada.stored(order).rate == "17917"
    assert ada.stored(order).parts[0].price == "1791700"


def stopped(ada: Customer, details: str) -> None:
    """QRIS is not sold, and crypto is; the offer says so."""
    with pytest.raises(RateUnavailable) as raised:
        ada.order()
    assert raised.value.details == details
    offer = quote.offer(ada.world.app)
    assert (offer.methods, offer.rate) == ([CRYPTO], None)
    assert offer.problem == RateUnavailable.message
    assert [package.rupiah for package in offer.packages] == [0] * 5
    assert ada.order(method=CRYPTO).rate == ""


def test_no_rate_stops_qris_alone(ada: Customer) -> None:
    """Both sources are out of reach from the start; asked again after a minute."""
    for source in ada.money.sources:
        source.error = RateUnavailable()
    stopped(ada, "no source is recent enough")
    assert ada.line("rate_failed")["RateFailed"] == 1
    reads = ada.money.sources[0].reads
    ada.world.pass_ms(MINUTE_MS - 1)
    with pytest.raises(RateUnavailable):
        ada.order()
    assert ada.money.sources[0].reads == reads == 1
    for source in ada.money.sources:
        source.error = None
    ada.world.pass_ms(1)
    assert ada.order().rate == "17917"


def test_sources_that_differ_stop_qris_alone(ada: Customer) -> None:
    """By more than 3 %: neither is believed."""
    ada.money.sources[1].rupiah_per_dollar *= Decimal("1.04")
    stopped(ada, "the sources differ by too much")


def test_old_rates_stop_qris_alone(ada: Customer) -> None:
    """Both older than 72 hours by their own time, however freshly they were read."""
    for source in ada.money.sources:
        source.age_ms = 72 * HOUR_MS
    stopped(ada, "no source is recent enough")


def test_one_source_is_enough(ada: Customer) -> None:
    """The second stands in for the first, and says so."""
    ada.money.sources[0].error = RateUnavailable()
    assert ada.order().rate_source == "frankfurter"


def test_a_rate_outlives_its_source_for_a_while(ada: Customer) -> None:
    """What was read counts until it is 72 hours old."""
    rates.current(ada.world.app)
    for source in ada.money.sources:
        source.error = RateUnavailable()
    ada.world.pass_ms(71 * HOUR_MS)
    assert rates.current(ada.world.app).at_ms == ada.world.now_ms - 71 * HOUR_MS
    ada.world.pass_ms(HOUR_MS)
    with pytest.raises(RateUnavailable):
        rates.current(ada.world.app)


# ------------------------------------------------------------------------------------- the coins


def test_coins_are_searched(ada: Customer) -> None:
    """By code, name and network; codes that begin with it come first."""
    app = ada.world.app
    listed = [
        Coin("usdtbsc", "Tether", "bsc", False, None),
        Coin("eth", "Ether", "eth", False, None),
        Coin("wbeth", "Wrapped", "eth", False, None),
    ]
    ada.money.providers.crypto.coins = lambda: listed  # type: ignore[method-assign]

    def found(text: str, most: int = 9) -> list[str]:
        return [coin.code for coin in coins.search(app, text, most=most)]

    assert found("") == ["usdtbsc", "eth", "wbeth"]
    assert found("ETH") == ["eth", "usdtbsc", "wbeth"]
    assert found(" tether ") == ["usdtbsc"]
    assert found("bsc") == ["usdtbsc"]
    assert found("", most=1) == ["usdtbsc"]
    assert found("doge") == []
    assert found("\ud800") == []
    assert coins.find(app, "WBETH") == listed[2]


def test_the_list_is_kept_for_an_hour_and_while_the_provider_is_away(ada: Customer) -> None:
    """Then an old one is better than none; without any the provider's absence is told."""
    app, provider = ada.world.app, ada.money.providers.crypto
    provider.away = True
    with pytest.raises(ProviderUnavailable):
        coins.all_coins(app)
    provider.away = False
    listed = coins.all_coins(app)
    provider.asked.clear()
    ada.world.pass_ms(HOUR_MS - 1)
    assert coins.all_coins(app) == listed
    assert provider.asked == []
    ada.world.pass_ms(1)
    provider.away = True
    assert coins.all_coins(app) == listed
    assert provider.asked == ["coins"]
    ada.money.providers.missing.add(CRYPTO)
    with pytest.raises(PaymentsNotOffered):
        coins.all_coins(app)


@pytest.mark.parametrize("coin", ["doge", "", "btc ", "b", "../btc"])
def test_an_unknown_coin_is_refused(ada: Customer, coin: str) -> None:
    """It must be one of the list, in any case."""
    with pytest.raises(InvalidRequest) as raised:
        ada.ordered("100", CRYPTO, coin=coin)
    assert raised.value.param == "coin"
    assert ada.ordered("100", CRYPTO, coin="BTC").order.coin == "btc"


def test_a_coin_has_a_least_and_a_most(ada: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said with the figure, before anything is ordered."""
    with pytest.raises(BillRefused, match=r"up to \$2000"):
        ada.ordered("2500", CRYPTO, coin="shib")
    order = ada.ordered("1000", CRYPTO, coin="shib").order
    assert order.coin == "shib"
    topup.cancel(ada.world.app, ACCOUNT, order.id)
    provider = ada.money.providers.crypto
    monkeypatch.setattr(provider, "least_dollars", lambda _: Decimal("100.5"))
    with pytest.raises(BillRefused, match=r"from \$100.5 on"):
        ada.ordered("100", CRYPTO)
    assert ada.world.app.accounts.read(ACCOUNT).keys == {ada.key_id}
