"""An order: its parts, its references, when it is open, and when its provider is asked again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osiris.ids import order_id
from osiris.ledger.order import (
    CANCELLED,
    EXPIRED,
    GAP_MS_MAX,
    GAP_MS_MIN,
    PENDING,
    QUOTED,
    QUOTED_MS_MAX,
    WATCHED_AFTER_END_MS,
    Part,
    next_check_at_ms,
    place_of,
    reference,
    rupiah_parts,
)
from osiris.ledger.payment import REFUND
from osiris.money import NANO_PER_DOLLAR
from tests.unit.orders import HUNDRED, ID, MINUTE_MS, NOW_MS, order

DAY_MS = 86_400_000
QRIS_MAX = 10_000_000

# ------------------------------------------------------------------------------------- the parts


@given(
    price=st.integers(1, 10**12),
    amount_nano=st.integers(1, 10**15),
    most=st.one_of(st.just(QRIS_MAX), st.integers(10**6, 10**8)),
)
@settings(deadline=None)
def test_parts_sum_exactly(price: int, amount_nano: int, most: int) -> None:
    """Both sums come out, no part is above the most, and there are as few as can be."""
    most = max(most, price // 500)
    parts = rupiah_parts(ID, price_rupiah=price, amount_nano=amount_nano, most_rupiah=most)
    prices = [int(part.price) for part in parts]
    assert sum(prices) == price
    assert sum(part.credit_nano for part in parts) == amount_nano
    assert 0 < min(prices) <= max(prices) <= most
    assert (len(parts) - 1) * most < price
    assert min(part.credit_nano for part in parts) >= 0


@pytest.mark.parametrize(
    ("dollars", "prices", "credits"),
    [
        (100, [1_791_700], ["100000000000"]),
        (500, [8_958_500], ["500000000000"]),
        (1000, [8_958_500, 8_958_500], ["500000000000", "500000000000"]),
        (2500, [8_958_500] * 5, ["500000000000"] * 5),
    ],
)
def test_the_packages_at_17917(dollars: int, prices: list[int], credits: list[str]) -> None:
    """What each package comes to at Rp 17,917 a dollar."""
    parts = rupiah_parts(
        ID,
        price_rupiah=dollars * 17_917,
        amount_nano=dollars * NANO_PER_DOLLAR,
        most_rupiah=QRIS_MAX,
    )
    assert [int(part.price) for part in parts] == prices
    assert [str(part.credit_nano) for part in parts] == credits


def test_the_last_part_takes_what_is_left() -> None:
    """Of a price and an amount that do not divide."""
    parts = rupiah_parts(ID, price_rupiah=20_000_001, amount_nano=100, most_rupiah=QRIS_MAX)
    assert [part.price for part in parts] == ["6666667", "6666667", "6666667"]
    assert [part.credit_nano for part in parts] == [33, 33, 34]
    assert [part.reference for part in parts] == [f"{ID}-1", f"{ID}-2", f"{ID}-3"]


# -------------------------------------------------------------------------------- the references


@given(
    now_ms=st.integers(0, 10**13),
    entropy=st.binary(min_size=16, max_size=16),
    number=st.integers(1, 100),
    attempt=st.integers(0, 9),
)
@settings(deadline=None)
def test_a_reference_leads_back(now_ms: int, entropy: bytes, number: int, attempt: int) -> None:
    """To its order and part, at every attempt; and fits what Midtrans takes."""
    id = order_id(now_ms, entropy)
    text = reference(id, number, attempt)
    assert place_of(text) == (id, number)
    assert len(text) <= 46
    assert all(other == attempt or reference(id, number, other) != text for other in range(10))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "QRIS-01bf5e23",
        "topup-000000000001",
        ID,
        f"{ID}-",
        f"{ID}--1",
        f"{ID}1",
        f"{ID}-x",
        f"{ID}-1-x",
        f"{ID}-+1",
        f"{ID}- 1",
        f"{ID}-1.0",
        f"{ID}-\u0661",
        f"{ID}-\u00b2",
        f"{ID}-\ud800",
        f"{ID}-" + "9" * 5_000,
        f" {ID}-1",
        f"req_{ID[4:]}-1",
        f"{ID[:-1]}é-1",
        f"ord_{'-' * 16}-1",
    ],
)
def test_a_strange_reference_leads_nowhere(text: str) -> None:
    """Whatever a provider sends back as an order's id."""
    assert place_of(text) is None


@given(text=st.text(max_size=80))
@settings(deadline=None)
def test_no_text_is_an_error(text: str) -> None:
    """A text is a reference of ours, or none."""
    for given_text in (text, f"{ID}{text}", f"{ID}-{text}"):
        place = place_of(given_text)
        assert place is None or place[0] == given_text[: len(ID)]


# --------------------------------------------------------------------------------- open, watched


UNSTARTED = (Part(f"{ID}-1", "1", HUNDRED),)


@pytest.mark.parametrize(
    ("changes", "after_ms", "is_open"),
    [
        ({}, 0, True),
        ({}, 20 * MINUTE_MS - 1, True),
        ({}, 20 * MINUTE_MS, False),
        ({"state": QUOTED}, 0, True),
        ({"state": QUOTED}, QUOTED_MS_MAX, False),
        ({"state": EXPIRED}, 0, False),
        ({"state": CANCELLED}, 0, False),
        ({"credited_nano": HUNDRED // 2}, 0, True),
        ({"credited_nano": HUNDRED}, 0, False),
        ({"credited_nano": 1, "taken_back_nano": 1, "taken_back_by": REFUND}, 0, False),
        ({"taken_back_by": REFUND}, 0, False),
    ],
)
def test_an_open_order(changes: dict[str, Any], after_ms: int, is_open: bool) -> None:
    """It waits to be paid, or for the rest of it, within its quote; a lost start gives way."""
    assert order(**changes).is_open(NOW_MS + after_ms) is is_open


@pytest.mark.parametrize("state", [PENDING, EXPIRED, CANCELLED])
def test_a_started_order_is_watched_for_eight_days(state: str) -> None:
    """Whatever became of its quote: money may still come."""
    made = order(state=state)
    end_ms = made.expires_at_ms + WATCHED_AFTER_END_MS
    assert made.is_watched(end_ms - 1)
    assert not made.is_watched(end_ms)
    assert not made._replace(parts=UNSTARTED).is_watched(NOW_MS)


# ----------------------------------------------------------------------------- the next question


@given(late_ms=st.lists(st.integers(0, 5 * MINUTE_MS), min_size=1, max_size=40))
@settings(deadline=None)
def test_gaps_grow_and_end(late_ms: list[int]) -> None:
    """Whenever the watch comes by: from a minute to a day, not past the quote's end, 8 days."""
    made = order(expires_at_ms=NOW_MS + 60 * MINUTE_MS)
    end_ms = made.expires_at_ms + WATCHED_AFTER_END_MS
    now_ms, gaps_ms = NOW_MS, []
    for number in range(100):
        next_ms = next_check_at_ms(made, now_ms)
        if next_ms == 0:
            break
        assert now_ms < next_ms <= now_ms + GAP_MS_MAX
        assert not now_ms < made.expires_at_ms < next_ms - 1
        if next_ms != made.expires_at_ms + 1:
            gaps_ms.append(next_ms - now_ms)
        now_ms = next_ms + late_ms[number % len(late_ms)]
    assert now_ms >= end_ms
    assert gaps_ms == sorted(gaps_ms)
    assert gaps_ms[0] == GAP_MS_MIN
    assert number < 40


def test_an_order_of_twenty_minutes_is_asked_about_so_often() -> None:
    """Some ten times in its first hour, once a day at last."""
    made = order()
    now_ms, minutes = NOW_MS, []
    while next_ms := next_check_at_ms(made, now_ms):
        now_ms = next_ms
        minutes.append((now_ms - NOW_MS) // MINUTE_MS)
    assert minutes[:10] == [1, 2, 3, 4, 6, 10, 15, 20, 30, 45]
    assert [minute * MINUTE_MS // DAY_MS for minute in minutes[-7:]] == [2, 3, 4, 5, 6, 7, 8]


def test_a_credited_order_is_still_asked_about() -> None:
    """A second deposit, or a refund, may come without a webhook."""
    made = order(credited_nano=HUNDRED)
    assert made.is_watched(NOW_MS)
    assert next_check_at_ms(made, NOW_MS) > NOW_MS
