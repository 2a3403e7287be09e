"""Orders and their payments. Money moves by `postings`, with the writes that are built here.

An order's state is the life of its quote; its sums are only added to, so that payments of one order
don't wait for each other. A payment's figures are put over those that were seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from osiris.errors import ChangedMeanwhile
from osiris.ledger.order import PENDING, QUOTED
from osiris.store.batch import BATCH_MAX, read_batch
from osiris.store.new_orders import NewOrders
from osiris.store.order_items import (
    DUE,
    full_id,
    order_as_stored,
    order_of,
    order_pk,
    payment_as_stored,
    payment_item,
    payment_of,
    payment_pk,
)
from osiris.store.transaction import transact
from osiris.store.transport import ConditionFailed
from osiris.store.values import plain_item, typed, typed_item

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris.ledger.order import Order, Part
    from osiris.ledger.payment import Payment
    from osiris.store.transport import Payload

STATE_CONDITIONS = {
    # How to pay an order is told once; an order that has ended does not begin again.
    "state_is_the_one_seen": "#state = :seen",
}

EXTEND_CONDITIONS = {
    # An order moves its key's expiry once, whichever of its parts comes first.
    "extension_is_the_one_seen": "extended_at_ms = :extended_seen",
}

ASK_CONDITIONS = {
    # However many wait for an order, its provider is asked on their behalf once in a while.
    "not_asked_lately": "asked_at_ms <= :ask_before",
}

PAYMENT_CONDITIONS = {
    # What was credited, or taken back, by another meanwhile is not moved again.
    "payment_is_new": "attribute_not_exists(pk)",
    "figures_are_those_seen": (
        "received = :received_seen AND returned = :returned_seen AND "
        "credited_nano = :credited_seen AND taken_back_nano = :taken_back_seen"
    ),
}


class Due(NamedTuple):
    """What waits in the index: ids of orders, of events, and where it goes on (None: nowhere)."""

    orders: list[str]
    events: list[str]
    after: Payload | None


class Orders(NewOrders):
    """Orders and payments in their table."""

    # -- reading

    def read(self, order_id: str) -> Order | None:
        """The order as it is now (consistent), or None."""
        item = self._item(order_pk(order_id))
        return None if item is None else order_of(item)

    def payment(self, payment_id: str) -> Payment | None:
        """A payment as it is now (consistent), by its full id ("midtrans#…"), or None."""
        item = self._item(payment_pk(payment_id))
        return None if item is None else payment_of(item)

    def read_as_stored(self, order_id: str) -> Order | None:
        """The order as it is now, right or wrong: for the audit."""
        item = self._item(order_pk(order_id))
        return None if item is None else order_as_stored(item)

    def payment_as_stored(self, payment_id: str) -> Payment | None:
        """A payment as it is now, right or wrong."""
        item = self._item(payment_pk(payment_id))
        return None if item is None else payment_as_stored(item)

    def payments(self, order: Order) -> list[Payment]:
        """The order's payments (consistent), in the order in which they showed up."""
        wanted = [{"pk": typed(payment_pk(id))} for id in sorted(order.payment_ids)][:BATCH_MAX]
        found = map(payment_of, read_batch(self._transport, self._table, wanted))
        return sorted(found, key=lambda payment: (payment.seen_at_ms, payment.id))

    def of_account(
        self, account_id: str, *, before_id: str = "", most: int
    ) -> tuple[list[Order], str]:
        """A page of the account's orders, newest first, and the id that the next one begins after.

        The index is behind by moments.
        """
        payload: Payload = {
            "TableName": self._table,
            "IndexName": "account",
            "KeyConditionExpression": "account_id = :account",
            "ExpressionAttributeValues": {":account": typed(account_id)},
            "ScanIndexForward": False,
            "Limit": most,
        }
        if before_id:
            payload["KeyConditionExpression"] += " AND pk < :before"
            payload["ExpressionAttributeValues"][":before"] = typed(order_pk(before_id))
        answer = self._transport.call("Query", payload)
        orders = [order_of(item) for item in answer["Items"]]
        return orders, orders[-1].id if "LastEvaluatedKey" in answer else ""

    def due(self, now_ms: int, *, most: int, after: Payload | None = None) -> Due:
        """What is due by now, longest due first, from where the last reading ended: one read."""
        payload: Payload = {
            "TableName": self._table,
            "IndexName": "due",
            "KeyConditionExpression": "queue = :due AND due_at_ms <= :now",
            "ExpressionAttributeValues": {":due": typed(DUE), ":now": typed(now_ms)},
            "Limit": most,
        }
        if after is not None:
            payload["ExclusiveStartKey"] = after
        answer = self._transport.call("Query", payload)
        pks = [plain_item(item)["pk"] for item in answer["Items"]]
        return Due(
            [pk.removeprefix("order#") for pk in pks if pk.startswith("order#")],
            [pk.removeprefix("event#") for pk in pks if pk.startswith("event#")],
            answer.get("LastEvaluatedKey"),
        )

    def scan(self) -> Iterator[Order | Payment]:
        """Every order and payment, right or wrong as they are stored (consistent)."""
        payload: Payload = {"TableName": self._table, "ConsistentRead": True}
        while True:
            answer = self._transport.call("Scan", payload)
            for item in answer["Items"]:
                pk = plain_item({"pk": item["pk"]})["pk"]
                if pk.startswith("order#"):
                    yield order_as_stored(item)
                elif pk.startswith("payment#"):
                    yield payment_as_stored(item)
            if "LastEvaluatedKey" not in answer:
                return
            payload["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    # -- the life of a quote

    def start(self, order: Order, parts: tuple[Part, ...], expires_at_ms: int) -> Order:
        """Say how the order can be paid, and until when.

        Raises ChangedMeanwhile when it is no longer quoted.
        """
        typed_parts = [part._asdict() for part in parts]
        values = {":parts": typed_parts, ":expires": expires_at_ms}
        return self._move(order, PENDING, ", parts = :parts, expires_at_ms = :expires", values)

    def end(self, order: Order, state: str) -> Order:
        """Expire or cancel the order as it was seen. Raises ChangedMeanwhile."""
        assert order.state in (QUOTED, PENDING)
        return self._move(order, state, "", {})

    def ask(self, order_id: str, *, now_ms: int, ask_before_ms: int) -> bool:
        """Whether this caller is the one to ask the provider now."""
        try:
            self._update(
                order_id,
                "SET asked_at_ms = :now",
                {":now": now_ms, ":ask_before": ask_before_ms},
                ASK_CONDITIONS,
            )
        except ConditionFailed:
            return False
        return True

    def schedule(self, order_id: str, due_at_ms: int) -> None:
        """When the order is due next; 0 takes it out of the index."""
        if due_at_ms:
            self._update(order_id, "SET due_at_ms = :due", {":due": due_at_ms})
        else:
            self._update(order_id, "REMOVE queue, due_at_ms", {})

    def flag(self, order_id: str, problem: str, payment_id: str) -> None:
        """Say what a person has to decide about the order, and about which of its payments."""
        self._update(
            order_id,
            "SET problem = :problem, problem_of = :payment",
            {":problem": problem, ":payment": payment_id},
        )

    def clear(self, order_id: str) -> None:
        """Say that nobody has to decide anything about the order."""
        self._update(order_id, "SET problem = :none, problem_of = :none", {":none": ""})

    def resolve(self, order: Order) -> None:
        """Say that the order's problem with that payment is decided."""
        self._update(
            order.id,
            "SET problem = :none, problem_of = :none ADD resolved :pair",
            {":none": "", ":pair": {f"{order.problem}#{order.problem_of}"}},
        )

    # -- parts of transactions that move money

    def payment_put(self, payment: Payment, seen: Payment | None) -> Payload:
        """Put the payment over the figures that were seen, or as a new one."""
        put: Payload = {"TableName": self._table, "Item": payment_item(payment)}
        if seen is None:
            return {"Put": put | {"ConditionExpression": PAYMENT_CONDITIONS["payment_is_new"]}}
        values = {
            ":received_seen": format(seen.received, "f"),
            ":returned_seen": format(seen.returned, "f"),
            ":credited_seen": seen.credited_nano,
            ":taken_back_seen": seen.taken_back_nano,
        }
        return {
            "Put": put
            | {
                "ConditionExpression": PAYMENT_CONDITIONS["figures_are_those_seen"],
                "ExpressionAttributeValues": typed_item(values),
            }
        }

    def sums_update(
        self,
        order: Order,
        payment: Payment,
        seen: Payment | None,
        *,
        returned_by: str,
        extended_at_ms: int,
    ) -> Payload:
        """Add what this payment moves, beyond what was `seen` of it, to the order's sums.

        `extended_at_ms` is 0 unless the key's expiry moves with it.
        """
        credited_nano = payment.credited_nano - (seen.credited_nano if seen else 0)
        taken_back_nano = payment.taken_back_nano - (seen.taken_back_nano if seen else 0)
        values: dict[str, Any] = {
            ":credited": credited_nano,
            ":taken_back": taken_back_nano,
            ":payment": {full_id(payment)},
        }
        update = "ADD credited_nano :credited, taken_back_nano :taken_back, payment_ids :payment"
        write: Payload = {"TableName": self._table, "Key": {"pk": typed(order_pk(order.id))}}
        sets = []
        if returned_by:
            sets.append("taken_back_by = :by")
            values[":by"] = returned_by
        if extended_at_ms:
            sets.append("extended_at_ms = :now")
            values |= {":now": extended_at_ms, ":extended_seen": order.extended_at_ms}
            write["ConditionExpression"] = " AND ".join(EXTEND_CONDITIONS.values())
        if sets:
            update += f" SET {', '.join(sets)}"
        write["UpdateExpression"] = update
        write["ExpressionAttributeValues"] = typed_item(values)
        return {"Update": write}

    def post(self, writes: list[Payload]) -> None:
        """Apply writes of payment and order that move no key. Raises ChangedMeanwhile."""
        if transact(self._transport, writes):
            raise ChangedMeanwhile

    # -- the calls

    def _move(self, order: Order, state: str, more: str, values: dict[str, Any]) -> Order:
        try:
            answer = self._transport.call(
                "UpdateItem",
                {
                    "TableName": self._table,
                    "Key": {"pk": typed(order_pk(order.id))},
                    "ConditionExpression": " AND ".join(STATE_CONDITIONS.values()),
                    "UpdateExpression": f"SET #state = :state{more}",
                    "ExpressionAttributeNames": {"#state": "state"},
                    "ExpressionAttributeValues": typed_item(
                        {":state": state, ":seen": order.state, **values}
                    ),
                    "ReturnValues": "ALL_NEW",
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                },
            )
        except ConditionFailed as failed:
            raise ChangedMeanwhile from failed
        return order_of(answer["Attributes"])

    def _update(
        self,
        order_id: str,
        update: str,
        values: dict[str, Any],
        conditions: dict[str, str] | None = None,
    ) -> None:
        payload: Payload = {
            "TableName": self._table,
            "Key": {"pk": typed(order_pk(order_id))},
            "UpdateExpression": update,
        }
        if values:
            payload["ExpressionAttributeValues"] = typed_item(values)
        if conditions:
            payload["ConditionExpression"] = " AND ".join(conditions.values())
        self._transport.call("UpdateItem", payload)
