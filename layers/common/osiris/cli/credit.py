"""`osiris grant` and `osiris ledger`: credit given, and every line of a key's account."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from osiris.cli.amounts import DOLLARS
from osiris.cli.key_id import KEY, key_of
from osiris.cli.operator import Operator, as_json
from osiris.cli.output import dollars, note, show_fields, show_json, show_table
from osiris.errors import KeyNotFound
from osiris.flows import credit
from osiris.flows.statement import statement
from osiris.http.shapes import request_json, time_json
from osiris.ids import made_at_ms
from osiris.ledger.entry import CHARGE, LAPSED
from osiris.money import dollars_from_nano

if TYPE_CHECKING:
    from osiris.flows.statement import Line

DAYS_MAX = 3_660
REASON_LENGTH_MAX = 200
LINES_MAX = 1_000_000
# What the time in an id can tell.
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(8888, 1, 1, tzinfo=UTC)
_BUCKETS = {
    "input": "in",
    "cache_read": "cache read",
    "cache_write_5m": "cache write",
    "cache_write_1h": "cache write 1h",
    "output": "out",
}


class _Time(click.ParamType[int]):
    name = "time"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        if isinstance(value, int):  # a default
            return value
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is neither a day nor a time, like 2026-11-24T10:00Z", param, ctx)
        at = at.replace(tzinfo=at.tzinfo or UTC)
        if not _FIRST <= at < _LAST:
            self.fail(f"{value!r} is before {_FIRST.year} or after {_LAST.year}", param, ctx)
        return (at - _FIRST) // timedelta(milliseconds=1)


@click.command()
@click.argument("key_id", type=KEY, metavar="KEY")
@click.argument("amount_nano", type=DOLLARS, metavar="AMOUNT")
@click.option(
    "--days",
    type=click.IntRange(1, DAYS_MAX),
    default=30,
    show_default=True,
    help="How long the key's credit lasts from now, at least.",
)
@click.option("--reason", default="", help="Stands in the ledger, and the key's owner may read it.")
@as_json
@click.pass_obj
def grant(operator: Operator, key_id: str, amount_nano: int, days: int, reason: str) -> None:
    """Give KEY credit of AMOUNT dollars that lasts for some days from now.

    It is an entry: given twice it counts twice. All of the key's credit then lasts so long, and no
    less than before. What had expired is forfeited first.

    \b
    osiris grant KEY 5 --days 30
    osiris grant KEY 0.50 --days 7 --reason "beta tester"
    """
    if len(reason) > REASON_LENGTH_MAX or not (reason + "x").isprintable():
        raise click.UsageError(f"--reason is one line of at most {REASON_LENGTH_MAX} characters.")
    app = operator.app("keys_table", "ledger_table")
    posting = credit.grant(
        app, key_of(app, key_id).id, amount_nano=amount_nano, days=days, reason=reason.strip()
    )
    key = key_of(app, key_id)
    document: dict[str, Any] = {
        "key": key_id,
        "entries": [
            {"id": entry.id, "type": entry.type, "amount": dollars_from_nano(entry.amount_nano)}
            for entry in posting.entries
        ],
        "balance": dollars_from_nano(key.balance_nano),
        "expires_at": time_json(posting.expires_at_ms),
    }
    if operator.wants_json:
        show_json(document)
        return
    fields = {
        entry["type"]: f"{dollars(entry['amount'])} ({entry['id']})"
        for entry in document["entries"]
    }
    fields["balance"] = dollars(document["balance"])
    fields["expires"] = document["expires_at"]
    show_fields(fields)


@click.command()
@click.argument("key_id", type=KEY, metavar="KEY")
@click.option(
    "--from", "from_ms", type=_Time(), default=0, help="Not before this day or time (UTC)."
)
@click.option("--to", "until_ms", type=_Time(), default=None, help="Before this day or time (UTC).")
@click.option(
    "--limit",
    type=click.IntRange(1, LINES_MAX),
    default=100,
    show_default=True,
    help="The newest lines alone.",
)
@as_json
@click.pass_obj
def ledger(operator: Operator, key_id: str, from_ms: int, until_ms: int | None, limit: int) -> None:
    """Every entry of KEY, oldest first, with the balance after it.

    A charge shows its model, the tokens in each bucket, the prices per million that it was charged
    at, and whether the minimum of $0.001 applied: anyone can compute it again. What a payment
    brought, or took back, shows its order and the payment.

    \b
    osiris ledger KEY --from 2026-11-01 --to 2026-12-01 --limit 1000
    """
    app = operator.app("keys_table", "ledger_table")
    try:
        told = statement(app, key_id, from_ms=from_ms, until_ms=until_ms, lines_max=limit)
    except KeyNotFound as error:
        raise click.ClickException(f"There is no key {key_id}.") from error
    documents = [_line_json(line) for line in told.lines]
    balance = dollars_from_nano(told.key.balance_nano)
    held = dollars_from_nano(sum(told.key.holds.values()))
    if operator.wants_json:
        about = {"key": key_id, "balance": balance, "held": held, "omitted": told.omitted}
        show_json({**about, "data": documents})
        return
    headings = ("time", "entry", "what", "amount", "balance", "tokens", "$ per million", "notes")
    show_table(headings, [_row(document) for document in documents], right=("amount", "balance"))
    if told.omitted:
        note(f"{told.omitted} older lines are not shown: --limit shows more.")
    note(f"Balance now {dollars(balance)}, of which {dollars(held)} is held by open requests.")


def _line_json(line: Line) -> dict[str, Any]:
    entry = line.entry
    facts = request_json(entry) if entry.type == CHARGE else {}
    return {
        "id": entry.id,
        "type": entry.type,
        "at": time_json(made_at_ms(entry.id)),
        "amount": dollars_from_nano(entry.amount_nano),
        "settled": line.settled,
        "balance_after": dollars_from_nano(line.balance_nano),
        **({"reason": entry.reason} if entry.reason else {}),
        **({"order_id": entry.order_id} if entry.order_id else {}),
        **({"payment_id": entry.payment_id} if entry.payment_id else {}),
        **{name: value for name, value in facts.items() if name not in ("id", "object")},
    }


def _row(document: dict[str, Any]) -> tuple[str, ...]:
    return (
        document["at"],
        document["id"],
        document.get("model", document["type"]),
        dollars(document["amount"]),
        dollars(document["balance_after"]),
        _buckets(document.get("tokens", {})),
        _prices(document),
        ", ".join(_notes(document)),
    )


def _buckets(tokens: dict[str, int]) -> str:
    return ", ".join(f"{_BUCKETS[name]} {count:,}" for name, count in tokens.items() if count)


def _prices(document: dict[str, Any]) -> str:
    """The prices of the buckets that were used."""
    used = [name for name, count in document.get("tokens", {}).items() if count]
    prices = document.get("prices_per_mtok", {})
    return ", ".join(f"{_BUCKETS[name]} {prices[name]}" for name in used)


def _notes(document: dict[str, Any]) -> list[str]:
    words = [document["state"]] if "state" in document else []
    words += ["minimum"] if document.get("minimum_applied") else []
    words += [flag for flag in ("estimated", "bounded") if document.get(flag)]
    words += [] if document["settled"] else ["not settled yet"]
    words += [document[name] for name in ("order_id", "payment_id") if name in document]
    reason = document.get("reason", "")
    return [*words, reason] if reason and reason != LAPSED else words
