"""A payment: money that a provider has, or may get, for one part of an order.

What a provider says of it comes in every provider's own words; an adapter of `payments` makes a
`PaymentStatus` of them. Amounts are decimals as the provider wrote them, never floats.
"""

from decimal import Decimal
from typing import NamedTuple

from osiris.ledger.entry import CHARGEBACK, REFUND
from osiris.money import share

__all__ = [
    "CHARGEBACK",
    "DETECTED",
    "DOLLARS",
    "ENDED",
    "RECEIVED",
    "REFUND",
    "RUPIAH",
    "UNKNOWN",
    "WAITING",
    "Payment",
    "PaymentStatus",
    "returned_nano",
]

WAITING = "waiting"
DETECTED = "detected"
RECEIVED = "received"
ENDED = "ended"
UNKNOWN = "unknown"

RUPIAH = "IDR"
DOLLARS = "USD"


class PaymentStatus(NamedTuple):
    """A payment as its provider tells it.

    `id` is what it is credited under, once. `reference` is ours: the order's id and the part.
    `state` is one of WAITING (no money), DETECTED (seen, not final), RECEIVED (final, ours), ENDED
    (never paid, and not to be) and UNKNOWN; `told` is the provider's own word. `price` is what we
    asked for in `price_currency` ("IDR" or "USD"); `asked` and `received` are in `currency` ("IDR",
    or the coin's code in lower case), `received` above 0 only when RECEIVED. `returned` is the part
    of it that went back, all refunds or chargebacks together, `returned_by` which of the two.
    `paid_at_ms` is the provider's time (0: not told). `parent_id` names the payment whose address a
    further deposit used; `child_ids` are such deposits. `complete` says that the provider takes the
    price as met. `held` is money that it speaks of where the state is ENDED or UNKNOWN: not ours.
    """

    provider: str
    id: str
    reference: str
    state: str
    told: str
    price: Decimal
    price_currency: str
    currency: str
    asked: Decimal
    received: Decimal
    returned: Decimal
    returned_by: str
    paid_at_ms: int
    parent_id: str = ""
    child_ids: tuple[str, ...] = ()
    complete: bool = False
    held: Decimal = Decimal(0)


class Payment(NamedTuple):
    """A payment as we hold it: what it bought, what of that was credited, and what taken back.

    taken_back_nano <= credited_nano <= bought_nano, each of which only grows. `key_id` is the key
    that it was credited to, empty while it was not. `received` and `returned` are the provider's
    figures, in `currency`, by which `bought_nano` was reckoned. `seen_at_ms` is the provider's time
    at which it first showed up, `state` and `told` the last that we know.
    """

    provider: str
    id: str
    order_id: str
    part: int
    key_id: str
    currency: str
    received: Decimal
    returned: Decimal
    told: str
    bought_nano: int
    credited_nano: int
    taken_back_nano: int
    seen_at_ms: int
    credited_at_ms: int
    state: str = WAITING

    @classmethod
    def first(
        cls, status: PaymentStatus, *, order_id: str, part: int, seen_at_ms: int
    ) -> "Payment":
        """A payment that has just shown up: nothing of it is reckoned yet."""
        nothing = Decimal(0)
        return cls(
            provider=status.provider,
            id=status.id,
            order_id=order_id,
            part=part,
            key_id="",
            currency=status.currency,
            received=nothing,
            returned=nothing,
            told=status.told,
            bought_nano=0,
            credited_nano=0,
            taken_back_nano=0,
            seen_at_ms=seen_at_ms,
            credited_at_ms=0,
            state=status.state,
        )

    @property
    def outstanding_nano(self) -> int:
        """What is still to be credited (above 0) or to be taken back (below 0).

        More that comes after a return may lessen the return's share of what was bought: what was
        credited never exceeds what was bought all the same.
        """
        kept_nano = self.bought_nano - returned_nano(self)
        due_nano = kept_nano - (self.credited_nano - self.taken_back_nano)
        return min(due_nano, self.bought_nano - self.credited_nano)


def returned_nano(payment: Payment) -> int:
    """The part of what the payment bought that its returns undo; rounded down, all by all."""
    if payment.returned <= 0:
        return 0
    if payment.returned >= payment.received:
        return payment.bought_nano
    return share(payment.bought_nano, payment.returned, payment.received)
