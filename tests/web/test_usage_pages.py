"""The usage page: sums that agree, filters, and what it says of what it leaves out."""

from __future__ import annotations

import re
from html import escape, unescape
from typing import TYPE_CHECKING

import pytest

from osiris.flows import usage as flows
from osiris.flows.keys import create, set_enabled
from osiris.flows.usage import DayUsage
from osiris.ledger.key import ACCOUNT_KEYS_MAX, NAME_LENGTH_MAX
from osiris.ledger.rollup import Rollup
from osiris.times import DAY_MS, day_start_ms
from osiris.usage import Tokens
from osiris.web.pages import usage as pages
from osiris.web.words import ENGLISH, LANGUAGES
from tests.flows.used_key import funded, granted, opened, requested
from tests.web.browser import Browser, web_world
from tests.web.markup import Markup

if TYPE_CHECKING:
    from tests.web.browser import Shown

PAGE_BYTES_MAX = 50_000
MARKUP = "<script>alert(1)</script>\"'&"
TABLES = ("by-day", "by-model", "by-key")


@pytest.fixture
def ada() -> Browser:
    return Browser(web_world(), "ada")


def rows(shown: Shown, table: str) -> dict[str, list[str]]:
    """A table's numbers by the row's name; spent, requests, then the tokens."""
    start = shown.html.index(f'aria-labelledby="{table}"')
    body = shown.html[start : shown.html.index("</table>", start)]
    found = {}
    for row in re.split(r"<tr>", body)[2:]:
        name, *cells = re.split(r"<td>|<tbody>|<tfoot>", row.partition("<tfoot>")[0])
        text = unescape(re.sub(r"<span.*", "", name, flags=re.DOTALL))
        found[re.sub(r"<[^>]+>", "", text).strip()] = [cell.strip() for cell in cells]
    return found


def figure(text: str) -> int:
    """A cell's number; of dollars the nano-dollars."""
    plain = text.replace(",", "")
    if not plain.startswith("$"):
        return int(plain)
    whole, decimals = plain.removeprefix("$").split(".")
    return int(whole + decimals.ljust(9, "0"))


def passed(ada: Browser, time_ms: int) -> None:
    """Time passes, and she signs in again."""
    ada.world.pass_ms(time_ms)
    ada.sign_in("ada")


# ----------------------------------------------------------------------------------- what is shown


def test_without_keys_there_is_nothing_to_show(ada: Browser) -> None:
    """An empty account is told what to do next."""
    shown = ada.get("/usage")
    assert shown.status == 200
    assert "Create a key" in shown.text
    assert "<svg class" not in shown.html


def test_without_requests_it_says_so(ada: Browser) -> None:
    """Within a short time it offers a longer one, and otherwise how to begin."""
    create(ada.world.app, "ada", name="laptop")
    assert "Choose a longer time" in ada.get("/usage").text
    shown = ada.get("/usage?days=30")
    assert "Send one" in shown.text
    assert "$0.00" in shown.text


def test_each_table_comes_to_the_total(ada: Browser) -> None:
    """By day, by model and by key: all columns, and the figures above them."""
    first, second = funded(ada.world, "ada"), create(ada.world.app, "ada", name="other").key
    granted(ada.world, second)
    for ago in range(3):
        for number, key in enumerate((first, second)):
            requested(ada.world, key, model=f"m-{ago}", tokens=1 + ago + number)
        passed(ada, DAY_MS)
    shown = ada.get("/usage")
    assert "Spent $0.03 Requests 6 Input tokens 0 Output tokens 15,000" in shown.text
    for table in TABLES:
        found = rows(shown, table)
        total = [figure(cell) for cell in found.pop("Total")]
        assert total == [30_000_000, 6, 0, 0, 0, 15_000]
        columns = zip(*(map(figure, cells) for cells in found.values()), strict=True)
        assert [sum(column) for column in columns] == total
    assert list(rows(shown, "by-model")) == ["m-2", "m-1", "m-0", "Total"]
    assert len(rows(shown, "by-day")) == 4


def test_tokens_stand_in_their_buckets(ada: Browser) -> None:
    """Input without the cache, cache reads, cache writes of both kinds, output."""
    key = funded(ada.world, "ada")
    requested(ada.world, key)
    day_ms = day_start_ms(ada.world.now_ms) - DAY_MS
    closed_days(ada, Rollup(key.id, day_ms, "m-1", 7, Tokens(1000, 200, 30, 4, 5), 999))
    found = rows(ada.get("/usage"), "by-day")
    assert list(found) == ["23 Nov 2026", "24 Nov 2026", "Total"]
    assert found["23 Nov 2026"] == ["$0.000000999", "7", "1,000", "200", "34", "5"]
    assert "1,234" in ada.get("/usage").text


def test_the_chart_has_the_same_numbers(ada: Browser) -> None:
    """A bar for each day and model, named with its amount; the legend has their sums."""
    key = funded(ada.world, "ada")
    for _ in range(2):
        requested(ada.world, key, model="dear", tokens=3)
        requested(ada.world, key, model="cheap", tokens=1)
        passed(ada, DAY_MS)
    shown = ada.get("/usage")
    titles = re.findall(r"<rect [^>]*><title>([^<]+)</title>", shown.html)
    assert titles == [
        "24 Nov, dear: $0.006",
        "25 Nov, dear: $0.006",
        "24 Nov, cheap: $0.002",
        "25 Nov, cheap: $0.002",
    ]
    legend = re.findall(r"</svg>(\w+) <strong>([^<]+)", shown.html)
    assert legend == [("dear", "$0.012"), ("cheap", "$0.004")]
    (svg,) = [each for each in Markup(shown.html).of("svg") if "role" in each]
    assert svg["aria-labelledby"] == "chart-title chart-about"


def closed_days(ada: Browser, *rollups: Rollup) -> None:
    """The reconciler has summed these up, and all before today."""
    for rollup in rollups:
        ada.world.app.usage.put(rollup)
    ada.world.app.usage.set_rolled_until_ms(day_start_ms(ada.world.now_ms))


def test_requests_that_cost_nothing_have_no_chart(ada: Browser) -> None:
    """They are counted, and it is said that none was charged."""
    key = funded(ada.world, "ada")
    requested(ada.world, key)
    passed(ada, DAY_MS)
    closed_days(ada, Rollup(key.id, day_start_ms(ada.world.now_ms) - DAY_MS, "m", 3, Tokens(), 0))
    shown = ada.get("/usage")
    assert rows(shown, "by-key") == {"k": ["$0.00", "3", "0", "0", "0", "0"]} | {
        "Total": ["$0.00", "3", "0", "0", "0", "0"]
    }
    assert "None of these requests was charged" in shown.text
    assert "<rect" not in shown.html


def test_what_is_not_there_yet_is_told(ada: Browser) -> None:
    """Today is still running; what is open counts once it has ended."""
    key = funded(ada.world, "ada")
    requested(ada.world, key)
    opened(ada.world, key)
    shown = ada.get("/usage")
    assert "18 Nov 2026 to 24 Nov 2026, of which the last is still running" in shown.text
    assert "24 Nov 2026 still running" in shown.text
    assert figure(rows(shown, "by-day")["Total"][1]) == 1


def test_it_says_when_something_is_missing(ada: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key with more entries in open hours than are read makes the figures too low."""
    monkeypatch.setattr(flows, "ENTRIES_MAX", 2)
    key = funded(ada.world, "ada")
    for _ in range(3):
        ada.world.pass_ms(1)
        requested(ada.world, key)
    shown = ada.get("/usage")
    assert "These figures are too low" in shown.text
    assert rows(shown, "by-day")["Total"][1] == "2"
    shown = ada.get("/keys")
    assert "2 requests" in shown.text
    assert "These figures are too low" in shown.text


# ------------------------------------------------------------------------------------ the filters


def test_one_key_or_one_model(ada: Browser) -> None:
    """What is chosen is what is summed; the choice stays chosen."""
    first, second = funded(ada.world, "ada"), funded(ada.world, "ada")
    requested(ada.world, first, model="m-1")
    requested(ada.world, second, model="m-1", tokens=2)
    requested(ada.world, second, model="m-2", tokens=4)
    set_enabled(ada.world.app, "ada", second.id, enabled=False)
    shown = ada.get(f"/usage?key={second.id}")
    assert rows(shown, "by-key")["Total"][:2] == ["$0.012", "2"]
    assert f'<option value="{second.id}" selected>k (disabled)' in shown.html
    shown = ada.get("/usage?model=m-1")
    assert rows(shown, "by-model").keys() == {"m-1", "Total"}
    assert rows(shown, "by-model")["Total"][:2] == ["$0.006", "2"]
    # The others can still be chosen.
    assert "<option>m-2</option>" in shown.html
    both = ada.get(f"/usage?model=m-1&key={second.id}&by=key")
    assert rows(both, "by-day")["Total"][:2] == ["$0.004", "1"]


def test_a_time_is_a_week_or_a_month(ada: Browser) -> None:
    """Anything else is a week: the page's limit on what is read."""
    requested(ada.world, funded(ada.world, "ada"))
    passed(ada, 10 * DAY_MS)
    assert "No requests in this time" in ada.get("/usage").text
    assert rows(ada.get("/usage?days=30"), "by-day")["Total"][1] == "1"
    for days in ("31", "9999999999", "-1", "x", "٧"):
        assert "No requests in this time" in ada.get(f"/usage?days={days}").text


def test_an_unknown_model_is_empty_and_stays_text(ada: Browser) -> None:
    """It is offered as what was chosen, written out."""
    requested(ada.world, funded(ada.world, "ada"))
    shown = ada.get("/usage?model=%3Cscript%3Ealert%281%29%3C%2Fscript%3E")
    assert "No requests in this time" in shown.text
    assert "<script>alert" not in shown.html
    assert len(ada.get("/usage?model=" + "x" * 5_000).body) < PAGE_BYTES_MAX


def test_another_accounts_key_is_none(ada: Browser) -> None:
    """Nor is one that is malformed, or was deleted."""
    theirs = funded(ada.world, "bob")
    requested(ada.world, theirs, model="secret-model")
    for key_id in (theirs.id, "nonsense", "../keys"):
        shown = ada.get(f"/usage?key={key_id}")
        assert shown.status == 404
        assert "There is no such key" in shown.text
    assert "secret-model" not in ada.get("/usage").html


# --------------------------------------------------------------------------------------- its size


def test_markup_in_names_stays_text(ada: Browser) -> None:
    """Of keys in the form, the legend, the titles and the table; of models, too."""
    key = create(ada.world.app, "ada", name=MARKUP).key
    granted(ada.world, key)
    requested(ada.world, key, model=MARKUP)
    for by in ("key", "model"):
        shown = ada.get(f"/usage?by={by}")
        assert shown.html.count("&lt;script&gt;") >= 4
        assert "<script>alert" not in shown.html
        assert Markup(shown.html).forbidden() == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("by", ["key", "model"])
@pytest.mark.parametrize("sign", ["n", '"', "'", "&", "<", "\U0001f427", "漢"])
def test_a_full_page_is_small(
    ada: Browser, monkeypatch: pytest.MonkeyPatch, by: str, sign: str, language: str
) -> None:
    """Ten keys, sixty models, all on each day of a month: under 50 KB, whatever keys are named."""
    names = [f"{n}".ljust(NAME_LENGTH_MAX, sign) for n in range(ACCOUNT_KEYS_MAX)]
    keys = [create(ada.world.app, "ada", name=name).key for name in names]
    today_ms = day_start_ms(ada.world.now_ms)
    tokens = Tokens(10**7, 10**7, 10**6, 10**6, 10**7)
    found = [
        DayUsage(today_ms - ago * DAY_MS, key.id, f"model-{n}-{'m' * 90}", 999, tokens, 10**9 + n)
        for ago in range(30)
        for place, key in enumerate(keys)
        for n in range(place, 60, 10)
    ]
    monkeypatch.setattr(pages, "used", lambda *_, **__: flows.Usage(found, complete=True))
    shown = ada.get(f"/usage?days=30&by={by}&lang={language}")
    assert f'<html lang="{language}">' in shown.html
    assert len(shown.body) < PAGE_BYTES_MAX
    assert shown.html.count("<rect") == 30 * 6 + 6
    if language == ENGLISH:
        for table in TABLES:
            assert rows(shown, table)["Total"][1] == "1,798,200"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5-20251001"),
        ("m" * 26, "m" * 26),
        ("m" * 27, "m" * 23 + "…"),
        ("&" * 5, "&amp;" * 5),
        ("&" * 6, "&amp;" * 4 + "…"),
        ("\U0001f427" * 7, "\U0001f427" * 5 + "…"),
    ],
)
def test_a_bars_title_is_short(ada: Browser, name: str, told: str) -> None:
    """Its name is cut by the bytes that it takes, between characters; the legend has all of it."""
    key = create(ada.world.app, "ada", name=name).key
    granted(ada.world, key)
    requested(ada.world, key)
    shown = ada.get("/usage?by=key")
    assert f"<title>24 Nov, {told}: $0.002</title>" in shown.html
    assert f"</svg>{escape(name)} <strong>" in shown.html
