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
_DERIVED = ("pk", "queue", "due_at_ms")


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
    if not order.payment_ids:
        # DynamoDB has no empty set.
        del attributes["payment_ids"]
    return typed_item(attributes | {"queue": DUE, "due_at_ms": due_at_ms})


def order_of(item: Item) -> Order:
    """The order that an item holds; asserts what holds of any order."""
    attributes = plain_item(item)
    order_id = attributes["pk"].removeprefix("order#")
    fields = {name: value for name, value in attributes.items() if name not in _DERIVED}
    fields["parts"] = tuple(Part(**part) for part in fields["parts"])
    fields["payment_ids"] = frozenset(fields.get("payment_ids", ()))
    order = Order(id=order_id, **fields)
    assert sum(part.credit_nano for part in order.parts) == order.amount_nano, order.id
    assert 0 <= order.taken_back_nano <= order.credited_nano, order.id
    return order


def payment_item(payment: Payment) -> Item:
    """A payment as it is put, over its earlier figures."""
    attributes = payment._asdict()
    attributes["pk"] = payment_pk(full_id(payment))
    for name in _DECIMALS:
        attributes[name] = format(attributes[name], "f")
    return typed_item(attributes)


def payment_of(item: Item) -> Payment:
    """The payment that an item holds; asserts what holds of any payment."""
    attributes = plain_item(item)
    del attributes["pk"]
    for name in _DECIMALS:
        attributes[name] = Decimal(attributes[name])
    payment = Payment(**attributes)
    assert 0 <= payment.taken_back_nano <= payment.credited_nano <= payment.bought_nano, payment.id
    return payment


def full_id(payment: Payment) -> str:
    """A payment's id among those of all providers."""
    return f"{payment.provider}#{payment.id}"
