"""Exports: exact, bounded, safe in a spreadsheet, and sent while they are read."""

from __future__ import annotations

import csv
import io
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from osiris.errors import StoreUnavailable
from osiris.flows import credit
from osiris.flows.keys import create
from osiris.ledger.entry import COMPLETED, charge, lapse
from osiris.money import NANO_PER_DOLLAR, nano_from_dollars
from osiris.usage import TOKENS_PER_MTOK, Tokens, Usage
from osiris.web.days import DAYS_MAX
from osiris.web.pages.exports import CHUNK_CHARACTERS, LEDGER_COLUMNS, REQUEST_COLUMNS
from tests.builders import unreachable
from tests.flows.used_key import MODEL, closed, funded, opened, requested
from tests.web.browser import SITE, Browser, event, web_world
from tests.web.history import LongHistory, every_kind

if TYPE_CHECKING:
    from osiris.ledger.key import Key
    from tests.web.browser import Shown

DAY_MS = 86_400_000
BOTH = pytest.mark.parametrize("kind", ["ledger", "requests"])
COLUMNS = {"ledger": LEDGER_COLUMNS, "requests": REQUEST_COLUMNS}


@pytest.fixture
def ada() -> Browser:
    return Browser(web_world(), "ada")


@pytest.fixture
def key(ada: Browser) -> Key:
    return funded(ada.world, "ada")


def rows(shown: Shown) -> list[dict[str, str]]:
    """The file, read as CSV."""
    assert shown.status == 200, shown.text
    return list(csv.DictReader(io.StringIO(shown.body.decode(), newline="")))


# ----------------------------------------------------------------------------------- what is in it


def test_a_file_is_sent_to_be_kept(ada: Browser, key: Key) -> None:
    """As CSV with a plain name that says what it is; kept by no cache."""
    shown = ada.get(f"/keys/{key.id}/ledger.csv?from=2026-11-01&to=2026-11-24")
    assert shown.header("Content-Type") == "text/csv; charset=utf-8"
    assert shown.header("Content-Disposition") == (
        f'attachment; filename="osiris-ledger-{key.id}-2026-11-01-to-2026-11-24.csv"'
    )
    assert shown.header("Cache-Control") == "no-store"
    assert shown.header("X-Content-Type-Options") == "nosniff"


def test_the_ledger_adds_up(ada: Browser) -> None:
    """Oldest first; each balance is the one before and the amount, to the nano-dollar."""
    key = create(ada.world.app, "ada", name="laptop").key
    order = every_kind(ada.world, key, reason="sorry")
    ada.sign_in("ada")
    found = rows(ada.get(f"/keys/{key.id}/ledger.csv?from=2026-11-01"))
    assert [row["type"] for row in found][:3] == ["purchase", "charge", "forfeiture"]
    balance_nano = 0
    for row in found:
        balance_nano += nano_from_dollars(row["amount_usd"])
        assert nano_from_dollars(row["balance_usd"]) == balance_nano
        assert row["settled"] == "true"
    assert balance_nano == ada.world.stored_key(key.id).balance_nano
    by_type = {row["type"]: row for row in found}
    assert by_type["purchase"]["at"] == "2026-11-24T10:00:00.000Z"
    assert by_type["purchase"]["order_id"] == order.id
    assert by_type["charge"]["request_id"] == by_type["charge"]["entry_id"]
    assert by_type["forfeiture"]["credit_expired_at"].startswith("2026-12-24T10:00")
    assert by_type["adjustment"]["reverses_entry_id"] == by_type["forfeiture"]["entry_id"]
    assert by_type["grant"]["reason"] == "sorry"


def test_a_requests_cost_can_be_reckoned_again(ada: Browser, key: Key) -> None:
    """From the tokens and prices of its line alone."""
    request = opened(ada.world, key)
    entry = charge(
        key_id=key.id,
        request_id=request,
        model=MODEL,
        state=COMPLETED,
        streamed=False,
        usage=Usage(Tokens(1001, 202, 33, 4, 5005), estimated=True),
        admitted_at_ms=ada.world.now_ms,
        now_ms=ada.world.now_ms + 1234,
    )
    closed(ada.world, key, ada.world.app.ledger.record(entry))
    (row,) = rows(ada.get(f"/keys/{key.id}/requests.csv"))
    total = sum(
        int(row[f"{bucket}_tokens"]) * nano_from_dollars(row[f"{bucket}_usd_per_mtok"])
        for bucket in ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
    )
    assert nano_from_dollars(row["cost_usd"]) * TOKENS_PER_MTOK == total
    assert (
        row
        | {
            "admitted_at": "2026-11-24T10:00:00.000Z",
            "ended_at": "2026-11-24T10:00:01.234Z",
            "duration_ms": "1234",
            "state": "completed",
            "upstream": "openai",
            "streamed": "false",
            "minimum_applied": "false",
            "estimated": "true",
            "bounded": "false",
            "settled": "true",
        }
        == row
    )


def test_a_lost_request_has_empty_cells(ada: Browser, key: Key) -> None:
    """In as many columns as any other."""
    request = opened(ada.world, key)
    ada.world.app.ledger.record(lapse(key_id=key.id, request_id=request, now_ms=ada.world.now_ms))
    (row,) = rows(ada.get(f"/keys/{key.id}/requests.csv"))
    filled = {name: text for name, text in row.items() if text}
    assert filled == {
        "request_id": request,
        "admitted_at": "2026-11-24T10:00:00.000Z",
        "ended_at": "2026-11-24T10:00:00.000Z",
        "state": "lapsed",
        "cost_usd": "0",
        "settled": "false",
    }


@BOTH
def test_an_empty_file_has_its_head(ada: Browser, kind: str) -> None:
    """And nothing else."""
    key = create(ada.world.app, "ada", name="laptop").key
    shown = ada.get(f"/keys/{key.id}/{kind}.csv")
    assert shown.html == ",".join(COLUMNS[kind]) + "\r\n"


# ------------------------------------------------------------------------------------ spreadsheets


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_a_text_is_no_formula(ada: Browser, key: Key, sign: str) -> None:
    """What people chose begins with an apostrophe then; amounts stay numbers."""
    text = sign + 'HYPERLINK("http://evil.example","x")'
    credit.grant(ada.world.app, key.id, amount_nano=NANO_PER_DOLLAR, days=9, reason=text)
    ada.world.pass_ms(1)
    requested(ada.world, key, model=text)
    found = rows(ada.get(f"/keys/{key.id}/ledger.csv"))
    assert "'" + text in [row["reason"] for row in found]
    assert (found[-1]["model"], found[-1]["amount_usd"]) == ("'" + text, "-0.002")
    (row,) = rows(ada.get(f"/keys/{key.id}/requests.csv"))
    assert row["model"] == "'" + text


def test_any_text_stays_in_its_cell(ada: Browser, key: Key) -> None:
    """Commas, quotes, line ends and other scripts are read as they were written."""
    text = 'a,"b"\r\nc;ü\u2028\U0001f600'
    credit.grant(ada.world.app, key.id, amount_nano=NANO_PER_DOLLAR, days=9, reason=text)
    assert text in [row["reason"] for row in rows(ada.get(f"/keys/{key.id}/ledger.csv"))]


# ---------------------------------------------------------------------------------------- the days


@BOTH
def test_the_days_are_whole_and_both_count(ada: Browser, key: Key, kind: str) -> None:
    """From the first millisecond of the first to the last of the last; a month without them."""
    ada.world.pass_ms(DAY_MS - ada.world.now_ms % DAY_MS - 1)
    made = []
    for _ in range(3):
        made.append(requested(ada.world, key).id)
        ada.world.pass_ms(DAY_MS)
        made.append(requested(ada.world, key).id)
        ada.world.pass_ms(1)
    ada.sign_in("ada")
    for query, expected in {
        "from=2026-11-24&to=2026-11-24": made[:1],
        "from=2026-11-25&to=2026-11-25": made[1:2],
        "from=2026-11-25&to=2026-11-26": made[1:3],
        "": made,
        "from=2026-11-26": made[2:],
        "to=2026-11-25": made[:2],
    }.items():
        found = rows(ada.get(f"/keys/{key.id}/{kind}.csv?{query}"))
        ids = [row.get("request_id") for row in found if row.get("type", "charge") == "charge"]
        assert ids == expected, query


@BOTH
@pytest.mark.parametrize(
    "query",
    [
        "from=2026-11-25&to=2026-11-24",
        "from=2025-10-20&to=2026-11-24",
        "from=2026-02-30",
        "from=20261124",
        "from=2026-1-1",
        "to=1969-12-31",
        "from=x",
        "to=%D9%A2026-11-24",
        "from=2026-W01-1",
        "from=0000-00-00",
        "to=99999-01-01",
        "from=2027-01-01",
    ],
)
def test_other_days_are_refused_in_words(ada: Browser, key: Key, kind: str, query: str) -> None:
    """On the key's page, with what was typed kept; too many days are told how many may be."""
    shown = ada.get(f"/keys/{key.id}/{kind}.csv?{query}")
    assert shown.status == 400
    assert "These days can't be exported. A file has 1 to 400 days" in shown.text
    assert "Download as CSV" in shown.text
    name, _, typed = query.partition("&")[0].partition("=")
    if "%" not in typed:
        assert f'name="{name}" value="{typed}"' in shown.html


def test_the_longest_file_is_more_than_a_year(ada: Browser, key: Key) -> None:
    """As many days as may be are within, and the last may be of any year."""
    assert DAYS_MAX == 400
    for query in (
        "from=2025-10-21&to=2026-11-24",
        "from=1970-01-01&to=1970-01-02",
        "to=9999-12-31",
    ):
        assert ada.get(f"/keys/{key.id}/ledger.csv?{query}").status == 200


@BOTH
def test_another_accounts_key_is_none(ada: Browser, key: Key, kind: str) -> None:
    """It is told before anything of a file is sent."""
    bob = Browser(ada.world, "bob")
    for path in (f"/keys/{key.id}/{kind}.csv", f"/keys/{key.id}/{kind}.csv?from=x"):
        shown = bob.get(path)
        assert shown.status == 404
        assert shown.header("Content-Type").startswith("text/html")


# ---------------------------------------------------------------------------------- how it is sent


@pytest.fixture(scope="module")
def long() -> LongHistory:
    return LongHistory()


@BOTH
def test_a_file_is_sent_while_it_is_read(long: LongHistory, kind: str) -> None:
    """The first piece leaves after one page of the ledger, and no piece is much above 8 KB."""
    browser = long.browser
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    headers = {"host": SITE.removeprefix("https://"), "cookie": cookie}
    path = f"/keys/{long.account.id}/{kind}.csv?from=2026-11-20"
    calls = browser.world.transport.calls
    calls.clear()
    answer = browser.site.answer(event("GET", path, b"", headers))
    assert "Query" not in calls
    pieces = iter(answer.body)
    sizes = [len(next(pieces))]
    assert calls.count("Query") == 1
    sizes += map(len, islice(pieces, 200))
    assert len(sizes) == 201
    assert min(sizes) >= CHUNK_CHARACTERS
    assert max(sizes) < CHUNK_CHARACTERS + 1_000
    # A page of the ledger is 1 MB of items, which are a little longer than their lines.
    assert 2 <= calls.count("Query") <= 6


@BOTH
def test_a_file_that_breaks_off_does_not_look_whole(ada: Browser, key: Key, kind: str) -> None:
    """When the store is out of reach the transfer fails, and the log has why."""
    requested(ada.world, key)
    cookie = "; ".join(f"{name}={value}" for name, value in ada.cookies.items())
    answer = ada.site.answer(event("GET", f"/keys/{key.id}/{kind}.csv", b"", {"cookie": cookie}))
    ada.world.meet("Query", unreachable)
    with pytest.raises(StoreUnavailable):
        list(answer.body)
    assert ada.world.lines[-1]["code"] == "store_unavailable"
