"""Places in a key's history: sealed cursors, which the flows believe, and entries by their ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris.flows.ledger_page import Cursor
from osiris.ids import RANDOM_LENGTH, REQUEST_PREFIX, is_entry_id, made_at_ms, time_text
from osiris.times import DAY_MS

if TYPE_CHECKING:
    from osiris.web.visit import Visit

# A list that was left open overnight still goes on.
LIVES_MS = DAY_MS
_USE = "cursor"


def sealed_cursor(visit: Visit, kind: str, key_id: str, cursor: Cursor | None) -> str:
    """The text that leads to the next page of this key's history of this kind; empty for none.

    Raises SessionKeysMissing or StoreUnavailable.
    """
    if cursor is None:
        return ""
    return visit.seal.close(_USE, {"kind": kind, "key_id": key_id, **cursor._asdict()})


def opened_cursor(visit: Visit, kind: str, key_id: str, text: str) -> Cursor | None:
    """The cursor, if it was sealed for this, less than a day ago; else None: the newest page.

    Raises SessionKeysMissing or StoreUnavailable.
    """
    content = visit.seal.open(_USE, text, lives_ms=LIVES_MS)
    if content is None or (content.pop("kind"), content.pop("key_id")) != (kind, key_id):
        return None
    try:
        return Cursor(**content)
    except TypeError:
        # Of another release.
        return None


def cursor_at(entry_id: str, now_ms: int) -> Cursor | None:
    """A page on which the entry of this id is near the top; None for what is no entry's id."""
    if not is_entry_id(entry_id):
        return None
    at_ms = made_at_ms(entry_id)
    if at_ms > now_ms + DAY_MS:
        return None
    return Cursor(REQUEST_PREFIX + time_text(at_ms + 1) + "0" * RANDOM_LENGTH, None)
