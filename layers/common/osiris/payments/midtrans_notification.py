"""Midtrans' notification: its signature, and what it claims.

Source: docs.midtrans.com, "HTTP(S) Notification / Webhooks". `signature_key` is SHA-512 over the
order's id, the code, the amount and the server key, with nothing between them, so it holds for
another status of the same payment, too.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Any

from osiris.ledger.payment import RUPIAH
from osiris.payment_errors import WebhookForged, WebhookUnreadable
from osiris.payments import Hint
from osiris.payments.members import amount, optional_text, text
from osiris.wire.exact_json import parse

if TYPE_CHECKING:
    from collections.abc import Mapping

# "Letters, digits and - _ ~ ."; none of ours begins with another sign than a letter.
ORDER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,49}", re.ASCII)


def hint_of(body: bytes, server_key: str) -> Hint:
    """What a genuine notification claims. Raises WebhookUnreadable or WebhookForged."""
    try:
        members = parse(body)
        if not isinstance(members, dict):
            raise ValueError("no object")
        told = _text(members, "signature_key").lower()
        due = signature(
            _text(members, "order_id"),
            _text(members, "status_code"),
            _text(members, "gross_amount"),
            server_key,
        )
        if not hmac.compare_digest(_bytes(due), _bytes(told)):
            raise WebhookForged(details="midtrans")
        return _hint(members)
    except ValueError as error:
        raise WebhookUnreadable(details=f"midtrans: {error}") from error


def signature(order_id: str, status_code: str, gross_amount: str, server_key: str) -> str:
    """The signature over these texts exactly as they stand in the body."""
    return hashlib.sha512(_bytes(order_id + status_code + gross_amount + server_key)).hexdigest()


def _text(members: Mapping[str, Any], name: str) -> str:
    """A text as it stands: an amount written as a number would have lost its decimals."""
    value = members.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is no text")
    return value


def _hint(members: Mapping[str, Any]) -> Hint:
    order_id = text(members, "order_id")
    if not ORDER_ID.fullmatch(order_id):
        raise ValueError("order_id has a character that Midtrans does not take")
    return Hint(
        payment_id=order_id,
        reference=order_id,
        price=amount(members, "gross_amount"),
        price_currency=optional_text(members, "currency").upper() or RUPIAH,
        told=text(members, "transaction_status").lower(),
    )


def _bytes(text: str) -> bytes:
    """A lone surrogate is no error here: it just makes a signature that does not hold."""
    return text.encode("utf-8", "surrogatepass")
