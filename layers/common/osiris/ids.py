"""Ids, and the base62 they are written in.

A request's, an entry's and an order's id is a four-character prefix and 16 characters of base62:
the time in milliseconds (8 characters: they last until the year 8888) and 47 random bits. The
digits stand in ASCII's order, so texts sort as their times do. A key's id is 12 random characters
(71 bits).
"""

from __future__ import annotations

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
TIME_LENGTH = 8
RANDOM_LENGTH = 8
KEY_ID_LENGTH = 12
REQUEST_PREFIX = "req_"
ENTRY_PREFIX = "ent_"
ORDER_PREFIX = "ord_"
PREFIX_LENGTH = 4

_VALUES = {character: value for value, character in enumerate(ALPHABET)}


def base62(number: int, length: int) -> str:
    """The number in base62, padded with zeros to the length; it must fit."""
    digits = []
    for _ in range(length):
        number, value = divmod(number, 62)
        digits.append(ALPHABET[value])
    assert number == 0, "the number does not fit the length"
    return "".join(reversed(digits))


def random_base62(entropy: bytes, length: int) -> str:
    """Base62 digits from random bytes: more bits than the digits hold make the bias negligible."""
    return base62(int.from_bytes(entropy) % 62**length, length)


def time_text(at_ms: int) -> str:
    """The part of an id that tells its time; ids of one millisecond all begin with it."""
    return base62(at_ms, TIME_LENGTH)


def request_id(now_ms: int, entropy: bytes) -> str:
    """A fresh request id; `entropy` is 16 random bytes."""
    return REQUEST_PREFIX + time_text(now_ms) + random_base62(entropy, RANDOM_LENGTH)


def entry_id(now_ms: int, entropy: bytes) -> str:
    """A fresh id of an entry that is not a charge; `entropy` is 16 random bytes."""
    return ENTRY_PREFIX + time_text(now_ms) + random_base62(entropy, RANDOM_LENGTH)


def order_id(now_ms: int, entropy: bytes) -> str:
    """A fresh order id; `entropy` is 16 random bytes."""
    return ORDER_PREFIX + time_text(now_ms) + random_base62(entropy, RANDOM_LENGTH)


def key_id(entropy: bytes) -> str:
    """A fresh key id; `entropy` is 16 random bytes."""
    return random_base62(entropy, KEY_ID_LENGTH)


def made_at_ms(id_text: str) -> int:
    """When a request's, an entry's or an order's id was made."""
    at_ms = 0
    for character in id_text[PREFIX_LENGTH : PREFIX_LENGTH + TIME_LENGTH]:
        at_ms = at_ms * 62 + _VALUES[character]
    return at_ms


def is_request_id(text: str) -> bool:
    """Whether the text has the form of a request's id."""
    return _is_timed_id(text, REQUEST_PREFIX)


def is_entry_id(text: str) -> bool:
    """Whether the text has the form of an entry's id, a charge's or another's."""
    return is_request_id(text) or _is_timed_id(text, ENTRY_PREFIX)


def is_order_id(text: str) -> bool:
    """Whether the text has the form of an order's id."""
    return _is_timed_id(text, ORDER_PREFIX)


def is_key_id(text: str) -> bool:
    """Whether the text has the form of a key's id."""
    return len(text) == KEY_ID_LENGTH and is_base62(text)


def is_base62(text: str) -> bool:
    """Whether the text has base62's digits alone."""
    return text.isascii() and text.isalnum()


def _is_timed_id(text: str, prefix: str) -> bool:
    if len(text) != PREFIX_LENGTH + TIME_LENGTH + RANDOM_LENGTH:
        return False
    return text.startswith(prefix) and is_base62(text[PREFIX_LENGTH:])
