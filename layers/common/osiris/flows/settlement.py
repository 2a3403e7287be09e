"""After an answer: record what it cost, then settle; and the recovery of those who could not.

*The first writer decides what a request cost* (Record); *it happens once* (Settle). Between the
two, and before the first, the process may die: whoever meets the hold after its time does the
same two writes, and finds done what was done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris.errors import StoreUnavailable
from osiris.ledger.entry import lapse
from osiris.ledger.hold import lapsed
from osiris.telemetry import HOLDS_LAPSED, SETTLEMENT_FAILED

if TYPE_CHECKING:
    from osiris.app import App
    from osiris.flows.exchange import Exchange
    from osiris.ledger.entry import Entry
    from osiris.ledger.key import Key

# Between tries of Record while the store is out of reach; each try has its own short repeats.
RECORD_WAIT_MS = 500
MAYBE_CHARGED = (
    "The answer could not be accounted for in time. Whether it was charged, "
    "GET /v1/requests/{request_id} will tell."
)


def settle(app: App, exchange: Exchange, entry: Entry) -> Entry:
    """Record the entry and settle the request; returns the entry that stands.

    Raises StoreUnavailable when Record was not possible until the deadline: the hold then lapses.
    When only Settle was not possible the entry stands, and recovery settles with it.
    """
    standing = _recorded(app, exchange, entry)
    try:
        key = app.keys.settle(
            entry.key_id,
            request_id=entry.id,
            hold_nano=exchange.hold_nano,
            amount_nano=standing.amount_nano,
        )
    except StoreUnavailable as error:
        app.telemetry.line(
            "settle_failed",
            metrics=[SETTLEMENT_FAILED],
            request_id=entry.id,
            key_id=entry.key_id,
            details=error.details,
        )
        return standing
    if key is not None:
        exchange.key = key
        app.seen.put(key)
    return standing


def finish_lapsed(app: App, key: Key) -> int:
    """Finish the key's holds whose function is lost; returns how many there were."""
    now_ms = app.now_ms()
    holds = lapsed(key.holds, lapse_ms=app.settings.hold_lapse_ms, now_ms=now_ms)
    for request_id, hold_nano in holds.items():
        finish(app, key.id, request_id, hold_nano)
    return len(holds)


def finish(app: App, key_id: str, request_id: str, hold_nano: int) -> Entry:
    """Close one lost request: it costs nothing, unless its entry stands."""
    standing = app.ledger.record(lapse(key_id=key_id, request_id=request_id, now_ms=app.now_ms()))
    app.keys.settle(
        key_id, request_id=request_id, hold_nano=hold_nano, amount_nano=standing.amount_nano
    )
    app.telemetry.line(
        "hold_lapsed",
        metrics=[HOLDS_LAPSED],
        request_id=request_id,
        key_id=key_id,
        charged=standing.amount_nano < 0,
    )
    return standing


def _recorded(app: App, exchange: Exchange, entry: Entry) -> Entry:
    while True:
        try:
            return app.ledger.record(entry)
        except StoreUnavailable as error:
            if app.now_ms() + RECORD_WAIT_MS >= exchange.deadline_at_ms:
                app.telemetry.line(
                    "record_failed",
                    metrics=[SETTLEMENT_FAILED],
                    request_id=entry.id,
                    key_id=entry.key_id,
                    details=error.details,
                )
                if entry.amount_nano:
                    # A try whose reply was lost may have recorded it.
                    error.message = MAYBE_CHARGED.format(request_id=entry.id)
                    error.should_retry = False
                raise
            app.sleep_ms(RECORD_WAIT_MS)
