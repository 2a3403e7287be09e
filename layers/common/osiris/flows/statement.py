"""A key's ledger with a running balance, for its operator."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from osiris.errors import KeyNotFound
from osiris.ids import made_at_ms

if TYPE_CHECKING:
    from osiris.app.full import FullApp
    from osiris.ledger.entry import Entry
    from osiris.ledger.key import Key


class Line(NamedTuple):
    """One entry. While its hold is open it is not settled, and the balance is without it."""

    entry: Entry
    settled: bool
    balance_nano: int


class Statement(NamedTuple):
    """The newest lines of the time asked for, oldest first, and how many older ones were left."""

    key: Key
    lines: list[Line]
    omitted: int


def statement(
    app: FullApp, key_id: str, *, from_ms: int, until_ms: int | None, lines_max: int
) -> Statement:
    """The entries of [from_ms, until_ms) by the time that their ids tell. Raises KeyNotFound.

    All entries before are read, too, for the balance that they come to.
    """
    key = app.keys.read_as_stored(key_id)
    if key is None:
        raise KeyNotFound
    balance_nano = found = 0
    lines: deque[Line] = deque(maxlen=lines_max)
    for entry in app.ledger.entries(key_id, until_ms=until_ms):
        settled = entry.id not in key.holds
        balance_nano += entry.amount_nano if settled else 0
        if made_at_ms(entry.id) >= from_ms:
            found += 1
            lines.append(Line(entry, settled, balance_nano))
    return Statement(key, list(lines), found - len(lines))
