"""Midtrans' notification: its golden signatures, and what does not pass for one."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osiris.payment_errors import WebhookForged, WebhookUnreadable
from osiris.payments.midtrans_notification import hint_of, signature
from tests.unit.payments.provider_origin import HOSTILE

KEY = "SB-Mid-server-TESTKEY0000"
ORDER = "topup-000000000001"
AMOUNT = "1791700.00"
# The first from the documentation's inputs, as other public suites have it.
GOLDEN = [
    (
        ("1111", "200", "100000.00", "askvnoibnosifnboseofinbofinfgbiufglnbfg"),
        "edc076b21793ebe3e17926350f5b8ae67d902fe657b3d0aa31b932d5c127e237"
        "5d308a2bc94f3265ac2d80a1f181a79b997ac178a236fcff35af263fc4d4c231",
    ),
    (
        (ORDER, "201", AMOUNT, KEY),
        "d4e39370e224cd758a21c58360d0d251bf159e02789aba1cade5d6719e2ee0ab"
        "03db2f8e8e0ba8f50c64c801907fce4a2a4e9cb3e4ba650b68008000003c15d1",
    ),
    (
        (ORDER, "200", AMOUNT, KEY),
        "a2d2fdcddbe71d8c04cbe2bc279b34e23378d49832984eec429b70bfa4782b2c"
        "95dc657dccf4acefdbeef965f99664a9b0edc1a0436d93c428af8b1b3ed3e3db",
    ),
    (
        (ORDER, "202", AMOUNT, KEY),
        "c3c2e9a31408bbf7065d5c7db89fa636b9e012cd50201f390515fc3c8ad2010e"
        "d30159226036faf658271c7cbb5b941c24fd5d2956e466adfc515d6c6959e4d1",
    ),
]


def notification(**changes: Any) -> bytes:
    """A settlement as Midtrans sends it, signed, then changed."""
    members = {
        "transaction_status": "settlement",
        "status_code": "200",
        "order_id": ORDER,
        "gross_amount": AMOUNT,
        "currency": "IDR",
        "fraud_status": "accept",
        "signature_key": GOLDEN[2][1],
        "a_new_member": {"of": ["any", "kind"]},
    }
    kept = {name: value for name, value in {**members, **changes}.items() if value is not ...}
    return json.dumps(kept).encode()


@pytest.mark.parametrize(("parts", "signed"), GOLDEN)
def test_the_golden_signatures_hold(parts: tuple[str, str, str, str], signed: str) -> None:
    """SHA-512 over the four texts, nothing between them."""
    assert signature(*parts) == signed


def test_a_genuine_notification_is_a_hint() -> None:
    """The payment is our reference; the amount is exact; rupiah where no currency is told."""
    hint = hint_of(notification(), KEY)
    assert hint == (ORDER, ORDER, Decimal(AMOUNT), "IDR", "settlement")
    assert hint_of(notification(currency=...), KEY).price_currency == "IDR"
    assert hint_of(notification(signature_key=GOLDEN[2][1].upper()), KEY) == hint


def test_another_status_has_the_same_signature() -> None:
    """So a notification is but a hint: settlement and refund can't be told apart by it."""
    assert hint_of(notification(transaction_status="REFUND"), KEY).told == "refund"


@pytest.mark.parametrize(
    "changes",
    [
        {"order_id": "topup-000000000002"},
        {"gross_amount": "1791700.0"},
        {"gross_amount": "17917000.00"},
        {"status_code": "201"},
        {"signature_key": "0" * 128},
        {"signature_key": "é"},
        {"signature_key": "\ud800"},
        {"order_id": "\ud800"},
        {"signature_key": GOLDEN[2][1][:-1]},
    ],
)
def test_whatever_it_covers_can_not_be_changed(changes: dict[str, Any]) -> None:
    """Forged: another order, amount or code under the signature, or none."""
    with pytest.raises(WebhookForged):
        hint_of(notification(**changes), KEY)
    with pytest.raises(WebhookForged):
        hint_of(notification(), KEY + "x")


@settings(deadline=None)
@given(st.text(min_size=1), st.text(min_size=1), st.text(min_size=1), st.text(min_size=1))
def test_made_up_notifications_are_refused(order: str, code: str, gross: str, signed: str) -> None:
    """Whatever somebody without the key writes."""
    body = notification(order_id=order, status_code=code, gross_amount=gross, signature_key=signed)
    with pytest.raises(WebhookForged):
        hint_of(body, KEY)


@pytest.mark.parametrize(
    "changes",
    [
        {"order_id": ...},
        {"status_code": ...},
        {"status_code": 200},
        {"gross_amount": ...},
        {"gross_amount": 1791700},
        {"gross_amount": None},
        {"signature_key": ...},
        {"signature_key": ""},
        {"signature_key": ["a"]},
        {"transaction_status": ...},
        {"transaction_status": {}},
        {"currency": []},
    ],
)
def test_a_notification_without_its_members_is_unreadable(changes: dict[str, Any]) -> None:
    """Missing, or of another kind."""
    with pytest.raises(WebhookUnreadable):
        hint_of(notification(**changes), KEY)


@pytest.mark.parametrize(
    ("order", "gross"),
    [(ORDER, "NaN"), (ORDER, "-1.00"), (ORDER, "1e999"), ("../../x", AMOUNT), ("a b", AMOUNT)],
)
def test_a_genuine_signature_over_nonsense_is_unreadable(order: str, gross: str) -> None:
    """Even signed, an amount must be one and an id must be one."""
    signed = signature(order, "200", gross, KEY)
    body = notification(order_id=order, gross_amount=gross, signature_key=signed)
    with pytest.raises(WebhookUnreadable):
        hint_of(body, KEY)


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_bodies_are_unreadable(body: bytes) -> None:
    """Not JSON, not an object, two readings: nothing of it gets further."""
    with pytest.raises(WebhookUnreadable) as refused:
        hint_of(body, KEY)
    assert KEY not in str(refused.value.details)
