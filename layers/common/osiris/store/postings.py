"""Entries that no request makes, each posted in one transaction with the key that it is about."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from osiris.errors import ChangedMeanwhile, KeyNotFound
from osiris.ledger.entry import FORFEITURE
from osiris.ledger.key import DELETED
from osiris.store.items import account_pk, expiry_day, key_of, key_pk
from osiris.store.transaction import transact
from osiris.store.transport import ConditionFailed
from osiris.store.values import typed, typed_item

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osiris.ledger.credit import Posting
    from osiris.ledger.key import Key
    from osiris.store.ledger import Ledger
    from osiris.store.transport import Payload, Transport

POST_CONDITIONS = {
    # Nothing is posted to a key whose account was told that it is gone.
    "key_is_not_deleted": "#status <> :deleted",
}

EXPIRY_CONDITIONS = {
    # The expiry was reckoned from the one seen: of two postings at once neither's is cut short, and
    # credit that was topped up meanwhile is not forfeited.
    "expiry_is_the_one_seen": "expires_at_ms = :expiry_seen",
}

FORFEIT_CONDITIONS = {
    # What is forfeited is what is available, even when a request was admitted or settled meanwhile.
    "available_is_the_one_seen": "available_nano = :available_seen",
}

FORFEITED_CONDITIONS = {
    # A forfeiture is given back once, though two may find it at the same moment; and one that is
    # made at this moment is not overlooked.
    "forfeited_is_the_one_seen": (
        "(attribute_not_exists(forfeited_nano) OR forfeited_nano = :forfeited_seen)"
    ),
}

_SET_BALANCE = (
    "SET balance_nano = balance_nano + :amount, available_nano = available_nano + :amount"
)
_SET_EXPIRY = ", expires_at_ms = :expires, expiry_day = :day"
_RETIRE = " REMOVE expiry_day"


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
        write = self._key_update(
            key, posting, f"{_SET_BALANCE}{_SET_EXPIRY}", POST_CONDITIONS | EXPIRY_CONDITIONS
        )
        self._post(posting, [write])

    def close(self, key: Key, posting: Posting) -> None:
        """Delete the key as it was seen: forfeit, and take it out of its account.

        Open requests settle later as ever. Raises KeyNotFound, or ChangedMeanwhile when what is
        available has changed.
        """
        account_update = {
            "TableName": self._table,
            "Key": {"pk": typed(account_pk(key.account_id))},
            "UpdateExpression": "DELETE #keys :id",
            "ExpressionAttributeNames": {"#keys": "keys"},
            "ExpressionAttributeValues": {":id": typed({key.id})},
        }
        write = self._key_update(
            key,
            posting,
            f"{_SET_BALANCE}, #status = :deleted",
            POST_CONDITIONS | FORFEIT_CONDITIONS,
        )
        self._post(posting, [write, {"Update": account_update}])

    def credit(self, key: Key, posting: Posting, also: Sequence[Payload]) -> None:
        """Post what was paid for to the key as it was seen, with the payment's and order's writes.

        Raises ChangedMeanwhile when any of it has changed: by another, or by an earlier try.
        """
        conditions = POST_CONDITIONS | EXPIRY_CONDITIONS | FORFEITED_CONDITIONS
        write = self._key_update(key, posting, f"{_SET_BALANCE}{_SET_EXPIRY}", conditions)
        self._post_all(posting, [write, *also])

    def take_back(self, key: Key, posting: Posting, also: Sequence[Payload]) -> None:
        """Post a take-back to the key, deleted or not. Raises as `credit`."""
        write = self._key_update(key, posting, _SET_BALANCE, FORFEITED_CONDITIONS)
        self._post_all(posting, [write, *also])

    def forfeit(self, key: Key, posting: Posting) -> None:
        """Post expired credit as forfeited; the key leaves the expiry's index unless it holds.

        No hold can come meanwhile: it would change what is available. Raises ChangedMeanwhile.
        """
        update = _SET_BALANCE if key.holds else _SET_BALANCE + _RETIRE
        self._post_all(posting, [self._key_update(key, posting, update, EXPIRY_CONDITIONS)])

    def retire(self, key: Key) -> None:
        """Take an expired key with nothing available, and no hold, out of the expiry's index.

        One whose expiry has moved since it was seen stays in, and so does one that was credited:
        whoever saw it just before its expiry had no reason to move that.
        """
        payload = {
            "TableName": self._table,
            "Key": {"pk": typed(key_pk(key.id))},
            "ConditionExpression": " AND ".join((EXPIRY_CONDITIONS | FORFEIT_CONDITIONS).values()),
            "UpdateExpression": _RETIRE.strip(),
            "ExpressionAttributeValues": {
                ":expiry_seen": typed(key.expires_at_ms),
                ":available_seen": typed(key.available_nano),
            },
        }
        try:
            self._transport.call("UpdateItem", payload)
        except ConditionFailed:
            return

    def _post(self, posting: Posting, writes: list[Payload]) -> None:
        """Apply the writes, the key's first, and the posting's entries with them."""
        refused = transact(self._transport, [*writes, *self._puts(posting)])
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

    def _post_all(self, posting: Posting, writes: list[Payload]) -> None:
        if transact(self._transport, [*writes, *self._puts(posting)]):
            raise ChangedMeanwhile

    def _puts(self, posting: Posting) -> list[Payload]:
        return [{"Put": self._ledger.put(entry)} for entry in posting.entries]

    def _key_update(
        self, key: Key, posting: Posting, update: str, conditions: dict[str, str]
    ) -> Payload:
        """The key's part: the update and its conditions, and those that the entries bring along."""
        if posting.has(FORFEITURE):
            conditions = conditions | FORFEIT_CONDITIONS
        if posting.forfeited_nano:
            update += " ADD forfeited_nano :forfeited"
        values: dict[str, Any] = {
            ":amount": posting.amount_nano,
            ":deleted": DELETED,
            ":expires": posting.expires_at_ms,
            ":day": expiry_day(posting.expires_at_ms),
            ":expiry_seen": key.expires_at_ms,
            ":available_seen": key.available_nano,
            ":forfeited_seen": key.forfeited_nano,
            ":forfeited": posting.forfeited_nano,
        }
        condition = " AND ".join(conditions.values())
        write: Payload = {
            "TableName": self._table,
            "Key": {"pk": typed(key_pk(key.id))},
            "UpdateExpression": update,
            "ConditionExpression": condition,
            "ExpressionAttributeValues": typed_item(_used(values, f"{update} {condition}")),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if "#status" in f"{update} {condition}":
            write["ExpressionAttributeNames"] = {"#status": "status"}
        return {"Update": write}


def _used(values: dict[str, Any], text: str) -> dict[str, Any]:
    """The values that the texts name: DynamoDB takes no others."""
    names = set(re.findall(r":\w+", text))
    return {name: value for name, value in values.items() if name in names}
