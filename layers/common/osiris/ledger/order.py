"""An order: one top-up of one key, from its quote to its credit.

What is stored of its state is the life of its quote: QUOTED, PENDING, EXPIRED or CANCELLED. What
money did is in its sums, which only grow, so that payments of one order never wait for each other;
the state that its owner sees follows from both (`shown_state`). TRANSITIONS is the whole table.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from osiris.ids import PREFIX_LENGTH, RANDOM_LENGTH, TIME_LENGTH, is_order_id
from osiris.ledger.payment import CHARGEBACK
from osiris.money import ceil_div
from osiris.times import DAY_MS, HOUR_MS, MINUTE_MS

QRIS = "qris"
CRYPTO = "crypto"

QUOTED = "quoted"
PENDING = "pending"
PART_PAID = "part_paid"
CREDITED = "credited"
EXPIRED = "expired"
CANCELLED = "cancelled"
REFUNDED = "refunded"
CHARGED_BACK = "charged_back"

# Money that really came is never dropped, so it leads out of every state.
_PAID = (PART_PAID, CREDITED)
_UNDONE = (REFUNDED, CHARGED_BACK)
TRANSITIONS: dict[str, tuple[str, ...]] = {
    QUOTED: (PENDING, EXPIRED, CANCELLED),
    PENDING: (*_PAID, EXPIRED, CANCELLED, *_UNDONE),
    PART_PAID: (CREDITED, *_UNDONE),
    CREDITED: (*_UNDONE,),
    EXPIRED: (*_PAID, *_UNDONE),
    CANCELLED: (*_PAID, *_UNDONE),
    REFUNDED: (*_PAID, CHARGED_BACK),
    CHARGED_BACK: (*_PAID, REFUNDED),
}
# In these a payment may have been seen that is not final: the order's payments tell.
MAY_BE_SEEN = (PENDING, PART_PAID, EXPIRED, CANCELLED)

# What a person has to decide about an order; its owner is told in words.
KEY_DELETED = "key_deleted"
AMOUNT_DIFFERS = "amount_differs"
CURRENCY_DIFFERS = "currency_differs"
STATE_UNKNOWN = "state_unknown"
VALUE_UNKNOWN = "value_unknown"
NOT_ACCEPTED = "not_accepted"
UNDONE = "undone"

# For so long after its end a payment may still come: NOWPayments watches an address for 7 days.
WATCHED_AFTER_END_MS = 8 * DAY_MS
# Between two questions to a provider about one order: half the order's age, within these.
GAP_MS_MIN = MINUTE_MS
GAP_MS_MAX = DAY_MS

# One that was cancelled and never paid is asked about more seldom.
CANCELLED_GAP_MS_MIN = HOUR_MS
# Whoever made an order has started it by then, or died.
QUOTED_MS_MAX = MINUTE_MS

_ID_LENGTH = PREFIX_LENGTH + TIME_LENGTH + RANDOM_LENGTH
# The part and the attempt, after the order's id: few digits, so that no text is costly to read.
_PLACE = re.compile(r"-([0-9]{1,4})(?:-[0-9]{1,4})?", re.ASCII)


class Part(NamedTuple):
    """What is to be paid at once, and how, once its provider has taken it (`payment_id`).

    `price` is what is charged: whole rupiah, or dollars for a coin. `amount` is what is to be sent,
    in `currency`. Texts are empty where there is none.
    """

    reference: str
    price: str
    credit_nano: int
    payment_id: str = ""
    amount: str = ""
    currency: str = ""
    qr_text: str = ""
    address: str = ""
    memo: str = ""
    network: str = ""


class Order(NamedTuple):
    """An order as it is stored.

    `rate` is rupiah for a dollar (a decimal text), by `rate_source` at `rate_at_ms`; empty for a
    coin. `expires_at_ms` ends the quote. `credited_nano` and `taken_back_nano` sum up its payments,
    which `payment_ids` names. `extended_at_ms` is when it moved the key's expiry. `asked_at_ms` is
    when its provider was last asked on its owner's behalf. `taken_back_by` says how money went back
    last. `problem` is what a person has to decide about the payment `problem_of`; `resolved` are
    such pairs ("problem#payment") that were decided.
    """

    id: str
    account_id: str
    key_id: str
    amount_nano: int
    method: str
    provider: str
    coin: str
    state: str
    created_at_ms: int
    expires_at_ms: int
    rate: str
    rate_source: str
    rate_at_ms: int
    parts: tuple[Part, ...]
    credited_nano: int = 0
    taken_back_nano: int = 0
    taken_back_by: str = ""
    payment_ids: frozenset[str] = frozenset()
    extended_at_ms: int = 0
    asked_at_ms: int = 0
    problem: str = ""
    problem_of: str = ""
    resolved: frozenset[str] = frozenset()

    @property
    def was_started(self) -> bool:
        """Whether its provider took it, so that it can be paid."""
        return all(part.payment_id for part in self.parts)

    def is_open(self, now_ms: int) -> bool:
        """Whether it waits to be paid: its key can have no other of this kind."""
        if self.state not in (QUOTED, PENDING) or now_ms >= self.expires_at_ms:
            return False
        if self.state == QUOTED and now_ms >= self.created_at_ms + QUOTED_MS_MAX:
            return False
        return shown_state(self) in (QUOTED, PENDING, PART_PAID)

    def is_watched(self, now_ms: int) -> bool:
        """Whether its provider is still asked about it."""
        return self.was_started and now_ms < self.expires_at_ms + WATCHED_AFTER_END_MS


def shown_state(order: Order) -> str:
    """The state that the owner sees."""
    if order.credited_nano == 0:
        if order.taken_back_by:
            return CHARGED_BACK if order.taken_back_by == CHARGEBACK else REFUNDED
        return order.state
    if order.taken_back_nano >= order.credited_nano:
        return CHARGED_BACK if order.taken_back_by == CHARGEBACK else REFUNDED
    return CREDITED if order.credited_nano >= order.amount_nano else PART_PAID


def next_check_at_ms(order: Order, now_ms: int) -> int:
    """When the provider is to be asked next, or 0 for never again: by gaps that grow with age.

    The quote's end is never slept through.
    """
    if now_ms >= order.expires_at_ms + WATCHED_AFTER_END_MS:
        return 0
    idle = order.state == CANCELLED and not order.payment_ids
    least_ms = CANCELLED_GAP_MS_MIN if idle else GAP_MS_MIN
    gap_ms = min(max((now_ms - order.created_at_ms) // 2, least_ms), GAP_MS_MAX)
    if now_ms < order.expires_at_ms < now_ms + gap_ms:
        return order.expires_at_ms + 1
    return now_ms + gap_ms


def reference(order_id: str, number: int, attempt: int = 0) -> str:
    """Our name for a part (from 1) at its provider; another attempt is another payment there."""
    text = f"{order_id}-{number}"
    return f"{text}-{attempt}" if attempt else text


def place_of(text: str) -> tuple[str, int] | None:
    """The order's id and the number of the part that a reference names; None for another's."""
    order_id, place = text[:_ID_LENGTH], _PLACE.fullmatch(text[_ID_LENGTH:])
    if not is_order_id(order_id) or place is None:
        return None
    return order_id, int(place[1])


def rupiah_parts(
    order_id: str, *, price_rupiah: int, amount_nano: int, most_rupiah: int
) -> tuple[Part, ...]:
    """The parts of a price that no one payment may exceed; both sums come out exactly.

    Each credits its share of the amount; the last takes what is left.
    """
    count = ceil_div(price_rupiah, most_rupiah)
    share = ceil_div(price_rupiah, count)
    prices = [share] * (count - 1)
    prices.append(price_rupiah - sum(prices))
    credits_nano = [amount_nano * price // price_rupiah for price in prices[:-1]]
    credits_nano.append(amount_nano - sum(credits_nano))
    return tuple(
        Part(reference(order_id, number), str(price), credit_nano)
        for number, (price, credit_nano) in enumerate(
            zip(prices, credits_nano, strict=True), start=1
        )
    )
