"""An order and what its provider says of it, for tests of the rules."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from osiris.ledger.order import CRYPTO, PENDING, QRIS, Order, Part
from osiris.ledger.payment import RECEIVED, Payment, PaymentStatus
from osiris.money import NANO_PER_DOLLAR

NOW_MS = 1_795_514_400_000
MINUTE_MS = 60_000
ID = "ord_0VHVMPQO12345678"
HUNDRED = 100 * NANO_PER_DOLLAR
RUPIAH = "1791700"
COINS = Decimal("0.002")


def order(method: str = QRIS, **changed: Any) -> Order:
    """A started order of $100 that nobody paid yet: Rp 1,791,700, or 0.002 of a coin."""
    price, currency = (RUPIAH, "IDR") if method == QRIS else ("100", "btc")
    plain = Order(
        id=ID,
        account_id="ada",
        key_id="A" * 12,
        amount_nano=HUNDRED,
        method=method,
        provider="midtrans" if method == QRIS else "nowpayments",
        coin="btc" if method == CRYPTO else "",
        state=PENDING,
        created_at_ms=NOW_MS,
        expires_at_ms=NOW_MS + 20 * MINUTE_MS,
        rate="17917" if method == QRIS else "",
        rate_source="",
        rate_at_ms=0,
        parts=(Part(f"{ID}-1", price, HUNDRED, "p1", "", currency),),
    )
    return plain._replace(**changed)


def status(method: str = QRIS, **changed: Any) -> PaymentStatus:
    """All of it was received, a minute after the order."""
    is_qris = method == QRIS
    asked = Decimal(RUPIAH) if is_qris else COINS
    plain = PaymentStatus(
        provider="midtrans" if is_qris else "nowpayments",
        id="p1",
        reference=f"{ID}-1",
        state=RECEIVED,
        told="settlement",
        price=Decimal(RUPIAH) if is_qris else Decimal(100),
        price_currency="IDR" if is_qris else "USD",
        currency="IDR" if is_qris else "btc",
        asked=asked,
        received=asked,
        returned=Decimal(0),
        returned_by="",
        paid_at_ms=NOW_MS + MINUTE_MS,
    )
    return plain._replace(**changed)


def payment(method: str = QRIS, **changed: Any) -> Payment:
    """A payment that has just shown up, but for what is changed."""
    seen_at_ms = NOW_MS + MINUTE_MS
    first = Payment.first(status(method), order_id=ID, part=1, seen_at_ms=seen_at_ms)
    return first._replace(**changed)
