"""Orders as the operator sees them: what there is to decide about them, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osiris.cli.output import dollars
from osiris.ledger.order import (
    AMOUNT_DIFFERS,
    CURRENCY_DIFFERS,
    KEY_DELETED,
    NOT_ACCEPTED,
    STATE_UNKNOWN,
    UNDONE,
    VALUE_UNKNOWN,
)
from osiris.money import dollars_from_nano

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osiris.ledger.order import Order
    from osiris.ledger.payment import Payment

_BY_HAND = (
    "Look at the payment at its provider. Money that is there can be credited:"
    " osiris orders assign {order} KEY --payment ID --amount DOLLARS."
    " When there is nothing left to do: osiris orders resolve {order}."
)
# What a person has to decide: what it means, and what to do about it.
_PROBLEMS = {
    KEY_DELETED: (
        "A payment came after its key was deleted, and is not credited.",
        "Give it another key of its owner's: osiris orders assign {order} KEY."
        " Or give the money back: osiris refund {order} PAYMENT.",
    ),
    AMOUNT_DIFFERS: (
        "The provider reports another price than was asked; nothing of it is credited.",
        _BY_HAND,
    ),
    CURRENCY_DIFFERS: (
        "The provider reports another currency, or coin, than was asked; nothing is credited.",
        _BY_HAND,
    ),
    STATE_UNKNOWN: (
        "The provider reports a state that Osiris does not know; nothing of it is credited.",
        _BY_HAND,
    ),
    NOT_ACCEPTED: (
        "Money came that the provider did not accept: below its minimum, or not recognised.",
        "Have the provider give it back, or push it through." + " " + _BY_HAND,
    ),
    UNDONE: (
        "The provider says of a payment that was credited that it was never paid.",
        "Ask the provider. If it is so: osiris refund {order} PAYMENT --manual --chargeback."
        " If not: osiris orders resolve {order}.",
    ),
    VALUE_UNKNOWN: (
        "The provider has no rate for the coin that was received; nothing of it is credited.",
        _BY_HAND,
    ),
}

LIST_HEADINGS = (
    "made",
    "order",
    "account",
    "key",
    "by",
    "state",
    "package",
    "credited",
    "taken back",
    "problem",
)
PART_HEADINGS = ("part", "price", "to send", "credit", "credited", "state", "payment")
PAYMENT_HEADINGS = (
    "payment",
    "part",
    "seen",
    "provider says",
    "received",
    "returned",
    "bought",
    "credited",
    "taken back",
    "key",
)


def order_document(
    order: Order, payments: Sequence[Payment], now_ms: int, *, whole: bool
) -> dict[str, Any]:
    """The order for programs. Pictures of QR codes are left out: `qr_text` is what they say."""
    from osiris.http.order_shapes import order_json  # here: it draws QR codes, and takes a while

    shown = order_json(order, list(payments), now_ms, whole=whole)
    for part in shown.get("parts", ()):
        part.pop("qr_svg", None)
    problem, to_do = _PROBLEMS.get(order.problem, ("", ""))
    return {
        "id": shown.pop("id"),
        "account_id": order.account_id,
        **shown,
        "problem": order.problem or None,
        "problem_text": problem or None,
        "to_do": to_do.format(order=order.id) or None,
    }


def list_row(shown: dict[str, Any]) -> tuple[str, ...]:
    """A line of the list."""
    return (
        shown["created_at"],
        shown["id"],
        shown["account_id"],
        shown["key_id"],
        shown["coin"] or shown["method"],
        shown["state"],
        dollars(shown["package"]),
        dollars(shown["credited"]),
        dollars(shown["taken_back"]),
        (shown["problem"] or "").replace("_", " "),
    )


def order_fields(shown: dict[str, Any], payments: Sequence[Payment]) -> dict[str, str]:
    """The order's own facts, by name."""
    fields = {
        "order": shown["id"],
        "state": shown["state"],
        "account": shown["account_id"],
        "key": shown["key_id"],
        "package": dollars(shown["package"]),
        "paid by": f"{shown['coin'] or shown['method']}, {shown['provider']}",
        "made": shown["created_at"],
        "quote ends": shown["expires_at"],
    }
    if rate := shown["rate"]:
        fields["rate"] = (
            f"{rate['rupiah_per_dollar']} rupiah a dollar, {rate['source']}, {rate['at']}"
        )
    fields |= {"credited": dollars(shown["credited"]), "taken back": dollars(shown["taken_back"])}
    if outstanding_nano := sum(payment.outstanding_nano for payment in payments):
        fields["outstanding"] = dollars(dollars_from_nano(outstanding_nano))
    if shown["problem"]:
        fields |= {"problem": shown["problem_text"], "to do": shown["to_do"]}
    elif shown["why"]:
        fields["why"] = shown["why"]
    return fields


def part_row(part: dict[str, Any]) -> tuple[str, ...]:
    """A part of the order, as a line."""
    return (
        str(part["number"]),
        f"{part['price']} {part['price_currency']}",
        f"{part['amount']} {part['currency']}" if part["amount"] else "",
        dollars(part["credit"]),
        dollars(part["credited"]),
        part["state"],
        part["payment_id"] or "",
    )


def payment_row(paid: dict[str, Any]) -> tuple[str, ...]:
    """A payment of the order, as a line."""
    return (
        paid["id"].rpartition("#")[2],
        str(paid["part"]),
        paid["seen_at"],
        paid["provider_state"],
        f"{paid['received']} {paid['currency']}",
        f"{paid['returned']} {paid['currency']}",
        *(dollars(paid[name]) for name in ("bought", "credited", "taken_back")),
        paid["key_id"] or "",
    )
