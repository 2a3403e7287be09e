"""JSON from others: exact, or refused."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osiris.wire.exact_json import DEPTH_MAX, NUMBER_LENGTH_MAX, parse
from tests.unit.payments.provider_origin import HOSTILE


def test_numbers_stay_what_was_written() -> None:
    """A whole number is an int and any other a Decimal with its digits: no float between."""
    body = b'{"a":0.1,"b":1792.700000000000000001,"c":5745459419,"d":1e-7,"e":13.0}'
    read = parse(body)
    assert read["a"] == Decimal("0.1")
    assert str(read["b"]) == "1792.700000000000000001"
    assert read["c"] == 5745459419
    assert isinstance(read["c"], int)
    assert read["d"] == Decimal("1E-7")
    assert str(read["e"]) == "13.0"


@pytest.mark.parametrize("name", sorted(HOSTILE.keys() - {"an array", "a number", "surrogate"}))
def test_what_can_be_read_two_ways_is_refused(name: str) -> None:
    """NaN, a name twice, too deep, out of range, cut: ValueError, without a piece of the body."""
    with pytest.raises(ValueError, match=r"\S") as refused:
        parse(HOSTILE[name])
    assert "html" not in str(refused.value)
    assert "999" not in str(refused.value)


def test_the_limits_are_the_limits() -> None:
    """So deep and so long is read, one more is not."""
    assert parse(b"[" * DEPTH_MAX + b"]" * DEPTH_MAX)
    with pytest.raises(ValueError, match="deep"):
        parse(b"[" * (DEPTH_MAX + 1) + b"]" * (DEPTH_MAX + 1))
    assert parse(b"1" * NUMBER_LENGTH_MAX)
    with pytest.raises(ValueError, match="long"):
        parse(b"1" * (NUMBER_LENGTH_MAX + 1))


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None)
@given(_VALUES)
def test_what_is_written_is_read(value: Any) -> None:
    """Any value within the limits comes back as it was."""
    assert parse(json.dumps(value).encode()) == value


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """Whatever comes, it is a value or a ValueError."""
    try:
        parse(body)
    except ValueError:
        return
