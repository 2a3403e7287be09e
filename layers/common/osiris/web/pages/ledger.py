"""A key's history: its ledger with the running balance, and its requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osiris.errors import InvalidRequest
from osiris.flows.keys import list_keys
from osiris.flows.ledger_page import ledger_page, requests_page
from osiris.ids import made_at_ms
from osiris.ledger.hold import lapsed
from osiris.web.cursors import cursor_at, opened_cursor, sealed_cursor
from osiris.web.days import DAYS_MAX, day_text, span
from osiris.web.ledger_words import TYPES, reason_of, seconds, state_of
from osiris.web.rendering import page

if TYPE_CHECKING:
    from collections.abc import Callable

    from osiris.flows.ledger_page import Cursor, LedgerPage, RequestsPage
    from osiris.http.messages import Answer
    from osiris.web.visit import Visit

# Of the requests that are open: as many as there are lines on a page.
OPEN_MAX = 50
LEDGER, REQUESTS = "ledger", "requests"


def ledger(visit: Visit) -> Answer:
    """All entries of a key, newest first, each with the balance after it.

    `at` in the address names an entry: the page begins at it, unless it is too far back.
    """
    key_id, at = visit.parameter("key_id"), visit.query("at")
    place_of_at = cursor_at(at, visit.app.now_ms())
    cursor = opened_cursor(visit, LEDGER, key_id, visit.query("before")) or place_of_at
    shown, cursor = _page(
        lambda place: ledger_page(visit.app, visit.account_id, key_id, cursor=place), cursor
    )
    on_page = {line.entry.id for line in shown.lines}
    is_elsewhere = place_of_at is not None and at not in on_page
    return page(
        visit,
        "ledger.html",
        lines=shown.lines,
        on_page=on_page,
        types=TYPES,
        state_of=lambda entry: state_of(visit.words, entry),
        reason_of=lambda entry: reason_of(visit.words, entry),
        elsewhere_day=day_text(made_at_ms(at)) if is_elsewhere else "",
        **_around(visit, LEDGER, shown, cursor),
    )


def requests(visit: Visit) -> Answer:
    """A key's requests, newest first; before the newest those that are open."""
    key_id = visit.parameter("key_id")
    cursor = opened_cursor(visit, REQUESTS, key_id, visit.query("before"))
    shown, cursor = _page(
        lambda place: requests_page(visit.app, visit.account_id, key_id, cursor=place), cursor
    )
    settings, now_ms = visit.app.settings, visit.app.now_ms()
    return page(
        visit,
        "requests.html",
        lines=shown.lines,
        open_requests=_open(shown) if cursor is None else [],
        lapsed=lapsed(shown.key.holds, lapse_ms=settings.hold_lapse_ms, now_ms=now_ms),
        state_of=lambda entry: state_of(visit.words, entry),
        seconds=lambda duration_ms: seconds(visit.words, duration_ms),
        **_around(visit, REQUESTS, shown, cursor),
    )


def _page[P](read: Callable[[Cursor | None], P], cursor: Cursor | None) -> tuple[P, Cursor | None]:
    """The page of a cursor, and the cursor; the newest and None where it leads nowhere."""
    if cursor is not None:
        try:
            return read(cursor), cursor
        except InvalidRequest:
            # Too far from the newest page to be reckoned from there.
            pass
    return read(None), None


def _open(shown: RequestsPage) -> list[tuple[str, int]]:
    """What is open without a line on the page: ids and amounts held, newest first."""
    on_page = {line.entry.id for line in shown.lines}
    held = sorted(shown.key.holds.items(), reverse=True)
    return [(id, hold_nano) for id, hold_nano in held if id not in on_page][:OPEN_MAX]


def _around(
    visit: Visit, kind: str, shown: LedgerPage | RequestsPage, cursor: Cursor | None
) -> dict[str, Any]:
    """What both pages have beside their lines."""
    key, now_ms = shown.key, visit.app.now_ms()
    this_month = span("", "", now_ms)
    return {
        "kind": kind,
        "key": key,
        "keys": list_keys(visit.app, visit.account_id),
        "made_at_ms": made_at_ms,
        "is_newest": cursor is None,
        "older": sealed_cursor(visit, kind, key.id, shown.cursor),
        "first_day": visit.query("from") if visit.problem else this_month.first,
        "last_day": visit.query("to") if visit.problem else this_month.last,
        "today": this_month.last,
        "days_max": DAYS_MAX,
    }
