"""What purchases, take-backs and sweeps post: entries, the expiry, and forfeitures given back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osiris.ledger.credit import (
    EXPIRED,
    FORFEITURE_REVERSED,
    KEY_DELETED,
    Posting,
    Source,
    purchased,
    swept,
    taken_back,
)
from osiris.ledger.entry import (
    ADJUSTMENT,
    CHARGE,
    CHARGEBACK,
    FORFEITURE,
    PURCHASE,
    REFUND,
    Entry,
)
from osiris.ledger.expiry import months_later
from osiris.ledger.key import Key, new_key
from osiris.times import DAY_MS

NOW_MS = 1_795_514_400_000
HOUR_MS = 3_600_000
DOLLAR = 1_000_000_000
IDS = ("ent_1", "ent_2")
SOURCE = Source("ord_1", "midtrans#p1")
KEY_ID = "A" * 12


def key(available: int, *, held: int = 0, expires_at_ms: int = NOW_MS + DAY_MS) -> Key:
    """A paid key with so many dollars available and held."""
    fresh = new_key(
        id=KEY_ID,
        account_id="ada",
        name="laptop",
        kind="paid",
        secret_hash=b"",
        rate_limit=2,
        now_ms=0,
        grant_nano=(available + held) * DOLLAR,
        expires_at_ms=expires_at_ms,
    )
    return fresh._replace(available_nano=available * DOLLAR, holds={"req_1": held * DOLLAR})


def forfeiture(dollars: int, expired_at_ms: int = 0) -> Entry:
    """Credit that was forfeited: because it expired then, or its key was deleted."""
    reason = EXPIRED if expired_at_ms else KEY_DELETED
    entry = Entry(KEY_ID, "ent_0", FORFEITURE, -dollars * DOLLAR, NOW_MS, reason=reason)
    return entry._replace(expired_at_ms=expired_at_ms)


def adjustment(dollars: int, reverses: str = "ent_0") -> Entry:
    """So much of a forfeiture was given back."""
    return Entry(KEY_ID, "ent_9", ADJUSTMENT, dollars * DOLLAR, NOW_MS, reverses=reverses)


def bought(of: Key, *, paid_at_ms: int = NOW_MS, extends: bool = True, since: Any = ()) -> Posting:
    """A purchase of $100."""
    return purchased(
        of,
        SOURCE,
        amount_nano=100 * DOLLAR,
        extends=extends,
        paid_at_ms=paid_at_ms,
        since=since,
        entry_ids=IDS,
        now_ms=NOW_MS,
    )


def shown(posting: Posting) -> list[tuple[str, int]]:
    """Each entry by its type and dollars."""
    return [(entry.type, entry.amount_nano // DOLLAR) for entry in posting.entries]


# ------------------------------------------------------------------------------------ purchases

BEFORE_MS = NOW_MS - HOUR_MS


@pytest.mark.parametrize(
    ("of", "paid_at_ms", "extends", "since", "entries", "expires_at_ms"),
    [
        # Live credit: it stays, and the expiry moves once an order.
        (key(7), NOW_MS, True, (), [(PURCHASE, 100)], months_later(NOW_MS + DAY_MS, 1)),
        (key(7), NOW_MS, False, (), [(PURCHASE, 100)], NOW_MS + DAY_MS),
        # A new key.
        (key(0, expires_at_ms=0), NOW_MS, True, (), [(PURCHASE, 100)], months_later(NOW_MS, 1)),
        # It had expired when this was paid: forfeited before; even a later part begins anew.
        (
            key(7, expires_at_ms=BEFORE_MS),
            NOW_MS,
            False,
            (),
            [(FORFEITURE, -7), (PURCHASE, 100)],
            months_later(NOW_MS, 1),
        ),
        (
            key(7, expires_at_ms=BEFORE_MS),
            BEFORE_MS,
            True,
            (),
            [(FORFEITURE, -7), (PURCHASE, 100)],
            months_later(NOW_MS, 1),
        ),
        # What is held is not forfeited, and a debt is no credit.
        (
            key(0, held=5, expires_at_ms=BEFORE_MS),
            NOW_MS,
            True,
            (),
            [(PURCHASE, 100)],
            months_later(NOW_MS, 1),
        ),
        (
            key(-7, expires_at_ms=BEFORE_MS),
            NOW_MS,
            True,
            (),
            [(PURCHASE, 100)],
            months_later(NOW_MS, 1),
        ),
        # It was alive when this was paid: kept, swept or not.
        (
            key(7, expires_at_ms=BEFORE_MS),
            BEFORE_MS - 1,
            True,
            (),
            [(PURCHASE, 100)],
            months_later(NOW_MS, 1),
        ),
        (
            key(0, expires_at_ms=BEFORE_MS),
            BEFORE_MS - 1,
            True,
            (forfeiture(7, BEFORE_MS),),
            [(ADJUSTMENT, 7), (PURCHASE, 100)],
            months_later(NOW_MS, 1),
        ),
        # Another purchase came meanwhile, and forfeited it.
        (
            key(50, expires_at_ms=NOW_MS + DAY_MS),
            BEFORE_MS - 1,
            True,
            (forfeiture(7, BEFORE_MS),),
            [(ADJUSTMENT, 7), (PURCHASE, 100)],
            months_later(NOW_MS + DAY_MS, 1),
        ),
        # It was given back before: not again.
        (
            key(7, expires_at_ms=NOW_MS + DAY_MS),
            BEFORE_MS - 1,
            True,
            (forfeiture(7, BEFORE_MS), adjustment(7)),
            [(PURCHASE, 100)],
            months_later(NOW_MS + DAY_MS, 1),
        ),
        # Forfeited for another reason, or a month and more after: this purchase saves none of it.
        (key(0), BEFORE_MS, False, (forfeiture(7),), [(PURCHASE, 100)], NOW_MS + DAY_MS),
        (
            key(0),
            BEFORE_MS,
            False,
            (forfeiture(7, months_later(BEFORE_MS, 1)),),
            [(PURCHASE, 100)],
            NOW_MS + DAY_MS,
        ),
        (
            key(0),
            BEFORE_MS,
            False,
            (forfeiture(7, BEFORE_MS),),
            [(PURCHASE, 100)],
            NOW_MS + DAY_MS,
        ),
    ],
)
def test_what_a_purchase_posts(
    of: Key,
    paid_at_ms: int,
    extends: bool,
    since: tuple[Entry, ...],
    entries: list[tuple[str, int]],
    expires_at_ms: int,
) -> None:
    """What counts is when it was paid, by the provider's time."""
    posting = bought(of, paid_at_ms=paid_at_ms, extends=extends, since=since)
    assert shown(posting) == entries
    assert posting.expires_at_ms == expires_at_ms


def test_a_purchase_names_its_source() -> None:
    """Order and payment stand in its entry; a forfeiture names the expiry, and no payment."""
    forfeited, purchase = bought(key(7, expires_at_ms=BEFORE_MS)).entries
    assert (purchase.order_id, purchase.payment_id) == SOURCE
    assert (forfeited.order_id, forfeited.payment_id) == ("", "")
    assert (forfeited.reason, forfeited.expired_at_ms) == (EXPIRED, BEFORE_MS)
    assert (purchase.id, forfeited.id) == IDS
    late = bought(
        key(0, expires_at_ms=BEFORE_MS),
        paid_at_ms=BEFORE_MS - 1,
        since=[forfeiture(7, BEFORE_MS)],
    )
    assert late.entries[0].reason == FORFEITURE_REVERSED
    assert late.forfeited_nano == -7 * DOLLAR


# ------------------------------------------------------------------------------------- take-backs


CREDITED_MS = BEFORE_MS + 1


def undone(dollars: int, *since: Entry, available: int = 100, type: str = REFUND) -> Posting:
    """A take-back of a payment made an hour ago."""
    return taken_back(
        key(available),
        SOURCE,
        type=type,
        amount_nano=dollars * DOLLAR,
        paid_at_ms=BEFORE_MS,
        credited_at_ms=CREDITED_MS,
        since=since,
        entry_ids=(*IDS, "ent_3", "ent_4", "ent_5"),
        now_ms=NOW_MS,
    )


CHARGED = Entry(KEY_ID, "req_0", CHARGE, -30 * DOLLAR, NOW_MS)


@pytest.mark.parametrize(
    ("dollars", "since", "entries"),
    [
        (100, (), [(REFUND, -100)]),
        (40, (CHARGED,), [(REFUND, -40)]),
        # Forfeited since: given back before, up to the amount.
        (100, (forfeiture(30, NOW_MS),), [(ADJUSTMENT, 30), (REFUND, -100)]),
        (20, (forfeiture(30, NOW_MS),), [(ADJUSTMENT, 20), (REFUND, -20)]),
        (100, (forfeiture(30),), [(ADJUSTMENT, 30), (REFUND, -100)]),
        (
            100,
            (forfeiture(70, NOW_MS), forfeiture(60)._replace(id="ent_8")),
            [(ADJUSTMENT, 70), (ADJUSTMENT, 30), (REFUND, -100)],
        ),
        # Given back before, by an earlier take-back: not again.
        (100, (forfeiture(30, NOW_MS), adjustment(30)), [(REFUND, -100)]),
        (100, (forfeiture(30, NOW_MS), adjustment(10)), [(ADJUSTMENT, 20), (REFUND, -100)]),
        # Credit that had expired before this was paid was not this payment's.
        (100, (forfeiture(30, BEFORE_MS),), [(REFUND, -100)]),
        (
            100,
            (forfeiture(30, BEFORE_MS), forfeiture(50, NOW_MS)),
            [(ADJUSTMENT, 50), (REFUND, -100)],
        ),
        # Before it was credited only a deletion counts, which was dated when it began.
        (100, (forfeiture(30, NOW_MS)._replace(at_ms=BEFORE_MS),), [(REFUND, -100)]),
        (
            100,
            (forfeiture(30)._replace(at_ms=BEFORE_MS),),
            [(ADJUSTMENT, 30), (REFUND, -100)],
        ),
        # What was given back of another forfeiture leaves this one as it is.
        (
            100,
            (adjustment(7, "ent_8"), forfeiture(30, NOW_MS)),
            [(ADJUSTMENT, 30), (REFUND, -100)],
        ),
    ],
)
def test_what_a_take_back_posts(
    dollars: int, since: tuple[Entry, ...], entries: list[tuple[str, int]]
) -> None:
    """Nobody loses the same dollar twice, and nobody gets an expired one back."""
    posting = undone(dollars, *since)
    assert shown(posting) == entries
    assert posting.expires_at_ms == key(0).expires_at_ms


@pytest.mark.parametrize("type", [REFUND, CHARGEBACK])
def test_a_take_back_leaves_a_debt(type: str) -> None:
    """What was spent is owed; the entry says which of the two it was, and of what."""
    posting = undone(100, available=20, type=type)
    (entry,) = posting.entries
    assert entry.type == type
    assert (entry.order_id, entry.payment_id) == SOURCE
    assert posting.amount_nano == -100 * DOLLAR


@given(
    dollars=st.integers(1, 500),
    lost=st.lists(st.integers(1, 300), max_size=4),
    given_back=st.integers(0, 300),
)
@settings(deadline=None)
def test_no_more_is_given_back_than_was_lost(
    dollars: int, lost: list[int], given_back: int
) -> None:
    """Nor than is taken: a take-back never makes a balance larger."""
    since = [
        forfeiture(each, NOW_MS)._replace(id=f"ent_{number}") for number, each in enumerate(lost)
    ]
    posting = undone(dollars, *since, adjustment(given_back))
    assert -dollars * DOLLAR <= posting.amount_nano <= 0
    reversed_nano = posting.amount_nano + dollars * DOLLAR
    left = [max(0, lost[0] - given_back), *lost[1:]] if lost else []
    assert reversed_nano == min(dollars, sum(left)) * DOLLAR


def test_purchases_undone_in_either_order_leave_nothing_owed() -> None:
    """Each adjustment names its forfeiture, so that none hides another from a later refund."""
    first, second = forfeiture(100, NOW_MS), forfeiture(100, NOW_MS)._replace(id="ent_8")
    (given_back, refund) = undone(100, first, second).entries
    assert given_back.reverses == first.id
    later = undone(100, second, given_back, refund)
    assert shown(later) == [(ADJUSTMENT, 100), (REFUND, -100)]


# ---------------------------------------------------------------------------------------- sweeps


@pytest.mark.parametrize(("available", "held"), [(7, 0), (7, 5), (1, 90)])
def test_a_sweep_takes_what_is_available(available: int, held: int) -> None:
    """Not what is held; it says which expiry it was, and leaves that as it is."""
    expired = key(available, held=held, expires_at_ms=BEFORE_MS)
    posting = swept(expired, entry_id="ent_1", now_ms=NOW_MS)
    assert shown(posting) == [(FORFEITURE, -available)]
    (entry,) = posting.entries
    assert (entry.reason, entry.expired_at_ms) == (EXPIRED, BEFORE_MS)
    assert posting.expires_at_ms == BEFORE_MS
    assert posting.forfeited_nano == available * DOLLAR
    assert expired.balance_nano + posting.amount_nano == held * DOLLAR
