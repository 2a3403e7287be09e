"""Who is calling, and letting their request in: one write of the key, tried by another slot where
an answer shows that the slot chosen was taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris import secrets_text
from osiris.errors import (
    BalanceHeld,
    InvalidKey,
    MissingKey,
    RateLimitExceeded,
    StoreUnavailable,
    TooManyOpenRequests,
)
from osiris.flows.settlement import finish_lapsed
from osiris.ledger.admission import refusal, rejection
from osiris.window import free_slots, retry_after_s

if TYPE_CHECKING:
    from osiris.app import App
    from osiris.flows.exchange import Exchange
    from osiris.ledger.key import Key
    from osiris.secrets_text import Secret


def caller(secret_text: str | None) -> Secret:
    """The secret that was sent, checked by its form alone. Raises MissingKey or InvalidKey."""
    if not secret_text:
        raise MissingKey
    secret = secrets_text.parse(secret_text)
    if secret is None:
        raise InvalidKey
    return secret


def identify(app: App, exchange: Exchange, secret: Secret) -> Key:
    """The caller's key, by one read. Raises InvalidKey or KeyDisabled."""
    key = app.keys.read(secret.key_id)
    rejected = rejection(key, secret_hash=secret.hash, now_ms=app.now_ms())
    if key is None or isinstance(rejected, InvalidKey):
        raise rejected or InvalidKey()
    exchange.key = key
    app.seen.put(key)
    if rejected is not None:
        raise rejected
    return key


def admit(app: App, exchange: Exchange, secret: Secret, hold_nano: int) -> None:
    """Let the request in and hold what it may cost. Raises why it may not come in.

    Each try but the first follows an answer that shows its slot taken, or lapsed holds that were
    finished; so there are at most as many as slots, and one. All are made for the time that the
    request's id tells: the window is then exact in the times of ids, as an audit reads them.
    """
    now_ms = exchange.started_at_ms
    slot = _first_slot(app, exchange, secret)
    for _ in range(app.settings.rate_limit + 1):
        admission = app.keys.admit(
            secret.key_id,
            secret_hash=secret.hash,
            request_id=exchange.request_id,
            hold_nano=hold_nano,
            slot=slot,
            open_requests_max=app.settings.open_requests_max,
            now_ms=now_ms,
        )
        key = admission.key
        rejected = rejection(key, secret_hash=secret.hash, now_ms=now_ms)
        if key is not None and not isinstance(rejected, InvalidKey):
            exchange.key = key
            app.seen.put(key)
        if admission.admitted:
            exchange.hold_nano = hold_nano
            return
        refused = refusal(
            key,
            secret_hash=secret.hash,
            open_requests_max=app.settings.open_requests_max,
            now_ms=now_ms,
        )
        if key is None or (refused is not None and not _made_room(app, key, refused)):
            raise refused or InvalidKey()
        free = free_slots(key.window, now_ms)
        if slot not in free:
            slot = _any_of(app, free) or 0
    raise StoreUnavailable(details="no slot was won")


def _first_slot(app: App, exchange: Exchange, secret: Secret) -> int:
    """A slot believed free. A key known to be full is refused without asking the database."""
    now_ms = exchange.started_at_ms
    seen = app.seen.get(secret.key_id)
    if seen is None or not seen.accepts(secret.hash, now_ms):
        return _any_of(app, range(app.settings.rate_limit)) or 0
    slot = _any_of(app, free_slots(seen.window, now_ms))
    if slot is None:
        exchange.key = seen
        raise RateLimitExceeded(retry_after_s=retry_after_s(seen.window, now_ms))
    return slot


def _made_room(app: App, key: Key, refused: Exception) -> bool:
    return isinstance(refused, BalanceHeld | TooManyOpenRequests) and finish_lapsed(app, key) > 0


def _any_of(app: App, slots: range | list[int]) -> int | None:
    return slots[int.from_bytes(app.entropy(4)) % len(slots)] if slots else None
