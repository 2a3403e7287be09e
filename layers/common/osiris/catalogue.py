"""Models: their prices and limits."""

from typing import NamedTuple

from osiris.money import nano_from_dollars

UPSTREAM_KINDS = ("openai", "anthropic", "deepseek")


class Prices(NamedTuple):
    """Nano-dollars per million tokens, one price for each bucket of tokens."""

    input_nano_per_mtok: int
    cache_read_nano_per_mtok: int
    cache_write_5m_nano_per_mtok: int
    cache_write_1h_nano_per_mtok: int
    output_nano_per_mtok: int

    @property
    def dearest_input_nano_per_mtok(self) -> int:
        """The most that one token of input can cost per million."""
        return max(self[:4])


class Model(NamedTuple):
    """What a client asks for by `id`, and who answers it."""

    id: str
    name: str
    upstream: str
    base_url: str
    upstream_model: str
    secret: str
    prices: Prices
    context_tokens: int
    output_tokens: int
    image_tokens_max: int
    created_at_s: int


def prices_from_dollars(
    *,
    input: str,
    output: str,
    cache_read: str | None = None,
    cache_write_5m: str | None = None,
    cache_write_1h: str | None = None,
) -> Prices:
    """Prices from decimal texts in dollars per million tokens.

    An upstream without a cache price charges those tokens as plain input. Raises ValueError.
    """
    input_nano = nano_from_dollars(input)
    prices = Prices(
        input_nano_per_mtok=input_nano,
        cache_read_nano_per_mtok=_or(cache_read, input_nano),
        cache_write_5m_nano_per_mtok=_or(cache_write_5m, input_nano),
        cache_write_1h_nano_per_mtok=_or(cache_write_1h, input_nano),
        output_nano_per_mtok=nano_from_dollars(output),
    )
    if min(prices) < 0:
        raise ValueError("a price is below zero")
    return prices


def _or(text: str | None, default_nano: int) -> int:
    return default_nano if text is None else nano_from_dollars(text)
