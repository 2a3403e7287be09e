"""What the API shows of top-ups: money as decimal texts, times in RFC 3339, QR codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import segno

from osiris.http.shapes import time_json
from osiris.ledger.order import (
    AMOUNT_DIFFERS,
    CANCELLED,
    CRYPTO,
    CURRENCY_DIFFERS,
    EXPIRED,
    KEY_DELETED,
    NOT_ACCEPTED,
    PART_PAID,
    PENDING,
    QUOTED,
    STATE_UNKNOWN,
    UNDONE,
    VALUE_UNKNOWN,
    shown_state,
)
from osiris.ledger.payment import DETECTED, RUPIAH
from osiris.money import dollars_from_nano
from osiris.store.order_items import full_id

if TYPE_CHECKING:
    from osiris.flows.quote import Offer, Package
    from osiris.ledger.order import Order, Part
    from osiris.ledger.payment import Payment
    from osiris.payments import Coin
    from osiris.settings import Settings

_QR_SCALE = 4
# Pixels for a module: large enough for an app that reads the picture, some 1.5 KB as a text.
_PICTURE_SCALE = 8
_PROBLEMS = {
    KEY_DELETED: (
        "A payment came after the key was deleted. Nothing is lost: write to us, and it goes to"
        " another key or back to you."
    ),
    AMOUNT_DIFFERS: "The provider reports another price than was asked. A person looks into it.",
    CURRENCY_DIFFERS: "The provider reports another currency. A person looks into it.",
    STATE_UNKNOWN: "The provider reports a state that we don't know. A person looks into it.",
    NOT_ACCEPTED: (
        "Money came that the provider did not accept: below its minimum, or not recognised."
        " Write to us; nothing is lost."
    ),
    UNDONE: "The provider takes back that this was paid. A person looks into it.",
    VALUE_UNKNOWN: "The provider has no rate for what was received. A person looks into it.",
}
_WHY = {
    QUOTED: (
        "The provider has not taken the order yet. Send it again with the same Idempotency-Key."
    ),
    PENDING: "No payment has arrived yet. It shows here within seconds of being final.",
    PART_PAID: "Not all of it has been paid. What came is credited.",
    EXPIRED: "The quote has ended. What is paid all the same is still credited.",
    CANCELLED: "It was cancelled. What is paid all the same is still credited.",
}
_NOT_FINAL = "A payment was seen, and is not final yet. Nothing needs to be done."


def offer_json(offer: Offer, settings: Settings) -> dict[str, Any]:
    """What is on sale, at which rate, and how live that is."""
    rate = None
    if offer.rate is not None:
        rate = {
            "rupiah_per_dollar": format(offer.rate.rupiah_per_dollar, "f"),
            "source": offer.rate.source,
            "at": time_json(offer.rate.at_ms),
            "margin_percent": settings.rate_margin_percent,
            "note": "The source renews it once a day; it is read at most an hour before a quote.",
        }
    return {
        "data": [_package_json(package, offer.methods) for package in offer.packages],
        "rate": rate,
        "problem": offer.problem or None,
        "quote_minutes": settings.quote_minutes,
        "next": None,
    }


def _package_json(package: Package, methods: list[str]) -> dict[str, Any]:
    return {
        "id": str(package.dollars),
        "object": "package",
        "usd": str(package.dollars),
        "rupiah": str(package.rupiah) if package.rupiah else None,
        "qris_payments": package.qris_parts or None,
        "methods": methods,
    }


def coin_json(coin: Coin) -> dict[str, Any]:
    """A coin that can be paid with."""
    return {
        "id": coin.code,
        "object": "coin",
        "name": coin.name,
        "network": coin.network,
        "has_memo": coin.has_memo,
        "most_usd": None if coin.most_dollars is None else str(coin.most_dollars),
    }


def order_json(
    order: Order, payments: list[Payment], now_ms: int, *, whole: bool
) -> dict[str, Any]:
    """An order, as its owner sees it; in a list without what it takes to pay it."""
    shown: dict[str, Any] = {
        "id": order.id,
        "object": "order",
        "state": shown_state(order),
        "why": _why(order, payments),
        "package": dollars_from_nano(order.amount_nano),
        "key_id": order.key_id,
        "method": order.method,
        "coin": order.coin or None,
        "provider": order.provider,
        "credited": dollars_from_nano(order.credited_nano),
        "taken_back": dollars_from_nano(order.taken_back_nano),
        "rate": _rate_json(order),
        "created_at": time_json(order.created_at_ms),
        "expires_at": time_json(order.expires_at_ms),
    }
    if whole:
        can_be_paid = order.is_open(now_ms)
        shown["parts"] = [
            _part_json(order, number, part, payments, shows_qr=can_be_paid)
            for number, part in enumerate(order.parts, start=1)
        ]
        shown["payments"] = [_payment_json(payment) for payment in payments]
    return shown


def _why(order: Order, payments: list[Payment]) -> str | None:
    """Why nothing, or not all, is credited; None when all is."""
    if order.problem:
        return _PROBLEMS[order.problem]
    state = shown_state(order)
    if state in (PENDING, EXPIRED, PART_PAID) and any(paid.state == DETECTED for paid in payments):
        return _NOT_FINAL
    return _WHY.get(state)


def _rate_json(order: Order) -> dict[str, Any] | None:
    if not order.rate:
        return None
    return {
        "rupiah_per_dollar": order.rate,
        "source": order.rate_source,
        "at": time_json(order.rate_at_ms),
    }


def _part_json(
    order: Order, number: int, part: Part, payments: list[Payment], *, shows_qr: bool
) -> dict[str, Any]:
    mine = [payment for payment in payments if payment.part == number]
    credited_nano = sum(payment.credited_nano for payment in mine)
    shown: dict[str, Any] = {
        "number": number,
        "state": part_state(part, mine),
        "credit": dollars_from_nano(part.credit_nano),
        "credited": dollars_from_nano(credited_nano),
        "price": part.price,
        "price_currency": "USD" if order.method == CRYPTO else RUPIAH,
        "amount": part.amount or None,
        "currency": part.currency or None,
        "reference": part.reference,
        "payment_id": part.payment_id or None,
    }
    if order.method == CRYPTO:
        shown |= {
            "address": part.address or None,
            "memo": part.memo or None,
            "network": part.network or None,
        }
    if shows_qr and part.qr_text:
        shown |= {"qr_text": part.qr_text, "qr_svg": qr_svg(part.qr_text)}
    return shown


def part_state(part: Part, payments: list[Payment]) -> str:
    """Where a part stands, by its own payments."""
    credited_nano = sum(payment.credited_nano for payment in payments)
    if credited_nano and credited_nano == sum(payment.taken_back_nano for payment in payments):
        return "returned"
    if credited_nano:
        return "credited" if credited_nano >= part.credit_nano else "part_paid"
    return "detected" if any(paid.state == DETECTED for paid in payments) else "waiting"


def _payment_json(payment: Payment) -> dict[str, Any]:
    return {
        "id": full_id(payment),
        "part": payment.part,
        "provider_state": payment.told,
        "received": format(payment.received, "f"),
        "returned": format(payment.returned, "f"),
        "currency": payment.currency,
        "bought": dollars_from_nano(payment.bought_nano),
        "credited": dollars_from_nano(payment.credited_nano),
        "taken_back": dollars_from_nano(payment.taken_back_nano),
        "key_id": payment.key_id or None,
        "seen_at": time_json(payment.seen_at_ms),
        "credited_at": time_json(payment.credited_at_ms),
    }


def qr_svg(text: str, *, sized: bool = True) -> str:
    """A QR code as an inline SVG element; without a size of its own it is as large as its place."""
    code = segno.make(text, error="m")
    size = {"scale": _QR_SCALE} if sized else {"omitsize": True}
    drawn: str = code.svg_inline(light="#fff", **size)
    return drawn


def qr_picture(text: str) -> str:
    """A QR code as a `data:` address of a PNG, to be saved; the same text gives the same bytes."""
    picture: str = segno.make(text, error="m").png_data_uri(scale=_PICTURE_SCALE)
    return picture
