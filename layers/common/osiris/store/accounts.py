"""Accounts and the writes on their keys that are no request's: create, rename, rotate and the like.

An account's item names its keys that are not deleted, so that one condition counts them, and the
time of its one trial. Changes of a key are single writes that need no read: the condition tells
whose key it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osiris.errors import ChangedMeanwhile, KeyNotFound
from osiris.ledger.creation import creation_refusal
from osiris.ledger.key import ACCOUNT_KEYS_MAX, DELETED, TRIAL, Account
from osiris.store.batch import read_batch
from osiris.store.items import account_of, account_pk, key_item, key_of, key_pk
from osiris.store.transaction import transact
from osiris.store.transport import ConditionFailed
from osiris.store.values import plain_item, typed, typed_item

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osiris.ledger.entry import Entry
    from osiris.ledger.key import Key
    from osiris.store.ledger import Ledger
    from osiris.store.transport import Payload, Transport

CREATE_CONDITIONS = {
    # However many creations run at once, an account gets no more keys than it may have.
    "room_for_a_key": "(attribute_not_exists(#keys) OR size(#keys) < :most)",
}

PUT_CONDITIONS = {
    # A creation repeated late does not set a key that was used meanwhile back to its beginning.
    "key_is_new": "attribute_not_exists(pk)",
}

TRIAL_CONDITIONS = {
    # Of two trials at once one is given, and none after it, even when its key was deleted.
    "no_trial_yet": "attribute_not_exists(trial_granted_at_ms)",
}

OWN_KEY_CONDITIONS = {
    # The key is this account's: whoever knows another's key id can't change that key.
    "key_is_the_accounts": "account_id = :account",
    # A change that meets a deletion does not bring the key back.
    "key_is_not_deleted": "#status <> :deleted",
}

ROTATE_CONDITIONS = {
    # Of two rotations at once one is done: else the first one's secret dies as soon as it is told.
    "secret_is_the_one_seen": "secret_hash = :seen",
}

RESIZE_CONDITIONS = {
    # An admission between reading and writing keeps its slot: it still counts for 60 s.
    "window_is_the_one_seen": "#window = :seen",
}


class Accounts:
    """Accounts, and their keys, in the Keys table."""

    def __init__(self, transport: Transport, keys_table: str, ledger: Ledger) -> None:
        self._transport = transport
        self._table = keys_table
        self._ledger = ledger

    def read(self, account_id: str) -> Account:
        """The account as it is now (consistent); one that never had a key is empty."""
        answer = self._transport.call(
            "GetItem",
            {"TableName": self._table, "Key": _pk(account_pk(account_id)), "ConsistentRead": True},
        )
        item = answer.get("Item")
        return Account(account_id, frozenset(), 0) if item is None else account_of(item)

    def keys(self, account_id: str) -> list[Key]:
        """The account's keys that are not deleted, oldest first (consistent)."""
        wanted = [_pk(key_pk(key_id)) for key_id in sorted(self.read(account_id).keys)]
        keys = map(key_of, read_batch(self._transport, self._table, wanted))
        found = [key for key in keys if key.status != DELETED]
        return sorted(found, key=lambda key: (key.created_at_ms, key.id))

    def create(self, key: Key, entries: Sequence[Entry] = ()) -> None:
        """Put a new key, and its trial's entries, into its account: all of it, or nothing.

        Raises TooManyKeys or TrialAlreadyGranted. A key that stands already, with the same secret,
        is this one: the reply to an earlier try was lost.
        """
        assert bool(entries) == (key.kind == TRIAL)
        put = {
            "TableName": self._table,
            "Item": key_item(key),
            "ConditionExpression": " AND ".join(PUT_CONDITIONS.values()),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        writes = [{"Update": self._with_key(key)}, {"Put": put}]
        writes += [{"Put": self._ledger.put(entry)} for entry in entries]
        refused = transact(self._transport, writes)
        if not refused:
            return
        account_item, stored_item = refused.get(0), refused.get(1)
        error = creation_refusal(
            key,
            account=None if account_item is None else account_of(account_item),
            stored=None if stored_item is None else key_of(stored_item),
        )
        if error is not None:
            raise error

    def set_email(self, account_id: str, email: str) -> None:
        """Keep the account's address, over the one that stood there. Only `email` reads it."""
        self._transport.call(
            "UpdateItem",
            {
                "TableName": self._table,
                "Key": _pk(account_pk(account_id)),
                "UpdateExpression": "SET email = :email",
                "ExpressionAttributeValues": {":email": typed(email)},
            },
        )

    def email(self, account_id: str) -> str:
        """The account's address (consistent); empty when none is kept."""
        answer = self._transport.call(
            "GetItem",
            {
                "TableName": self._table,
                "Key": _pk(account_pk(account_id)),
                "ConsistentRead": True,
                "ProjectionExpression": "email",
            },
        )
        return str(plain_item(answer.get("Item", {})).get("email", ""))

    def rename(self, account_id: str, key_id: str, name: str) -> Key:
        """Give the key another name. Raises KeyNotFound."""
        return self._change(account_id, key_id, "#name", name)

    def set_status(self, account_id: str, key_id: str, status: str) -> Key:
        """Disable or enable the key. Raises KeyNotFound."""
        assert status != DELETED
        return self._change(account_id, key_id, "#status", status)

    def rotate(self, key: Key, *, secret_hash: bytes, old_until_ms: int) -> Key:
        """Give the key, as it was seen, another secret; the old one lives on until then (0: dies).

        Raises KeyNotFound, or ChangedMeanwhile when it was rotated since it was seen.
        """
        values: dict[str, Any] = {":seen": key.secret_hash, ":new": secret_hash}
        update = "SET secret_hash = :new REMOVE old_secret_hash, old_secret_until_ms"
        if old_until_ms:
            update = "SET secret_hash = :new, old_secret_hash = :seen, old_secret_until_ms = :until"
            values[":until"] = old_until_ms
        try:
            return self._update(key.account_id, key.id, update, values, {}, ROTATE_CONDITIONS)
        except ConditionFailed as failed:
            stored = _own_key(failed, key.account_id)
            if stored.secret_hash != secret_hash:
                raise ChangedMeanwhile from failed
            return stored

    def set_window(self, key: Key, window: list[int], now_ms: int) -> Key:
        """Give the key, as it was seen, another window: one of as many slots as its new limit.

        Raises KeyNotFound, or ChangedMeanwhile when a request was admitted since it was seen.
        """
        # Hosts' clocks differ a little: a request that was in before counts as earlier.
        set_at_ms = max(now_ms, *key.window)
        values = {":seen": key.window, ":new": window, ":now": set_at_ms}
        names = {"#window": "window"}
        update = "SET #window = :new, limit_set_at_ms = :now"
        try:
            return self._update(key.account_id, key.id, update, values, names, RESIZE_CONDITIONS)
        except ConditionFailed as failed:
            stored = _own_key(failed, key.account_id)
            if stored.window != window:
                raise ChangedMeanwhile from failed
            return stored

    def _with_key(self, key: Key) -> Payload:
        """The account's part of a creation: one more key, and the trial, if it is one."""
        conditions = [*CREATE_CONDITIONS.values()]
        values = {":most": ACCOUNT_KEYS_MAX, ":id": {key.id}}
        update = "ADD #keys :id"
        if key.kind == TRIAL:
            conditions += TRIAL_CONDITIONS.values()
            values[":now"] = key.created_at_ms
            update += " SET trial_granted_at_ms = :now"
        return {
            "TableName": self._table,
            "Key": _pk(account_pk(key.account_id)),
            "ConditionExpression": " AND ".join(conditions),
            "UpdateExpression": update,
            "ExpressionAttributeNames": {"#keys": "keys"},
            "ExpressionAttributeValues": typed_item(values),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def _change(self, account_id: str, key_id: str, name: str, value: str) -> Key:
        names = {name: name.removeprefix("#")}
        try:
            return self._update(account_id, key_id, f"SET {name} = :new", {":new": value}, names)
        except ConditionFailed as failed:
            raise KeyNotFound from failed

    def _update(
        self,
        account_id: str,
        key_id: str,
        update: str,
        values: dict[str, Any],
        names: dict[str, str],
        conditions: dict[str, str] | None = None,
    ) -> Key:
        condition = " AND ".join([*OWN_KEY_CONDITIONS.values(), *(conditions or {}).values()])
        answer = self._transport.call(
            "UpdateItem",
            {
                "TableName": self._table,
                "Key": _pk(key_pk(key_id)),
                "ConditionExpression": condition,
                "UpdateExpression": update,
                "ExpressionAttributeNames": {"#status": "status", **names},
                "ExpressionAttributeValues": typed_item(
                    {":account": account_id, ":deleted": DELETED, **values}
                ),
                "ReturnValues": "ALL_NEW",
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            },
        )
        return key_of(answer["Attributes"])


def _own_key(failed: ConditionFailed, account_id: str) -> Key:
    """The key that refused a change. Raises KeyNotFound when it is not there for this account."""
    if failed.item is None:
        raise KeyNotFound from failed
    key = key_of(failed.item)
    if key.account_id != account_id or key.status == DELETED:
        raise KeyNotFound from failed
    return key


def _pk(pk: str) -> Payload:
    return {"pk": typed(pk)}
