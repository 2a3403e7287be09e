"""A key's secret: made, recognised, and never mistaken."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris import secrets_text
from osiris.ids import ALPHABET

KEY_ID = "0Abz9876XYZw"
ENTROPY = st.binary(min_size=32, max_size=32)
SECRET = secrets_text.make(KEY_ID, b"\x07" * 32)


@given(ENTROPY)
def test_what_is_made_is_recognised(entropy: bytes) -> None:
    """A secret names its key, and its hash is SHA-256 of its text."""
    text = secrets_text.make(KEY_ID, entropy)
    secret = secrets_text.parse(text)
    assert secret is not None
    assert secret.key_id == KEY_ID
    assert secret.hash == hashlib.sha256(text.encode()).digest() == secrets_text.hash_of(text)
    assert len(text) == secrets_text.SECRET_LENGTH == 60


def test_each_bit_of_entropy_counts() -> None:
    """Secrets of different entropy differ."""
    made = {secrets_text.make(KEY_ID, number.to_bytes(32)) for number in range(1000)}
    assert len(made) == 1000


@given(st.integers(0, len(SECRET) - 1), st.sampled_from(ALPHABET + "-_ \n"))
def test_a_typo_is_seen(place: int, character: str) -> None:
    """A secret with one character changed is none."""
    changed = SECRET[:place] + character + SECRET[place + 1 :]
    assert (secrets_text.parse(changed) is None) == (changed != SECRET)


@pytest.mark.parametrize(
    "text",
    ["", "sk-osiris-", SECRET[:-1], SECRET + "0", SECRET + "\n", " " + SECRET, SECRET.upper()],
)
def test_another_form_is_none(text: str) -> None:
    """What has not the form of a secret is none."""
    assert secrets_text.parse(text) is None


@pytest.mark.parametrize("place", range(10, 59))
def test_neighbours_swapped_are_seen(place: int) -> None:
    """Two neighbouring characters that changed places are seen."""
    swapped = SECRET[:place] + SECRET[place + 1] + SECRET[place] + SECRET[place + 2 :]
    assert secrets_text.parse(swapped) is None or swapped == SECRET


def test_lists_show_little() -> None:
    """What a list shows of a secret holds nothing of its random part."""
    assert secrets_text.shown_prefix(KEY_ID) == "sk-osiris-0Abz…"
