"""Ids: sorted by time, told apart by chance, recognised by form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris import ids

LAST_MS = 62**8 - 1
TIMES = st.integers(0, LAST_MS)
ENTROPY = st.binary(min_size=16, max_size=16)


@given(TIMES, TIMES, ENTROPY, ENTROPY)
def test_ids_sort_as_their_times(first_ms: int, second_ms: int, one: bytes, other: bytes) -> None:
    """Of two ids the one made earlier sorts first, whatever the rest of them."""
    if first_ms < second_ms:
        assert ids.request_id(first_ms, one) < ids.request_id(second_ms, other)
        assert ids.entry_id(first_ms, one) < ids.entry_id(second_ms, other)
        assert ids.time_text(first_ms) < ids.time_text(second_ms)


@given(TIMES, ENTROPY)
def test_an_id_tells_when_it_was_made(at_ms: int, entropy: bytes) -> None:
    """The time in an id is the time it was made, and its form is known again."""
    request = ids.request_id(at_ms, entropy)
    assert ids.made_at_ms(request) == ids.made_at_ms(ids.entry_id(at_ms, entropy)) == at_ms
    assert ids.is_request_id(request)
    for entry in (request, ids.entry_id(at_ms, entropy)):
        assert ids.is_entry_id(entry)
        assert not ids.is_entry_id(entry[:-1])
    assert not ids.is_entry_id(ids.order_id(at_ms, entropy))
    assert len(request) == 20
    assert request[4:].startswith(ids.time_text(at_ms))


def test_chance_tells_ids_apart() -> None:
    """Ids of one millisecond differ when their entropy does, and only then."""
    made = {ids.request_id(5, number.to_bytes(16)) for number in range(1000)}
    assert len(made) == 1000
    assert ids.request_id(5, b"a" * 16) == ids.request_id(5, b"a" * 16)


@given(ENTROPY)
def test_key_ids(entropy: bytes) -> None:
    """A key's id is twelve digits of base62."""
    key_id = ids.key_id(entropy)
    assert ids.is_key_id(key_id)
    assert len(key_id) == ids.KEY_ID_LENGTH


@pytest.mark.parametrize(
    "text",
    [
        "",
        "req_",
        "req_0VbspRTtEAqgxNt",
        "req_0VbspRTtEAqgxNtff",
        "ent_0VbspRTtEAqgxNtf",
        "req_0VbspRTtEAqgxNt-",
        "req_0VbspRTtEAqgxNt١",
        "req_0VbspRTtEAqgxNtf\n",
    ],
)
def test_what_is_no_id(text: str) -> None:
    """Anything of another form is no request's id, and no key's."""
    assert not ids.is_request_id(text)
    assert not ids.is_key_id(text)


def test_base62_refuses_what_does_not_fit() -> None:
    """A number that its length can't hold is a mistake of ours."""
    assert ids.base62(61, 1) == "z"
    with pytest.raises(AssertionError):
        ids.base62(62, 1)
