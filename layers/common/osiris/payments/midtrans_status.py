"""A Midtrans transaction's status in our words.

Source: docs.midtrans.com, "Get Transaction Status" and "Status Cycle"; the table is the whole of
it. QRIS goes from pending straight to settlement.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from osiris.ledger.payment import (
    CHARGEBACK,
    ENDED,
    RECEIVED,
    REFUND,
    RUPIAH,
    UNKNOWN,
    WAITING,
    PaymentStatus,
)
from osiris.payments.members import amount, moment_ms, optional_amount, optional_text, text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

STATES = {
    "pending": WAITING,
    "authorize": WAITING,
    "settlement": RECEIVED,
    "capture": RECEIVED,
    "refund": RECEIVED,
    "partial_refund": RECEIVED,
    "chargeback": RECEIVED,
    "partial_chargeback": RECEIVED,
    "cancel": ENDED,
    "expire": ENDED,
    "deny": ENDED,
    "failure": ENDED,
}
_RETURNED_BY = {
    "refund": REFUND,
    "partial_refund": REFUND,
    "chargeback": CHARGEBACK,
    "partial_chargeback": CHARGEBACK,
}
# Without a figure, all went back.
_WHOLE = ("refund", "chargeback")
# A chargeback takes all of it, whatever was refunded before and may stand as the figure.
_ALL = "chargeback"
# Midtrans' own suspicion is told beside the status, and counts where it is.
_ACCEPTED = ("", "accept")

_NOTHING = Decimal(0)


def status_of(provider: str, members: Mapping[str, Any], zone: tzinfo) -> PaymentStatus:
    """The status that these members tell. Raises ValueError for one that is not to be read."""
    told = text(members, "transaction_status").lower()
    price = amount(members, "gross_amount")
    currency = optional_text(members, "currency").upper() or RUPIAH
    state = STATES.get(told, UNKNOWN)
    returned = _returned(told, price, members)
    if state == RECEIVED and (
        returned is None or optional_text(members, "fraud_status").lower() not in _ACCEPTED
    ):
        state = UNKNOWN
    is_received = state == RECEIVED
    order_id = text(members, "order_id")
    return PaymentStatus(
        provider=provider,
        id=order_id,
        reference=order_id,
        state=state,
        told=told,
        price=price,
        price_currency=currency,
        currency=currency,
        asked=price,
        received=price if is_received else _NOTHING,
        returned=(returned or _NOTHING) if is_received else _NOTHING,
        returned_by=_RETURNED_BY.get(told, "") if is_received else "",
        paid_at_ms=_paid_at_ms(members, zone) if is_received else 0,
        complete=is_received,
        # Settled, and not to be relied on: suspected, or partly returned by nobody knows how much.
        held=price if state == UNKNOWN and told in STATES else _NOTHING,
    )


def _returned(told: str, price: Decimal, members: Mapping[str, Any]) -> Decimal | None:
    """What went back, by all refunds together; None when a part did and nobody says how much."""
    if told not in _RETURNED_BY:
        return _NOTHING
    if told == _ALL:
        return price
    returned = optional_amount(members, "refund_amount")
    if returned is None:
        return price if told in _WHOLE else None
    return min(returned, price)


def _paid_at_ms(members: Mapping[str, Any], zone: tzinfo) -> int:
    settled_at_ms = moment_ms(members, "settlement_time", zone=zone)
    return settled_at_ms or moment_ms(members, "transaction_time", zone=zone)
