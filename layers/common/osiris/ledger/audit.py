"""The audit's rules: what must hold for a key and its entries, and for an account and its keys.

I1  balance = sum of entries − sum of those whose hold is still open.
I2  available = balance − sum of holds.
I3  a request is settled at most once: what was spent, and how often, agrees with the entries.
I5  no 60 s hold more admissions than the key's limit, since it was set.
I6  an account has at most 10 keys that are not deleted, and they are those it names; it ever had
    at most one trial key.
(A request has at most one entry because the ledger's key is the request's id.)
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from osiris.ids import made_at_ms
from osiris.ledger.entry import CHARGE, Entry
from osiris.ledger.key import ACCOUNT_KEYS_MAX, DELETED, TRIAL, Account, Key
from osiris.window import WINDOW_MS


class Difference(NamedTuple):
    """An invariant that does not hold: which, of what, and the two figures that disagree."""

    invariant: str
    subject: str
    what: str
    expected: object
    found: object


def key_differences(key: Key, entries: Sequence[Entry]) -> list[Difference]:
    """What is wrong with a key, given all its entries."""
    posted = [entry for entry in entries if entry.id not in key.holds]
    charges = [entry for entry in posted if entry.type == CHARGE]
    figures = [
        ("I1", "balance_nano", sum(entry.amount_nano for entry in posted), key.balance_nano),
        ("I2", "available_nano", key.balance_nano - sum(key.holds.values()), key.available_nano),
        ("I3", "spent_nano", sum(entry.cost_nano for entry in charges), key.spent_nano),
        ("I3", "requests", sum(entry.cost_nano > 0 for entry in charges), key.requests),
    ]
    found = [
        Difference(invariant, key.id, what, expected, stored)
        for invariant, what, expected, stored in figures
        if expected != stored
    ]
    admitted = {entry.id for entry in entries if entry.type == CHARGE} | key.holds.keys()
    times_ms = map(made_at_ms, admitted)
    most = most_in_window(at_ms for at_ms in times_ms if at_ms > key.limit_set_at_ms)
    if most > len(key.window):
        found.append(Difference("I5", key.id, "admissions in 60 s", len(key.window), most))
    return found


def account_differences(
    account_id: str, account: Account | None, keys: Sequence[Key]
) -> list[Difference]:
    """What is wrong with an account, given all keys that name it, deleted ones too."""
    open_keys = {key.id for key in keys if key.status != DELETED}
    named = account.keys if account is not None else frozenset()
    trials = sum(key.kind == TRIAL for key in keys)
    found = []
    if open_keys != named:
        found.append(Difference("I6", account_id, "keys", sorted(named), sorted(open_keys)))
    if len(open_keys) > ACCOUNT_KEYS_MAX:
        found.append(
            Difference("I6", account_id, "number of keys", ACCOUNT_KEYS_MAX, len(open_keys))
        )
    if trials > 1:
        found.append(Difference("I6", account_id, "trial keys", 1, trials))
    return found


def most_in_window(times_ms: Iterable[int]) -> int:
    """The most of these times that lie in any 60 s."""
    times = sorted(times_ms)
    most = start = 0
    for end, at_ms in enumerate(times):
        while times[start] <= at_ms - WINDOW_MS:
            start += 1
        most = max(most, end - start + 1)
    return most
