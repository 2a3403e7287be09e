"""What a payment buys: its provider's figures, held against the part of the order that it is for.

At the quote, all of the price buys all of the credit, and less or more in proportion. A coin's
price moves, so whatever of a coin came beside the quote (late, in excess, a second deposit, another
coin) buys at the provider's rate when we learn of it. That is reckoned once: what was reckoned
before is not reckoned anew.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from osiris.ledger.order import (
    AMOUNT_DIFFERS,
    CRYPTO,
    CURRENCY_DIFFERS,
    NOT_ACCEPTED,
    STATE_UNKNOWN,
    UNDONE,
)
from osiris.ledger.payment import DOLLARS, ENDED, RECEIVED, RUPIAH, UNKNOWN
from osiris.money import share
from osiris.times import MINUTE_MS

if TYPE_CHECKING:
    from osiris.ledger.order import Order, Part
    from osiris.ledger.payment import Payment, PaymentStatus

# Rupiah above the price by no more than this are a fee that was added on the way, and no credit.
FEE_SHARE_MAX = Decimal("0.01")
# A provider may take a price as met although a little is missing (its "payment cover"), and by no
# more than this: its word alone must not turn a trifle into a package.
COVER_SHARE_MAX = Decimal("0.05")
# A payer who sent in time may be seen some minutes later.
SEEN_LATE_MS_MAX = 10 * MINUTE_MS

_NOTHING = Decimal(0)


class Bought(NamedTuple):
    """What was bought at the quote, or before, and the amount of a coin to be valued beside it."""

    nano: int
    beside: Decimal


def problem(order: Order, part: Part, status: PaymentStatus, before: Payment | None) -> str:
    """Why a person has to look at this before anything moves; empty when nobody has.

    `before` is what we hold of the payment. One that has bought something, by its figures or by a
    person's word, is held against the order no more.
    """
    if status.state == UNKNOWN:
        return STATE_UNKNOWN
    was_bought = before is not None and before.bought_nano > 0
    if status.state == ENDED and (was_bought or status.held > 0):
        return UNDONE if was_bought else NOT_ACCEPTED
    if was_bought:
        return ""
    if status.price_currency != (DOLLARS if order.method == CRYPTO else RUPIAH):
        return CURRENCY_DIFFERS
    if order.method != CRYPTO:
        return ""
    if status.parent_id:
        return ""
    if status.price != Decimal(part.price):
        return AMOUNT_DIFFERS
    return "" if status.currency == order.coin else CURRENCY_DIFFERS


def bought(order: Order, part: Part, status: PaymentStatus, before: Payment) -> Bought:
    """What this payment has bought by now, given what was known of it `before`."""
    if status.state != RECEIVED or status.received <= before.received:
        return Bought(before.bought_nano, _NOTHING)
    if order.method != CRYPTO:
        return Bought(_for_rupiah(part, status.received), _NOTHING)
    if before.received > 0:
        return Bought(before.bought_nano, status.received - before.received)
    return _for_coin(order, part, status, before.seen_at_ms)


def keeps_alive(order: Order, payment: Payment) -> bool:
    """Whether a payment, by what was credited of it, moves the expiry of credit that is there.

    Half of its part is enough. Less is credited all the same, but a trifle must not keep a large
    balance alive.
    """
    return 2 * payment.credited_nano >= order.parts[payment.part - 1].credit_nano


def _for_rupiah(part: Part, received: Decimal) -> int:
    price = Decimal(part.price)
    if price <= received <= price * (1 + FEE_SHARE_MAX):
        return part.credit_nano
    return share(part.credit_nano, received, price)


def _for_coin(order: Order, part: Part, status: PaymentStatus, seen_at_ms: int) -> Bought:
    in_time = seen_at_ms <= order.expires_at_ms + SEEN_LATE_MS_MAX
    is_quoted = not status.parent_id and status.currency == order.coin and status.asked > 0
    if not (is_quoted and in_time):
        return Bought(0, status.received)
    if status.received >= status.asked:
        return Bought(part.credit_nano, status.received - status.asked)
    if status.complete and status.received >= status.asked * (1 - COVER_SHARE_MAX):
        return Bought(part.credit_nano, _NOTHING)
    return Bought(share(part.credit_nano, status.received, status.asked), _NOTHING)
