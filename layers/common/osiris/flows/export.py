"""A key's history as lines, oldest first, read page by page while they are taken: never held whole.

Whose key it is is checked by the call, before the first line. What is settled is told as of then;
entries that come after it are settled, or about to be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris.flows.keys import read
from osiris.flows.ledger_page import RequestLine
from osiris.flows.statement import Line
from osiris.ids import made_at_ms
from osiris.ledger.entry import CHARGE
from osiris.times import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris.app.full import FullApp
    from osiris.ledger.key import Key


def ledger_lines(
    app: FullApp, account_id: str, key_id: str, *, from_ms: int, until_ms: int
) -> Iterator[Line]:
    """The key's entries of [from_ms, until_ms), by the time that their ids tell, with the balance.

    All entries before are read through, too, for the balance that they come to. Raises KeyNotFound.
    """
    key = read(app, account_id, key_id)
    return _ledger_lines(app, key, from_ms=from_ms, until_ms=_known(app, until_ms))


def request_lines(
    app: FullApp, account_id: str, key_id: str, *, from_ms: int, until_ms: int
) -> Iterator[RequestLine]:
    """The key's requests of [from_ms, until_ms) that have ended. Raises KeyNotFound."""
    key = read(app, account_id, key_id)
    return _request_lines(app, key, from_ms=_known(app, from_ms), until_ms=_known(app, until_ms))


def _ledger_lines(app: FullApp, key: Key, *, from_ms: int, until_ms: int) -> Iterator[Line]:
    balance_nano = 0
    for entry in app.ledger.entries(key.id, until_ms=until_ms):
        settled = entry.id not in key.holds
        balance_nano += entry.amount_nano if settled else 0
        if made_at_ms(entry.id) >= from_ms:
            yield Line(entry, settled, balance_nano)


def _request_lines(app: FullApp, key: Key, *, from_ms: int, until_ms: int) -> Iterator[RequestLine]:
    if from_ms >= until_ms:
        return
    for entry in app.ledger.entries(key.id, from_ms=from_ms, until_ms=until_ms):
        if entry.type == CHARGE:
            yield RequestLine(entry, entry.id not in key.holds)


def _known(app: FullApp, at_ms: int) -> int:
    """The same time, or the nearest one that an id can tell: none is of before 1970 or tomorrow."""
    return min(max(0, at_ms), app.now_ms() + DAY_MS)
