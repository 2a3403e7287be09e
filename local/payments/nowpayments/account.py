"""The merchant's account at NOWPayments: payments, deposits on their addresses, and their course.

A deposit walks through its statuses step by step. Each change returns the notices that tell of it,
not yet sent; steps that wait for the clock tell of themselves by `tell`. Money counts as received
when its payment ends well, with the time at which the customer sent it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING

from local.payments.book import Book, Receipt
from local.payments.delivery import Notice
from local.payments.nowpayments.javascript import Arrays, signature
from local.payments.nowpayments.record import FINAL, CoinPayment, Switches, notice_text

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

    from local.payments.agenda import Agenda
    from local.payments.clock import Clock
    from local.payments.nowpayments.coins import Prices

QUOTE_MS = 20 * 60 * 1000
VALID_MS = 7 * 24 * 3600 * 1000
_FEE_SAME, _FEE_CONVERTED = Decimal("0.005"), Decimal("0.01")
_FIRST_ID = 5_000_000_001
_STEPS = {
    "finished": ("confirming", "confirmed", "sending", "finished"),
    "partially_paid": ("confirming", "confirmed", "partially_paid"),
    "failed": ("confirming", "failed"),
}


@dataclass(frozen=True)
class Deposit:
    """Coins that a customer sent: how many, their worth in dollars then, and when.

    The steps that come later by the clock are told of only if `is_told`.
    """

    amount: Decimal
    usd: Decimal
    at_ms: int
    is_told: bool = True


class Account:
    """All payments of one merchant, with the secret that signs their notifications."""

    def __init__(
        self,
        clock: Clock,
        agenda: Agenda,
        switches: Switches,
        prices: Prices,
        *,
        ipn_secret: str,
        chance: random.Random,
        path: Path | None,
    ) -> None:
        self.book = Book(path, CoinPayment)
        self.prices = prices
        self.ipn_secret = ipn_secret
        self._clock = clock
        self._agenda = agenda
        self._switches = switches
        self._chance = chance
        self.tell: Callable[[list[Notice]], None] = lambda _: None
        for payment in self.book.payments.values():
            self._plan_expiry(payment)

    def find(self, id: str) -> CoinPayment | None:
        """The payment of this id."""
        with self.book.reading():
            return self.book.payments.get(id)

    def newest_first(self) -> list[CoinPayment]:
        """Every payment, children among them."""
        with self.book.reading():
            return list(self.book.payments.values())[::-1]

    def new_ids(self) -> tuple[int, int, str, str]:
        """Payment id, purchase id, address and memo of a payment to come; hold the book."""
        payment_id = max(map(int, self.book.payments), default=_FIRST_ID) + self._chance.randint(
            1, 9
        )
        memo = str(self._chance.randint(100_000, 999_999_999))
        # By the id, so that no two runs of the simulator give one address to two payments.
        address = f"sim1{hashlib.sha256(str(payment_id).encode()).hexdigest()[:36]}"
        return payment_id, payment_id + 10**9, address, memo

    def add(self, payment: CoinPayment) -> list[Notice]:
        """Keep a new payment."""
        with self.book.changing():
            self.book.payments[str(payment.payment_id)] = payment
            notice = self.notice(payment)
        self._plan_expiry(payment)
        return [notice] if self._switches.waiting_webhook else []

    def deposit_of(
        self, amount: Decimal, coin: str, *, ago_ms: int = 0, is_told: bool = True
    ) -> Deposit:
        """Coins sent `ago_ms` before now, at the present price."""
        usd = self.prices.convert(amount, coin, "usd")
        return Deposit(amount, usd, self._clock.now_ms() - ago_ms, is_told)

    def pay(self, payment: CoinPayment, deposit: Deposit, *, step_s: float) -> list[Notice]:
        """The first deposit on a payment's address."""
        cover = Decimal(str(self._switches.cover_percent)) / 100
        enough = Decimal(payment.pay_amount) * (1 - cover)
        if deposit.usd < self.prices.coins[payment.pay_currency].usd_min:
            end = "failed"
        else:
            end = "finished" if deposit.amount >= enough else "partially_paid"
        return self._walk(payment, deposit, _STEPS[end], step_s)

    def repeat(
        self, parent: CoinPayment, deposit: Deposit, coin: str, end: str, *, step_s: float
    ) -> tuple[CoinPayment, list[Notice]]:
        """A further deposit, or one in another coin: a payment of its own below the first."""
        now_ms = self._clock.now_ms()
        with self.book.changing():
            parent = self.book.payments[str(parent.line)]
            payment_id, _, _, _ = self.new_ids()
            child = CoinPayment(
                payment_id=payment_id,
                purchase_id=parent.purchase_id,
                order_id=parent.order_id,
                order_description=parent.order_description,
                price_amount=str(deposit.usd.quantize(Decimal("0.01"))),
                price_currency="usd",
                pay_amount=str(deposit.amount),
                pay_currency=coin,
                address=parent.address,
                memo=parent.memo,
                ipn_url=parent.ipn_url,
                created_ms=now_ms,
                updated_ms=now_ms,
                quote_until_ms=now_ms + QUOTE_MS,
                valid_until_ms=now_ms + VALID_MS,
                parent_id=parent.payment_id,
            )
            self.book.payments[str(payment_id)] = child
            parent.children.append(payment_id)
            return child, self._walk(child, deposit, _STEPS[end], step_s)

    def set_status(self, payment: CoinPayment, status: str) -> list[Notice]:
        """Move a payment without money."""
        with self.book.changing():
            payment.status, payment.updated_ms = status, self._clock.now_ms()
            return [self.notice(payment)]

    def give_back(self, payment: CoinPayment) -> list[Notice]:
        """Return everything that a payment brought."""
        with self.book.changing():
            whole = Deposit(Decimal(payment.paid), Decimal(payment.paid_usd), self._clock.now_ms())
            self._receive(payment, whole, is_returned=True)
            return self.set_status(payment, "refunded")

    def _walk(
        self,
        payment: CoinPayment,
        deposit: Deposit,
        steps: tuple[str, ...],
        step_s: float,
        from_ms: int | None = None,
    ) -> list[Notice]:
        """Take the next step at once, the others by the clock, or all at once.

        The pauses count from `from_ms` (now, when left out), so that a jump of the clock over
        several of them takes several steps.
        """
        notices = [self._step(payment, deposit, steps[0])]
        if len(steps) == 1:
            return notices
        if step_s <= 0:
            return notices + self._walk(payment, deposit, steps[1:], step_s)
        due_ms = (self._clock.now_ms() if from_ms is None else from_ms) + int(step_s * 1000)

        def walk_on() -> None:
            later = self._walk(payment, deposit, steps[1:], step_s, due_ms)
            if deposit.is_told:
                self.tell(later)

        self._agenda.at(due_ms, walk_on)
        return notices

    def _step(self, payment: CoinPayment, deposit: Deposit, status: str) -> Notice:
        with self.book.changing():
            payment.status = status
            payment.updated_ms = deposit.at_ms if status in FINAL else self._clock.now_ms()
            payment.paid, payment.paid_usd = _plain(deposit.amount), _plain(deposit.usd)
            if status in ("finished", "partially_paid"):
                self._settle(payment, deposit)
            return self.notice(payment)

    def _settle(self, payment: CoinPayment, deposit: Deposit) -> None:
        target = self._switches.outcome_currency or payment.pay_currency
        is_same = target == payment.pay_currency
        left = deposit.amount * (1 - (_FEE_SAME if is_same else _FEE_CONVERTED))
        unit = Decimal(1).scaleb(-self.prices.coins[payment.pay_currency].precision)
        outcome = left.quantize(unit, rounding=ROUND_DOWN)
        if not is_same:
            outcome = self.prices.convert(left, payment.pay_currency, target)
        payment.outcome, payment.outcome_currency = _plain(outcome), target
        self._receive(payment, deposit, is_returned=False)

    def _receive(self, payment: CoinPayment, deposit: Deposit, *, is_returned: bool) -> None:
        self.book.received.append(
            Receipt(
                order=payment.order_id,
                payment_id=str(payment.payment_id),
                amount=_plain(deposit.amount),
                currency=payment.pay_currency,
                usd=_plain(deposit.usd),
                at_ms=deposit.at_ms,
                kind="returned" if is_returned else "received",
            )
        )

    def _plan_expiry(self, payment: CoinPayment) -> None:
        self._agenda.at(self._expires_ms(payment), lambda: self._expire(payment))

    def _expires_ms(self, payment: CoinPayment) -> int:
        end_ms = payment.quote_until_ms if payment.is_fixed_rate else payment.valid_until_ms
        return end_ms + int(self._switches.expiry_lag_s * 1000)

    def _expire(self, payment: CoinPayment) -> None:
        with self.book.changing():
            if payment.status != "waiting":
                return
            # The payment's time, or the lag, may have been moved since this was planned.
            if self._expires_ms(payment) > self._clock.now_ms():
                self._plan_expiry(payment)
                return
            notices = self.set_status(payment, "expired")
        self.tell(notices)

    def notice(self, payment: CoinPayment) -> Notice:
        """The notification of the present status; it joins the payment's history."""
        text = notice_text(payment, self._switches)
        payment.history.append({"event": payment.status, "body": text})
        return self.sent(payment, payment.status, text)

    def sent(
        self,
        payment: CoinPayment,
        event: str,
        text: str,
        *,
        secret: str | None = None,
        signed_text: str | None = None,
        is_repeated: bool = True,
    ) -> Notice:
        """A webhook of this payment; `secret` and `signed_text` are for those that lie.

        Without an IPN secret, or without an address, the provider tells nobody.
        """
        arrays: Arrays = "object" if self._switches.signed_arrays == "object" else "array"
        signed = (text if signed_text is None else signed_text).encode()
        sig = signature(signed, self.ipn_secret if secret is None else secret, arrays)
        is_told = bool(self.ipn_secret and payment.ipn_url)
        return Notice(
            line=str(payment.line),
            payment_id=str(payment.payment_id),
            event=event,
            body=text.encode(),
            urls=(payment.ipn_url or "",) if is_told else (),
            headers={"x-nowpayments-sig": sig, "User-Agent": "NOWPayments"},
            is_repeated=is_repeated,
        )


def _plain(amount: Decimal) -> str:
    """Without an exponent, and without zeros at the end."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
