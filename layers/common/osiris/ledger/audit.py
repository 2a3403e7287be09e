"""The audit's rules: what must hold for a key and its entries, and for an account and its keys.

I1  balance = sum of entries − sum of those whose hold is still open.
I2  available = balance − sum of holds.
I3  a request is settled at most once: what was spent, and how often, agrees with the entries.
I4  a payment's entries come to what was credited less what was taken back, which its purchase
    bounds; an order's sums are those of its payments; what a key forfeited agrees with its entries.
I5  no 60 s hold more admissions than the key's limit, since it was set.
I6  an account has at most 10 keys that are not deleted, and they are those it names; it ever had
    at most one trial key, and says so.
(A request has at most one entry because the ledger's key is the request's id.)
"""

from array import array
from collections import Counter
from collections.abc import Collection, Iterable
from itertools import chain
from typing import NamedTuple

from osiris.ids import made_at_ms
from osiris.ledger.credit import forfeited_nano
from osiris.ledger.entry import ADJUSTMENT, CHARGE, Entry
from osiris.ledger.key import ACCOUNT_KEYS_MAX, DELETED, TRIAL, Account, Key
from osiris.ledger.order import Order
from osiris.ledger.payment import Payment
from osiris.window import WINDOW_MS


class Difference(NamedTuple):
    """An invariant that does not hold: which, of what, and the two figures that disagree."""

    invariant: str
    subject: str
    what: str
    expected: object
    found: object


class Tally:
    """What settled entries come to, without keeping them: a key may have millions."""

    __slots__ = (
        "admitted_at_ms",
        "amount_nano",
        "charged",
        "charged_nano",
        "entries",
        "forfeited_nano",
        "paid_nano",
    )

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.entries = 0
        self.amount_nano = 0
        self.charged = 0
        self.charged_nano = 0
        self.admitted_at_ms = array("q")
        self.forfeited_nano = 0
        self.paid_nano: Counter[str] = Counter()  # by payment
        for entry in entries:
            self.add(entry)

    def add(self, entry: Entry) -> None:
        """Count one entry more."""
        self.entries += 1
        self.amount_nano += entry.amount_nano
        if entry.type == CHARGE:
            self.charged += entry.cost_nano > 0
            self.charged_nano += entry.cost_nano
            self.admitted_at_ms.append(made_at_ms(entry.id))
            return
        self.forfeited_nano += forfeited_nano((entry,))
        if entry.payment_id and entry.type != ADJUSTMENT:
            self.paid_nano[entry.payment_id] += entry.amount_nano


class OwnedKey(NamedTuple):
    """What of a key matters to its account."""

    id: str
    kind: str
    status: str


def key_differences(key: Key, earlier: Tally, recent: Iterable[Entry]) -> list[Difference]:
    """What is wrong with a key, given all its entries: those tallied, and the recent ones.

    Every entry whose hold is open is among the recent ones.
    """
    later = Tally(entry for entry in recent if entry.id not in key.holds)
    balance_nano = earlier.amount_nano + later.amount_nano
    spent_nano = earlier.charged_nano + later.charged_nano
    forfeited = earlier.forfeited_nano + later.forfeited_nano
    available_nano = key.balance_nano - sum(key.holds.values())
    figures = [
        ("I1", "balance_nano", balance_nano, key.balance_nano),
        ("I2", "available_nano", available_nano, key.available_nano),
        ("I3", "spent_nano", spent_nano, key.spent_nano),
        ("I4", "forfeited_nano", forfeited, key.forfeited_nano),
        ("I3", "requests", earlier.charged + later.charged, key.requests),
    ]
    found = [
        Difference(invariant, key.id, what, expected, stored)
        for invariant, what, expected, stored in figures
        if expected != stored
    ]
    times_ms = chain(earlier.admitted_at_ms, later.admitted_at_ms, map(made_at_ms, key.holds))
    most = most_in_window(at_ms for at_ms in times_ms if at_ms > key.limit_set_at_ms)
    if most > len(key.window):
        found.append(Difference("I5", key.id, "admissions in 60 s", len(key.window), most))
    return found


def account_differences(
    account_id: str, account: Account | None, keys: Collection[OwnedKey]
) -> list[Difference]:
    """What is wrong with an account, given all keys that name it, deleted ones too."""
    open_keys = {key.id for key in keys if key.status != DELETED}
    named = account.keys if account is not None else frozenset()
    trials = sum(key.kind == TRIAL for key in keys)
    told = account is not None and account.trial_granted_at_ms > 0
    found = []
    if open_keys != named:
        found.append(Difference("I6", account_id, "keys", sorted(named), sorted(open_keys)))
    if len(open_keys) > ACCOUNT_KEYS_MAX:
        found.append(
            Difference("I6", account_id, "number of keys", ACCOUNT_KEYS_MAX, len(open_keys))
        )
    if trials != int(told):
        found.append(Difference("I6", account_id, "trial keys", int(told), trials))
    return found


def payment_differences(
    payment_id: str, payment: Payment | None, paid_nano: int
) -> list[Difference]:
    """What is wrong with a payment, given what its entries come to."""
    if payment is None:
        return [Difference("I4", payment_id, "payment", "a payment of these entries", None)]
    kept_nano = payment.credited_nano - payment.taken_back_nano
    found = []
    if kept_nano != paid_nano:
        found.append(Difference("I4", payment_id, "credited_nano", paid_nano, kept_nano))
    if payment.credited_nano > payment.bought_nano or (payment.received <= 0 < kept_nano):
        found.append(
            Difference("I4", payment_id, "bought_nano", payment.bought_nano, payment.credited_nano)
        )
    return found


def order_differences(order: Order, payments: Iterable[Payment]) -> list[Difference]:
    """What is wrong with an order, given all payments that name it."""
    mine = list(payments)
    figures = [
        ("credited_nano", sum(paid.credited_nano for paid in mine), order.credited_nano),
        ("taken_back_nano", sum(paid.taken_back_nano for paid in mine), order.taken_back_nano),
        ("payments", len(mine), len(order.payment_ids)),
    ]
    return [
        Difference("I4", order.id, what, expected, stored)
        for what, expected, stored in figures
        if expected != stored
    ]


def most_in_window(times_ms: Iterable[int]) -> int:
    """The most of these times that lie in any 60 s."""
    times = sorted(times_ms)
    most = start = 0
    for end, at_ms in enumerate(times):
        while times[start] <= at_ms - WINDOW_MS:
            start += 1
        most = max(most, end - start + 1)
    return most
