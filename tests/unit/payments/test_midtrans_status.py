"""Midtrans' words for a payment in ours, each row of the table."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from osiris.ledger.payment import CHARGEBACK, ENDED, RECEIVED, REFUND, UNKNOWN, WAITING
from osiris.payments.midtrans import JAKARTA
from osiris.payments.midtrans_status import STATES, status_of

TRANSACTION: dict[str, Any] = {
    "order_id": "ord_1-1",
    "transaction_status": "settlement",
    "status_code": "200",
    "gross_amount": "1791700.00",
    "currency": "IDR",
    "fraud_status": "accept",
    "transaction_time": "2026-11-23 22:00:01",
    "settlement_time": "2026-11-23 22:03:20",
}
PRICE = Decimal(1_791_700)


def at_ms(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc,arg-type]


def status(**changes: Any) -> Any:
    return status_of("midtrans", {**TRANSACTION, **changes}, JAKARTA)


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ("pending", WAITING),
        ("authorize", WAITING),
        ("settlement", RECEIVED),
        ("capture", RECEIVED),
        ("cancel", ENDED),
        ("expire", ENDED),
        ("deny", ENDED),
        ("failure", ENDED),
        ("PENDING", WAITING),
        ("Settlement", RECEIVED),
        ("disputed", UNKNOWN),
        ("refunded_twice", UNKNOWN),
    ],
)
def test_each_status_has_a_state(told: str, state: str) -> None:
    """In any case of letters; one that we do not know is UNKNOWN, and nothing is received by it."""
    found = status(transaction_status=told)
    assert found.state == state
    assert found.told == told.lower()
    assert found.received == (PRICE if state == RECEIVED else 0)
    assert found.complete == (state == RECEIVED)
    assert found.returned == 0
    assert found.returned_by == ""


def test_a_settlement_is_told_whole() -> None:
    """Its figures are the provider's, its time is the settlement's, in GMT+7."""
    found = status()
    assert found.provider == "midtrans"
    assert (found.id, found.reference) == ("ord_1-1", "ord_1-1")
    assert (found.price, found.asked, found.received) == (PRICE, PRICE, PRICE)
    assert (found.price_currency, found.currency) == ("IDR", "IDR")
    assert found.paid_at_ms == at_ms(2026, 11, 23, 15, 3, 20)
    assert (found.parent_id, found.child_ids) == ("", ())


def test_the_time_of_payment_has_a_substitute() -> None:
    """The transaction's time where no settlement's is told; none while nothing was paid."""
    assert status(settlement_time=None).paid_at_ms == at_ms(2026, 11, 23, 15, 0, 1)
    assert status(settlement_time="soon", transaction_time="later").paid_at_ms == 0
    assert status(transaction_status="pending").paid_at_ms == 0


@pytest.mark.parametrize("suspicion", ["challenge", "deny", "review"])
def test_a_suspicion_is_for_a_person(suspicion: str) -> None:
    """fraud_status counts where it is told: only accept is received."""
    assert status(fraud_status=suspicion).state == UNKNOWN
    assert status(fraud_status=suspicion).received == 0
    assert status(fraud_status=None).state == RECEIVED
    assert status(fraud_status="ACCEPT").state == RECEIVED


@pytest.mark.parametrize(
    ("told", "amount", "returned", "by"),
    [
        ("refund", "1791700.00", PRICE, REFUND),
        ("refund", None, PRICE, REFUND),
        ("refund", "9999999.00", PRICE, REFUND),
        ("partial_refund", "500000.00", Decimal(500_000), REFUND),
        ("partial_refund", 500000, Decimal(500_000), REFUND),
        ("chargeback", None, PRICE, CHARGEBACK),
        ("chargeback", "100.00", PRICE, CHARGEBACK),
        ("partial_chargeback", "100.00", Decimal(100), CHARGEBACK),
    ],
)
def test_what_went_back_is_told(told: str, amount: Any, returned: Decimal, by: str) -> None:
    """All refunds together and no more than was paid; the money was received all the same."""
    found = status(transaction_status=told, refund_amount=amount)
    assert (found.state, found.received) == (RECEIVED, PRICE)
    assert (found.returned, found.returned_by) == (returned, by)


@pytest.mark.parametrize("told", ["partial_refund", "partial_chargeback"])
def test_a_part_of_no_amount_is_for_a_person(told: str) -> None:
    """A part went back and nobody says how much: UNKNOWN, nothing is taken back by a guess."""
    found = status(transaction_status=told, refund_amount=None)
    assert (found.state, found.returned) == (UNKNOWN, 0)


def test_another_currency_is_passed_on() -> None:
    """What is told is told; rupiah where nothing is."""
    assert status(currency="usd").price_currency == "USD"
    assert status(currency=None).price_currency == "IDR"


@pytest.mark.parametrize(
    "amount", ["NaN", "Infinity", "-1", "1_000", "١", "1e400", "", None, True, [], "9" * 39, 1e3]
)
def test_an_amount_that_is_none_is_refused(amount: Any) -> None:
    """Not a figure: ValueError, without the figure in it."""
    with pytest.raises(ValueError, match="gross_amount"):
        status(gross_amount=amount)


def test_the_table_is_whole() -> None:
    """Every status of the documentation stands in it."""
    assert set(STATES) == {
        *("authorize", "capture", "settlement", "deny", "pending", "cancel", "expire", "failure"),
        *("refund", "partial_refund", "chargeback", "partial_chargeback"),
    }
