"""`osiris rates`: what a dollar costs in rupiah, by whom, and whether that is relied on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from osiris.cli.operator import Operator, as_json
from osiris.cli.output import note, show_json, show_table
from osiris.flows.rates import current, refreshed
from osiris.http.shapes import time_json
from osiris.payment_errors import RateUnavailable
from osiris.times import HOUR_MS, MINUTE_MS

if TYPE_CHECKING:
    from osiris.app.full import FullApp
    from osiris.ledger.rate import Quoted
    from osiris.settings import Settings
    from osiris.store.rates import KeptRate


NEVER_READ = "never read"
TOO_OLD = "too old"
NOT_RELIED_ON = "differs"
SOLD_AT = "sold at"
COMPARED = "compared"


@click.command()
@as_json
@click.pass_obj
def rates(operator: Operator) -> None:
    """The rupiah's rate at each source, and the rate that QRIS orders are sold at.

    A source is read again when it was last read an hour ago. The age is by the source's own time.
    The exit code is 1 when QRIS orders are stopped: no source is recent enough, or the sources
    differ by too much.
    """
    lines: list[str] = []
    app = operator.app("catalogue_table", write=lines.append)
    found = refreshed(app)
    quoted = _quoted(app)
    for facts in map(json.loads, lines):
        if facts["event"] == "rate_failed":
            note(f"Not read: {facts['source']}: {facts['details']}.")
    problem = "" if quoted else _problem(app, found)
    sources = [_source(app, rate, quoted) for rate in found]
    if operator.wants_json:
        sold = _sold(quoted, app.settings) if quoted else None
        show_json({"sold_at": sold, "problem": problem or None, "sources": sources})
    else:
        headings = ("source", "rupiah per dollar", "its time", "age", "is")
        show_table(headings, [_row(shown) for shown in sources], right=("rupiah per dollar",))
        click.echo(problem or _sold_text(quoted, app.settings))
    if problem:
        raise SystemExit(1)


def _quoted(app: FullApp) -> Quoted | None:
    try:
        return current(app)
    except RateUnavailable:
        return None


def _age_minutes(app: FullApp, rate: KeptRate) -> int | None:
    """None for one that was never read; 0 for a day's rate before the hour that it is dated to."""
    return max(0, (app.now_ms() - rate.at_ms) // MINUTE_MS) if rate.at_ms else None


def _age_ms_max(settings: Settings) -> int:
    return settings.rate_age_hours * HOUR_MS


def _state(app: FullApp, rate: KeptRate, quoted: Quoted | None) -> str:
    if not rate.at_ms:
        return NEVER_READ
    if rate.at_ms <= app.now_ms() - _age_ms_max(app.settings):
        return TOO_OLD
    if quoted is None:
        return NOT_RELIED_ON
    return SOLD_AT if rate.source == quoted.source else COMPARED


def _problem(app: FullApp, found: list[KeptRate]) -> str:
    settings = app.settings
    if any(_state(app, rate, None) == NOT_RELIED_ON for rate in found):
        why = f"the sources are more than {settings.rate_difference_percent} % apart"
    else:
        why = f"no source has a rate of the last {settings.rate_age_hours} hours"
    return f"QRIS orders are stopped: {why}."


def _source(app: FullApp, rate: KeptRate, quoted: Quoted | None) -> dict[str, Any]:
    state = _state(app, rate, quoted)
    return {
        "source": rate.source,
        "rupiah_per_dollar": format(rate.rupiah_per_dollar, "f") if rate.at_ms else None,
        "at": time_json(rate.at_ms),
        "age_minutes": _age_minutes(app, rate),
        "state": state,
        "relied_on": state in (SOLD_AT, COMPARED),
    }


def _sold(quoted: Quoted, settings: Settings) -> dict[str, Any]:
    return {
        "rupiah_per_dollar": format(quoted.rupiah_per_dollar, "f"),
        "source": quoted.source,
        "at": time_json(quoted.at_ms),
        "margin_percent": settings.rate_margin_percent,
    }


def _sold_text(quoted: Quoted | None, settings: Settings) -> str:
    assert quoted is not None, "without a rate there is a problem"
    rate = format(quoted.rupiah_per_dollar, "f")
    return (
        f"A dollar is sold at {rate} rupiah: {quoted.source},"
        f" with a margin of {settings.rate_margin_percent} %."
    )


def _row(shown: dict[str, Any]) -> tuple[str, ...]:
    age = shown["age_minutes"]
    return (
        shown["source"],
        shown["rupiah_per_dollar"] or "",
        shown["at"] or "",
        "" if age is None else f"{age // 60} h {age % 60} min",
        shown["state"],
    )
