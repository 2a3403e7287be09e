"""Items of the Orders table and the nouns they hold: the only place that knows their attributes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from osiris.ledger.order import Order, Part
from osiris.ledger.payment import Payment
from osiris.store.values import plain_item, typed_item

Item = dict[str, Any]

# The one partition of the index of what is due: orders to be asked about, events to be sent.
DUE = "due"
_DECIMALS = ("received", "returned")
# DynamoDB has no empty set.
_SETS = ("payment_ids", "resolved")


def order_pk(order_id: str) -> str:
    """The partition key of an order's item."""
    return f"order#{order_id}"


def payment_pk(payment_id: str) -> str:
    """The partition key of a payment's item, by its provider and id ("midtrans#…")."""
    return f"payment#{payment_id}"


def place_pk(key_id: str, method: str) -> str:
    """The partition key of the item that names a key's open order of a kind."""
    return f"place#{key_id}#{method}"


def promise_pk(account_id: str, digest: str) -> str:
    """The partition key of the item that remembers an account's Idempotency-Key."""
    return f"promise#{account_id}#{digest}"


def event_pk(event_id: str) -> str:
    """The partition key of an event that waits in the outbox, or was sent."""
    return f"event#{event_id}"


def order_item(order: Order, due_at_ms: int) -> Item:
    """An order as it is put at its creation; it is due from the start."""
    attributes = order._asdict()
    attributes["pk"] = order_pk(attributes.pop("id"))
    attributes["parts"] = [part._asdict() for part in order.parts]
    for name in _SETS:
        if not attributes[name]:
            del attributes[name]
    return typed_item(attributes | {"queue": DUE, "due_at_ms": due_at_ms})


def order_of(item: Item) -> Order:
    """The order that an item holds; asserts what holds of any order."""
    order = order_as_stored(item)
    assert sum(part.credit_nano for part in order.parts) == order.amount_nano, order.id
    assert 0 <= order.taken_back_nano <= order.credited_nano, order.id
    return order


def order_as_stored(item: Item) -> Order:
    """The order that an item holds, right or wrong: for those who check."""
    attributes = plain_item(item)
    fields = {name: attributes[name] for name in Order._fields if name in attributes}
    fields["id"] = attributes["pk"].removeprefix("order#")
    fields["parts"] = tuple(
        Part(**{name: part[name] for name in Part._fields if name in part})
        for part in fields["parts"]
    )
    for name in _SETS:
        fields[name] = frozenset(fields.get(name, ()))
    return Order(**fields)


def payment_item(payment: Payment) -> Item:
    """A payment as it is put, over its earlier figures."""
    attributes = payment._asdict()
    attributes["pk"] = payment_pk(full_id(payment))
    for name in _DECIMALS:
        attributes[name] = format(attributes[name], "f")
    return typed_item(attributes)


def payment_of(item: Item) -> Payment:
    """The payment that an item holds; asserts what holds of any payment."""
    payment = payment_as_stored(item)
    assert 0 <= payment.taken_back_nano <= payment.credited_nano <= payment.bought_nano, payment.id
    return payment


def payment_as_stored(item: Item) -> Payment:
    """The payment that an item holds, right or wrong."""
    attributes = plain_item(item)
    fields = {name: attributes[name] for name in Payment._fields if name in attributes}
    for name in _DECIMALS:
        fields[name] = Decimal(fields[name])
    return Payment(**fields)


def full_id(payment: Payment) -> str:
    """A payment's id among those of all providers."""
    return f"{payment.provider}#{payment.id}"
