"""One request of an account, by its id, whichever of the account's keys made it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from osiris.errors import KeyNotFound, RequestNotFound
from osiris.flows.keys import read
from osiris.ids import is_request_id

if TYPE_CHECKING:
    from osiris.app.full import FullApp
    from osiris.ledger.entry import Entry
    from osiris.ledger.key import Key

MESSAGE = "No key of this account has a request with this id that has ended."


class FoundRequest(NamedTuple):
    """A request that has ended; while its hold is open it is not settled."""

    key: Key
    entry: Entry
    settled: bool


def find_request(app: FullApp, account_id: str, request_id: str) -> FoundRequest:
    """The request, by four reads however much the keys were used.

    Raises RequestNotFound for one that is unknown, malformed, open, of a deleted key or another's.
    """
    if not is_request_id(request_id):
        raise RequestNotFound(MESSAGE)
    key_ids = [key.id for key in app.accounts.keys(account_id)]
    entry = app.ledger.find(key_ids, request_id)
    if entry is None:
        raise RequestNotFound(MESSAGE)
    try:
        # Read after the entry: if it is not held by now, it is settled.
        key = read(app, account_id, entry.key_id)
    except KeyNotFound as deleted:
        raise RequestNotFound(MESSAGE) from deleted
    return FoundRequest(key, entry, entry.id not in key.holds)
