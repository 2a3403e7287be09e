"""NOWPayments' words for a payment in ours, each row of the table, in each form that was seen."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from osiris.ledger.payment import DETECTED, ENDED, RECEIVED, REFUND, UNKNOWN, WAITING
from osiris.payments.nowpayments_status import status_of

PAYMENT: dict[str, Any] = {
    "payment_id": 5745459419,
    "invoice_id": None,
    "payment_status": "finished",
    "pay_address": "address",
    "payin_extra_id": None,
    "price_amount": 100,
    "price_currency": "usd",
    "pay_amount": Decimal("0.00123456"),
    "actually_paid": Decimal("0.00123"),
    "pay_currency": "BTC",
    "order_id": "ord_1-1",
    "purchase_id": 5837122679,
    "outcome_amount": Decimal("0.0012"),
    "outcome_currency": "btc",
    "created_at": "2026-11-23T15:00:00.000Z",
    "updated_at": "2026-11-23T15:10:00.418Z",
    "burning_percent": "null",
    "type": "crypto2crypto",
    "payment_extra_ids": [5513339153],
    "parent_payment_id": None,
}
UPDATED_AT_MS = int(datetime(2026, 11, 23, 15, 10, tzinfo=UTC).timestamp()) * 1000 + 418
PAID = Decimal("0.00123")


def status(**changes: Any) -> Any:
    kept = {name: value for name, value in {**PAYMENT, **changes}.items() if value is not ...}
    return status_of("nowpayments", kept)


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ("waiting", WAITING),
        ("confirming", DETECTED),
        ("confirmed", DETECTED),
        ("sending", DETECTED),
        ("partially_paid", RECEIVED),
        ("finished", RECEIVED),
        ("FINISHED", RECEIVED),
        ("refunded", RECEIVED),
        ("failed", ENDED),
        ("expired", ENDED),
        ("cancelled", ENDED),
        ("canceled", ENDED),
        ("wrong_asset_confirmed", UNKNOWN),
        ("held", UNKNOWN),
    ],
)
def test_each_status_has_a_state(told: str, state: str) -> None:
    """In any case of letters; nothing is received before it is final, nor by a word unknown."""
    found = status(payment_status=told)
    assert (found.state, found.told) == (state, told.lower())
    assert found.received == (PAID if state == RECEIVED else 0)
    assert found.complete == (told.lower() == "finished")
    assert found.paid_at_ms == (UPDATED_AT_MS if state in (DETECTED, RECEIVED) else 0)


def test_a_finished_payment_is_told_whole() -> None:
    """Its price in dollars, its figures in the coin, both exact."""
    found = status()
    assert (found.provider, found.id, found.reference) == ("nowpayments", "5745459419", "ord_1-1")
    assert (found.price, found.price_currency) == (100, "USD")
    assert (str(found.asked), str(found.received)) == ("0.00123456", "0.00123")
    assert found.currency == "btc"
    assert (found.returned, found.returned_by) == (0, "")
    assert (found.parent_id, found.child_ids) == ("", ("5513339153",))


def test_a_refund_returns_all_of_it() -> None:
    """There are no partial ones."""
    found = status(payment_status="refunded")
    assert (found.received, found.returned, found.returned_by) == (PAID, PAID, REFUND)
    assert not found.complete


@pytest.mark.parametrize("told", ["finished", "partially_paid", "refunded"])
@pytest.mark.parametrize("paid", [..., None, "null", 0, "0"])
def test_money_of_no_amount_is_for_a_person(told: str, paid: Any) -> None:
    """Received, and nobody says how much: UNKNOWN, never a guess."""
    found = status(payment_status=told, actually_paid=paid)
    assert (found.state, found.received, found.returned) == (UNKNOWN, 0, 0)


def test_types_may_drift() -> None:
    """Ids and amounts as texts or numbers, "null" as a word, members missing."""
    found = status(
        payment_id="5745459419",
        price_amount="100",
        price_currency="USD",
        pay_amount="0.00123456",
        actually_paid="0.00123",
        pay_currency="btc",
        parent_payment_id="null",
        payment_extra_ids=["5513339153"],
        updated_at=str(UPDATED_AT_MS),
        burning_percent=...,
        outcome_amount=...,
    )
    assert found == status()
    assert status(order_id=None).reference == status(order_id=...).reference == ""
    assert status(pay_amount="null").asked == 0


@pytest.mark.parametrize(
    ("told", "ids"),
    [
        (None, ()),
        ("null", ()),
        (..., ()),
        ({"0": 1}, ()),
        ([], ()),
        ([1, "2", None, "null", 0], ("1", "2")),
    ],
)
def test_children_come_in_many_forms(told: Any, ids: tuple[str, ...]) -> None:
    """An array, null, a word; whoever is named is a child."""
    assert status(payment_extra_ids=told).child_ids == ids


@pytest.mark.parametrize("parent", [987654321, "987654321"])
def test_a_further_deposit_names_its_parent(parent: Any) -> None:
    """By a number or a text."""
    assert status(parent_payment_id=parent).parent_id == "987654321"
    assert status(parent_payment_id=0).parent_id == ""


@pytest.mark.parametrize(
    ("updated", "at_ms"),
    [
        (UPDATED_AT_MS, UPDATED_AT_MS),
        (UPDATED_AT_MS // 1000, UPDATED_AT_MS // 1000 * 1000),
        (Decimal(UPDATED_AT_MS) / 1000, UPDATED_AT_MS),
        ("2026-11-23T22:10:00.418+07:00", UPDATED_AT_MS),
        ("2026-11-23 15:10:00.418", UPDATED_AT_MS),
        ("soon", 0),
        (None, 0),
        (True, 0),
        (-1, 0),
        (10**15, 0),
        ("0001-01-01T00:00:00+14:00", 0),
        ([], 0),
    ],
)
def test_times_come_in_many_forms(updated: Any, at_ms: int) -> None:
    """ISO 8601 with a zone or in UTC, seconds, milliseconds; what can't be read is not told."""
    assert status(updated_at=updated).paid_at_ms == at_ms


@pytest.mark.parametrize(
    "changes",
    [
        {"payment_id": None},
        {"payment_id": True},
        {"payment_status": None},
        {"payment_status": []},
        {"price_amount": None},
        {"price_amount": "NaN"},
        {"price_amount": True},
        {"price_currency": None},
        {"pay_currency": None},
        {"actually_paid": "1e99"},
        {"actually_paid": "-1"},
        {"actually_paid": -1},
        {"actually_paid": {}},
        {"order_id": "x" * 600},
        {"payment_extra_ids": [[1]]},
    ],
)
def test_what_money_hangs_on_must_be_right(changes: dict[str, Any]) -> None:
    """A figure that is none, an id that is none: ValueError, not a half-read status."""
    with pytest.raises(ValueError, match=r"is no|is missing|out of range"):
        status(**changes)
