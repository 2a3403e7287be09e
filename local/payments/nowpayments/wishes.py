"""What can be made to happen to a payment in coins."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from local.payments.nowpayments.javascript import stringify
from local.payments.wishes import Refused, Wish

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.payments.delivery import Notice
    from local.payments.nowpayments.account import Account, Deposit
    from local.payments.nowpayments.record import CoinPayment, Switches

WHATS = {
    "pay": "the customer sends what was asked, or `amount`",
    "less": "the customer sends 60 %",
    "more": "the customer sends 150 %",
    "fee": "0.3 % are missing, a fee that the customer's wallet took",
    "late": "the quote's time is over and told of, then the customer sends",
    "late_unseen": "as late, but nobody sees the deposit until `push`",
    "twice": "the customer sends the whole twice: the second is a child payment",
    "second_deposit": "a further deposit on the same address, whole or `amount`: a child payment",
    "wrong_coin": "the customer sends another coin (`coin`) of the same worth: a child payment",
    "wrong_network": "coins sent over another network are lost: the payment expires",
    "no_memo": "a deposit without the memo: nobody sees it until `push`",
    "below_minimum": "too little to be forwarded: failed",
    "confirm_slowly": "paid, with a minute of the clock between the steps",
    "push": "the provider's staff books what nobody saw",
    "refund": "everything this payment brought is given back",
    "cancel": "a payment in part is marked in the dashboard, to be returned by hand",
    "expire": "the payment's time ends now",
    "unknown_status": "a status that no document names",
    "replay": "every event so far is told once more, in order; no state changes",
}
_SHARES = {"less": Decimal("0.6"), "more": Decimal("1.5"), "fee": Decimal("0.997")}
_PAST_MS = 60_000  # how long a quote is over when it is paid late
_SLOW_STEP_S = 60.0
_BELOW_USD = Decimal("0.05")


class Wishes:
    """Fulfils wishes on an account."""

    def __init__(self, account: Account, now_ms: Callable[[], int], switches: Switches) -> None:
        self._account = account
        self._now_ms = now_ms
        self._switches = switches

    def true(self, payment: CoinPayment, wish: Wish) -> list[Notice]:
        """Change the state, and return what tells of it, in order. Errors: Refused."""
        what = wish.what
        if what == "replay":
            return self.history(payment)
        if what == "push":
            return self._push(payment, wish)
        if what in ("refund", "cancel", "expire", "wrong_network", "unknown_status"):
            return self._unpaid_change(payment, what)
        if what == "wrong_coin":
            return self._wrong_coin(payment, wish)
        if what == "second_deposit" or (what == "twice" and payment.status != "waiting"):
            return self._child(payment, self._amount(payment, wish), payment.pay_currency, wish)
        if payment.status != "waiting" and not (what == "late" and payment.status == "expired"):
            raise Refused(409, f"the payment is {payment.status}", payment_status=payment.status)
        if what == "no_memo":
            return self._no_memo(payment, wish)
        if what in ("late", "late_unseen"):
            return self._late(payment, wish)
        notices = self._pay(payment, self._amount(payment, wish), wish)
        if what == "twice":
            notices += self._child(payment, self._amount(payment, wish), payment.pay_currency, wish)
        return notices

    def _amount(self, payment: CoinPayment, wish: Wish) -> Decimal:
        """The coins that are sent. Errors: Refused."""
        if wish.amount is not None:
            return _decimal(wish.amount)
        if wish.what == "below_minimum":
            return self._account.prices.convert(_BELOW_USD, "usd", payment.pay_currency)
        share = _SHARES.get(wish.what, Decimal(1))
        unit = Decimal(1).scaleb(-self._account.prices.coins[payment.pay_currency].precision)
        return (Decimal(payment.pay_amount) * share).quantize(unit)

    def _step_s(self, wish: Wish) -> float:
        return _SLOW_STEP_S if wish.what == "confirm_slowly" else self._switches.confirm_s

    def _deposit(self, amount: Decimal, coin: str, wish: Wish) -> Deposit:
        ago_ms = int(wish.paid_ago_s * 1000)
        return self._account.deposit_of(amount, coin, ago_ms=ago_ms, is_told=wish.way != "lost")

    def _pay(self, payment: CoinPayment, amount: Decimal, wish: Wish) -> list[Notice]:
        deposit = self._deposit(amount, payment.pay_currency, wish)
        return self._account.pay(payment, deposit, step_s=self._step_s(wish))

    def _child(
        self, payment: CoinPayment, amount: Decimal, coin: str, wish: Wish, end: str = ""
    ) -> list[Notice]:
        deposit = self._deposit(amount, coin, wish)
        end = end or self._switches.repeat_status
        return self._account.repeat(payment, deposit, coin, end, step_s=self._step_s(wish))[1]

    def _wrong_coin(self, payment: CoinPayment, wish: Wish) -> list[Notice]:
        prices = self._account.prices
        coin = wish.coin or ("eth" if payment.pay_currency != "eth" else "usdterc20")
        if coin not in prices.coins or coin == payment.pay_currency:
            raise Refused(400, f"{coin!r} is no other coin")
        amount = (
            prices.convert(Decimal(payment.pay_amount), payment.pay_currency, coin)
            if wish.amount is None
            else _decimal(wish.amount)
        )
        if self._switches.wrong_coin_manual:
            return self._unseen(payment, amount, coin)
        return self._child(payment, amount, coin, wish, "partially_paid")

    def _no_memo(self, payment: CoinPayment, wish: Wish) -> list[Notice]:
        if payment.memo is None:
            raise Refused(400, f"{payment.pay_currency} needs no memo")
        return self._unseen(payment, self._amount(payment, wish), payment.pay_currency)

    def _unseen(self, payment: CoinPayment, amount: Decimal, coin: str) -> list[Notice]:
        with self._account.book.changing():
            payment.unseen.append({"amount": str(amount), "coin": coin})
        return []

    def _late(self, payment: CoinPayment, wish: Wish) -> list[Notice]:
        account = self._account
        with account.book.changing():
            back_ms = payment.quote_until_ms - (self._now_ms() - _PAST_MS)
            if back_ms > 0:
                payment.created_ms -= back_ms
                payment.quote_until_ms -= back_ms
            payment.valid_until_ms = payment.quote_until_ms
            is_new = payment.status == "waiting"
            notices = account.set_status(payment, "expired") if is_new else []
        amount = self._amount(payment, wish)
        if wish.what == "late_unseen":
            return notices + self._unseen(payment, amount, payment.pay_currency)
        return notices + self._pay(payment, amount, wish)

    def _push(self, payment: CoinPayment, wish: Wish) -> list[Notice]:
        if not payment.unseen:
            raise Refused(409, "there is no deposit that nobody saw")
        with self._account.book.changing():
            deposit = payment.unseen.pop(0)
        amount, coin = Decimal(deposit["amount"]), deposit["coin"]
        if coin != payment.pay_currency:
            return self._child(payment, amount, coin, wish, "partially_paid")
        if payment.status in ("waiting", "expired"):
            return self._pay(payment, amount, wish)
        return self._child(payment, amount, coin, wish)

    def _unpaid_change(self, payment: CoinPayment, what: str) -> list[Notice]:
        paid = ("finished", "partially_paid")
        allowed, status = {
            "refund": ((*paid, "cancelled"), "refunded"),
            "cancel": (("partially_paid",), "cancelled"),
            "expire": (("waiting",), "expired"),
            "wrong_network": (("waiting",), "expired"),
            "unknown_status": (("waiting",), "under_review"),
        }[what]
        if payment.status not in allowed:
            raise Refused(409, f"the payment is {payment.status}", payment_status=payment.status)
        if what == "refund":
            return self._account.give_back(payment)
        return self._account.set_status(payment, status)

    def false(self, payment: CoinPayment, wish: Wish) -> list[Notice]:
        """A webhook that lies; nothing is changed."""
        genuine = payment.history[-1]["body"]
        body = json.loads(genuine)
        is_refund = wish.what == "refund"
        claimed = "refunded" if is_refund else "finished"
        amount = (
            body["pay_amount"] if wish.way != "tampered_amount" else 10 * float(payment.pay_amount)
        )
        body |= {"payment_status": claimed, "actually_paid": amount, "outcome_amount": amount}
        body["actually_paid_at_fiat"] = body["price_amount"]
        is_tampered = wish.way.startswith("tampered")
        notice = self._account.sent(
            payment,
            f"{claimed} ({wish.way})",
            stringify(body),
            # One who forges has no secret at all, or another merchant's; one who tampers has seen
            # a genuine signature, and it does cover the whole body here.
            secret=None if is_tampered else f"not the secret ({wish.way})",
            signed_text=genuine if is_tampered else None,
            is_repeated=False,
        )
        return [notice]

    def history(self, payment: CoinPayment) -> list[Notice]:
        """The events so far, as they were told."""
        return [
            self._account.sent(payment, past["event"], past["body"]) for past in payment.history
        ]


def _decimal(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation as exc:
        raise Refused(400, "amount is not a number of coins") from exc
    if not amount.is_finite() or amount <= 0:
        raise Refused(400, "amount is not a number of coins above 0")
    return amount
