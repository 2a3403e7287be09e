"""Pages of a key's ledger, newest first: all entries with the running balance, or requests alone.

The balance after an entry is the key's, less what was settled since. So that a page costs the same
however old it is, the cursor to it carries what the entries on it and behind it come to. That is
certain only where nothing can be put there any more. An entry may be put as late as its request
runs; `hold_lapse_ms` after its id was made, nobody is left but recovery, which settles with the
entry that stands or puts one of 0. Behind a boundary of that age the sum of *all* entries is
settled for ever, whichever holds are open: it is what the cursor carries. The balance there and
then is that sum, less the entries that still wait to be settled.

A younger boundary's cursor carries nothing, and its page is reckoned from the newest entry again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from osiris.errors import ChangedMeanwhile, InvalidRequest
from osiris.flows.keys import read
from osiris.flows.statement import Line
from osiris.ids import is_entry_id, made_at_ms
from osiris.ledger.entry import CHARGE
from osiris.money import AMOUNT_NANO_MAX
from osiris.store.items import entry_sort_key

if TYPE_CHECKING:
    from osiris.app.full import FullApp
    from osiris.ledger.entry import Entry
    from osiris.ledger.key import Key

LINES = 50
LINES_MAX = 200
# From the newest entry to a boundary younger than 16 minutes: at 40 requests a minute these are 680
# and what else was posted. Beyond are keys with a higher limit, and cursors kept for long.
WALKED_MAX = 2_000
# A key changes a few times a second at most, and each reading takes some hundredths of one.
READS_MAX = 10
# Pages of entries that are searched for one of requests. Few keys have more of anything else.
SEARCHED_MAX = 4


class Cursor(NamedTuple):
    """Where a key's next page begins: before this entry.

    `balance_nano` is what all entries before it come to; None where that is not certain. It is
    believed: who hands a cursor out seals it, for its key alone.
    """

    before_id: str
    balance_nano: int | None


class LedgerPage(NamedTuple):
    """Lines, newest first, and the cursor to older ones; None where there are none."""

    key: Key
    lines: list[Line]
    cursor: Cursor | None


class RequestLine(NamedTuple):
    """The entry of a request; while its hold is open it is not settled."""

    entry: Entry
    settled: bool


class RequestsPage(NamedTuple):
    """Requests, newest first: with a cursor there may be more, however few these are."""

    key: Key
    lines: list[RequestLine]
    cursor: Cursor | None


def ledger_page(
    app: FullApp, account_id: str, key_id: str, *, cursor: Cursor | None = None, most: int = LINES
) -> LedgerPage:
    """A page of a key's entries; without a cursor the newest.

    Raises KeyNotFound; InvalidRequest for what is no cursor, or one that is too far behind;
    ChangedMeanwhile when the key was never the same before and after its entries were read.
    """
    assert 0 < most <= LINES_MAX
    cursor = _checked(cursor)
    key = read(app, account_id, key_id)
    if cursor is not None and cursor.balance_nano is not None:
        balance_nano = cursor.balance_nano - _awaited_nano(app, key, cursor.before_id)
        return _page(app, key, cursor.before_id, balance_nano, most)
    # The key and its entries are read one after the other. Every write that settles an entry or
    # posts one changes the key: a hold goes, or the balance moves. Holds don't come back, and what
    # is posted is not taken back within these reads. So between two equal readings there was no
    # such write, and each entry read is settled or held as the key says.
    for _ in range(READS_MAX):
        before_id = None if cursor is None else cursor.before_id
        balance_nano = key.balance_nano - _newer_nano(app, key, before_id)
        page = _page(app, key, before_id, balance_nano, most)
        again = read(app, account_id, key_id)
        if again == key:
            return page
        key = again
    raise ChangedMeanwhile


def requests_page(
    app: FullApp, account_id: str, key_id: str, *, cursor: Cursor | None = None, most: int = LINES
) -> RequestsPage:
    """A page of a key's requests that have ended; without a cursor the newest.

    Raises KeyNotFound, or InvalidRequest for what is no cursor.
    """
    assert 0 < most <= LINES_MAX
    cursor = _checked(cursor)
    read(app, account_id, key_id)
    before_id = None if cursor is None else cursor.before_id
    charges: list[Entry] = []
    for _ in range(SEARCHED_MAX):
        entries = app.ledger.page(key_id, before_id=before_id, most=most + 1)
        charges += [entry for entry in entries if entry.type == CHARGE]
        before_id = entries[-1].id if len(entries) > most else None
        if before_id is None or len(charges) > most:
            break
    if len(charges) > most:
        before_id = charges[most - 1].id
    # Read after the entries: one that is not held by now is settled.
    key = read(app, account_id, key_id)
    lines = [RequestLine(entry, entry.id not in key.holds) for entry in charges[:most]]
    return RequestsPage(key, lines, None if before_id is None else Cursor(before_id, None))


def _page(
    app: FullApp, key: Key, before_id: str | None, balance_nano: int, most: int
) -> LedgerPage:
    """The entries before this one, and the balance after the first of them going back from it."""
    entries = app.ledger.page(key.id, before_id=before_id, most=most + 1)
    lines = []
    for entry in entries[:most]:
        settled = entry.id not in key.holds
        lines.append(Line(entry, settled, balance_nano))
        balance_nano -= entry.amount_nano if settled else 0
    if len(entries) <= most:
        return LedgerPage(key, lines, None)
    last_id = lines[-1].entry.id
    if made_at_ms(last_id) > app.now_ms() - app.settings.hold_lapse_ms:
        return LedgerPage(key, lines, Cursor(last_id, None))
    return LedgerPage(key, lines, Cursor(last_id, balance_nano + _awaited_nano(app, key, last_id)))


def _awaited_nano(app: FullApp, key: Key, before_id: str) -> int:
    """What entries before this one come to that stand, but wait to be settled.

    Where it is asked, these are of holds that lapsed, and few: at most as many as may be open.
    """
    boundary = entry_sort_key(before_id)
    held = [request_id for request_id in key.holds if entry_sort_key(request_id) < boundary]
    entries = [app.ledger.read(key.id, request_id) for request_id in held]
    return sum(entry.amount_nano for entry in entries if entry is not None)


def _newer_nano(app: FullApp, key: Key, before_id: str | None) -> int:
    """What the settled entries from this one to the newest come to. Raises InvalidRequest."""
    if before_id is None:
        return 0
    total_nano = 0
    boundary = entry_sort_key(before_id)
    newer = app.ledger.entries(key.id, from_ms=made_at_ms(before_id))
    for walked, entry in enumerate(newer):
        if walked == WALKED_MAX:
            raise InvalidRequest("This page is too far from the newest. Begin at the newest page.")
        if entry_sort_key(entry.id) >= boundary and entry.id not in key.holds:
            total_nano += entry.amount_nano
    return total_nano


def _checked(cursor: Cursor | None) -> Cursor | None:
    """The cursor, if it has the form of one. Raises InvalidRequest."""
    if cursor is None:
        return None
    before_id, balance_nano = cursor
    # A bool is an int, too.
    is_amount = type(balance_nano) is int and abs(balance_nano) <= AMOUNT_NANO_MAX
    if not (isinstance(before_id, str) and is_entry_id(before_id)) or not (
        balance_nano is None or is_amount
    ):
        raise InvalidRequest("This page's address is not valid. Begin at the newest page.")
    return cursor
