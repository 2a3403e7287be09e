"""The states that an order's owner sees, held against the table of transitions."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest

from osiris.ledger.order import (
    CANCELLED,
    CHARGED_BACK,
    CREDITED,
    EXPIRED,
    PART_PAID,
    PENDING,
    QUOTED,
    REFUNDED,
    TRANSITIONS,
    shown_state,
)
from osiris.ledger.payment import CHARGEBACK, REFUND
from tests.unit.orders import HUNDRED, order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris.ledger.order import Order

HALF = HUNDRED // 2


@pytest.mark.parametrize(
    ("stored", "credited", "taken_back", "by", "shown"),
    [
        (QUOTED, 0, 0, "", QUOTED),
        (PENDING, 0, 0, "", PENDING),
        (EXPIRED, 0, 0, "", EXPIRED),
        (CANCELLED, 0, 0, "", CANCELLED),
        (PENDING, HALF, 0, "", PART_PAID),
        (EXPIRED, HALF, 0, "", PART_PAID),
        (CANCELLED, HUNDRED, 0, "", CREDITED),
        (PENDING, HUNDRED, 0, "", CREDITED),
        (PENDING, HUNDRED + HALF, 0, "", CREDITED),
        (PENDING, HUNDRED, HALF, REFUND, CREDITED),
        (PENDING, HALF, 1, REFUND, PART_PAID),
        (PENDING, HUNDRED, HUNDRED, REFUND, REFUNDED),
        (PENDING, HUNDRED, HUNDRED, CHARGEBACK, CHARGED_BACK),
        (PENDING, HALF, HALF, CHARGEBACK, CHARGED_BACK),
        (PENDING, 0, 0, REFUND, REFUNDED),
        (EXPIRED, 0, 0, CHARGEBACK, CHARGED_BACK),
    ],
)
def test_the_state_follows_from_the_sums(
    stored: str, credited: int, taken_back: int, by: str, shown: str
) -> None:
    """What money did counts before the quote's life."""
    made = order(state=stored, credited_nano=credited, taken_back_nano=taken_back, taken_back_by=by)
    assert shown_state(made) == shown


def test_every_way_is_in_the_table_and_no_other() -> None:
    """All orders that can come about, one step at a time, by payments of a half or the whole."""
    beginning = order(state=QUOTED, credited_nano=0)
    waiting, known = [beginning], {beginning}
    seen: set[tuple[str, str]] = set()
    while waiting:
        before = waiting.pop()
        for after in _steps(before):
            if shown_state(before) != shown_state(after):
                seen.add((shown_state(before), shown_state(after)))
            if after not in known:
                known.add(after)
                waiting.append(after)
    table = {(start, end) for start, ends in TRANSITIONS.items() for end in ends}
    assert seen - table == set()
    assert table - seen == set()


def test_no_sums_are_without_a_state() -> None:
    """Each state of the table, and no other, is shown for some sums."""
    sums = [(0, 0), (HALF, 0), (HALF, HALF), (HUNDRED, 0), (HUNDRED, HALF), (HUNDRED, HUNDRED)]
    shown = {
        shown_state(
            order(state=stored, credited_nano=credited, taken_back_nano=back, taken_back_by=by)
        )
        for stored, (credited, back), by in product(
            (QUOTED, PENDING, EXPIRED, CANCELLED), sums, ("", REFUND, CHARGEBACK)
        )
    }
    assert shown == TRANSITIONS.keys()


def _steps(before: Order) -> Iterator[Order]:
    """What can happen next. Only what was started can be paid: before, nobody knows how."""
    if before.state == QUOTED:
        yield before._replace(state=PENDING)
    if before.state in (QUOTED, PENDING) and shown_state(before) in (QUOTED, PENDING, PART_PAID):
        yield before._replace(state=EXPIRED)
    if shown_state(before) in (QUOTED, PENDING):
        yield before._replace(state=CANCELLED)
    if before.state == QUOTED:
        return
    paid = len(before.payment_ids)
    if paid < 3:
        one_more = before._replace(payment_ids=before.payment_ids | {f"p{paid}"})
        for nano in (HALF, HUNDRED):
            yield one_more._replace(credited_nano=before.credited_nano + nano)
        for by in (REFUND, CHARGEBACK):
            # It went back before we heard that it came.
            yield one_more._replace(taken_back_by=by)
    if before.taken_back_nano < before.credited_nano:
        for by in (REFUND, CHARGEBACK):
            less = before._replace(taken_back_by=by)
            yield less._replace(taken_back_nano=before.taken_back_nano + HALF)
