"""`osiris expire`: credit whose time is over, forfeited, or what that would be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from osiris.cli.operator import Operator, as_json
from osiris.cli.output import dollars, note, show_fields, show_json, show_table
from osiris.flows.expiry import expired, sweep
from osiris.http.shapes import time_json
from osiris.money import dollars_from_nano

if TYPE_CHECKING:
    from osiris.flows.expiry import Expired

TABLES = ("keys_table", "ledger_table", "orders_table", "catalogue_table")


@click.command()
@click.option("--dry-run", is_flag=True, help="Only show what would be forfeited now.")
@as_json
@click.pass_obj
def expire(operator: Operator, dry_run: bool) -> None:
    """Forfeit credit that has expired, by entries, and tell of credit that soon will.

    What open requests hold is not forfeited; what they give back goes with the next sweep. The
    hourly function does the same; both may run at once. The exit code is 1 when some keys could not
    be done: they are left for the next sweep.
    """
    if dry_run:
        _show_expired(operator)
    else:
        _sweep(operator)


def _show_expired(operator: Operator) -> None:
    app = operator.app("keys_table", "catalogue_table")
    found = [_document(one) for one in expired(app)]
    total = dollars_from_nano(sum(one.pop("forfeit_nano") for one in found))
    if operator.wants_json:
        show_json({"dry_run": True, "forfeits": total, "data": found})
        return
    headings = ("key", "account", "expired", "balance", "held", "forfeits")
    rows = [
        (
            *(one[name] for name in ("key", "account", "expired_at")),
            *(dollars(one[name]) for name in ("balance", "held", "forfeits")),
        )
        for one in found
    ]
    show_table(headings, rows, right=("balance", "held", "forfeits"))
    note(f"{len(found)} keys have expired; a sweep now would forfeit {dollars(total)}.")


def _sweep(operator: Operator) -> None:
    lines: list[str] = []
    app = operator.app(*TABLES, write=lines.append)
    try:
        done = sweep(app)
    finally:
        for facts in map(json.loads, lines):
            if facts["event"] == "sweep_failed":
                note(f"Not done: key {facts['key_id']}: {facts['details'] or 'changed each time'}.")
    document: dict[str, Any] = done._asdict()
    document["forfeited"] = dollars_from_nano(document.pop("forfeited_nano"))
    document["forfeited_keys"] = done.forfeited
    if operator.wants_json:
        show_json({"dry_run": False, **document})
    else:
        show_fields(
            {
                "expired": str(done.expired),
                "forfeited": f"{dollars(document['forfeited'])} of {done.forfeited} keys",
                "done with": str(done.retired),
                "warned": str(done.warned),
                "failed": str(done.failed),
            }
        )
    if done.failed:
        note(f"{done.failed} keys could not be done. The next sweep takes them up.")
        raise SystemExit(1)


def _document(one: Expired) -> dict[str, Any]:
    key = one.key
    return {
        "key": key.id,
        "account": key.account_id,
        "expired_at": time_json(key.expires_at_ms),
        "balance": dollars_from_nano(key.balance_nano),
        "held": dollars_from_nano(key.held_nano),
        "forfeits": dollars_from_nano(one.forfeit_nano),
        "forfeit_nano": one.forfeit_nano,
    }
