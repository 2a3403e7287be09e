"""An order as its page shows it: where it stands now, and what of it can be paid."""

from __future__ import annotations

from decimal import Context, Decimal, DecimalException, Inexact, localcontext
from typing import TYPE_CHECKING, NamedTuple

from osiris.http.order_shapes import part_state, qr_picture, qr_svg
from osiris.ledger.order import (
    CANCELLED,
    CREDITED,
    CRYPTO,
    EXPIRED,
    MAY_BE_SEEN,
    PART_PAID,
    PENDING,
    QUOTED,
    WATCHED_AFTER_END_MS,
    shown_state,
)
from osiris.ledger.payment import DETECTED
from osiris.times import DAY_MS, MINUTE_MS
from osiris.web.order_words import (
    CANCELLED_KEYLESS,
    EXPIRED_KEYLESS,
    KEYLESS,
    PART_PAID_CLOSED,
    PART_PAID_ENDED,
    PART_PAID_KEYLESS,
    PART_PAID_UNDECIDED,
    SEEN,
    SEEN_KEYLESS,
    STATES,
    UNDECIDED,
    UNSTARTED,
)
from osiris.web.words import DIGITS_MAX

if TYPE_CHECKING:
    from osiris.flows.topup import Shown
    from osiris.ledger.order import Order, Part
    from osiris.ledger.payment import Payment
    from osiris.web.words import Words

# A code is some 7 KB, and a page with all of them would be too large. The next ones follow.
CODES_MAX = 4
# What was paid in the last moment is heard of some minutes after the end.
LATE_MS_MAX = 5 * MINUTE_MS
# Of a coin's worth. More would say nothing of a price that lasts some minutes.
RATE_DIGITS = 8
# As many decimals as an amount of dollars is written with.
_RATE_STEP = Decimal("1e-15")

_STEP = {QUOTED: 0, PENDING: 1, PART_PAID: 1, SEEN: 2, CREDITED: 3}
# What is told instead when the key is gone; of other states it makes no difference.
_KEYLESS = {
    QUOTED: KEYLESS,
    PENDING: KEYLESS,
    SEEN: SEEN_KEYLESS,
    EXPIRED: EXPIRED_KEYLESS,
    CANCELLED: CANCELLED_KEYLESS,
    PART_PAID: PART_PAID_KEYLESS,
    PART_PAID_ENDED: PART_PAID_KEYLESS,
}
# In these nothing that comes is credited by itself.
_STOPPED = (UNDECIDED, PART_PAID_UNDECIDED, *_KEYLESS.values())


class PartView(NamedTuple):
    """One part: where it stands; `qr` is its code as SVG while it can be paid, else empty.

    `picture` is a QRIS code as a `data:` address of a PNG, where `qr` is. `state` is a key of
    PART_STATES. `is_next` is the one to pay now. `amount` is what is still to be sent, in the
    part's currency; empty where that can't be told but by its worth.
    """

    number: int
    part: Part
    state: str
    credited_nano: int
    is_payable: bool
    is_next: bool
    amount: str
    qr: str
    picture: str


class CoinRate(NamedTuple):
    """What one unit of the coin was worth by the quote: dollars as a decimal text; if rounded."""

    dollars: str
    is_rounded: bool


class OrderView(NamedTuple):
    """An order with its payments; `state` is a key of STATES, `step` one of STEPS or -1.

    `is_settled`: nothing more will happen soon, so that nobody need look again by themselves.
    """

    order: Order
    payments: list[Payment]
    state: str
    parts: list[PartView]
    step: int
    is_settled: bool
    can_be_cancelled: bool

    @property
    def is_crypto(self) -> bool:
        """Whether it is paid in a coin."""
        return self.order.method == CRYPTO

    @property
    def is_stopped(self) -> bool:
        """Whether what comes for it is not credited by itself: nothing must be asked for."""
        return self.state in _STOPPED

    @property
    def coin_rate(self) -> CoinRate | None:
        """At which rate a coin's amount was asked for; None before it was, and for rupiah."""
        return _coin_rate(self.order) if self.is_crypto else None

    @property
    def payable(self) -> list[PartView]:
        """The parts that can be paid now."""
        return [part for part in self.parts if part.is_payable]

    @property
    def price_rupiah(self) -> int:
        """What all parts cost, for rupiah."""
        assert not self.is_crypto
        return sum(int(part.part.price) for part in self.parts)


def order_view(shown: Shown, now_ms: int, *, has_key: bool) -> OrderView:
    """The view of an order that was read now; `has_key`: its key is not deleted."""
    order, payments = shown
    state = told_state(order, payments, now_ms, has_key=has_key)
    is_open = order.is_open(now_ms)
    can_be_paid = is_open and order.was_started and state not in _STOPPED
    parts = _parts(order, payments, can_be_paid=can_be_paid)
    if state == PART_PAID and not any(part.is_payable for part in parts):
        state = PART_PAID_CLOSED
    is_late = state in (EXPIRED, EXPIRED_KEYLESS) and now_ms < order.expires_at_ms + LATE_MS_MAX
    return OrderView(
        order=order,
        payments=payments,
        state=state,
        parts=parts,
        step=_STEP.get(state, -1),
        is_settled=not (is_open or state in (SEEN, SEEN_KEYLESS) or is_late),
        can_be_cancelled=is_open and state in (QUOTED, PENDING, UNDECIDED, KEYLESS),
    )


def told_state(order: Order, payments: list[Payment], now_ms: int, *, has_key: bool) -> str:
    """The state that the page tells: `shown_state`, with what its payments, its key, the clock, and
    what a person has to decide, add.
    """
    state = _state_in_time(order, payments, now_ms)
    # An order names the last of its problems alone: which of its parts are in doubt is not known.
    if order.problem:
        if order.credited_nano == 0:
            return state if order.taken_back_by else UNDECIDED
        return PART_PAID_UNDECIDED if shown_state(order) == PART_PAID else state
    return state if has_key else _KEYLESS.get(state, state)


def _state_in_time(order: Order, payments: list[Payment], now_ms: int) -> str:
    state = shown_state(order)
    if state in MAY_BE_SEEN and _waits_for_network(payments):
        return SEEN
    if order.is_open(now_ms):
        return state
    if state == PART_PAID:
        return PART_PAID_ENDED
    if state in (QUOTED, PENDING):
        return UNSTARTED if state == QUOTED else EXPIRED
    return state if order.was_started or state != CANCELLED else UNSTARTED


def _coin_rate(order: Order) -> CoinRate | None:
    """None where no amount was asked for, or one too small for a worth that can be written."""
    context = Context(prec=RATE_DIGITS)
    part = order.parts[0]
    try:
        rate = context.divide(Decimal(part.price), Decimal(part.amount))
        shown = rate.quantize(_RATE_STEP)
        is_rounded = bool(context.flags[Inexact]) or shown != rate
        return CoinRate(format(shown.normalize(), "f"), is_rounded) if shown > 0 else None
    except DecimalException:
        return None


def meaning(words: Words, order: Order, state: str) -> str:
    """What the state means to the order's owner."""
    return words.text(
        STATES[state].meaning,
        credited=words.dollars(order.credited_nano),
        package=words.dollars(order.amount_nano),
        days=WATCHED_AFTER_END_MS // DAY_MS,
    )


def _waits_for_network(payments: list[Payment]) -> bool:
    return any(payment.state == DETECTED for payment in payments)


def _parts(order: Order, payments: list[Payment], *, can_be_paid: bool) -> list[PartView]:
    views: list[PartView] = []
    codes = 0
    for number, part in enumerate(order.parts, start=1):
        mine = [payment for payment in payments if payment.part == number]
        state = part_state(part, mine)
        is_part_paid = state == "part_paid"
        rest = _rest(order, part, mine) if is_part_paid else part.amount
        # A QR code is paid once; a coin's address takes the rest, too.
        takes_rest = order.method == CRYPTO and not _waits_for_network(mine)
        is_payable = can_be_paid and (state == "waiting" or (is_part_paid and takes_rest))
        # The code that came with the order may ask for the whole amount again.
        code = part.address if is_part_paid else part.qr_text
        has_code = is_payable and codes < CODES_MAX and code != ""
        views.append(
            PartView(
                number=number,
                part=part,
                state="closed" if state == "waiting" and not is_payable else state,
                credited_nano=sum(payment.credited_nano for payment in mine),
                is_payable=is_payable,
                is_next=is_payable and codes == 0,
                amount=rest,
                qr=qr_svg(code, sized=False) if has_code else "",
                picture=qr_picture(code) if has_code and order.method != CRYPTO else "",
            )
        )
        codes += has_code
    return views


def _rest(order: Order, part: Part, payments: list[Payment]) -> str:
    """What was asked for and has not come, of a coin; empty when none of it is missing, and when
    another coin paid for some of it: what is left has a worth then, and no amount.
    """
    if any(paid.credited_nano > 0 for paid in payments if paid.currency != order.coin):
        return ""
    with localcontext(prec=DIGITS_MAX):
        received = sum(payment.received for payment in payments if payment.currency == order.coin)
        rest = Decimal(part.amount) - received
        return format(rest.normalize(), "f") if rest > 0 else ""
