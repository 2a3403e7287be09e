"""JavaScript's text of numbers, strings and sorted objects, to the last character."""

import json
import math
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osiris.payments.javascript import number_text, sorted_text, string_text
from osiris.wire.exact_json import parse

# What stands in a body, and what JSON.stringify(JSON.parse(…)) makes of it.
NUMBERS = {
    "0": "0",
    "-0": "0",
    "-0.0": "0",
    "0e5": "0",
    "1e-400": "0",
    "5": "5",
    "13.0": "13",
    "13.00": "13",
    "100": "100",
    "1E2": "100",
    "-2.50": "-2.5",
    "0.1": "0.1",
    "8.3e-05": "0.000083",
    "0.000083": "0.000083",
    "0.000001": "0.000001",
    "0.00000123": "0.00000123",
    "0.0000001": "1e-7",
    "1e-07": "1e-7",
    "1.5E-7": "1.5e-7",
    "-1.25e-9": "-1.25e-9",
    "123456.789": "123456.789",
    "0.09853637216235617": "0.09853637216235617",
    "5745459419": "5745459419",
    "9007199254740993": "9007199254740992",
    "12345678901234567890": "12345678901234567000",
    "123456789012345678901234567890": "1.2345678901234568e+29",
    "1e20": "100000000000000000000",
    "1.5e20": "150000000000000000000",
    "123456789012345678901": "123456789012345680000",
    "1e21": "1e+21",
    "1e22": "1e+22",
    "1.5e+21": "1.5e+21",
    "5e-324": "5e-324",
    "1.7976931348623157e308": "1.7976931348623157e+308",
    "0.30000000000000004": "0.30000000000000004",
    "1.10": "1.1",
}


@pytest.mark.parametrize(("sent", "written"), NUMBERS.items())
def test_numbers_are_written_as_javascript_does(sent: str, written: str) -> None:
    """However a number is spelled, its text is that of JSON.stringify."""
    assert sorted_text(parse(sent.encode())) == written


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_reads_back_as_itself(number: float) -> None:
    """float(text) is the number, in ECMAScript's form, with as few digits as Python needs."""
    text = number_text(number)
    assert float(text) == number
    assert re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?(e[+-][1-9][0-9]*)?", text)
    assert len(_digits(text)) <= len(_digits(repr(number)))
    if number and 1e-6 <= abs(number) < 1e21:
        assert "e" not in text
    elif number:
        assert "e" in text


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False).filter(lambda number: number != 0))
def test_no_digit_could_be_left_out(number: float) -> None:
    """One significant digit less would be another number."""
    digits = _digits(number_text(number))
    if len(digits) > 1:
        shorter = f"{number:.{len(digits) - 2}e}"
        assert math.isinf(float(shorter)) or float(shorter) != number


def _digits(text: str) -> str:
    return text.lower().partition("e")[0].replace(".", "").strip("-").strip("0")


def test_strings_are_written_as_javascript_does() -> None:
    """Non-ASCII stays, as do the slash and DEL; control characters and lone surrogates do not."""
    assert string_text("é – 100 €/\x7f\u2028😀") == '"é – 100 €/\x7f\u2028😀"'
    assert string_text('"\\\b\f\n\r\t\x00\x1f') == r'"\"\\\b\f\n\r\t\u0000\u001f"'
    assert sorted_text(parse(rb'"\ud800x\uDFFF"')) == r'"\ud800x\udfff"'
    assert sorted_text(parse(rb'"\ud83d\ude00"')) == '"😀"'


def test_names_are_sorted_as_javascript_does() -> None:
    """Array indices first, by number; then the rest, by UTF-16 code units."""
    names = [
        "b",
        "a",
        "B",
        "10",
        "9",
        "4294967295",
        "4294967294",
        "01",
        "-1",
        "",
        "é",
        "\uffee",
        "😀",
    ]
    text = sorted_text(dict.fromkeys(names, 1))
    assert list(json.loads(text)) == [
        "9",
        "10",
        "4294967294",
        "",
        "-1",
        "01",
        "4294967295",
        "B",
        "a",
        "b",
        "é",
        "😀",  # its first code unit is d83d
        "\uffee",
    ]


def test_every_level_is_sorted_and_nothing_dropped() -> None:
    """Objects in objects and in arrays; null, true and empty values stay; no spaces."""
    value = {"b": [{"z": None, "y": True}, [], {}], "a": {"d": "", "c": False}}
    assert sorted_text(value) == '{"a":{"c":false,"d":""},"b":[{"y":true,"z":null},[],{}]}'


def test_arrays_have_two_spellings() -> None:
    """The documentation's sorting makes objects of them, named by index in numeric order."""
    value: dict[str, Any] = {"a": [*range(11)], "b": []}
    text = sorted_text(value, arrays_as_objects=True)
    assert text == '{"a":{' + ",".join(f'"{i}":{i}' for i in range(11)) + '},"b":{}}'


@pytest.mark.parametrize("name", ["__proto__", "constructor"])
def test_names_with_a_meaning_are_refused(name: str) -> None:
    """What JavaScript would drop, or would not sort, can't have been signed as we would."""
    with pytest.raises(ValueError, match="meaning"):
        sorted_text({"a": {name: {"b": 1}}})
