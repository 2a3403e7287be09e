"""A NOWPayments payment's status in our words.

Source: NOWPayments' API documentation (Postman collection 2s93JusNJt, "Create payment" and "Get
payment status") and its help pages on statuses. Money is ours from `partially_paid` or `finished`
on; before that it may still be refused. The figure that counts is `actually_paid`, in the coin.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from osiris.ledger.payment import (
    DETECTED,
    ENDED,
    RECEIVED,
    REFUND,
    UNKNOWN,
    WAITING,
    PaymentStatus,
)
from osiris.payments.members import amount, moment_ms, optional_amount, optional_text, text

if TYPE_CHECKING:
    from collections.abc import Mapping

STATES = {
    "waiting": WAITING,
    "confirming": DETECTED,
    "confirmed": DETECTED,
    "sending": DETECTED,
    "partially_paid": RECEIVED,
    "finished": RECEIVED,
    "refunded": RECEIVED,
    "failed": ENDED,
    "expired": ENDED,
    "cancelled": ENDED,
    "canceled": ENDED,
}
# Deposits to one address; the documentation's example has two.
_CHILDREN_MAX = 50

_NOTHING = Decimal(0)


def status_of(provider: str, members: Mapping[str, Any]) -> PaymentStatus:
    """The status that these members tell. Raises ValueError for one that is not to be read."""
    told = text(members, "payment_status").lower()
    paid = optional_amount(members, "actually_paid") or _NOTHING
    state = STATES.get(told, UNKNOWN)
    if state == RECEIVED and paid == 0:
        state = UNKNOWN  # received, and nobody says how much
    is_received = state == RECEIVED
    received = paid if is_received else _NOTHING
    went_back = told == "refunded" and is_received
    return PaymentStatus(
        provider=provider,
        id=text(members, "payment_id"),
        reference=optional_text(members, "order_id"),
        state=state,
        told=told,
        price=amount(members, "price_amount"),
        price_currency=text(members, "price_currency").upper(),
        currency=text(members, "pay_currency").lower(),
        asked=optional_amount(members, "pay_amount") or _NOTHING,
        received=received,
        returned=received if went_back else _NOTHING,
        returned_by=REFUND if went_back else "",
        paid_at_ms=moment_ms(members, "updated_at") if state in (DETECTED, RECEIVED) else 0,
        parent_id=_id(members, "parent_payment_id"),
        child_ids=_child_ids(members),
        complete=told == "finished" and is_received,
        held=paid if state in (ENDED, UNKNOWN) else _NOTHING,
    )


def _id(members: Mapping[str, Any], name: str) -> str:
    """Another payment's id; none is told by null, by 0 or not at all."""
    found = optional_text(members, name)
    return "" if found == "0" else found


def _child_ids(members: Mapping[str, Any]) -> tuple[str, ...]:
    """The further deposits' payments. They are an array, or null, or the word "null"."""
    told = members.get("payment_extra_ids")
    if not isinstance(told, list):
        return ()
    ids = [_id({"id": value}, "id") for value in told[:_CHILDREN_MAX]]
    return tuple(child_id for child_id in ids if child_id)
