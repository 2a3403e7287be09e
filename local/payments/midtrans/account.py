"""The merchant's account at Midtrans: its transactions, what may become of them, and who is told.

Each change returns the notices that tell of it, not yet sent: the API sends them at once, a wish
decides how. The caller holds no lock.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any

from local.payments.book import Book, Receipt
from local.payments.delivery import Notice
from local.payments.midtrans.charge import Charge, Refusal
from local.payments.midtrans.record import (
    PAID,
    QrPayment,
    Switches,
    jakarta,
    webhook_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from local.payments.agenda import Agenda
    from local.payments.clock import Clock

_DAY_MS = 86_400_000
_OVER = ("deny", "cancel", "expire", "failure")  # after these an order_id may be used again
_REFUND_KEY = re.compile(r"[A-Za-z0-9\-_]{1,255}")
_SAFE_RETRY_DAYS = 7
_WINDOW_DAYS = {"on-us": 45, "off-us": 7}
_SHOPEE_WINDOW_DAYS = 365


class Account:
    """All transactions of one merchant, with the server key that signs for them."""

    def __init__(
        self, clock: Clock, agenda: Agenda, switches: Switches, server_key: str, path: Path | None
    ) -> None:
        self.book = Book(path, QrPayment)
        self.server_key = server_key
        self._clock = clock
        self._agenda = agenda
        self._switches = switches
        self.tell: Callable[[list[Notice]], None] = lambda _: None
        for payment in self.book.payments.values():
            self._plan_expiry(payment)

    def find(self, id: str) -> QrPayment | None:
        """The transaction of this id, or the newest of this order_id."""
        with self.book.reading():
            if id in self.book.payments:
                return self.book.payments[id]
            named = [item for item in self.book.payments.values() if item.order_id == id]
            return named[-1] if named else None

    def newest_first(self) -> list[QrPayment]:
        """Every transaction."""
        with self.book.reading():
            return list(self.book.payments.values())[::-1]

    def charge(self, charge: Charge, urls: list[str]) -> tuple[QrPayment, list[Notice]]:
        """Make a transaction. Errors: Refusal 406 for an order_id in use."""
        with self.book.changing():
            present = self.find(charge.order_id)
            if present is not None and present.status not in _OVER:
                raise Refusal(406, "The request could not be completed: order_id is used already")
            payment = QrPayment(
                transaction_id=str(uuid.uuid4()),
                order_id=charge.order_id,
                asked=charge.rupiah,
                amount=charge.rupiah,
                acquirer=charge.acquirer,
                created_ms=charge.created_ms,
                expiry_ms=charge.expiry_ms,
                urls=urls,
                transaction_type="off-us" if self._switches.off_us else "on-us",
                echoed=charge.echoed,
            )
            self.book.payments[payment.transaction_id] = payment
            notices = [self.notice(payment)]
        self._plan_expiry(payment)
        return payment, notices if self._switches.pending_webhook else []

    def close(self, payment: QrPayment, status: str) -> list[Notice]:
        """End a pending transaction without money. Errors: Refusal 412 unless it is pending."""
        with self.book.changing():
            if payment.status != "pending":
                raise Refusal(412, "Merchant cannot modify the status of the transaction")
            payment.status = status
            return [self.notice(payment)]

    def settle(self, payment: QrPayment, rupiah: int, *, ago_ms: int = 0) -> list[Notice]:
        """Take the customer's money, `ago_ms` before now. Errors: Refusal 412 when paid before."""
        with self.book.changing():
            if payment.status not in ("pending", "expire"):
                raise Refusal(412, f"the transaction is {payment.status}")
            payment.status, payment.amount = "settlement", rupiah
            payment.settled_ms = self._clock.now_ms() - ago_ms
            self._receive(payment, rupiah, payment.settled_ms, is_returned=False)
            return [self.notice(payment)]

    def refund(
        self, payment: QrPayment, *, key: str, rupiah: int | None, reason: str, is_told: bool = True
    ) -> tuple[dict[str, Any], list[Notice]]:
        """Give money back; all that is left without `rupiah`. The same key gives nothing again.

        The bank's word that comes later by the clock is told of only if `is_told`.

        Errors: Refusal 400, 406, 412 or 414 as the API has them.
        """
        if not _REFUND_KEY.fullmatch(key):
            raise Refusal(400, "refund_key has characters that are not allowed")
        with self.book.changing():
            present = payment.refund_wishes.get(key)
            if present is not None:
                return self._repeated(present, rupiah), []
            self._check_refund(payment, rupiah)
            amount = payment.amount - payment.returned if rupiah is None else rupiah
            is_all = payment.returned + amount == payment.amount
            notices = self._give_back(
                *(payment, amount, "refund" if is_all else "partial_refund"),
                key=key,
                reason=reason,
                is_told=is_told,
            )
            wish = {"rupiah": amount, "at_ms": self._clock.now_ms()}
            payment.refund_wishes[key] = wish
            return wish, notices

    def charge_back(self, payment: QrPayment, rupiah: int | None) -> list[Notice]:
        """The payer's bank takes money back. Errors: Refusal 412 unless there is that much."""
        with self.book.changing():
            left = payment.amount - payment.returned
            amount = left if rupiah is None else rupiah
            if payment.status not in (*PAID, "partial_chargeback") or not 0 < amount <= left:
                raise Refusal(412, f"the transaction is {payment.status}, Rp {left} are left")
            status = "chargeback" if amount == left else "partial_chargeback"
            return self._give_back(
                payment, amount, status, key="", reason="disputed", is_told=False
            )[-1:]

    def _check_refund(self, payment: QrPayment, rupiah: int | None) -> None:
        if payment.status not in PAID:
            raise Refusal(412, "Merchant cannot modify the status of the transaction")
        left = payment.amount - payment.returned
        if rupiah is not None and not 0 < rupiah <= left:
            raise Refusal(414, "Refund amount is not valid")
        if payment.acquirer == "airpay shopee" and rupiah not in (None, left):
            raise Refusal(412, "the payment provider allows full refunds only")
        age_ms = self._clock.now_ms() - (payment.settled_ms or 0)
        if self._switches.refund_refused or age_ms > _window_ms(payment):
            raise Refusal(412, "the time in which this transaction can be refunded is over")
        if self._switches.insufficient_balance:
            raise Refusal(412, "the payable balance is not sufficient for this refund")

    def _repeated(self, present: dict[str, Any], rupiah: int | None) -> dict[str, Any]:
        is_old = self._clock.now_ms() - present["at_ms"] > _SAFE_RETRY_DAYS * _DAY_MS
        if is_old or rupiah not in (None, present["rupiah"]):
            raise Refusal(406, "Duplicate refund_key")
        return present

    def _give_back(
        self, payment: QrPayment, rupiah: int, status: str, *, key: str, reason: str, is_told: bool
    ) -> list[Notice]:
        """Return the notices of the request and of the bank's word that it is done."""
        now_ms = self._clock.now_ms()
        refund: dict[str, Any] = {
            "refund_chargeback_id": len(payment.refunds) + 1,
            "amount": rupiah,
            "at_ms": now_ms,
            "created_at": jakarta(now_ms),
            "reason": reason,
            **({"refund_key": key} if key else {}),
        }
        payment.status = status
        payment.refunds.append(refund)
        self._receive(payment, rupiah, now_ms, is_returned=True)
        first = self.notice(payment)
        if self._switches.bank_confirm_s > 0:
            due_ms = now_ms + int(self._switches.bank_confirm_s * 1000)
            self._agenda.at(due_ms, lambda: self._confirm_later(payment, refund, is_told=is_told))
            return [first]
        return [first, *self._confirm(payment, refund)]

    def _confirm_later(self, payment: QrPayment, refund: dict[str, Any], *, is_told: bool) -> None:
        notices = self._confirm(payment, refund)
        if is_told:
            self.tell(notices)

    def _confirm(self, payment: QrPayment, refund: dict[str, Any]) -> list[Notice]:
        with self.book.changing():
            refund["bank_confirmed_at"] = jakarta(self._clock.now_ms())
            refund["refund_method"] = "online"
            return [self.notice(payment)]

    def _receive(self, payment: QrPayment, rupiah: int, at_ms: int, *, is_returned: bool) -> None:
        self.book.received.append(
            Receipt(
                order=payment.order_id,
                payment_id=payment.transaction_id,
                amount=str(rupiah),
                currency="idr",
                usd=None,
                at_ms=at_ms,
                kind="returned" if is_returned else "received",
            )
        )

    def _plan_expiry(self, payment: QrPayment) -> None:
        lag_ms = int(self._switches.expiry_lag_s * 1000)
        self._agenda.at(payment.expiry_ms + lag_ms, lambda: self._expire(payment))

    def _expire(self, payment: QrPayment) -> None:
        with self.book.changing():
            notices = self._expired(payment)
        self.tell(notices)

    def _expired(self, payment: QrPayment) -> list[Notice]:
        if payment.status != "pending":
            return []
        # The payment's time, or the lag, may have been moved since this was planned.
        if payment.expiry_ms + int(self._switches.expiry_lag_s * 1000) > self._clock.now_ms():
            self._plan_expiry(payment)
            return []
        return self.close(payment, "expire")

    def notice(self, payment: QrPayment) -> Notice:
        """The notification of the present status; it joins the transaction's history."""
        text = webhook_text(payment, self.server_key, self._switches)
        payment.history.append({"event": payment.status, "body": text})
        return self.sent(payment, payment.status, text)

    def sent(
        self, payment: QrPayment, event: str, text: str, *, is_repeated: bool = True
    ) -> Notice:
        """A webhook of this transaction with any text."""
        return Notice(
            line=payment.transaction_id,
            payment_id=payment.transaction_id,
            event=event,
            body=text.encode(),
            urls=tuple(payment.urls),
            headers={"User-Agent": "Veritrans", "Accept": "application/json"},
            is_repeated=is_repeated,
        )


def _window_ms(payment: QrPayment) -> int:
    is_shopee = payment.acquirer == "airpay shopee"
    days = _SHOPEE_WINDOW_DAYS if is_shopee else _WINDOW_DAYS[payment.transaction_type]
    return days * _DAY_MS
