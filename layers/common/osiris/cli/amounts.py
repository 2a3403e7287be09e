"""Arguments that are amounts: of dollars, and of a payment's own currency."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import click

from osiris.money import nano_from_dollars

# Coins have up to 18 decimals; rupiah have none.
_AMOUNT = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18})?", re.ASCII)


class Dollars(click.ParamType[int]):
    """Dollars above 0, as nano-dollars."""

    name = "dollars"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        """The nano-dollars. Fails for what is no amount, or none above 0."""
        try:
            nano = nano_from_dollars(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if nano <= 0:
            self.fail("must be more than $0", param, ctx)
        return nano


class Amount(click.ParamType[Decimal]):
    """An amount above 0 of whatever a payment was made in."""

    name = "amount"

    def convert(self, value: Any, param: Any, ctx: Any) -> Decimal:
        """The amount. Fails for what is no plain decimal number, or none above 0."""
        if not _AMOUNT.fullmatch(value):
            self.fail(f"{value!r} is no amount, like 1791700 or 0.0025", param, ctx)
        amount = Decimal(value)
        if not amount:
            self.fail("must be more than 0", param, ctx)
        return amount


DOLLARS = Dollars()
AMOUNT = Amount()
