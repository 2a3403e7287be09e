"""The text of a key's secret: `sk-osiris-` + key id (12) + random (32) + CRC32 (6), all base62.

The key id inside makes admission need no look-up by hash; the checksum turns typos and scanners
away before the database is asked. 32 random characters are 190 bits, so a plain SHA-256 is enough.
"""

import hashlib
from binascii import crc32
from typing import NamedTuple

from osiris.ids import KEY_ID_LENGTH, base62, is_base62, random_base62

PREFIX = "sk-osiris-"
RANDOM_LENGTH = 32
CHECKSUM_LENGTH = 6
SECRET_LENGTH = len(PREFIX) + KEY_ID_LENGTH + RANDOM_LENGTH + CHECKSUM_LENGTH
ENTROPY_LENGTH = 32


class Secret(NamedTuple):
    """What of a secret is worked with: the key it names, and the hash that is compared."""

    key_id: str
    hash: bytes


def make(key_id: str, entropy: bytes) -> str:
    """A fresh secret of the key; `entropy` is 32 random bytes."""
    assert len(entropy) == ENTROPY_LENGTH
    body = PREFIX + key_id + random_base62(entropy, RANDOM_LENGTH)
    return body + _checksum(body)


def parse(text: str) -> Secret | None:
    """The secret's parts, or None when it is no secret of ours (form or checksum)."""
    if len(text) != SECRET_LENGTH or not text.startswith(PREFIX):
        return None
    if not is_base62(text[len(PREFIX) :]):
        return None
    body, checksum = text[:-CHECKSUM_LENGTH], text[-CHECKSUM_LENGTH:]
    if _checksum(body) != checksum:
        return None
    return Secret(key_id=body[len(PREFIX) : len(PREFIX) + KEY_ID_LENGTH], hash=hash_of(text))


def hash_of(text: str) -> bytes:
    """SHA-256 of the whole secret: the only thing of it that is stored."""
    return hashlib.sha256(text.encode("ascii")).digest()


def shown_prefix(key_id: str) -> str:
    """What lists show of a secret, for its owner to know it by."""
    return f"{PREFIX}{key_id[:4]}…"


def _checksum(body: str) -> str:
    return base62(crc32(body.encode("ascii")), CHECKSUM_LENGTH)
