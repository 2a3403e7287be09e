"""A QRIS transaction as Midtrans keeps it, and its texts: status, notification, signature."""

from __future__ import annotations

import datetime
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from local.payments.midtrans.emv import qris_text

_JAKARTA = datetime.timezone(datetime.timedelta(hours=7))
MERCHANT_ID = "G000000001"

# The status_code that comes with a transaction_status: in webhooks, and in answers to GET status,
# where an expired transaction is told of with the 407 that also answers the expire call.
WEBHOOK_CODES = {
    "pending": "201",
    "settlement": "200",
    "refund": "200",
    "partial_refund": "200",
    "chargeback": "200",
    "partial_chargeback": "200",
    "deny": "202",
    "cancel": "202",
    "expire": "202",
    "failure": "202",
}
STATUS_CODES = {**WEBHOOK_CODES, "cancel": "200", "expire": "407"}
PAID = ("settlement", "partial_refund")  # money is here that can be given back


@dataclass
class Switches:
    """Lasting traits of the stand-in, each off or ordinary at first."""

    channel_inactive: bool = False  # charges get 402
    errors_at_200: bool = False  # errors come with HTTP 200 and the code in the body alone
    no_qr_string: bool = False
    no_expiry_time: bool = False
    upper_case_status: bool = False
    unknown_fields: bool = False
    pending_webhook: bool = True  # a webhook tells of each charge
    paid_before_answer: bool = False  # each charge is paid, and told of, before it is answered
    expiry_lag_s: float = 30.0  # how late the batch is that expires transactions
    off_us: bool = True  # paid from another issuer's wallet: refundable for 7 days instead of 45
    insufficient_balance: bool = False  # refunds are refused
    refund_refused: bool = False  # refunds are refused as if too late
    bank_confirm_s: float = 0.0  # from a refund's first webhook to its second


@dataclass
class QrPayment:
    """One transaction. Amounts are whole rupiah; `amount` is what was asked, then what was paid."""

    transaction_id: str
    order_id: str
    asked: int
    amount: int
    acquirer: str
    created_ms: int
    expiry_ms: int
    urls: list[str]
    status: str = "pending"
    settled_ms: int | None = None
    transaction_type: str = "off-us"
    refunds: list[dict[str, Any]] = field(default_factory=list)
    refund_wishes: dict[str, dict[str, Any]] = field(default_factory=dict)
    echoed: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, str]] = field(default_factory=list)

    @property
    def gross_amount(self) -> str:
        """The amount as every text has it."""
        return f"{self.amount}.00"

    @property
    def returned(self) -> int:
        """Rupiah given back so far."""
        return sum(refund["amount"] for refund in self.refunds)

    @property
    def qr_text(self) -> str:
        """What the QR code says."""
        return qris_text(
            amount_rupiah=self.asked, reference=self.transaction_id, acquirer=self.acquirer
        )


def signature(order_id: str, status_code: str, gross_amount: str, server_key: str) -> str:
    """Midtrans' `signature_key`: hex SHA-512 over the four texts, with nothing in between."""
    text = order_id + status_code + gross_amount + server_key
    return hashlib.sha512(text.encode()).hexdigest()


def jakarta(at_ms: int) -> str:
    """A time as Midtrans writes it: GMT+7, without saying so."""
    return datetime.datetime.fromtimestamp(at_ms / 1000, _JAKARTA).strftime("%Y-%m-%d %H:%M:%S")


def charge_body(payment: QrPayment, url: str, switches: Switches) -> dict[str, Any]:
    """The answer to a charge; `url` is the host that serves the pictures."""
    picture = f"{url}/v2/qris/{payment.transaction_id}/qr-code"
    body = {
        "status_code": "201",
        "status_message": "QRIS transaction is created",
        **_identity(payment),
        "transaction_status": "pending",
        "fraud_status": "accept",
        "acquirer": payment.acquirer,
        "actions": [
            {"name": "generate-qr-code", "method": "GET", "url": picture},
            {
                "name": "generate-qr-code-v2",
                "method": "GET",
                "url": picture.replace("/v2/", "/v4/"),
            },
        ],
        "qr_string": payment.qr_text,
        "expiry_time": jakarta(payment.expiry_ms),
    }
    if switches.no_qr_string:
        del body["qr_string"]
    return _drifted(body, switches)


def status_body(
    payment: QrPayment, server_key: str, switches: Switches, *, status_code: str
) -> dict[str, Any]:
    """The transaction as GET status and the webhooks tell of it, signed."""
    body: dict[str, Any] = {
        "status_code": status_code,
        "status_message": "Success, transaction is found",
        "signature_key": signature(payment.order_id, status_code, payment.gross_amount, server_key),
        **_identity(payment),
        "transaction_status": payment.status,
        "fraud_status": "accept",
        "acquirer": payment.acquirer,
        "expiry_time": jakarta(payment.expiry_ms),
        **payment.echoed,
    }
    if payment.settled_ms is not None:
        body |= _settlement(payment)
    if payment.refunds:
        body["refund_amount"] = f"{payment.returned}.00"
        body["refunds"] = [_refund(refund) for refund in payment.refunds]
    return _drifted(body, switches)


def webhook_text(payment: QrPayment, server_key: str, switches: Switches) -> str:
    """The notification of the present status."""
    code = WEBHOOK_CODES[payment.status]
    body = status_body(payment, server_key, switches, status_code=code)
    return json.dumps({**body, "status_message": "midtrans payment notification"})


def _identity(payment: QrPayment) -> dict[str, Any]:
    return {
        "transaction_id": payment.transaction_id,
        "order_id": payment.order_id,
        "merchant_id": MERCHANT_ID,
        "gross_amount": payment.gross_amount,
        "currency": "IDR",
        "payment_type": "qris",
        "transaction_time": jakarta(payment.created_ms),
    }


def _settlement(payment: QrPayment) -> dict[str, Any]:
    assert payment.settled_ms is not None
    reference = payment.transaction_id.replace("-", "")
    more = {"shopeepay_reference_number": reference[:18], "reference_id": reference[:24]}
    return {
        "settlement_time": jakarta(payment.settled_ms),
        "transaction_type": payment.transaction_type,
        "issuer": "gopay" if payment.transaction_type == "on-us" else "dana",
        "merchant_cross_reference_id": payment.transaction_id[::-1],
        **(more if payment.acquirer == "airpay shopee" else {}),
    }


def _refund(refund: dict[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in refund.items() if name not in ("amount", "at_ms")}
    return {**shown, "refund_amount": f"{refund['amount']}.00"}


def _drifted(body: dict[str, Any], switches: Switches) -> dict[str, Any]:
    if switches.no_expiry_time:
        del body["expiry_time"]
    if switches.upper_case_status:
        body["transaction_status"] = str(body["transaction_status"]).upper()
    if switches.unknown_fields:
        body |= {"settlement_batch": 7, "promo": {"ids": [1, 2], "note": None}}
    return body
