"""What a payment buys, and what a person has to look at first: every case in a table."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osiris.ledger.order import (
    AMOUNT_DIFFERS,
    CRYPTO,
    CURRENCY_DIFFERS,
    QRIS,
    STATE_UNKNOWN,
)
from osiris.ledger.payment import (
    DETECTED,
    ENDED,
    RECEIVED,
    UNKNOWN,
    WAITING,
    Payment,
    returned_nano,
)
from osiris.ledger.purchase import FEE_SHARE_MAX, SEEN_LATE_MS_MAX, Bought, bought, problem
from tests.unit.orders import COINS, HUNDRED, MINUTE_MS, NOW_MS, RUPIAH, order, payment, status

NOTHING = Decimal(0)
PRICE = int(RUPIAH)
END_MS = NOW_MS + 20 * MINUTE_MS
DOLLAR = HUNDRED // 100


def told(method: str, received: str | int, **changed: Any) -> Bought:
    """What is bought by a payment that nothing was known of."""
    made = order(method)
    now = status(method, received=Decimal(received), **changed)
    first = Payment.first(now, order_id=made.id, part=1, seen_at_ms=now.paid_at_ms)
    return bought(made, made.parts[0], now, first)


# ----------------------------------------------------------------------------------------- QRIS


@pytest.mark.parametrize(
    ("received", "nano"),
    [
        (PRICE, HUNDRED),
        # Up to one percent above is a fee that was added, and no credit.
        (PRICE + 1, HUNDRED),
        (PRICE + PRICE // 100, HUNDRED),
        # More is in proportion, all of it.
        (PRICE + PRICE // 100 + 1, 101 * DOLLAR + 55_812),
        (PRICE * 3 // 2, 150 * DOLLAR),
        (PRICE * 2, 200 * DOLLAR),
        # Less is in proportion, rounded down.
        (PRICE * 6 // 10, 60 * DOLLAR),
        (PRICE - 1, 99_999_944_187),
        (17_917, DOLLAR),
        (1, 55_812),
    ],
)
def test_rupiah_buy_in_proportion(received: int, nano: int) -> None:
    """To the price quoted, whenever they come."""
    assert told(QRIS, received) == Bought(nano, NOTHING)
    assert told(QRIS, received, paid_at_ms=END_MS + 7 * 86_400_000) == Bought(nano, NOTHING)


@given(received=st.integers(1, 10**9))
@settings(deadline=None)
def test_no_rupiah_is_sold_too_cheaply(received: int) -> None:
    """Nor dropped: what is bought is within a nano-dollar of the share, but for a fee's room."""
    nano = told(QRIS, received).nano
    exact = Decimal(HUNDRED) * received / PRICE
    if PRICE <= received <= PRICE * (1 + FEE_SHARE_MAX):
        assert nano == HUNDRED
    else:
        assert 0 <= exact - nano < 1


# ---------------------------------------------------------------------------------------- crypto

LATE = {"paid_at_ms": END_MS + SEEN_LATE_MS_MAX + 1}


@pytest.mark.parametrize(
    ("received", "changed", "nano", "beside"),
    [
        ("0.002", {}, HUNDRED, "0"),
        ("0.002", {"complete": True}, HUNDRED, "0"),
        # Less: the share; or all of it where the provider takes the price as met.
        ("0.0012", {}, 60 * DOLLAR, "0"),
        ("0.001994", {}, 99_700_000_000, "0"),
        ("0.001994", {"complete": True}, HUNDRED, "0"),
        # More: what is above the quote is valued beside it.
        ("0.003", {}, HUNDRED, "0.001"),
        ("0.003", {"complete": True}, HUNDRED, "0.001"),
        # Seen up to ten minutes after the end is in time; later is all valued.
        ("0.002", {"paid_at_ms": END_MS + SEEN_LATE_MS_MAX}, HUNDRED, "0"),
        ("0.002", LATE, 0, "0.002"),
        ("0.002", LATE | {"complete": True}, 0, "0.002"),
        # A further deposit, another coin, and a payment that asked for nothing are valued.
        ("0.002", {"parent_id": "p0"}, 0, "0.002"),
        ("0.03", {"parent_id": "p0", "currency": "eth"}, 0, "0.03"),
        ("0.03", {"currency": "eth"}, 0, "0.03"),
        ("0.002", {"asked": NOTHING}, 0, "0.002"),
    ],
)
def test_coins_buy_at_the_quote_or_beside_it(
    received: str, changed: dict[str, Any], nano: int, beside: str
) -> None:
    """The quote holds for its coin, its amount and its time; the rest goes at the present rate."""
    assert told(CRYPTO, received, **changed) == Bought(nano, Decimal(beside))


KNOWN = payment(CRYPTO, received=COINS, bought_nano=HUNDRED)


@pytest.mark.parametrize(
    ("before", "received", "changed", "expected"),
    [
        # What was reckoned is not reckoned anew; what comes on top is valued.
        (KNOWN, "0.002", {}, Bought(HUNDRED, NOTHING)),
        (KNOWN, "0.0025", {}, Bought(HUNDRED, Decimal("0.0005"))),
        (KNOWN, "0.0025", LATE, Bought(HUNDRED, Decimal("0.0005"))),
        (KNOWN, "0.0025", {"complete": True}, Bought(HUNDRED, Decimal("0.0005"))),
        # The provider's figure never shrinks what was bought.
        (KNOWN, "0.001", {}, Bought(HUNDRED, NOTHING)),
        # What was seen in time is in time, however late it became final.
        (payment(CRYPTO), "0.002", LATE, Bought(HUNDRED, NOTHING)),
        (payment(CRYPTO, seen_at_ms=LATE["paid_at_ms"]), "0.002", {}, Bought(0, COINS)),
    ],
)
def test_what_was_known_stands(
    before: Payment, received: str, changed: dict[str, Any], expected: Bought
) -> None:
    """A payment is looked at many times; its past decides with its present."""
    made = order(CRYPTO)
    now = status(CRYPTO, received=Decimal(received), **changed)
    assert bought(made, made.parts[0], now, before) == expected


def test_more_rupiah_are_reckoned_by_the_price() -> None:
    """QRIS has no rate of its own: the whole is reckoned anew, and only grows."""
    made = order(QRIS)
    before = payment(QRIS, received=Decimal(PRICE // 2), bought_nano=HUNDRED // 2)
    assert bought(made, made.parts[0], status(QRIS), before) == Bought(HUNDRED, NOTHING)
    less = status(QRIS, received=Decimal(1))
    assert bought(made, made.parts[0], less, before) == Bought(HUNDRED // 2, NOTHING)


@pytest.mark.parametrize("method", [QRIS, CRYPTO])
@pytest.mark.parametrize("state", [WAITING, DETECTED, ENDED, UNKNOWN])
@pytest.mark.parametrize("before_nano", [0, HUNDRED])
def test_only_what_is_final_buys(method: str, state: str, before_nano: int) -> None:
    """Whatever figures come with another state; what was bought before stays bought."""
    made, before = order(method), payment(method, bought_nano=before_nano)
    now = status(method, state=state)
    assert bought(made, made.parts[0], now, before) == Bought(before_nano, NOTHING)


# --------------------------------------------------------------------------------- what goes back


@pytest.mark.parametrize(
    ("received", "returned", "undone"),
    [
        ("1791700", "0", 0),
        ("1791700", "1791700", HUNDRED),
        ("1791700", "1791701", HUNDRED),
        ("1791700", "895850", HUNDRED // 2),
        ("1791700", "1", 55_812),
        ("0.003", "0.001", 33_333_333_333),
        ("0", "0", 0),
    ],
)
def test_returns_undo_their_share(received: str, returned: str, undone: int) -> None:
    """All refunds of a payment together, rounded down; a whole return undoes the whole."""
    paid = payment(
        bought_nano=HUNDRED,
        credited_nano=HUNDRED,
        received=Decimal(received),
        returned=Decimal(returned),
    )
    assert returned_nano(paid) == undone
    assert paid.outstanding_nano == -undone


# ------------------------------------------------------------------------------------- a person


@pytest.mark.parametrize(
    ("method", "changed", "expected"),
    [
        (QRIS, {}, ""),
        (CRYPTO, {}, ""),
        (QRIS, {"state": UNKNOWN}, STATE_UNKNOWN),
        (CRYPTO, {"state": UNKNOWN}, STATE_UNKNOWN),
        (CRYPTO, {"state": UNKNOWN, "parent_id": "p0"}, STATE_UNKNOWN),
        (QRIS, {"price_currency": "USD"}, CURRENCY_DIFFERS),
        (CRYPTO, {"price_currency": "EUR"}, CURRENCY_DIFFERS),
        (CRYPTO, {"price_currency": "IDR"}, CURRENCY_DIFFERS),
        # Rupiah are what they are: less and more have their rule. Coins have a price apart.
        (QRIS, {"price": Decimal(1), "received": Decimal(1)}, ""),
        (CRYPTO, {"price": Decimal(99)}, AMOUNT_DIFFERS),
        (CRYPTO, {"price": Decimal("100.00")}, ""),
        (CRYPTO, {"currency": "eth"}, CURRENCY_DIFFERS),
        # A further deposit has its own price, and may be of another coin.
        (CRYPTO, {"parent_id": "p0", "price": Decimal(7)}, ""),
        (CRYPTO, {"parent_id": "p0", "currency": "eth"}, ""),
        (CRYPTO, {"parent_id": "p0", "price_currency": "EUR"}, CURRENCY_DIFFERS),
        (CRYPTO, {"state": WAITING}, ""),
        (QRIS, {"state": ENDED}, ""),
        (QRIS, {"state": RECEIVED, "returned": Decimal(5)}, ""),
    ],
)
def test_what_a_person_looks_at(method: str, changed: dict[str, Any], expected: str) -> None:
    """Nothing is credited on figures that are about something else, or on unknown words."""
    made = order(method)
    assert problem(made, made.parts[0], status(method, **changed), None) == expected
