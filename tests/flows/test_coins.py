"""The coins on sale: found by all the words that their holders know them by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from osiris.flows import coins
from osiris.payments import Coin
from tests.flows.topup_customer import HOUR_MS

if TYPE_CHECKING:
    from tests.flows.topup_customer import Customer

LISTED = [
    Coin("trx", "Tron", "trx", False, None),
    Coin("usdterc20", "Tether USD (Ethereum)", "eth", False, None),
    Coin("usdttrc20", "Tether USD (Tron)", "trx", False, None),
    Coin("usdcmatic", "USD Coin", "matic-mainnet", False, None),
    Coin("btcln", "Bitcoin-Lightning", "btc", False, None),
]


@pytest.fixture
def ada(ada: Customer) -> Customer:
    """Who is offered these."""
    ada.money.providers.crypto.coins = lambda: LISTED  # type: ignore[method-assign]
    return ada


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("USDT TRC20", ["usdttrc20"]),
        ("usdt tron", ["usdttrc20"]),
        ("tron usdt", ["usdttrc20"]),
        ("  Tether \t TRON ", ["usdttrc20"]),
        ("TRC-20", ["usdttrc20"]),
        ("usdt-trc-20", ["usdttrc20"]),
        ("usdt usdt", ["usdterc20", "usdttrc20"]),
        ("usd coin", ["usdcmatic"]),
        ("matic mainnet", ["usdcmatic"]),
        ("bitcoin lightning", ["btcln"]),
        ("trx", ["trx", "usdttrc20"]),
        ("eth usdt", ["usdterc20", "usdttrc20"]),
        ("usdt doge", []),
        ("trc20usdt", []),
    ],
)
def test_every_word_must_be_found(ada: Customer, text: str, codes: list[str]) -> None:
    """In the code, the name or the network, in any order, case and spelling with hyphens."""
    assert [coin.code for coin in coins.search(ada.world.app, text, most=9)] == codes


def test_codes_that_begin_with_the_first_word_come_first(ada: Customer) -> None:
    """The others stay as the provider orders them; there are never more than were asked for."""
    found = coins.search(ada.world.app, "tr", most=9)
    assert [coin.code for coin in found] == ["trx", "usdttrc20"]
    assert coins.search(ada.world.app, "btc", most=1) == [LISTED[4]]
    assert coins.search(ada.world.app, "- --", most=2) == LISTED[:2]


@pytest.mark.parametrize("text", ["\ud800 \x00", "(" * 2_000, "zq " * 5_000, "ß" * 64, "%s {0}"])
def test_what_is_no_coin_finds_none(ada: Customer, text: str) -> None:
    """Whatever is typed is text."""
    assert coins.search(ada.world.app, text, most=9) == []


def test_a_name_is_known_without_asking(ada: Customer) -> None:
    """Once it was listed, however long ago; before that, and for no coin, there is none."""
    app, provider = ada.world.app, ada.money.providers.crypto
    assert coins.kept_name(app, provider.name, "usdttrc20") == ""
    coins.all_coins(app)
    ada.world.pass_ms(100 * HOUR_MS)
    provider.coins = lambda: pytest.fail("asked")  # type: ignore[method-assign]
    assert coins.kept_name(app, provider.name, "usdttrc20") == "Tether USD (Tron)"
    assert coins.kept_name(app, provider.name, "doge") == ""
    assert coins.kept_name(app, "another", "usdttrc20") == ""
