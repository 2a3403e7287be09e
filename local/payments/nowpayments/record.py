"""A payment as NOWPayments keeps it, and its three shapes: created, asked for, notified.

The shapes differ as the provider's do: `payment_id` is text when created and a number later, the
dollars that arrived are told in notifications only, a missing `burning_percent` is the text "null".
"""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from local.payments.nowpayments.javascript import stringify

if TYPE_CHECKING:
    from local.payments.nowpayments.coins import Coin

FINAL = ("finished", "partially_paid", "failed", "expired", "refunded", "cancelled")


@dataclass
class Switches:
    """Lasting traits of the stand-in, each off or ordinary at first."""

    payment_id_as: str = "mixed"  # or "string", or "number", everywhere
    price_amount_string: bool = False
    pay_amount_string: bool = False
    estimate_string: bool = False
    null_strings: bool = False  # every null is the text "null"
    upper_case_status: bool = False
    unknown_fields: bool = False
    number_spelling: str = "javascript"  # or "python": 13.0 and 8.3e-05 in the raw body
    signed_arrays: str = "array"  # as the official SDK signs, or "object" as the documents say
    coins_selected_upper: bool = False  # {"selectedCurrencies": ["BTC", …]}
    target_needed: bool = False  # min-amount answers 400 without currency_to
    cover_percent: float = 0.0  # a lack up to this counts as paid
    repeat_status: str = "finished"  # of further deposits, or "partially_paid"
    wrong_coin_manual: bool = False  # another coin goes unseen until it is pushed
    expiry_lag_s: float = 30.0
    confirm_s: float = 0.0  # the clock's seconds between the steps of a confirmation
    waiting_webhook: bool = False  # a webhook tells of each new payment
    outcome_currency: str = ""  # what the merchant is paid in; the coin itself when empty
    paid_before_answer: bool = False  # each payment is paid, and told of, before it is answered


@dataclass
class CoinPayment:
    """One payment. Amounts are decimal texts in `pay_currency`; `paid_usd` is worth at arrival."""

    payment_id: int
    purchase_id: int
    order_id: str | None
    order_description: str | None
    price_amount: str
    price_currency: str
    pay_amount: str
    pay_currency: str
    address: str
    memo: str | None
    ipn_url: str | None
    created_ms: int
    updated_ms: int
    quote_until_ms: int
    valid_until_ms: int
    is_fixed_rate: bool = False
    is_fee_paid_by_user: bool = False
    status: str = "waiting"
    paid: str = "0"
    paid_usd: str = "0"
    outcome: str = "0"
    outcome_currency: str = ""
    parent_id: int | None = None
    children: list[int] = field(default_factory=list)
    # Deposits that nobody saw: sent after the end, without the memo, in another coin.
    unseen: list[dict[str, str]] = field(default_factory=list)
    history: list[dict[str, str]] = field(default_factory=list)

    @property
    def line(self) -> int:
        """The first payment of its family."""
        return self.parent_id or self.payment_id


def stamp(at_ms: int) -> str:
    """A time as the provider writes it."""
    moment = datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at_ms % 1000:03}Z"


def created_body(payment: CoinPayment, coin: Coin, switches: Switches) -> dict[str, Any]:
    """The answer to `POST /v1/payment`."""
    body = {
        "payment_id": str(payment.payment_id),
        "payment_status": payment.status,
        **_price(payment),
        "pay_address": payment.address,
        "ipn_callback_url": payment.ipn_url,
        "created_at": stamp(payment.created_ms),
        "updated_at": stamp(payment.updated_ms),
        "purchase_id": str(payment.purchase_id),
        "amount_received": None,
        "payin_extra_id": payment.memo,
        "smart_contract": coin.contract,
        "network": coin.network,
        "network_precision": coin.precision,
        "time_limit": None,
        "burning_percent": None,
        "expiration_estimate_date": stamp(payment.quote_until_ms),
        "is_fixed_rate": payment.is_fixed_rate,
        "is_fee_paid_by_user": payment.is_fee_paid_by_user,
        "valid_until": stamp(payment.valid_until_ms),
        "type": "crypto2crypto",
    }
    return _drifted(body, switches)


def status_body(payment: CoinPayment, switches: Switches) -> dict[str, Any]:
    """The answer to `GET /v1/payment/{id}`."""
    body = {
        "payment_id": payment.payment_id,
        "invoice_id": None,
        "payment_status": payment.status,
        "pay_address": payment.address,
        "payin_extra_id": payment.memo,
        **_price(payment),
        "actually_paid": _number(payment.paid),
        "purchase_id": payment.purchase_id,
        "outcome_amount": _number(payment.outcome),
        "outcome_currency": payment.outcome_currency or payment.pay_currency,
        "payout_hash": None,
        "payin_hash": None,
        "created_at": stamp(payment.created_ms),
        "updated_at": stamp(payment.updated_ms),
        "burning_percent": "null",
        "type": "crypto2crypto",
        "payment_extra_ids": list(payment.children),
        **_parent(payment),
    }
    return _drifted(body, switches)


def notice_text(payment: CoinPayment, switches: Switches) -> str:
    """The raw body of a notification of the present status."""
    body: dict[str, Any] = {
        "payment_id": payment.payment_id,
        "parent_payment_id": payment.parent_id,
        "invoice_id": None,
        "payment_status": payment.status,
        "pay_address": payment.address,
        "payin_extra_id": payment.memo,
        **_price(payment),
        "actually_paid": _number(payment.paid),
        "actually_paid_at_fiat": _number(payment.paid_usd),
        "purchase_id": str(payment.purchase_id),
        "outcome_amount": _number(payment.outcome),
        "outcome_currency": payment.outcome_currency or payment.pay_currency,
        "payment_extra_ids": list(payment.children) or None,
        "fee": {
            "currency": payment.pay_currency,
            "depositFee": _number("0.000083") if payment.status in FINAL else 0,
            "withdrawalFee": 0,
            "serviceFee": _number(Decimal(payment.paid) - Decimal(payment.outcome)),
        },
    }
    drifted = _drifted(body, switches)
    if switches.number_spelling == "python":
        return json.dumps(drifted, ensure_ascii=False, separators=(",", ":"))
    return stringify(drifted)


def _price(payment: CoinPayment) -> dict[str, Any]:
    return {
        "price_amount": _number(payment.price_amount),
        "price_currency": payment.price_currency,
        "pay_amount": _number(payment.pay_amount),
        "pay_currency": payment.pay_currency,
        "order_id": payment.order_id,
        "order_description": payment.order_description,
    }


def _parent(payment: CoinPayment) -> dict[str, Any]:
    if payment.parent_id is None:
        return {}
    return {"parent_payment_id": payment.parent_id, "origin_type": "REPEATED"}


def _number(amount: str | Decimal) -> float:
    """An amount as JavaScript holds it, a double: the provider's numbers are no more exact."""
    return float(amount)


def _drifted(body: dict[str, Any], switches: Switches) -> dict[str, Any]:
    if switches.payment_id_as != "mixed":
        kind: type = str if switches.payment_id_as == "string" else int
        body["payment_id"] = kind(body["payment_id"])
    for name, is_text in (
        ("price_amount", switches.price_amount_string),
        ("pay_amount", switches.pay_amount_string),
    ):
        if is_text:
            body[name] = stringify(body[name])
    if switches.upper_case_status:
        body["payment_status"] = str(body["payment_status"]).upper()
    if switches.unknown_fields:
        body |= {"aml": {"score": 0.01, "checks": []}, "lane": "fast"}
    if switches.null_strings:
        body = {name: "null" if value is None else value for name, value in body.items()}
    return body
