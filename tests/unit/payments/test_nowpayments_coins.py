"""The coins on sale: what the account ticked, of what the provider has."""

from collections.abc import Iterator
from typing import Any

import pytest

from osiris.payment_errors import ProviderUnavailable
from osiris.payments import Coin, Provider, provider
from tests.unit.payments.provider_origin import HOSTILE, Script, says, scripted


def coin(code: str, **changes: Any) -> dict[str, Any]:
    """A coin as /v1/full-currencies tells it."""
    told = {
        "code": code,
        "name": f"The {code}",
        "enable": True,
        "network": "eth",
        "extra_id_exists": False,
        "is_maxlimit": False,
        "logo_url": "/images/coins/x.svg",
    }
    return {**told, **changes}


WHOLE = {
    "currencies": [
        coin("AAVE"),
        coin("ETH", name="Ethereum"),
        coin("USDTTRC20", network="TRX"),
        coin("XRP", network="xrp", extra_id_exists=True),
        coin("SHIB", is_maxlimit=True, network=None),
        coin("usdtbsc", network="bsc"),
        coin("BTC", network="btc", name=None),
        coin("DOGE", enable=False),
        coin("NOTTICKED"),
        coin("../X"),
        coin("TOOLONG", name="x" * 600),
        coin("", enable=True),
        "BTC",
        None,
        {"enable": True},
    ]
}
TICKED = ["AAVE", "btc", "ETH", "USDTTRC20", "usdtBSC", "xrp", "SHIB", "DOGE", "../x", "TOOLONG"]


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted() as made:
        made.secrets["nowpayments-api-key"] = "key"
        yield made


@pytest.fixture
def adapter(script: Script) -> Iterator[Provider]:
    made = provider("nowpayments", script.surroundings())
    yield made
    made._origin.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["currencies", "selectedCurrencies"])
def test_the_coins_are_those_ticked_and_enabled(
    script: Script, adapter: Provider, name: str
) -> None:
    """In either form of the first answer, any case; the best known first; caps and memos told."""
    script.will(says({name: [*TICKED, 7, None]}), says(WHOLE))
    assert adapter.coins() == [
        Coin("btc", "BTC", "btc", False, None),
        Coin("usdtbsc", "The usdtbsc", "bsc", False, None),
        Coin("usdttrc20", "The USDTTRC20", "trx", False, None),
        Coin("eth", "Ethereum", "eth", False, None),
        Coin("aave", "The AAVE", "eth", False, None),
        Coin("shib", "The SHIB", "", False, 2_000),
        Coin("xrp", "The XRP", "xrp", True, None),
    ]
    assert [asked.line.split()[1] for asked in script.asked] == [
        "/v1/merchant/coins",
        "/v1/full-currencies",
    ]


def test_a_long_list_is_read(script: Script, adapter: Provider) -> None:
    """More than an ordinary answer may have: some hundred coins with all their details."""
    many = [coin(f"C{number}", wallet_regex="x" * 1_000) for number in range(500)]
    script.will(says({"currencies": [one["code"] for one in many]}), says(many))
    assert len(adapter.coins()) == 500


@pytest.mark.parametrize(
    "body", [*HOSTILE.values(), b'{"currencies":null}', b'{"currencies":"btc"}', b"{}"]
)
def test_what_is_no_list_is_unavailability(script: Script, adapter: Provider, body: bytes) -> None:
    """Of either answer; but a bare array is a list of coins, and one without any is empty."""
    script.will(says(body), says(WHOLE))
    with pytest.raises(ProviderUnavailable):
        adapter.coins()
    script.will(says({"currencies": TICKED}), says(body))
    if body == HOSTILE["an array"]:
        assert adapter.coins() == []
        return
    with pytest.raises(ProviderUnavailable):
        adapter.coins()


def test_an_error_is_unavailability(script: Script, adapter: Provider) -> None:
    """Of either call."""
    script.will(says({"currencies": TICKED}, 500))
    with pytest.raises(ProviderUnavailable):
        adapter.coins()
    script.will(says({"currencies": TICKED}), says(WHOLE, 403))
    with pytest.raises(ProviderUnavailable):
        adapter.coins()
