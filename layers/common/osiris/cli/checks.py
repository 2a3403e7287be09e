"""`osiris audit` and `osiris reconcile`: the proof that the books are right, and their repair."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from osiris.cli.operator import Operator, as_json
from osiris.cli.output import note, progress, show_fields, show_json, show_table
from osiris.flows.audit import audit as run_audit
from osiris.flows.reconcile import reconcile as run_reconcile
from osiris.http.shapes import time_json
from osiris.money import dollars_from_nano

if TYPE_CHECKING:
    from osiris.ledger.audit import Difference

DIFFERENCES_SHOWN_MAX = 20
COUNTED = ("keys", "accounts", "entries", "payments")


@click.command()
@as_json
@click.pass_obj
def audit(operator: Operator) -> None:
    """Check every key, account and entry against the rules of money.

    I1: a key's balance is the sum of its settled entries. I2: available is the balance less what is
    held. I3: each request is settled once. I4: each payment is credited once, with what it bought,
    and taken back once; an order's sums are those of its payments. I5: no 60 seconds hold more
    admissions than the key's limit. I6: an account has at most 10 keys, those that it names, and
    had one trial at most.

    Reads the tables of keys, entries and orders whole and changes nothing; requests may run
    meanwhile. The exit code is 1 when a rule does not hold.
    """
    app = operator.app("keys_table", "ledger_table", "orders_table")
    with progress("Auditing keys") as tell:
        found = run_audit(app, progress=tell)
    counts = {noun: getattr(found, noun) for noun in COUNTED}
    differences = [_document(difference) for difference in found.differences]
    if operator.wants_json:
        show_json({"holds": not differences, **counts, "differences": differences})
    else:
        _show(differences)
        told = ", ".join(f"{noun} {count}" for noun, count in counts.items())
        held = "All invariants hold" if not differences else f"{len(differences)} DIFFERENCES"
        click.echo(f"{held}: {told}.")
    if differences:
        raise SystemExit(1)


@click.command()
@as_json
@click.pass_obj
def reconcile(operator: Operator) -> None:
    """Finish requests whose function was lost, roll closed hours up into Usage, and put an event
    for each key whose balance has become low.

    The hourly function does the same; both may run at once. The exit code is 1 when some keys could
    not be done: they are left for the next run.
    """
    lines: list[str] = []
    tables = ("keys_table", "ledger_table", "usage_table", "orders_table")
    app = operator.app(*tables, write=lines.append)
    try:
        with progress("Reconciling keys") as tell:
            done = run_reconcile(app, progress=tell)
    finally:
        for line in lines:
            _note_event(json.loads(line))
    document: dict[str, Any] = {
        "keys": done.keys,
        "finished": done.finished,
        "rollups": done.rollups,
        "told_low": done.told_low,
        "failed": done.failed,
        "rolled_until": time_json(done.rolled_until_ms),
    }
    if operator.wants_json:
        show_json(document)
    else:
        show_fields({name.replace("_", " "): str(value) for name, value in document.items()})
    if done.failed:
        note(f"{done.failed} keys could not be done. The next run takes them up.")
        raise SystemExit(1)


def _note_event(facts: dict[str, Any]) -> None:
    """What was logged of single keys, in words."""
    match facts["event"]:
        case "hold_lapsed":
            charged = "charged by its entry" if facts["charged"] else "not charged"
            note(f"Finished {facts['request_id']} of key {facts['key_id']}: {charged}.")
        case "reconcile_failed":
            note(f"Not done: key {facts['key_id']}: {facts['details']}.")


def _document(difference: Difference) -> dict[str, Any]:
    """A difference; figures in nano-dollars become dollars."""
    shown = difference._asdict()
    if difference.what.endswith("_nano"):
        shown["what"] = difference.what.removesuffix("_nano")
        for side in ("expected", "found"):
            shown[side] = dollars_from_nano(shown[side])
    return shown


def _show(differences: list[dict[str, Any]]) -> None:
    if not differences:
        return
    headings = ("rule", "of", "what", "expected", "found")
    show_table(headings, [_row(shown) for shown in differences[:DIFFERENCES_SHOWN_MAX]])
    if len(differences) > DIFFERENCES_SHOWN_MAX:
        note(f"The first {DIFFERENCES_SHOWN_MAX} are shown; --json has all.")


def _row(shown: dict[str, Any]) -> tuple[str, ...]:
    return (shown["invariant"], shown["subject"], shown["what"], *map(_cell, _sides(shown)))


def _sides(shown: dict[str, Any]) -> tuple[Any, Any]:
    return shown["expected"], shown["found"]


def _cell(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
