"""Exports: a key's history as CSV (RFC 4180), sent while it is read.

Amounts are exact decimal texts in dollars, times RFC 3339 in UTC. A file that breaks off is not
whole: its transfer ends with an error.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from osiris.errors import InvalidRequest
from osiris.flows.export import ledger_lines, request_lines
from osiris.http.messages import Answer
from osiris.http.shapes import time_json
from osiris.ids import made_at_ms
from osiris.ledger.entry import CHARGE, LAPSED
from osiris.money import dollars_from_nano
from osiris.usage import cost_nano
from osiris.web.days import span
from osiris.web.pages import ledger

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from osiris.flows.ledger_page import RequestLine
    from osiris.flows.statement import Line
    from osiris.ledger.entry import Charge
    from osiris.web.days import Span
    from osiris.web.visit import Visit

# So much is held at once beside a page of the ledger's.
CHUNK_CHARACTERS = 8 * 1024
# A spreadsheet takes such a cell for a formula:
# https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n")

LEDGER_COLUMNS = (
    "entry_id",
    "type",
    "at",
    "recorded_at",
    "amount_usd",
    "balance_usd",
    "settled",
    "request_id",
    "model",
    "order_id",
    "payment_id",
    "reason",
    "credit_expired_at",
    "reverses_entry_id",
)
REQUEST_COLUMNS = (
    "request_id",
    "admitted_at",
    "ended_at",
    "duration_ms",
    "state",
    "model",
    "upstream",
    "streamed",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "input_usd_per_mtok",
    "cache_read_usd_per_mtok",
    "cache_write_5m_usd_per_mtok",
    "cache_write_1h_usd_per_mtok",
    "output_usd_per_mtok",
    "cost_usd",
    "minimum_applied",
    "estimated",
    "bounded",
    "settled",
)


def ledger_csv(visit: Visit) -> Answer:
    """A key's entries, oldest first."""
    key_id = visit.parameter("key_id")
    try:
        days = _days(visit)
    except InvalidRequest as problem:
        visit.problem = problem
        return ledger.ledger(visit)
    lines = ledger_lines(
        visit.app, visit.account_id, key_id, from_ms=days.from_ms, until_ms=days.until_ms
    )
    return _file(ledger.LEDGER, key_id, days, LEDGER_COLUMNS, map(_ledger_row, lines))


def requests_csv(visit: Visit) -> Answer:
    """A key's requests, oldest first: all that their cost can be reckoned from again."""
    key_id = visit.parameter("key_id")
    try:
        days = _days(visit)
    except InvalidRequest as problem:
        visit.problem = problem
        return ledger.requests(visit)
    lines = request_lines(
        visit.app, visit.account_id, key_id, from_ms=days.from_ms, until_ms=days.until_ms
    )
    return _file(ledger.REQUESTS, key_id, days, REQUEST_COLUMNS, map(_request_row, lines))


def _days(visit: Visit) -> Span:
    return span(visit.query("from"), visit.query("to"), visit.app.now_ms())


def _file(
    kind: str, key_id: str, days: Span, columns: Sequence[str], rows: Iterable[dict[str, object]]
) -> Answer:
    # The key was found, so its id is one of ours: letters and digits.
    name = f"osiris-{kind}-{key_id}-{days.first}-to-{days.last}.csv"
    headers = [
        ("Content-Type", "text/csv; charset=utf-8"),
        ("Content-Disposition", f'attachment; filename="{name}"'),
        ("Cache-Control", "no-store"),
    ]
    return Answer(200, headers, _written(columns, rows))


def _written(columns: Sequence[str], rows: Iterable[dict[str, object]]) -> Iterator[bytes]:
    text = io.StringIO(newline="")
    # What a row does not have is an empty cell; what no column has is a mistake of ours.
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    for row in rows:
        writer.writerow(row)
        if text.tell() >= CHUNK_CHARACTERS:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def _ledger_row(line: Line) -> dict[str, object]:
    entry = line.entry
    return {
        "entry_id": entry.id,
        "type": entry.type,
        "at": time_json(made_at_ms(entry.id)),
        "recorded_at": time_json(entry.at_ms),
        "amount_usd": dollars_from_nano(entry.amount_nano),
        "balance_usd": dollars_from_nano(line.balance_nano),
        "settled": _yes(line.settled),
        "request_id": entry.id if entry.type == CHARGE else "",
        "model": "" if entry.charge is None else _text(entry.charge.model),
        "order_id": entry.order_id,
        "payment_id": _text(entry.payment_id),
        "reason": _text(entry.reason),
        "credit_expired_at": time_json(entry.expired_at_ms),
        "reverses_entry_id": entry.reverses,
    }


def _request_row(line: RequestLine) -> dict[str, object]:
    entry = line.entry
    row: dict[str, object] = {
        "request_id": entry.id,
        "admitted_at": time_json(made_at_ms(entry.id)),
        "ended_at": time_json(entry.at_ms),
        "state": LAPSED,
        "cost_usd": dollars_from_nano(entry.cost_nano),
        "settled": _yes(line.settled),
    }
    return row if entry.charge is None else row | _facts(entry.charge, entry.cost_nano)


def _facts(charge: Charge, charged_nano: int) -> dict[str, object]:
    tokens = charge.tokens._asdict()
    prices = charge.prices._asdict()
    return {
        "duration_ms": charge.duration_ms,
        "state": _text(charge.state),
        "model": _text(charge.model),
        "upstream": _text(charge.upstream),
        "streamed": _yes(charge.streamed),
        **{f"{bucket}_tokens": count for bucket, count in tokens.items()},
        **{name.replace("_nano_", "_usd_"): dollars_from_nano(prices[name]) for name in prices},
        "minimum_applied": _yes(charged_nano > cost_nano(charge.tokens, charge.prices)),
        "estimated": _yes(charge.estimated),
        "bounded": _yes(charge.bounded),
    }


def _yes(fact: bool) -> str:
    return "true" if fact else "false"


def _text(text: str) -> str:
    """A text that others chose, as no spreadsheet takes it for a formula."""
    return "'" + text if text.startswith(_FORMULA_SIGNS) else text
