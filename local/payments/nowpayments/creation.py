"""Reading `POST /v1/payment`: what NOWPayments refuses before a payment exists."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from local.payments.nowpayments.coins import FIATS, Coin

if TYPE_CHECKING:
    from local.payments.nowpayments.coins import Prices

CASES = {"success": "pay", "common": "pay", "failed": "below_minimum", "partially_paid": "less"}
_FIXED_MINIMUM_FACTOR = 2  # fixed-rate payments have a minimum of their own, above the others


class Refusal(Exception):
    """An error of the API."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Creation:
    """A payment that can be made. `case` is the sandbox's wish for its course, or empty."""

    price_amount: Decimal
    price_currency: str
    coin: Coin
    pay_amount: Decimal
    order_id: str | None
    order_description: str | None
    ipn_url: str | None
    is_fixed_rate: bool
    is_fee_paid_by_user: bool
    case: str


def read_creation(body: Any, prices: Prices) -> Creation:
    """Check the body. Errors: Refusal 400."""
    if not isinstance(body, dict):
        raise _invalid("the body is not a JSON object")
    coin = prices.coins.get(str(body.get("pay_currency", "")).lower())
    if coin is None:
        raise _invalid(f"Currency {body.get('pay_currency')} is not available")
    price, currency = _price(body)
    # The payer's paying of the fee needs a fixed rate, so the one implies the other.
    by_user = body.get("is_fee_paid_by_user") is True
    is_fixed = by_user or body.get("is_fixed_rate") is True
    usd = price * FIATS[currency]
    if usd < minimum_usd(coin, is_fixed=is_fixed):
        raise Refusal(400, "AMOUNT_MINIMAL_ERROR", "Crypto amount is less than minimal")
    if coin.usd_max is not None and usd > coin.usd_max:
        raise Refusal(400, "AMOUNT_MAXIMAL_ERROR", "Crypto amount is more than maximal")
    case = str(body.get("case") or "")
    if case and case not in CASES:
        raise _invalid(f"case {case!r} is unknown")
    return Creation(
        price_amount=price,
        price_currency=currency,
        coin=coin,
        pay_amount=prices.convert(price, currency, coin.code, is_asked=True),
        order_id=_text(body, "order_id"),
        order_description=_text(body, "order_description"),
        ipn_url=_text(body, "ipn_callback_url"),
        is_fixed_rate=is_fixed,
        is_fee_paid_by_user=by_user,
        case=case,
    )


def minimum_usd(coin: Coin, *, is_fixed: bool) -> Decimal:
    """The least worth of a payment in this coin."""
    return coin.usd_min * (_FIXED_MINIMUM_FACTOR if is_fixed else 1)


def amount_of(value: Any) -> Decimal:
    """A positive amount, as number or text. Errors: Refusal 400."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _invalid("an amount is missing")
    try:
        amount = Decimal(str(value))
    except InvalidOperation as exc:
        raise _invalid(f"{value!r} is not an amount") from exc
    if not amount.is_finite() or amount <= 0:
        raise _invalid(f"{value!r} is not an amount above 0")
    return amount


def _price(body: dict[str, Any]) -> tuple[Decimal, str]:
    currency = str(body.get("price_currency", "")).lower()
    if currency not in FIATS:
        raise _invalid(f"price_currency {currency!r} is not supported")
    return amount_of(body.get("price_amount")), currency


def _text(body: dict[str, Any], name: str) -> str | None:
    value = body.get(name)
    return None if value is None else str(value)


def _invalid(message: str) -> Refusal:
    return Refusal(400, "INVALID_REQUEST_PARAMS", message)
