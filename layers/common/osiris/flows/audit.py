"""The audit: the invariants of `ledger.audit` over whole tables, read and never changed.

Taken while requests run, a key is read again before a difference counts: its entries are read
after it, and a request may settle in between.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from osiris.ledger.audit import Difference, account_differences, key_differences
from osiris.ledger.key import Account, Key

if TYPE_CHECKING:
    from collections.abc import Callable

    from osiris.app.full import FullApp

READS_MAX = 5


class Audit(NamedTuple):
    """What was looked at, and what does not hold."""

    keys: int
    accounts: int
    entries: int
    differences: list[Difference]


def audit(app: FullApp, *, progress: Callable[[int], None] = lambda _: None) -> Audit:
    """Check every key and account; `progress` is told the number of keys done."""
    keys: dict[str, Key] = {}
    accounts: dict[str, Account] = {}
    for item in app.scans.keys_and_accounts():
        if isinstance(item, Key):
            keys[item.id] = item
        else:
            accounts[item.id] = item
    differences: list[Difference] = []
    counted = 0
    for done, key in enumerate(keys.values(), 1):
        found, entries = _audit_key(app, key)
        differences += found
        counted += entries
        progress(done)
    differences += _homeless_entries(app, keys)
    differences += _audit_accounts(keys, accounts)
    return Audit(len(keys), len(accounts), counted, differences)


def _audit_key(app: FullApp, key: Key) -> tuple[list[Difference], int]:
    for _ in range(READS_MAX):
        entries = list(app.ledger.entries(key.id))
        found = key_differences(key, entries)
        again = app.keys.read_as_stored(key.id)
        if not found or again is None or again == key:
            break
        key = again
    return found, len(entries)


def _homeless_entries(app: FullApp, keys: dict[str, Key]) -> list[Difference]:
    homeless = {key_id for key_id in app.scans.ledger_key_ids() if key_id not in keys}
    return [
        Difference("I1", key_id, "entries of a key that is not there", "a key", None)
        for key_id in sorted(homeless)
        if app.keys.read_as_stored(key_id) is None
    ]


def _audit_accounts(keys: dict[str, Key], accounts: dict[str, Account]) -> list[Difference]:
    by_account: dict[str, list[Key]] = defaultdict(list)
    for key in keys.values():
        by_account[key.account_id].append(key)
    return [
        difference
        for account_id in sorted(accounts.keys() | by_account.keys())
        for difference in account_differences(
            account_id, accounts.get(account_id), by_account[account_id]
        )
    ]
