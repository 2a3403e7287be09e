"""A key's expiry: calendar months in UTC, three at most, and never earlier than it was."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osiris.ledger.expiry import extended, months_later

DAY_MS = 86_400_000
YEAR_2020_MS, YEAR_2100_MS = 1_577_836_800_000, 4_102_444_800_000
TIMES_MS = st.integers(YEAR_2020_MS, YEAR_2100_MS)


def ms(text: str) -> int:
    """A time of UTC such as "2026-01-31 10:00:00.123"."""
    at = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return int((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)


@pytest.mark.parametrize(
    ("at", "months", "later"),
    [
        ("2026-11-24 10:00:00.123", 1, "2026-12-24 10:00:00.123"),
        ("2026-12-24 10:00:00", 1, "2027-01-24 10:00:00"),
        ("2026-01-31 10:00:00", 1, "2026-02-28 10:00:00"),
        ("2028-01-31 10:00:00", 1, "2028-02-29 10:00:00"),
        ("2028-01-30 10:00:00", 1, "2028-02-29 10:00:00"),
        ("2100-01-31 10:00:00", 1, "2100-02-28 10:00:00"),
        ("2028-02-29 10:00:00", 1, "2028-03-29 10:00:00"),
        ("2026-03-31 23:59:59.999", 1, "2026-04-30 23:59:59.999"),
        ("2026-08-31 00:00:00", 1, "2026-09-30 00:00:00"),
        ("2026-10-31 10:00:00", 3, "2027-01-31 10:00:00"),
        ("2026-11-30 10:00:00", 3, "2027-02-28 10:00:00"),
        ("2027-11-29 10:00:00", 3, "2028-02-29 10:00:00"),
        # Five in the evening of the 31st here is already February in Jakarta: UTC counts.
        ("2026-01-31 17:30:00", 1, "2026-02-28 17:30:00"),
    ],
)
def test_a_month_is_a_calendar_month(at: str, months: int, later: str) -> None:
    """The same day and time, or the month's last day where it has no such day."""
    assert months_later(ms(at), months) == ms(later)


@pytest.mark.parametrize(
    ("before", "now", "after"),
    [
        # Never had credit, or it expired: from now.
        (None, "2026-11-24 10:00:00", "2026-12-24 10:00:00"),
        ("2026-10-01 00:00:00", "2026-11-24 10:00:00", "2026-12-24 10:00:00"),
        ("2026-11-24 10:00:00", "2026-11-24 10:00:00", "2026-12-24 10:00:00"),
        # Still has credit: from its end.
        ("2026-12-01 00:00:00", "2026-11-24 10:00:00", "2027-01-01 00:00:00"),
        ("2027-01-24 10:00:00", "2026-11-24 10:00:00", "2027-02-24 10:00:00"),
        # No later than three months from now.
        ("2027-01-31 10:00:00", "2026-11-24 10:00:00", "2027-02-24 10:00:00"),
        ("2027-02-24 10:00:00", "2026-11-24 10:00:00", "2027-02-24 10:00:00"),
        ("2027-02-10 10:00:00", "2026-11-30 10:00:00", "2027-02-28 10:00:00"),
        # A grant went beyond three months: nothing is taken.
        ("2027-06-01 00:00:00", "2026-11-24 10:00:00", "2027-06-01 00:00:00"),
    ],
)
def test_a_purchase_extends_by_a_month(before: str | None, now: str, after: str) -> None:
    """From the expiry or from now, whichever is later, to three months from now at most."""
    assert extended(ms(before) if before else 0, ms(now)) == ms(after)


@given(at_ms=TIMES_MS, months=st.integers(1, 3))
@settings(deadline=None)
def test_a_month_has_28_to_31_days(at_ms: int, months: int) -> None:
    """Whatever the day; and the time of day stays."""
    later_ms = months_later(at_ms, months)
    assert 28 * months * DAY_MS <= later_ms - at_ms <= 31 * months * DAY_MS
    assert later_ms % DAY_MS == at_ms % DAY_MS


@given(one_ms=TIMES_MS, other_ms=TIMES_MS)
@settings(deadline=None)
def test_later_stays_later(one_ms: int, other_ms: int) -> None:
    """Of two times on different days the later one's month never ends earlier by a day."""
    soon_ms, late_ms = sorted((one_ms, other_ms))
    assert months_later(soon_ms, 1) // DAY_MS <= months_later(late_ms, 1) // DAY_MS


@given(before_ms=st.one_of(st.just(0), TIMES_MS), now_ms=TIMES_MS)
@settings(deadline=None)
def test_the_expiry_is_bounded_on_both_sides(before_ms: int, now_ms: int) -> None:
    """Never earlier than it was, never later than three months unless it was, never the past."""
    after_ms = extended(before_ms, now_ms)
    assert after_ms >= before_ms
    assert after_ms >= months_later(now_ms, 1)
    assert after_ms <= max(before_ms, months_later(now_ms, 3))


@given(now_ms=TIMES_MS, purchases=st.integers(1, 9))
@settings(deadline=None)
def test_purchases_at_once_come_to_three_months(now_ms: int, purchases: int) -> None:
    """Each adds a month until three months are reached; more add nothing."""
    expires_at_ms = 0
    for _ in range(purchases):
        expires_at_ms = extended(expires_at_ms, now_ms)
    assert expires_at_ms <= months_later(now_ms, 3)
    if purchases > 3:
        assert expires_at_ms == months_later(now_ms, 3)
