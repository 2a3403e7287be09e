"""The writes of a request on its key: admit and settle, each one UpdateItem; and reading a key.

Every condition has a name that says which race it closes; the simulation removes each in turn and
must then find a history in which money or the rate limit goes wrong.
"""

from typing import NamedTuple

from osiris.ledger.key import LIVE, Key
from osiris.store.items import key_as_stored, key_of, key_pk
from osiris.store.transport import ConditionFailed, Payload, Transport
from osiris.store.values import typed
from osiris.window import WINDOW_MS

ADMIT_CONDITIONS = {
    # A disabled or deleted key admits nobody, from the write that disabled it on.
    "key_is_live": "#status = :live",
    # The secret sent is the key's, or its old one in the time of overlap.
    "secret_matches": (
        "(secret_hash = :hash OR (old_secret_hash = :hash AND old_secret_until_ms > :now))"
    ),
    # The balance is above $0 after all that open requests may cost.
    "balance_available": "available_nano > :zero",
    # Expired credit is not spent, even if nothing forfeited it yet.
    "credit_not_expired": "expires_at_ms > :now",
    # The slot was not used in the last 60 s: no two admissions share one.
    "slot_is_free": "#window[{slot}] <= :free_before",
    # Only so many requests are open at once.
    "room_for_a_hold": "size(holds) < :most",
    # A repeated call after a lost reply does not hold twice.
    "not_admitted_yet": "attribute_not_exists(holds.#request)",
}

SETTLE_CONDITIONS = {
    # The hold is given back, and the charge taken, once: by whoever removes the hold.
    "hold_is_open": "holds.#request = :hold",
}


class Admission(NamedTuple):
    """What an attempt to admit found: the key as it is now, and whether the request is in."""

    admitted: bool
    key: Key | None


class Keys:
    """Keys in their table."""

    def __init__(self, transport: Transport, table: str) -> None:
        self._transport = transport
        self._table = table

    def read(self, key_id: str) -> Key | None:
        """The key as it is now (consistent), or None."""
        item = self._item(key_id)
        return None if item is None else key_of(item)

    def read_as_stored(self, key_id: str) -> Key | None:
        """The same, right or wrong: for the audit."""
        item = self._item(key_id)
        return None if item is None else key_as_stored(item)

    def _item(self, key_id: str) -> Payload | None:
        answer = self._transport.call(
            "GetItem",
            {
                "TableName": self._table,
                "Key": {"pk": typed(key_pk(key_id))},
                "ConsistentRead": True,
            },
        )
        return answer.get("Item")

    def admit(
        self,
        key_id: str,
        *,
        secret_hash: bytes,
        request_id: str,
        hold_nano: int,
        slot: int,
        open_requests_max: int,
        now_ms: int,
    ) -> Admission:
        """Let the request in by this slot: one write that also holds `hold_nano`.

        When it is refused, the key that refused it comes along, if there is one. A key that holds
        this request's id already did admit it: the reply to an earlier try was lost.
        """
        assert hold_nano > 0
        condition = " AND ".join(ADMIT_CONDITIONS.values()).format(slot=slot)
        try:
            answer = self._transport.call(
                "UpdateItem",
                {
                    "TableName": self._table,
                    "Key": {"pk": typed(key_pk(key_id))},
                    "ConditionExpression": condition,
                    "UpdateExpression": (
                        f"SET #window[{slot}] = :now, holds.#request = :hold, "
                        "available_nano = available_nano - :hold, last_used_at_ms = :now"
                    ),
                    "ExpressionAttributeNames": {
                        "#status": "status",
                        "#window": "window",
                        "#request": request_id,
                    },
                    "ExpressionAttributeValues": {
                        ":live": typed(LIVE),
                        ":hash": typed(secret_hash),
                        ":now": typed(now_ms),
                        ":zero": typed(0),
                        ":free_before": typed(now_ms - WINDOW_MS),
                        ":most": typed(open_requests_max),
                        ":hold": typed(hold_nano),
                    },
                    "ReturnValues": "ALL_NEW",
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                },
            )
        except ConditionFailed as refused:
            key = None if refused.item is None else key_of(refused.item)
            return Admission(key is not None and request_id in key.holds, key)
        key = key_of(answer["Attributes"])
        assert key.holds[request_id] == hold_nano
        return Admission(True, key)

    def settle(
        self, key_id: str, *, request_id: str, hold_nano: int, amount_nano: int
    ) -> Key | None:
        """Give the hold back and post the standing entry's amount (0 or less), once.

        Settling what was settled before changes nothing. Returns the key as it is now.
        """
        assert amount_nano <= 0
        try:
            answer = self._transport.call(
                "UpdateItem",
                {
                    "TableName": self._table,
                    "Key": {"pk": typed(key_pk(key_id))},
                    "ConditionExpression": " AND ".join(SETTLE_CONDITIONS.values()),
                    "UpdateExpression": (
                        "SET balance_nano = balance_nano + :amount, "
                        "available_nano = available_nano + :back, "
                        "spent_nano = spent_nano - :amount, requests = requests + :one "
                        "REMOVE holds.#request"
                    ),
                    "ExpressionAttributeNames": {"#request": request_id},
                    "ExpressionAttributeValues": {
                        ":hold": typed(hold_nano),
                        ":amount": typed(amount_nano),
                        ":back": typed(hold_nano + amount_nano),
                        ":one": typed(int(amount_nano < 0)),
                    },
                    "ReturnValues": "ALL_NEW",
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                },
            )
        except ConditionFailed as settled:
            key = None if settled.item is None else key_of(settled.item)
            assert key is None or request_id not in key.holds, "a hold changed its amount"
            return key
        return key_of(answer["Attributes"])
