"""Several writes as one: all of them are applied, or none."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from osiris.errors import StoreUnavailable
from osiris.store.transport import TransactionCanceled, TransactionConflict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osiris.store.transport import Payload, Transport

_REFUSED = "ConditionalCheckFailed"
_TOKEN_LENGTH = 36


def transact(transport: Transport, writes: Sequence[Payload]) -> dict[int, Payload | None]:
    """Apply all the writes, or none: empty when they were applied.

    Else, by its place in `writes`, each write whose condition did not hold, with the item that it
    was checked against. Raises TransactionConflict when other writes stood in the way, which is
    no refusal, and StoreUnavailable.
    """
    try:
        transport.call(
            "TransactWriteItems",
            {"TransactItems": list(writes), "ClientRequestToken": _token(writes)},
        )
    except TransactionCanceled as canceled:
        refused = {
            place: item for place, (code, item) in enumerate(canceled.reasons) if code == _REFUSED
        }
        if refused:
            return refused
        if canceled.conflict:
            raise TransactionConflict(details=str(canceled)) from canceled
        raise StoreUnavailable(details=str(canceled)) from canceled
    return {}


def _token(writes: Sequence[Payload]) -> str:
    """A digest of the writes: DynamoDB answers a repeat of the very same ones, for ten minutes,
    without applying them again. The conditions alone must hold without it: not every engine does.
    """
    return hashlib.sha256(repr(writes).encode()).hexdigest()[:_TOKEN_LENGTH]
