"""`osiris refund`: money given back, by the provider or by hand, and the credit taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from osiris.cli.amounts import AMOUNT
from osiris.cli.credit import REASON_LENGTH_MAX
from osiris.cli.operator import Operator, as_json
from osiris.cli.order_id import ORDER, PAYMENT
from osiris.cli.output import dollars, note, show_fields, show_json
from osiris.cli.payment_notes import payment_notes
from osiris.flows import orders as flows
from osiris.ledger.entry import ADJUSTMENT
from osiris.ledger.payment import CHARGEBACK, REFUND
from osiris.money import dollars_from_nano
from osiris.store.order_items import full_id
from osiris.times import MINUTE_MS

if TYPE_CHECKING:
    from decimal import Decimal

    from osiris.app.full import FullApp
    from osiris.ledger.entry import Entry
    from osiris.ledger.payment import Payment

TABLES = ("keys_table", "ledger_table", "orders_table")
# A webhook's function may take the credit back before we do, and its clock is another.
CLOCKS_APART_MS = MINUTE_MS


@click.command()
@click.argument("order_id", type=ORDER, metavar="ORDER")
@click.argument("payment_id", type=PAYMENT, metavar="PAYMENT")
@click.option(
    "--amount",
    type=AMOUNT,
    help="How much, in the payment's own currency. [default: all that is left of it]",
)
@click.option("--manual", is_flag=True, help="It was given back by hand: record it.")
@click.option("--chargeback", is_flag=True, help="With --manual: the payer took it back.")
@click.option("--reason", default="", help="Told to the provider, one line.")
@as_json
@click.pass_obj
def refund(
    operator: Operator,
    order_id: str,
    payment_id: str,
    amount: Decimal | None,
    manual: bool,
    chargeback: bool,
    reason: str,
) -> None:
    """Give PAYMENT of ORDER back to its payer, and take back the credit that it brought.

    Midtrans does it when asked. NOWPayments gives nothing back: send the coins by hand, then record
    it by --manual. What was forfeited of the credit meanwhile is reversed first, up to the amount;
    the key's balance may go below $0.

    \b
    osiris refund ORDER PAYMENT --reason "ordered twice"
    osiris refund ORDER PAYMENT --amount 500000
    osiris refund ORDER PAYMENT --manual --chargeback
    """
    if chargeback and not manual:
        raise click.UsageError("--chargeback is the record of one, and goes with --manual.")
    if len(reason) > REASON_LENGTH_MAX or not (reason + "x").isprintable():
        raise click.UsageError(f"--reason is one line of at most {REASON_LENGTH_MAX} characters.")
    with payment_notes() as write:
        app = operator.app(*TABLES, *(() if manual else ("region",)), write=write)
        before = _payment(app, order_id, payment_id)
        since_ms = app.now_ms() - CLOCKS_APART_MS
        earlier = _reversals(app, before, since_ms)
        after = flows.refund(
            app,
            order_id,
            payment_id,
            amount=amount,
            manual=manual,
            kind=CHARGEBACK if chargeback else REFUND,
            reason=reason.strip(),
        )
    later = [entry for entry in _reversals(app, after, since_ms) if entry not in earlier]
    document = _document(app, before, after, later)
    if operator.wants_json:
        show_json(document)
    else:
        show_fields(_fields(document))
    if after.returned == before.returned:
        note(
            "The provider took it, and does not tell of it yet. The credit is taken back when it"
            f" does; to ask it again: osiris orders show {order_id} --ask"
        )


def _payment(app: FullApp, order_id: str, payment_id: str) -> Payment:
    """The payment as it is before; one that is not there is refused with the order's ids."""
    _, payments = flows.find(app, order_id)
    for payment in payments:
        if payment.id == payment_id:
            return payment
    known = ", ".join(payment.id for payment in payments) or "none"
    raise click.ClickException(f"No such payment of {order_id}. Its payments: {known}.")


def _reversals(app: FullApp, payment: Payment, since_ms: int) -> list[Entry]:
    """Forfeitures given back to the payment's key on its account, not long ago."""
    if not payment.key_id:
        return []
    return [
        entry
        for entry in app.ledger.entries(payment.key_id, from_ms=since_ms)
        if entry.type == ADJUSTMENT and entry.payment_id == full_id(payment)
    ]


def _document(
    app: FullApp, before: Payment, after: Payment, reversals: list[Entry]
) -> dict[str, Any]:
    key = app.keys.read_as_stored(after.key_id) if after.key_id else None
    return {
        "order": after.order_id,
        "payment": full_id(after),
        "currency": after.currency,
        "received": format(after.received, "f"),
        "returned_now": format(after.returned - before.returned, "f"),
        "returned": format(after.returned, "f"),
        "taken_back": dollars_from_nano(after.taken_back_nano - before.taken_back_nano),
        "reversed": dollars_from_nano(sum(entry.amount_nano for entry in reversals)),
        "key": after.key_id or None,
        "balance": None if key is None else dollars_from_nano(key.balance_nano),
    }


def _fields(document: dict[str, Any]) -> dict[str, str]:
    fields = {name: document[name] for name in ("order", "payment")}
    fields["returned"] = (
        f"{document['returned_now']} {document['currency']},"
        f" in all {document['returned']} of {document['received']}"
    )
    fields["taken back"] = dollars(document["taken_back"])
    fields["reversed"] = f"{dollars(document['reversed'])} of forfeited credit"
    if document["key"]:
        fields |= {"key": document["key"], "balance": dollars(document["balance"])}
    return fields
