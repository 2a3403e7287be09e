"""An entry: one immutable line of one key's ledger. Corrections are entries, too."""

from typing import NamedTuple

from osiris.catalogue import Model, Prices
from osiris.usage import Tokens, Usage, charge_nano

CHARGE = "charge"
GRANT = "grant"
FORFEITURE = "forfeiture"
PURCHASE = "purchase"
REFUND = "refund"
CHARGEBACK = "chargeback"
# Takes a forfeiture back.
ADJUSTMENT = "adjustment"

# How a request ended; all but COMPLETED, DEADLINE and UPSTREAM_FAILED with usage cost nothing.
COMPLETED = "completed"
DEADLINE = "deadline"
EMPTY = "empty"
LAPSED = "lapsed"
UPSTREAM_FAILED = "upstream_failed"
UPSTREAM_REFUSED = "upstream_refused"
UPSTREAM_REJECTED = "upstream_rejected"
UPSTREAM_SILENT = "upstream_silent"


class Charge(NamedTuple):
    """The facts of a request: enough to recompute what it cost."""

    model: str
    upstream: str
    state: str
    streamed: bool
    tokens: Tokens
    prices: Prices
    bounded: bool
    estimated: bool
    duration_ms: int


class Entry(NamedTuple):
    """`amount_nano` is signed: what the entry adds to the key's balance.

    What a payment brought or took names its order and the payment ("midtrans#…"); a forfeiture of
    expired credit, the expiry; an adjustment, the id of the forfeiture that it gives back.
    """

    key_id: str
    id: str
    type: str
    amount_nano: int
    at_ms: int
    charge: Charge | None = None
    reason: str = ""
    order_id: str = ""
    payment_id: str = ""
    expired_at_ms: int = 0
    reverses: str = ""

    @property
    def cost_nano(self) -> int:
        """What a charge took: 0 or more."""
        return -self.amount_nano


def charge(
    *,
    key_id: str,
    request_id: str,
    model: Model,
    state: str,
    streamed: bool,
    usage: Usage | None,
    admitted_at_ms: int,
    now_ms: int,
) -> Entry:
    """The entry of a request that ended in `state`; without usage it costs nothing."""
    amount_nano = 0 if usage is None else -charge_nano(usage.tokens, model.prices)
    facts = Charge(
        model=model.id,
        upstream=model.upstream,
        state=state,
        streamed=streamed,
        tokens=Tokens() if usage is None else usage.tokens,
        prices=model.prices,
        bounded=usage is not None and usage.bounded,
        estimated=usage is not None and usage.estimated,
        duration_ms=max(0, now_ms - admitted_at_ms),
    )
    return Entry(key_id, request_id, CHARGE, amount_nano, now_ms, facts)


def lapse(*, key_id: str, request_id: str, now_ms: int) -> Entry:
    """The entry that closes a request whose function was lost: it costs nothing."""
    return Entry(key_id, request_id, CHARGE, 0, now_ms, reason=LAPSED)
