"""Credit and its end: grants, trials, purchases, take-backs, expiry and deletion of a key."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from osiris.ledger.entry import ADJUSTMENT, FORFEITURE, GRANT, PURCHASE, Entry
from osiris.ledger.expiry import MONTHS_A_PURCHASE, extended, months_later
from osiris.ledger.key import Key
from osiris.times import DAY_MS

EXPIRED = "credit expired"
KEY_DELETED = "key deleted"
TRIAL_CREDIT = "trial"
FORFEITURE_REVERSED = "forfeiture reversed"


class Posting(NamedTuple):
    """Entries that go into one transaction with the key, and the key's expiry after it."""

    entries: tuple[Entry, ...]
    expires_at_ms: int

    @property
    def amount_nano(self) -> int:
        """What the entries add to the balance together."""
        return sum(entry.amount_nano for entry in self.entries)

    @property
    def forfeited_nano(self) -> int:
        """What they forfeit, less what they give back of earlier forfeitures."""
        return forfeited_nano(self.entries)

    def has(self, type: str) -> bool:
        """Whether an entry of this type is among them."""
        return any(entry.type == type for entry in self.entries)


class Source(NamedTuple):
    """Whose money an entry moves: the order, and its payment."""

    order_id: str
    payment_id: str


def forfeited_nano(entries: Iterable[Entry]) -> int:
    """What these entries forfeit, less what they give back. Only forfeitures are adjusted."""
    return -sum(entry.amount_nano for entry in entries if entry.type in (FORFEITURE, ADJUSTMENT))


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


def purchased(
    key: Key,
    source: Source,
    *,
    amount_nano: int,
    extends: bool,
    paid_at_ms: int,
    since: Iterable[Entry],
    entry_ids: Sequence[str],
    now_ms: int,
) -> Posting:
    """Credit that was paid for. It moves the expiry when it `extends`, or when the credit expired.

    What counts is when it was paid: credit that was alive then is not forfeited, and a forfeiture
    made of it meanwhile (among the entries `since` the payment) is given back; credit that had
    expired by then is forfeited before.
    """
    expired = key.expires_at_ms <= now_ms
    ends_at_ms = months_later(paid_at_ms, MONTHS_A_PURCHASE)
    lost = [loss for loss in _lost(since) if paid_at_ms < loss.entry.expired_at_ms < ends_at_ms]
    aside = _reversed(key, source, lost, None, entry_ids[1:], now_ms)
    if expired and paid_at_ms >= key.expires_at_ms and key.available_nano > 0:
        aside = _forfeited(key, entry_ids[1], EXPIRED, now_ms)
    purchase = _of(source, Entry(key.id, entry_ids[0], PURCHASE, amount_nano, now_ms))
    expires_at_ms = key.expires_at_ms
    if extends or expired:
        expires_at_ms = extended(key.expires_at_ms, now_ms)
    return Posting((*aside, purchase), expires_at_ms)


def taken_back(
    key: Key,
    source: Source,
    *,
    type: str,
    amount_nano: int,
    paid_at_ms: int,
    credited_at_ms: int,
    since: Iterable[Entry],
    entry_ids: Sequence[str],
    now_ms: int,
) -> Posting:
    """A refund or chargeback. What was forfeited `since` the purchase was credited is given back
    before, up to the amount, so that nobody loses the same dollar twice; the balance may go below
    zero.

    What the purchase's own transaction forfeited is not of that time: it had expired before. A
    deletion always is, even one whose entry is dated before, when it began: nothing is credited
    after it.
    """
    lost = [loss for loss in _lost(since) if _is_after(loss.entry, paid_at_ms, credited_at_ms)]
    aside = _reversed(key, source, lost, amount_nano, entry_ids[1:], now_ms)
    entry = _of(source, Entry(key.id, entry_ids[0], type, -amount_nano, now_ms))
    return Posting((*aside, entry), key.expires_at_ms)


def swept(key: Key, *, entry_id: str, now_ms: int) -> Posting:
    """Expired credit, forfeited: what is available; what is held goes when it is given back."""
    return Posting(_forfeited(key, entry_id, EXPIRED, now_ms), key.expires_at_ms)


def closed(key: Key, *, entry_id: str, now_ms: int) -> Posting:
    """A key's end: what is available is forfeited; what is held still pays for open requests."""
    entries = _forfeited(key, entry_id, KEY_DELETED, now_ms) if key.available_nano > 0 else ()
    return Posting(entries, key.expires_at_ms)


def _forfeited(key: Key, entry_id: str, reason: str, now_ms: int) -> tuple[Entry, ...]:
    entry = Entry(key.id, entry_id, FORFEITURE, -key.available_nano, now_ms, reason=reason)
    expired_at_ms = key.expires_at_ms if reason == EXPIRED else 0
    return (entry._replace(expired_at_ms=expired_at_ms),)


class _Loss(NamedTuple):
    """A forfeiture, and what of it was not given back yet."""

    entry: Entry
    left_nano: int


def _lost(entries: Iterable[Entry]) -> list[_Loss]:
    """The forfeitures among these entries of which something is left, oldest first."""
    listed = list(entries)
    given_nano: Counter[str] = Counter()
    for entry in listed:
        if entry.type == ADJUSTMENT:
            given_nano[entry.reverses] += entry.amount_nano
    losses = [
        _Loss(entry, -entry.amount_nano - given_nano[entry.id])
        for entry in listed
        if entry.type == FORFEITURE
    ]
    return [loss for loss in losses if loss.left_nano > 0]


def _is_after(forfeiture: Entry, paid_at_ms: int, credited_at_ms: int) -> bool:
    if forfeiture.reason == KEY_DELETED:
        return True
    return forfeiture.at_ms > credited_at_ms and forfeiture.expired_at_ms > paid_at_ms


def _reversed(
    key: Key,
    source: Source,
    lost: Iterable[_Loss],
    most_nano: int | None,
    entry_ids: Iterable[str],
    now_ms: int,
) -> tuple[Entry, ...]:
    """Adjustments that give these losses back, oldest first, up to so much (None: all)."""
    entries = []
    for loss, entry_id in zip(lost, entry_ids, strict=False):
        nano = loss.left_nano if most_nano is None else min(loss.left_nano, most_nano)
        if nano <= 0:
            break
        entry = Entry(key.id, entry_id, ADJUSTMENT, nano, now_ms, reason=FORFEITURE_REVERSED)
        entries.append(_of(source, entry._replace(reverses=loss.entry.id)))
        most_nano = None if most_nano is None else most_nano - nano
    return tuple(entries)


def _of(source: Source, entry: Entry) -> Entry:
    return entry._replace(order_id=source.order_id, payment_id=source.payment_id)
