"""Prices from their texts."""

from __future__ import annotations

import pytest

from osiris.catalogue import Prices, prices_from_dollars


def test_prices_are_exact() -> None:
    """Dollars per million tokens become nano-dollars per million, without rounding."""
    assert prices_from_dollars(
        input="0.27",
        output="1.10",
        cache_read="0.07",
        cache_write_5m="0.3375",
        cache_write_1h="0.54",
    ) == Prices(270_000_000, 70_000_000, 337_500_000, 540_000_000, 1_100_000_000)


def test_tokens_without_a_price_of_their_own_are_input() -> None:
    """Where an upstream names no cache price, cached tokens cost what input costs."""
    prices = prices_from_dollars(input="2", output="8")
    assert prices == Prices(
        2_000_000_000, 2_000_000_000, 2_000_000_000, 2_000_000_000, 8_000_000_000
    )


def test_the_dearest_input() -> None:
    """A hold reckons with the dearest bucket of input, never with output's price."""
    prices = prices_from_dollars(input="5", output="25", cache_read="0.5", cache_write_1h="10")
    assert prices.dearest_input_nano_per_mtok == 10_000_000_000


@pytest.mark.parametrize("text", ["-1", "", "1e2", "0.0000000001", "free"])
def test_refuses_what_is_no_price(text: str) -> None:
    """A price below zero, or that is none, is refused wherever it stands."""
    with pytest.raises(ValueError):
        prices_from_dollars(input=text, output="1")
    with pytest.raises(ValueError):
        prices_from_dollars(input="1", output=text)
    with pytest.raises(ValueError):
        prices_from_dollars(input="1", output="1", cache_read=text)
