"""How a request's price comes about: each step exact, by the ledger's own formula."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from osiris.money import decimal_text
from osiris.usage import cost_nano
from osiris.web.words import N_

if TYPE_CHECKING:
    from osiris.catalogue import Prices
    from osiris.usage import Tokens

# Nano-dollars for a million tokens times tokens: nine decimals and six.
_PRODUCT_PLACES = 15
# In the order of Tokens and Prices.
BUCKETS = (
    N_("Input, not cached"),
    N_("Read from the cache"),
    N_("Written to the cache for 5 minutes"),
    N_("Written to the cache for an hour"),
    N_("Output"),
)
_ALWAYS = (0, len(BUCKETS) - 1)


class Part(NamedTuple):
    """One bucket: tokens × price for a million = `amount`, in dollars as a decimal text."""

    label: str
    tokens: int
    price_nano_per_mtok: int
    amount: str


class Price(NamedTuple):
    """The parts, their sum as a decimal text, that rounded up, and what was charged."""

    parts: list[Part]
    sum: str
    rounded_nano: int
    charged_nano: int

    @property
    def is_rounded(self) -> bool:
        """Whether the sum had parts of a nano-dollar."""
        return self.sum != decimal_text(self.rounded_nano, 9)

    @property
    def is_minimum(self) -> bool:
        """Whether the tokens cost less than the least that an answer costs."""
        return self.charged_nano > self.rounded_nano


def price_of(tokens: Tokens, prices: Prices, charged_nano: int) -> Price:
    """The steps from the tokens to what is charged for them."""
    buckets = list(zip(BUCKETS, tokens, prices, strict=True))
    parts = [
        Part(label, tokens, price, decimal_text(tokens * price, _PRODUCT_PLACES))
        for place, (label, tokens, price) in enumerate(buckets)
        if tokens or place in _ALWAYS
    ]
    return Price(
        parts,
        decimal_text(sum(tokens * price for _, tokens, price in buckets), _PRODUCT_PLACES),
        cost_nano(tokens, prices),
        charged_nano,
    )
