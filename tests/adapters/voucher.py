"""A third payment provider, as somebody would add one: this file and a setting.

It sells by vouchers: a bill is paid when its voucher is on the list, a shared text file. Its
webhook's signature is an HMAC over the raw body.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from osiris.ledger.payment import ENDED, RECEIVED, RUPIAH, WAITING, PaymentStatus
from osiris.payment_errors import PaymentNotFound, RefundByHand, WebhookForged, WebhookUnreadable
from osiris.payments import Bill, Coin, Hint, Started, Surroundings

SECRET = "voucher-secret"


class Provider:
    """The adapter; its base URL is the path of the list."""

    name = "voucher"
    method = "qris"
    secrets = (SECRET,)

    def __init__(self, surroundings: Surroundings) -> None:
        self._secret = surroundings.secret
        self._list = Path(surroundings.base_url.removeprefix("file://"))
        self._now_ms = surroundings.now_ms

    def start(self, bill: Bill) -> Started:
        """Nothing is asked of anybody: the reference is the voucher."""
        self._write(bill.reference, {"price": str(bill.price), "state": "open"})
        expires_at_ms = bill.now_ms + bill.lives_ms
        return Started(
            bill.reference, bill.price, RUPIAH, bill.reference, "", "", "", expires_at_ms
        )

    def verify(self, headers: Mapping[str, str], body: bytes) -> Hint:
        """The header `x-signature` is the body's HMAC-SHA256."""
        due = hmac.new(self._secret(SECRET).encode(), body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(due.encode(), headers.get("x-signature", "").encode()):
            raise WebhookForged(details=self.name)
        try:
            told = json.loads(body)
            price = Decimal(told["price"])
        except (ValueError, KeyError, TypeError, ArithmeticError) as error:
            raise WebhookUnreadable(details=self.name) from error
        return Hint(told["voucher"], told["voucher"], price, RUPIAH, told["state"])

    def status(self, payment_id: str, *, timeout_ms: int) -> PaymentStatus:
        """What the list says."""
        line = self._read().get(payment_id)
        if line is None:
            raise PaymentNotFound
        price, paid = Decimal(line["price"]), line["state"] == "paid"
        nothing = Decimal(0)
        return PaymentStatus(
            provider=self.name,
            id=payment_id,
            reference=payment_id,
            state={"open": WAITING, "paid": RECEIVED}.get(line["state"], ENDED),
            told=line["state"],
            price=price,
            price_currency=RUPIAH,
            currency=RUPIAH,
            asked=price,
            received=price if paid else nothing,
            returned=nothing,
            returned_by="",
            paid_at_ms=self._now_ms() if paid else 0,
            complete=paid,
        )

    def cancel(self, payment_id: str) -> bool:
        """Take the voucher off sale."""
        self._write(payment_id, self._read()[payment_id] | {"state": "cancelled"})
        return True

    def refund(self, payment_id: str, *, amount: Decimal, key: str, reason: str) -> None:
        """Vouchers are refunded over the counter."""
        raise RefundByHand

    def coins(self) -> list[Coin]:
        """None."""
        return []

    def least_dollars(self, coin: str) -> Decimal:
        """Nothing."""
        return Decimal(0)

    def value_dollars(self, currency: str, amount: Decimal) -> Decimal:
        """Rupiah are bought at the quote alone."""
        raise NotImplementedError

    def _read(self) -> dict[str, dict[str, str]]:
        return dict(json.loads(self._list.read_text())) if self._list.exists() else {}

    def _write(self, voucher: str, line: dict[str, str]) -> None:
        self._list.write_text(json.dumps(self._read() | {voucher: line}))
