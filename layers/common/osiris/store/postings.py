"""Entries that no request makes, each posted in one transaction with the key that it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osiris.errors import ChangedMeanwhile, KeyNotFound
from osiris.ledger.key import DELETED
from osiris.store.items import account_pk, expiry_day, key_of, key_pk
from osiris.store.transaction import transact
from osiris.store.values import typed, typed_item

if TYPE_CHECKING:
    from osiris.ledger.credit import Posting
    from osiris.ledger.key import Key
    from osiris.store.ledger import Ledger
    from osiris.store.transport import Payload, Transport

POST_CONDITIONS = {
    # Nothing is posted to a key whose account was told that it is gone.
    "key_is_not_deleted": "#status <> :deleted",
}

GRANT_CONDITIONS = {
    # The new expiry was reckoned from the one seen: of two grants at once neither is cut short.
    "expiry_is_the_one_seen": "expires_at_ms = :expiry_seen",
}

FORFEIT_CONDITIONS = {
    # What is forfeited is what is available, even when a request was admitted or settled meanwhile.
    "available_is_the_one_seen": "available_nano = :available_seen",
}

_SET_BALANCE = (
    "SET balance_nano = balance_nano + :amount, available_nano = available_nano + :amount"
)


class Postings:
    """Postings to keys in the Keys table, their entries in the Ledger table."""

    def __init__(self, transport: Transport, keys_table: str, ledger: Ledger) -> None:
        self._transport = transport
        self._table = keys_table
        self._ledger = ledger

    def grant(self, key: Key, posting: Posting) -> None:
        """Post credit to the key as it was seen, and move its expiry.

        Raises KeyNotFound, or ChangedMeanwhile when what the posting depends on has changed.
        """
        conditions = POST_CONDITIONS | GRANT_CONDITIONS
        values: dict[str, Any] = {
            ":amount": posting.amount_nano,
            ":expires": posting.expires_at_ms,
            ":day": expiry_day(posting.expires_at_ms),
            ":expiry_seen": key.expires_at_ms,
        }
        if len(posting.entries) > 1:
            conditions |= FORFEIT_CONDITIONS
            values[":available_seen"] = key.available_nano
        update = f"{_SET_BALANCE}, expires_at_ms = :expires, expiry_day = :day"
        self._post(key, posting, [self._key_update(key, update, conditions, values)])

    def close(self, key: Key, posting: Posting) -> None:
        """Delete the key as it was seen: forfeit, and take it out of its account.

        Open requests settle later as ever. Raises KeyNotFound, or ChangedMeanwhile when what is
        available has changed.
        """
        update = f"{_SET_BALANCE}, #status = :deleted"
        conditions = POST_CONDITIONS | FORFEIT_CONDITIONS
        values = {":amount": posting.amount_nano, ":available_seen": key.available_nano}
        account_update = {
            "TableName": self._table,
            "Key": {"pk": typed(account_pk(key.account_id))},
            "UpdateExpression": "DELETE #keys :id",
            "ExpressionAttributeNames": {"#keys": "keys"},
            "ExpressionAttributeValues": {":id": typed({key.id})},
        }
        key_update = self._key_update(key, update, conditions, values)
        self._post(key, posting, [key_update, {"Update": account_update}])

    def _post(self, key: Key, posting: Posting, writes: list[Payload]) -> None:
        """Apply the writes, the key's first, and the posting's entries with them."""
        puts = [{"Put": self._ledger.put(entry)} for entry in posting.entries]
        refused = transact(self._transport, [*writes, *puts])
        if not refused:
            return
        if any(item for place, item in refused.items() if place >= len(writes)):
            # Ids of entries are fresh: one that stands was put by an earlier try, its reply lost.
            return
        stored = None if (item := refused.get(0)) is None else key_of(item)
        if stored is None:
            raise KeyNotFound
        if stored.status != DELETED:
            raise ChangedMeanwhile
        if posting.entries:
            raise KeyNotFound
        # With nothing to forfeit the deletion is done, by an earlier try or by another caller.

    def _key_update(
        self, key: Key, update: str, conditions: dict[str, str], values: dict[str, Any]
    ) -> Payload:
        return {
            "Update": {
                "TableName": self._table,
                "Key": {"pk": typed(key_pk(key.id))},
                "ConditionExpression": " AND ".join(conditions.values()),
                "UpdateExpression": update,
                "ExpressionAttributeNames": {"#status": "status"},
                "ExpressionAttributeValues": typed_item({":deleted": DELETED, **values}),
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }
