"""NOWPayments' notification (IPN): its signature, and what it claims.

Sources: NOWPayments' API documentation, "Instant Payments Notifications", and src/ipn.js of its
official SDK. The header holds HMAC-SHA512 over JavaScript's text of the body, its names sorted.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Any

from osiris.payment_errors import WebhookForged, WebhookUnreadable
from osiris.payments import Hint
from osiris.payments.javascript import sorted_text
from osiris.payments.members import amount, optional_text, text
from osiris.wire.exact_json import parse

if TYPE_CHECKING:
    from collections.abc import Mapping

SIGNATURE = "x-nowpayments-sig"
PAYMENT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


def hint_of(body: bytes, told: str, secret: str) -> Hint:
    """What a genuine notification claims; `told` is its header's signature.

    Raises WebhookUnreadable or WebhookForged.
    """
    try:
        members = parse(body)
        if not isinstance(members, dict):
            raise ValueError("no object")
        due = [signature(members, secret, arrays_as_objects=way) for way in (False, True)]
        signed = told.strip().lower().encode()
        if not any(hmac.compare_digest(one.encode(), signed) for one in due):
            raise WebhookForged(details="nowpayments")
        return _hint(members)
    except ValueError as error:
        raise WebhookUnreadable(details=f"nowpayments: {error}") from error


def signature(members: Mapping[str, Any], secret: str, *, arrays_as_objects: bool = False) -> str:
    """The signature over these members, as `exact_json` reads them."""
    spelling = sorted_text(members, arrays_as_objects=arrays_as_objects)
    return hmac.new(secret.encode(), spelling.encode(), hashlib.sha512).hexdigest()


def _hint(members: Mapping[str, Any]) -> Hint:
    payment_id = text(members, "payment_id")
    if not PAYMENT_ID.fullmatch(payment_id):
        raise ValueError("payment_id is none")
    return Hint(
        payment_id=payment_id,
        reference=optional_text(members, "order_id"),
        price=amount(members, "price_amount"),
        price_currency=text(members, "price_currency").upper(),
        told=text(members, "payment_status").lower(),
    )
