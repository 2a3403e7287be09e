"""Admission: why a key's request was not let in, from the very item that refused it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris.errors import (
    BalanceHeld,
    CreditExpired,
    InsufficientBalance,
    InvalidKey,
    KeyDisabled,
    RateLimitExceeded,
    TooManyOpenRequests,
)
from osiris.ledger.key import DELETED, DISABLED
from osiris.window import free_slots, retry_after_s

if TYPE_CHECKING:
    from osiris.errors import OsirisError
    from osiris.ledger.key import Key

# How long a client should wait for an open request to end: nothing tells, so it is short.
OPEN_REQUEST_RETRY_AFTER_S = 2


def rejection(key: Key | None, *, secret_hash: bytes, now_ms: int) -> OsirisError | None:
    """Why nobody with this secret may use the key at all, or None."""
    if key is None or key.status == DELETED or not key.accepts(secret_hash, now_ms):
        return InvalidKey()
    if key.status == DISABLED:
        return KeyDisabled()
    return None


def refusal(
    key: Key | None, *, secret_hash: bytes, open_requests_max: int, now_ms: int
) -> OsirisError | None:
    """Why this request is refused, in a fixed order, or None when a slot is free for it."""
    rejected = rejection(key, secret_hash=secret_hash, now_ms=now_ms)
    if rejected is not None or key is None:
        return rejected
    if key.balance_nano <= 0:
        return InsufficientBalance()
    if key.expires_at_ms <= now_ms:
        return CreditExpired()
    if not free_slots(key.window, now_ms):
        return RateLimitExceeded(retry_after_s=retry_after_s(key.window, now_ms))
    if len(key.holds) >= open_requests_max:
        return TooManyOpenRequests(retry_after_s=OPEN_REQUEST_RETRY_AFTER_S)
    if key.available_nano <= 0:
        return BalanceHeld(retry_after_s=OPEN_REQUEST_RETRY_AFTER_S)
    return None
