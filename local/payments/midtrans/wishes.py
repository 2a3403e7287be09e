"""What can be made to happen to a QRIS transaction, beside what the merchant's API does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from local.payments.midtrans.charge import Refusal
from local.payments.midtrans.record import WEBHOOK_CODES, QrPayment, Switches, signature
from local.payments.wishes import Refused, Wish

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.payments.delivery import Notice
    from local.payments.midtrans.account import Account

WHATS = {
    "pay": "the customer pays what was asked, or `amount`",
    "less": "the customer pays 60 %",
    "more": "the customer pays 150 %",
    "fee": "the customer pays 0.7 % on top, a fee that was added to the amount",
    "late": "the code's time is over and told of, then the customer pays",
    "twice": "paid, and once more: the issuer returns that at once, the event is told again",
    "refund": "everything that is left is given back",
    "partial_refund": "40 % of what was paid is given back, or `amount`",
    "chargeback": "the payer's bank takes everything back",
    "partial_chargeback": "the payer's bank takes 40 % back, or `amount`",
    "expire": "the code's time ends now",
    "cancel": "cancelled in the provider's dashboard",
    "deny": "refused by the provider",
    "failure": "failed at the provider",
    "replay": "every event so far is told once more, in order; no state changes",
}
_PAST_MS = 60_000  # how long a code is over when it is paid late


class Wishes:
    """Fulfils wishes on an account."""

    def __init__(self, account: Account, now_ms: Callable[[], int], switches: Switches) -> None:
        self._account = account
        self._now_ms = now_ms
        self._switches = switches

    def true(self, payment: QrPayment, wish: Wish) -> list[Notice]:
        """Change the state, and return what tells of it, in order. Errors: Refused."""
        try:
            return self._true(payment, wish)
        except Refusal as refusal:
            raise Refused(
                409, f"{wish.what}: {refusal.message}", payment_status=payment.status
            ) from None

    def _true(self, payment: QrPayment, wish: Wish) -> list[Notice]:
        account, what, asked = self._account, wish.what, payment.asked
        ago_ms = int(wish.paid_ago_s * 1000)
        wished = _rupiah(wish.amount)
        if what in ("expire", "cancel", "deny", "failure"):
            return account.close(payment, what)
        if what == "replay":
            return self.history(payment)
        if what in ("refund", "partial_refund"):
            share = None if what == "refund" else wished or payment.amount * 40 // 100
            key = f"dashboard-{len(payment.refunds) + 1}"
            is_told = wish.way != "lost"
            return account.refund(
                payment, key=key, rupiah=share, reason="asked for", is_told=is_told
            )[1]
        if what in ("chargeback", "partial_chargeback"):
            share = None if what == "chargeback" else wished or payment.amount * 40 // 100
            return account.charge_back(payment, share)
        if what == "twice" and payment.status == "settlement":
            return self.history(payment)[-1:]
        if what != "late" and payment.status == "expire":
            raise Refused(
                409, "the code is over; it can be paid late only", payment_status="expire"
            )
        rupiah = wished or {
            "less": max(1, asked * 60 // 100),
            "more": asked * 150 // 100,
            "fee": -(-asked * 1007 // 1000),
        }.get(what, asked)
        expiry = self._over(payment) if what == "late" and payment.status == "pending" else []
        notices = expiry + account.settle(payment, rupiah, ago_ms=ago_ms)
        return notices + notices[-1:] if what == "twice" else notices

    def _over(self, payment: QrPayment) -> list[Notice]:
        """Move the transaction into the past, so that its code is over, and let it expire."""
        with self._account.book.changing():
            back_ms = payment.expiry_ms - (self._now_ms() - _PAST_MS)
            if back_ms > 0:
                payment.created_ms -= back_ms
                payment.expiry_ms -= back_ms
            return self._account.close(payment, "expire")

    def false(self, payment: QrPayment, wish: Wish) -> list[Notice]:
        """A webhook that lies; nothing is changed. Errors: Refused."""
        claimed = _CLAIMED.get(wish.what, "settlement")
        code = WEBHOOK_CODES[claimed]
        body: dict[str, Any] = json.loads(payment.history[-1]["body"])
        if wish.way == "tampered_amount":
            body["gross_amount"] = f"{payment.amount * 10}.00"
        elif wish.way == "tampered_status":
            body["transaction_status"] = claimed
        else:
            key = "another key" if wish.way == "wrong_key" else "no key at all"
            body |= {"transaction_status": claimed, "status_code": code}
            body["signature_key"] = signature(payment.order_id, code, payment.gross_amount, key)
            if wish.way == "forged":
                body["signature_key"] = body["signature_key"][:-8] + "0badc0de"
        event = f"{claimed} ({wish.way})"
        return [self._account.sent(payment, event, json.dumps(body), is_repeated=False)]

    def history(self, payment: QrPayment) -> list[Notice]:
        """The events so far, as they were told."""
        return [
            self._account.sent(payment, past["event"], past["body"]) for past in payment.history
        ]


_CLAIMED = {
    "refund": "refund",
    "partial_refund": "partial_refund",
    "chargeback": "chargeback",
    "partial_chargeback": "partial_chargeback",
    "expire": "expire",
    "cancel": "cancel",
    "deny": "deny",
    "failure": "failure",
}


def _rupiah(amount: str | None) -> int | None:
    if amount is None:
        return None
    if not amount.isdecimal() or int(amount) == 0:
        raise Refused(400, "amount is not a whole number of rupiah")
    return int(amount)
