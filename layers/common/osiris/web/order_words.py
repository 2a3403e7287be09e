"""Orders in the words of the pages: what a state means to its owner, and what was not lost.

The API's own words for the same are in `osiris.http.order_shapes`; these are keyed by the same
states, and by some that follow from the payments, the clock, a deleted key, and from what a person
has to decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from osiris.ledger.order import (
    AMOUNT_DIFFERS,
    CANCELLED,
    CHARGED_BACK,
    CREDITED,
    CURRENCY_DIFFERS,
    EXPIRED,
    KEY_DELETED,
    NOT_ACCEPTED,
    PART_PAID,
    PENDING,
    QUOTED,
    REFUNDED,
    STATE_UNKNOWN,
    UNDONE,
    VALUE_UNKNOWN,
)
from osiris.ledger.payment import RUPIAH
from osiris.web.words import N_

if TYPE_CHECKING:
    from decimal import Decimal

    from osiris.web.words import Words

# A payment is there, and not final.
SEEN = "seen"
# Its provider never took it, and nobody will try again.
UNSTARTED = "unstarted"
# Part of it is credited, and the quote has ended.
PART_PAID_ENDED = "part_paid_ended"
# Part of it is credited, and nothing of it can take the rest before the quote ends.
PART_PAID_CLOSED = "part_paid_closed"
# A person decides about what came, and nothing is credited: `UNDECIDED`; or something is.
UNDECIDED = "undecided"
PART_PAID_UNDECIDED = "part_paid_undecided"
# The key is gone, and no payment was told of that a person has to decide about.
KEYLESS = "keyless"
SEEN_KEYLESS = "seen_keyless"
EXPIRED_KEYLESS = "expired_keyless"
CANCELLED_KEYLESS = "cancelled_keyless"
PART_PAID_KEYLESS = "part_paid_keyless"

_KEYLESS_MEANING = N_(
    "The key of this order was deleted, so it can't be paid any more. Should money come all the"
    " same, nothing is lost: a person decides, and it goes to another key or back to you."
)


class StateWords(NamedTuple):
    """A state: its label, the class of its tag and note, and what it means.

    `meaning` may name %(credited)s and %(package)s (dollars), and %(days)s, for which the provider
    is still asked after the end.
    """

    label: str
    kind: str
    meaning: str


STATES = {
    QUOTED: StateWords(
        N_("Being made"),
        "",
        N_(
            "The payment provider has not taken this order yet, so it can't be paid. It takes a"
            " moment; if it does not come, make a new order."
        ),
    ),
    UNSTARTED: StateWords(
        N_("Not made"),
        "",
        N_(
            "The payment provider never took this order, so it could not be paid. Nothing is lost."
            " Make a new one."
        ),
    ),
    PENDING: StateWords(
        N_("Waiting for payment"),
        "",
        N_("No payment has arrived yet. It shows here within seconds of being final."),
    ),
    SEEN: StateWords(
        N_("Payment seen"),
        "warn",
        N_(
            "A payment was seen and is not final yet. You need do nothing, and must not pay again:"
            " the credit comes as soon as it is final."
        ),
    ),
    PART_PAID: StateWords(
        N_("Partly paid"),
        "warn",
        N_(
            "%(credited)s of %(package)s is paid, and is on the key already. The rest can still be"
            " paid."
        ),
    ),
    PART_PAID_ENDED: StateWords(
        N_("Partly paid"),
        "warn",
        N_(
            "%(credited)s of %(package)s was paid, and is on the key: nothing of it is lost. The"
            " quote has ended. For the rest, make another order."
        ),
    ),
    PART_PAID_CLOSED: StateWords(
        N_("Partly paid"),
        "warn",
        N_(
            "%(credited)s of %(package)s was paid, and is on the key: nothing of it is lost. This"
            " order can't take the rest. Make another one for it once this quote has ended."
        ),
    ),
    CREDITED: StateWords(N_("Credited"), "good", N_("%(credited)s went to the key.")),
    EXPIRED: StateWords(
        N_("Ended unpaid"),
        "",
        N_(
            "The quote has ended, and no payment has come. Do not pay this order any more: make a"
            " new one. If you have paid it, nothing is lost: we ask the provider until %(days)s"
            " days after the end, and what came is credited."
        ),
    ),
    CANCELLED: StateWords(
        N_("Cancelled"),
        "",
        N_(
            "It was cancelled, and nothing was paid. Should money come all the same, it is"
            " credited."
        ),
    ),
    UNDECIDED: StateWords(
        N_("To be decided"),
        "warn",
        N_(
            "A person decides about the payment of this order, and nothing is lost. There is"
            " nothing to pay for it now."
        ),
    ),
    PART_PAID_UNDECIDED: StateWords(
        N_("Partly paid"),
        "warn",
        N_(
            "%(credited)s of %(package)s was credited. A person decides about a payment of"
            " this order, and nothing is lost. There is nothing to pay for it now."
        ),
    ),
    KEYLESS: StateWords(N_("Key deleted"), "warn", _KEYLESS_MEANING),
    SEEN_KEYLESS: StateWords(
        N_("Payment seen"),
        "warn",
        N_(
            "A payment was seen and is not final yet. The key of this order was deleted, so do not"
            " pay again. Nothing is lost: a person decides, and it goes to another key or back to"
            " you."
        ),
    ),
    EXPIRED_KEYLESS: StateWords(N_("Ended unpaid"), "", _KEYLESS_MEANING),
    CANCELLED_KEYLESS: StateWords(N_("Cancelled"), "", _KEYLESS_MEANING),
    PART_PAID_KEYLESS: StateWords(
        N_("Partly paid"),
        "warn",
        N_(
            "%(credited)s of %(package)s was credited. The key was deleted since, so the rest can't"
            " be paid any more."
        ),
    ),
    REFUNDED: StateWords(
        N_("Refunded"),
        "",
        N_(
            "The payment was given back, and what it had brought was taken off the key. The key's"
            " expiry stays."
        ),
    ),
    CHARGED_BACK: StateWords(
        N_("Charged back"),
        "bad",
        N_(
            "The payer's bank took the payment back, so what it had brought was taken off the key."
            " The key's expiry stays."
        ),
    ),
}
PROBLEMS = {
    KEY_DELETED: N_(
        "A payment came after the key was deleted. Nothing is lost: write to us, and it goes to"
        " another key or back to you."
    ),
    AMOUNT_DIFFERS: N_(
        "The provider reports another price than was asked. A person looks into it; nothing is"
        " lost."
    ),
    CURRENCY_DIFFERS: N_(
        "The provider reports another currency than was asked. A person looks into it; nothing is"
        " lost."
    ),
    STATE_UNKNOWN: N_(
        "The provider reports something about the payment that we don't know. A person looks into"
        " it; nothing is lost."
    ),
    NOT_ACCEPTED: N_(
        "Money came that the provider did not accept: it was below its minimum, or not recognised."
        " Nothing is lost: write to us, and it is pushed through or given back."
    ),
    UNDONE: N_(
        "The provider takes back that this was paid. Nothing was taken off the key for that; a"
        " person looks into it."
    ),
    VALUE_UNKNOWN: N_(
        "The provider has no rate for what was received, or one beyond belief. A person looks into"
        " it; nothing is lost."
    ),
}
PART_STATES = {
    "waiting": StateWords(N_("to be paid"), "", ""),
    "closed": StateWords(N_("not credited"), "", ""),
    "detected": StateWords(N_("seen"), "warn", ""),
    "part_paid": StateWords(N_("partly paid"), "warn", ""),
    "credited": StateWords(N_("credited"), "good", ""),
    "returned": StateWords(N_("given back"), "", ""),
}
STEPS = (N_("Order made"), N_("Waiting for payment"), N_("Seen"), N_("Credited"))

# The providers' own words for a payment's state. One that is not here is shown as it came.
TOLD = {
    "waiting": N_("waiting for the payment"),
    "pending": N_("waiting for the payment"),
    "confirming": N_("seen; the network is confirming it (the provider gives no count)"),
    "confirmed": N_("confirmed by the network"),
    "sending": N_("confirmed; on its way to us"),
    "partially_paid": N_("received, not all of what was asked"),
    "finished": N_("received in full"),
    "settlement": N_("paid"),
    "capture": N_("paid"),
    "failed": N_("failed"),
    "failure": N_("failed"),
    "deny": N_("denied"),
    "expired": N_("ended unpaid"),
    "expire": N_("ended unpaid"),
    "cancel": N_("cancelled"),
    "cancelled": N_("cancelled"),
    "refund": N_("given back"),
    "refunded": N_("given back"),
    "partial_refund": N_("partly given back"),
    "chargeback": N_("charged back"),
    "partial_chargeback": N_("partly charged back"),
}
# As their operators call themselves; another adapter is shown by its own name.
PROVIDERS = {"midtrans": "Midtrans", "nowpayments": "NOWPayments"}
# Who publishes the rate, and where; ExchangeRate-API's terms ask for the link.
RATE_SOURCES = {
    "er-api": ("ExchangeRate-API", "https://www.exchangerate-api.com"),
    "frankfurter": ("Frankfurter", "https://frankfurter.dev"),
}


def told_words(words: Words, told: str) -> str:
    """A provider's word for a payment's state, in the language of the page."""
    return words.text(TOLD[told]) if told in TOLD else told


def amount_words(words: Words, amount: Decimal, currency: str) -> str:
    """An amount as its currency is written: whole rupiah, or a coin with all its digits."""
    if currency == RUPIAH and amount == int(amount):
        return words.rupiah(int(amount))
    return f"{words.decimal(format(amount, 'f'))} {currency.upper()}"
