"""Credit and its expiry: what a grant, a trial and a deletion do to a key."""

from typing import NamedTuple

from osiris.ledger.entry import FORFEITURE, GRANT, Entry
from osiris.ledger.key import Key

DAY_MS = 86_400_000

EXPIRED = "credit expired"
KEY_DELETED = "key deleted"
TRIAL_CREDIT = "trial"


class Posting(NamedTuple):
    """Entries that go into one transaction with the key, and the key's expiry after it."""

    entries: tuple[Entry, ...]
    expires_at_ms: int

    @property
    def amount_nano(self) -> int:
        """What the entries add to the balance together."""
        return sum(entry.amount_nano for entry in self.entries)


def granted(
    key: Key, *, amount_nano: int, days: int, reason: str, entry_ids: tuple[str, str], now_ms: int
) -> Posting:
    """Credit given by the operator. The expiry is never earlier than it was.

    Credit that had expired before is forfeited in the same transaction, so that a grant does not
    bring it back.
    """
    grant = Entry(key.id, entry_ids[0], GRANT, amount_nano, now_ms, reason=reason)
    expired: tuple[Entry, ...] = ()
    if key.expires_at_ms <= now_ms and key.available_nano > 0:
        expired = _forfeited(key, entry_ids[1], EXPIRED, now_ms)
    return Posting((*expired, grant), max(key.expires_at_ms, now_ms + days * DAY_MS))


def trial(key_id: str, *, amount_nano: int, days: int, entry_id: str, now_ms: int) -> Posting:
    """The credit that a trial key begins with, and ends with."""
    grant = Entry(key_id, entry_id, GRANT, amount_nano, now_ms, reason=TRIAL_CREDIT)
    return Posting((grant,), now_ms + days * DAY_MS)


def closed(key: Key, *, entry_id: str, now_ms: int) -> Posting:
    """A key's end: what is available is forfeited; what is held still pays for open requests."""
    entries = _forfeited(key, entry_id, KEY_DELETED, now_ms) if key.available_nano > 0 else ()
    return Posting(entries, key.expires_at_ms)


def _forfeited(key: Key, entry_id: str, reason: str, now_ms: int) -> tuple[Entry, ...]:
    return (Entry(key.id, entry_id, FORFEITURE, -key.available_nano, now_ms, reason=reason),)
