"""The arguments ORDER and PAYMENT of some commands."""

from __future__ import annotations

import re
from typing import Any

import click

from osiris import ids

_PAYMENT_ID = re.compile(r"(?:[a-z][a-z0-9_]{0,31}#)?([A-Za-z0-9_.~-]{1,64})", re.ASCII)


class OrderId(click.ParamType[str]):
    """An order's id."""

    name = "order id"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """The id. Fails for a text that has not its form."""
        if not ids.is_order_id(value):
            self.fail("an order's id is ord_ and 16 letters and digits", param, ctx)
        return str(value)


class PaymentId(click.ParamType[str]):
    """A payment's id as its provider has it; its provider's name and "#" may stand before it."""

    name = "payment id"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """The provider's id. Fails for a text that can be none."""
        match = _PAYMENT_ID.fullmatch(value)
        if match is None:
            self.fail("a payment's id is what `osiris orders show` calls it", param, ctx)
        return match[1]


ORDER = OrderId()
PAYMENT = PaymentId()
