"""NOWPayments' notification: its golden signatures, and what does not pass for one."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osiris.payment_errors import WebhookForged, WebhookUnreadable
from osiris.payments.nowpayments_notification import hint_of, signature
from osiris.wire.exact_json import parse
from tests.unit.payments.provider_origin import HOSTILE

SECRET = "test_ipn_secret"
VECTORS = Path(__file__).parents[2] / "vectors"
DOCUMENTED = (VECTORS / "nowpayments_ipn_documented.json").read_bytes()
NUMBERS = (VECTORS / "nowpayments_ipn_numbers.json").read_bytes()
# By the official SDK's createWebhookSignature.
DOCUMENTED_SIGNATURE = (
    "c5e1128c8cbb43994d215bf38d48f1d399fef169842f95d831a0260356436d89"
    "6cbc0cc5442eb18fcbd6f8da6a6f9d39b63c91f9659896a0dd62163b12109790"
)
NUMBERS_SIGNATURE = (
    "16195dd5e57e507e0a72621dba7cc557145e28d6756ad25d4a4c58b3d71e4df8"
    "1ae1b1b38e7721d0b746af3cee10b2ea1edfd2b6f9aa4a2072c75bb96f93e927"
)


def signed(body: bytes) -> str:
    return signature(parse(body), SECRET)


def notification(**changes: Any) -> bytes:
    """A notification as it is sent, with these changes."""
    members = {
        "payment_id": 5745459419,
        "payment_status": "finished",
        "price_amount": 100,
        "price_currency": "usd",
        "order_id": "ord_1-1",
        "actually_paid": 0.00123,
        "fee": {"currency": "btc", "depositFee": 8.3e-05},
    }
    kept = {name: value for name, value in {**members, **changes}.items() if value is not ...}
    return json.dumps(kept).encode()


@pytest.mark.parametrize(
    ("body", "told"),
    [(DOCUMENTED, DOCUMENTED_SIGNATURE), (NUMBERS, NUMBERS_SIGNATURE)],
)
def test_the_golden_signatures_hold(body: bytes, told: str) -> None:
    """The official SDK's, over the documentation's sample and over awkward numbers and texts."""
    assert signed(body) == told
    hint_of(body, told, SECRET)


def test_a_genuine_notification_is_a_hint() -> None:
    """Which payment of which part, its price, and what is said of it."""
    hint = hint_of(NUMBERS, NUMBERS_SIGNATURE, SECRET)
    assert hint == ("5745459419", "ord_01/é", Decimal(100), "USD", "partially_paid")
    assert hint_of(DOCUMENTED, DOCUMENTED_SIGNATURE, SECRET).reference == ""


def test_both_spellings_of_arrays_are_genuine() -> None:
    """The documentation's sorting, which makes objects of them, gives another signature."""
    other = signature(parse(NUMBERS), SECRET, arrays_as_objects=True)
    assert other.startswith("0e74181a")
    assert hint_of(NUMBERS, other, SECRET) == hint_of(NUMBERS, NUMBERS_SIGNATURE, SECRET)


def test_python_s_own_text_is_not_what_is_signed() -> None:
    """The documentation's Python sample refuses what the SDK signs."""
    text = json.dumps(json.loads(NUMBERS), separators=(",", ":"), sort_keys=True)
    assert "8.3e-05" in text
    assert "0.000083" not in text


@pytest.mark.parametrize(
    ("told", "secret"),
    [
        (NUMBERS_SIGNATURE.upper(), SECRET),
        (f" {NUMBERS_SIGNATURE}\n", SECRET),
        (NUMBERS_SIGNATURE.title(), SECRET),
    ],
)
def test_case_and_spaces_do_not_matter(told: str, secret: str) -> None:
    """Hexadecimal digits in either case, spaces around."""
    assert hint_of(NUMBERS, told, secret).payment_id == "5745459419"


def test_how_the_values_are_written_does_not_matter() -> None:
    """The signature is over the values: other spaces, order, escapes and spellings of numbers."""
    told = json.loads(NUMBERS)
    spelled = json.dumps(dict(reversed(told.items())), indent=1).encode()
    assert b"8.3e-05" in spelled
    assert b"\\u00e9" in spelled
    assert hint_of(spelled, NUMBERS_SIGNATURE, SECRET).payment_id == "5745459419"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"5745459419", b"5745459418"),
        (b'"partially_paid"', b'"finished"'),
        (b"0.00123,", b"0.00124,"),
        (b"ord_01", b"ord_02"),
        (b"4526424492", b"4526424493"),
        (b'"fee":{', b'"fee":{"more":0,'),
        (b'"price_amount":100,', b""),
        (b'"btc","withdrawalFee"', b'"eth","withdrawalFee"'),
    ],
)
def test_nothing_in_it_can_be_changed(old: bytes, new: bytes) -> None:
    """Each member counts, at every level."""
    assert old in NUMBERS
    with pytest.raises(WebhookForged):
        hint_of(NUMBERS.replace(old, new), NUMBERS_SIGNATURE, SECRET)


@pytest.mark.parametrize(
    "told",
    ["", "0" * 128, NUMBERS_SIGNATURE[:-1], NUMBERS_SIGNATURE[:64], "é" * 64, "\u0661" * 128],
)
def test_another_signature_is_forged(told: str) -> None:
    """None, a part of it, another, or one that is not even ASCII; or by another secret."""
    with pytest.raises(WebhookForged):
        hint_of(NUMBERS, told, SECRET)
    with pytest.raises(WebhookForged):
        hint_of(NUMBERS, NUMBERS_SIGNATURE, "another")


@settings(deadline=None)
@given(st.text(max_size=130), st.binary(max_size=130))
def test_made_up_signatures_are_refused(text: str, raw: bytes) -> None:
    """Whatever somebody without the secret writes."""
    for told in (text, raw.hex()):
        with pytest.raises(WebhookForged):
            hint_of(NUMBERS, told, SECRET)


@pytest.mark.parametrize(
    "changes",
    [
        {"payment_id": ...},
        {"payment_id": None},
        {"payment_id": "../x"},
        {"payment_id": 1.5},
        {"payment_status": ...},
        {"price_amount": ...},
        {"price_amount": "NaN"},
        {"price_amount": -1},
        {"price_currency": None},
        {"order_id": []},
    ],
)
def test_a_genuine_one_without_its_members_is_unreadable(changes: dict[str, Any]) -> None:
    """A notification of something else, such as a payout, or a figure that is none."""
    body = notification(**changes)
    with pytest.raises(WebhookUnreadable):
        hint_of(body, signed(body), SECRET)


def test_types_may_drift() -> None:
    """The id and the price as texts or numbers."""
    for body in (notification(), notification(payment_id="5745459419", price_amount="100.0")):
        hint = hint_of(body, signed(body), SECRET)
        assert hint == ("5745459419", "ord_1-1", Decimal(100), "USD", "finished")


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_bodies_credit_nothing(body: bytes) -> None:
    """Not JSON, not an object, two readings: unreadable; an object of theirs is forged."""
    expected = WebhookForged if body == HOSTILE["surrogate"] else WebhookUnreadable
    with pytest.raises(expected) as refused:
        hint_of(body, NUMBERS_SIGNATURE, SECRET)
    assert SECRET not in str(refused.value.details)


def test_a_name_that_javascript_drops_is_unreadable() -> None:
    """It could stand in a body and not in what is signed."""
    body = NUMBERS[:-2] + b',"__proto__":{"payment_status":"finished"}}'
    with pytest.raises(WebhookUnreadable):
        hint_of(body, NUMBERS_SIGNATURE, SECRET)
