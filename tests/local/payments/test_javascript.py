"""JavaScript's JSON text, and the signature over it, come out as JavaScript has them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.payments.nowpayments.javascript import (
    number_text,
    signature,
    sort_keys,
    string_text,
    stringify,
)

VECTORS = Path(__file__).parents[2] / "vectors"
SECRET = "test_ipn_secret"


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (
            "nowpayments_ipn_documented.json",
            "c5e1128c8cbb43994d215bf38d48f1d399fef169842f95d831a0260356436d89"
            "6cbc0cc5442eb18fcbd6f8da6a6f9d39b63c91f9659896a0dd62163b12109790",
        ),
        (
            "nowpayments_ipn_numbers.json",
            "16195dd5e57e507e0a72621dba7cc557145e28d6756ad25d4a4c58b3d71e4df8"
            "1ae1b1b38e7721d0b746af3cee10b2ea1edfd2b6f9aa4a2072c75bb96f93e927",
        ),
    ],
)
def test_signatures_are_the_official_ones(file: str, expected: str) -> None:
    """Both golden bodies have the signature that the official SDK makes."""
    assert signature((VECTORS / file).read_bytes(), SECRET) == expected


def test_the_documented_spelling_of_arrays_differs() -> None:
    """The documents' sortObject turns arrays into objects, and so signs otherwise."""
    body = (VECTORS / "nowpayments_ipn_numbers.json").read_bytes()
    assert signature(body, SECRET, "object").startswith("0e74181a")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (13.0, "13"),
        (8.3e-05, "0.000083"),
        (0.000001, "0.000001"),
        (1e-7, "1e-7"),
        (1.5e-9, "1.5e-9"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.5e300, "1.5e+300"),
        (5e-324, "5e-324"),
        (-0.0, "0"),
        (-12.5, "-12.5"),
        (2**53 + 1, "9007199254740992"),
        (float("inf"), "null"),
    ],
)
def test_numbers_are_spelled_as_in_javascript(number: float, text: str) -> None:
    """Whole, small, large and unrepresentable numbers, by ECMA-262."""
    assert number_text(number) == text


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_spelled_number_is_the_same_number(number: float) -> None:
    """Whatever the spelling, it reads back as the same double."""
    assert float(number_text(number)) == number


@settings(deadline=None)
@given(st.text())
def test_text_reads_back(text: str) -> None:
    """Only what must be is escaped, and JSON reads it back."""
    assert json.loads(string_text(text)) == text
    assert ("é" in text) <= ("é" in string_text(text))


def test_keys_sort_by_utf16_and_indices_come_first() -> None:
    """A surrogate pair sorts before U+FF5E, and "10" after "9" among an object's indices."""
    value = {"～": 1, "😀": 2, "b": [{"z": 1, "a": 2}], "10": 3, "9": 4}
    assert stringify(sort_keys(value)) == '{"9":4,"10":3,"b":[{"a":2,"z":1}],"😀":2,"～":1}'
