"""The audit: the invariants of `ledger.audit` over whole tables, read and never changed.

Requests may run meanwhile. A key's entries are read after the key, so they may be ahead of it; an
account's keys are read beside it. A difference counts once it stands between two readings of the
key, or of the account, that are the same.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from osiris.flows.audit_payments import audit_payments
from osiris.flows.segments import SEGMENTS, in_segments
from osiris.ids import made_at_ms
from osiris.ledger.audit import (
    Difference,
    OwnedKey,
    Tally,
    account_differences,
    key_differences,
)
from osiris.ledger.key import Account, Key
from osiris.times import MINUTE_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from osiris.app.full import FullApp

# A key changes a few times a second at most, and each reading takes some hundredths of one.
READS_MAX = 10
# What was put into the ledger after a key was read was admitted no longer before than an open hold
# of that key, or than this: a request is admitted within seconds after its id was made.
LATE_MS = 10 * MINUTE_MS


type Paid = dict[str, dict[str, int]]


class Audit(NamedTuple):
    """What was looked at, and what does not hold."""

    keys: int
    accounts: int
    entries: int
    payments: int
    differences: list[Difference]


class _Found(NamedTuple):
    """One segment of the Keys table. Keys are kept by little more than their ids.

    `paid` has, for each payment, what its entries come to in each key.
    """

    owned: dict[str, list[OwnedKey]]
    accounts: dict[str, Account]
    entries: int
    differences: list[Difference]
    paid: Paid


def audit(
    app: FullApp, *, segments: int = SEGMENTS, progress: Callable[[int], None] = lambda _: None
) -> Audit:
    """Check every key and account; `progress` is told the number of keys done.

    Raises StoreUnavailable.
    """

    def work(segment: int, one_more: Callable[[], None]) -> _Found:
        return _audit_segment(app, segment, segments, one_more)

    parts = in_segments(work, segments=segments, progress=progress)
    owned: dict[str, list[OwnedKey]] = defaultdict(list)
    accounts: dict[str, Account] = {}
    differences: list[Difference] = []
    paid: Paid = defaultdict(dict)
    for part in parts:
        accounts |= part.accounts
        for payment_id, by_key in part.paid.items():
            paid[payment_id] |= by_key
        differences += part.differences
        for account_id, keys in part.owned.items():
            owned[account_id] += keys
    key_ids = {key.id for keys in owned.values() for key in keys}
    differences += _homeless(app, key_ids, segments)
    for account_id in accounts.keys() | owned.keys():
        differences += _audit_account(
            app, account_id, accounts.get(account_id), owned.get(account_id, [])
        )
    payments, found = audit_payments(app, paid)
    entries = sum(part.entries for part in parts)
    differences = sorted([*differences, *found], key=_place)
    return Audit(len(key_ids), len(accounts), entries, payments, differences)


def _audit_segment(
    app: FullApp, segment: int, segments: int, one_more: Callable[[], None]
) -> _Found:
    owned: dict[str, list[OwnedKey]] = defaultdict(list)
    accounts: dict[str, Account] = {}
    differences: list[Difference] = []
    paid: Paid = defaultdict(dict)
    counted = 0
    for item in app.scans.keys_and_accounts(segment, segments):
        if isinstance(item, Account):
            accounts[item.id] = item
            continue
        found, entries, paid_nano = _audit_key(app, item)
        for payment_id, nano in paid_nano.items():
            paid[payment_id][item.id] = nano
        owned[item.account_id].append(OwnedKey(item.id, item.kind, item.status))
        differences += found
        counted += entries
        one_more()
    return _Found(owned, accounts, counted, differences, paid)


def _audit_key(app: FullApp, key: Key) -> tuple[list[Difference], int, Mapping[str, int]]:
    """What is wrong with a key, how many entries it has, and what each payment brought it.

    Entries that may have come since it was read are kept apart, so that only these are read again.
    A key that holds is right as it was read, and is not read again.
    """
    since_ms = min([app.now_ms(), *map(made_at_ms, key.holds)]) - LATE_MS
    earlier = Tally()
    recent = {}
    for entry in app.ledger.entries(key.id):
        if made_at_ms(entry.id) < since_ms:
            earlier.add(entry)
        else:
            recent[entry.id] = entry
    found = key_differences(key, earlier, recent.values())
    for _ in range(READS_MAX):
        if not found:
            break
        again = app.keys.read_as_stored(key.id)
        if again is None or again == key:
            break
        key = again
        recent |= {entry.id: entry for entry in app.ledger.entries(key.id, from_ms=since_ms)}
        found = key_differences(key, earlier, recent.values())
    paid = earlier.paid_nano + Tally(recent.values()).paid_nano
    return found, earlier.entries + len(recent), paid


def _homeless(app: FullApp, key_ids: set[str], segments: int) -> list[Difference]:
    """Entries of keys that are not there: found only by going through the whole ledger."""

    def work(segment: int, one_more: Callable[[], None]) -> set[str]:
        homeless = set()
        for key_id in app.scans.ledger_key_ids(segment, segments):
            one_more()
            if key_id not in key_ids:
                homeless.add(key_id)
        return homeless

    found = set[str]().union(*in_segments(work, segments=segments, progress=lambda _: None))
    return [
        Difference("I1", key_id, "key", "a key of these entries", None)
        for key_id in found
        if app.keys.read_as_stored(key_id) is None
    ]


def _audit_account(
    app: FullApp, account_id: str, account: Account | None, keys: Iterable[OwnedKey]
) -> list[Difference]:
    owned = list(keys)
    found = account_differences(account_id, account, owned)
    for _ in range(READS_MAX):
        if not found:
            break
        again = app.accounts.read(account_id)
        key_ids = again.keys | {key.id for key in owned}
        owned = [
            OwnedKey(key.id, key.kind, key.status)
            for key in map(app.keys.read_as_stored, sorted(key_ids))
            if key is not None and key.account_id == account_id
        ]
        found = account_differences(account_id, again, owned)
        if app.accounts.read(account_id) == again:
            break
    return found


def _place(difference: Difference) -> tuple[str, str, str]:
    return difference.invariant, difference.subject, difference.what
