"""`osiris orders`: top-ups of all accounts, and payments that need a home."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from osiris.cli.amounts import DOLLARS
from osiris.cli.key_id import KEY, key_of
from osiris.cli.operator import Operator, as_json
from osiris.cli.order_id import ORDER, PAYMENT
from osiris.cli.order_shapes import (
    LIST_HEADINGS,
    PART_HEADINGS,
    PAYMENT_HEADINGS,
    list_row,
    order_document,
    order_fields,
    part_row,
    payment_row,
)
from osiris.cli.output import dollars, note, show_fields, show_json, show_table
from osiris.cli.payment_notes import payment_notes
from osiris.flows import orders as flows
from osiris.http.shapes import time_json
from osiris.money import dollars_from_nano

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osiris.ledger.payment import Payment

ORDERS_MAX = 100_000
ASK_TIMEOUT_MS = 10_000
TABLES = ("keys_table", "ledger_table", "orders_table")


@click.group()
def orders() -> None:
    """Orders of credit, and the payments that a person has to decide about."""


@orders.command("list")
@click.option(
    "--undecided",
    is_flag=True,
    help="Only those about which a person has to decide, oldest first.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, ORDERS_MAX),
    default=50,
    show_default=True,
    help="So many at most.",
)
@as_json
@click.pass_obj
def list_all(operator: Operator, undecided: bool, limit: int) -> None:
    """The newest orders of all accounts, newest first. The whole table is read.

    \b
    osiris orders list --undecided
    """
    app = operator.app("orders_table")
    found = flows.undecided(app) if undecided else flows.newest(app, most=limit)
    documents = [
        order_document(order, (), app.now_ms(), whole=False) for order in islice(found, limit)
    ]
    if operator.wants_json:
        show_json({"data": documents})
    else:
        right = ("package", "credited", "taken back")
        show_table(LIST_HEADINGS, [list_row(shown) for shown in documents], right=right)
    if len(found) > limit:
        note(f"{len(found) - limit} more are not shown: --limit shows more.")


@orders.command("show")
@click.argument("order_id", type=ORDER, metavar="ORDER")
@click.option("--ask", is_flag=True, help="Ask the provider first, and do what follows.")
@as_json
@click.pass_obj
def show_order(operator: Operator, order_id: str, ask: bool) -> None:
    """An order with its parts and payments, what is undecided about it, and what to do.

    A payment's figures: what was received and returned in its own currency, and what of it was
    bought, credited and taken back in dollars. With --ask, the exit code is 1 when the provider
    could not be asked about all of it.
    """
    complete = True
    with payment_notes() as write:
        app = operator.app(*TABLES, *(("region",) if ask else ()), write=write)
        order, payments = flows.find(app, order_id)
        if ask:
            from osiris.flows import watch  # here: it sends events, and brings botocore

            complete = watch.ask(app, order, timeout_ms=ASK_TIMEOUT_MS).complete
            order, payments = flows.find(app, order_id)
    document = order_document(order, payments, app.now_ms(), whole=True)
    if operator.wants_json:
        show_json(document)
    else:
        _show(document, payments)
    if not complete:
        raise SystemExit(1)


@orders.command("assign")
@click.argument("order_id", type=ORDER, metavar="ORDER")
@click.argument("key_id", type=KEY, metavar="KEY")
@click.option(
    "--payment",
    "payment_id",
    type=PAYMENT,
    metavar="ID",
    help="A payment that could not be valued, as its provider calls it.",
)
@click.option("--amount", "amount_nano", type=DOLLARS, help="What that payment is worth.")
@as_json
@click.pass_obj
def assign(
    operator: Operator, order_id: str, key_id: str, payment_id: str | None, amount_nano: int | None
) -> None:
    """Credit what ORDER's payments left outstanding to KEY, by entries.

    A payment that came for a deleted key is valued already. One that the provider told of in
    another price or coin is not: name it by --payment, and its worth by --amount. The provider must
    have received it.

    \b
    osiris orders assign ORDER KEY
    osiris orders assign ORDER KEY --payment 5524759814 --amount 99.50
    """
    if (payment_id is None) != (amount_nano is None):
        raise click.UsageError("--payment and --amount go together.")
    needs = TABLES if payment_id is None else (*TABLES, "region")
    with payment_notes() as write:
        app = operator.app(*needs, write=write)
        credited_nano = flows.assign(
            app, order_id, key_id, payment_id=payment_id or "", amount_nano=amount_nano or 0
        )
    if not credited_nano:
        raise click.ClickException(f"Nothing of {order_id} is outstanding.")
    key = key_of(app, key_id)
    document: dict[str, Any] = {
        "order": order_id,
        "key": key_id,
        "account": key.account_id,
        "credited": dollars_from_nano(credited_nano),
        "balance": dollars_from_nano(key.balance_nano),
        "expires_at": time_json(key.expires_at_ms),
    }
    if operator.wants_json:
        show_json(document)
        return
    fields = {name: document[name] for name in ("order", "key", "account")}
    fields |= {name: dollars(document[name]) for name in ("credited", "balance")}
    show_fields(fields | {"expires": document["expires_at"]})


@orders.command("resolve")
@click.argument("order_id", type=ORDER, metavar="ORDER")
@as_json
@click.pass_obj
def resolve(operator: Operator, order_id: str) -> None:
    """Say that what ORDER left undecided is decided: it is not reported again for the same cause.

    No money moves by this. Give a payment a key before (assign), or the money back (refund).
    """
    app = operator.app("orders_table")
    problem = flows.resolve(app, order_id)
    if not problem:
        raise click.ClickException(f"Nothing of {order_id} is undecided.")
    if operator.wants_json:
        show_json({"order": order_id, "resolved": problem})
    else:
        show_fields({"order": order_id, "resolved": problem})


def _show(document: dict[str, Any], payments: Sequence[Payment]) -> None:
    show_fields(order_fields(document, payments))
    click.echo()
    show_table(
        PART_HEADINGS,
        [part_row(part) for part in document["parts"]],
        right=("credit", "credited"),
    )
    click.echo()
    show_table(
        PAYMENT_HEADINGS,
        [payment_row(paid) for paid in document["payments"]],
        right=("bought", "credited", "taken back"),
    )
