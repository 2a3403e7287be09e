"""One request's page explains its price; a field finds what an id names, and keeps no secret."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from osiris.catalogue import prices_from_dollars
from osiris.errors import UpstreamRejected
from osiris.flows.keys import create
from osiris.ids import made_at_ms
from osiris.ledger import entry as states
from osiris.ledger.entry import charge, lapse
from osiris.money import dollars_from_nano
from osiris.secrets_text import PREFIX, shown_prefix
from osiris.usage import Tokens, Usage
from osiris.web.ledger_words import REQUEST_STATES
from osiris.web.pages.limits import ROWS
from tests.flows.used_key import MODEL, closed, funded, opened, recorded, requested
from tests.web.browser import Browser, web_world
from tests.web.history import table

if TYPE_CHECKING:
    from osiris.catalogue import Prices
    from osiris.ledger.entry import Entry
    from osiris.ledger.key import Key
    from tests.web.browser import Shown

MARKUP = "<script>alert(1)</script>\"'&"
PRICES = prices_from_dollars(
    input="0.123", output="1.1", cache_read="0.027", cache_write_5m="0.3", cache_write_1h="0.5"
)


@pytest.fixture
def ada() -> Browser:
    return Browser(web_world(), "ada")


@pytest.fixture
def key(ada: Browser) -> Key:
    return funded(ada.world, "ada")


def ended(
    ada: Browser,
    key: Key,
    usage: Usage | None,
    *,
    state: str = states.COMPLETED,
    prices: Prices = PRICES,
    model: str = "m-1",
    streamed: bool = True,
) -> Entry:
    """A request that ended two and a half seconds after it was let in."""
    request = opened(ada.world, key)
    ada.world.pass_ms(2_500)
    entry = charge(
        key_id=key.id,
        request_id=request,
        model=MODEL._replace(id=model, prices=prices),
        state=state,
        streamed=streamed,
        usage=usage,
        admitted_at_ms=made_at_ms(request),
        now_ms=ada.world.now_ms,
    )
    closed(ada.world, key, ada.world.app.ledger.record(entry))
    return entry


def charged(shown: Shown) -> str:
    """The last line of the price's table."""
    foot = shown.html.partition("<tfoot>")[2].partition("</tfoot>")[0]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", foot)).split())


# -------------------------------------------------------------------------- how a price came about


def test_each_step_is_exact(ada: Browser, key: Key) -> None:
    """Tokens × price to the last digit, the sum, and the same figure as everywhere else."""
    entry = ended(ada, key, Usage(Tokens(10_001, 2_003, 305, 407, 7_001)))
    shown = ada.get(f"/requests/{entry.id}")
    assert table(shown) == [
        ["Input, not cached", "10,001 × $0.123", "$0.001230123"],
        ["Read from the cache", "2,003 × $0.027", "$0.000054081"],
        ["Written to the cache for 5 minutes", "305 × $0.30", "$0.0000915"],
        ["Written to the cache for an hour", "407 × $0.50", "$0.0002035"],
        ["Output", "7,001 × $1.10", "$0.0077011"],
        ["Sum", "$0.009280304"],
    ]
    assert charged(shown) == "Charged the minimum of $0.001 does not apply $0.009280304"
    assert dollars_from_nano(entry.cost_nano) == "0.009280304"
    assert "$0.009280304" in ada.get(f"/keys/{key.id}/requests").text


def test_a_part_of_a_nano_dollar_is_rounded_up(ada: Browser, key: Key) -> None:
    """All digits of the sum are shown before."""
    prices = prices_from_dollars(input="0.000000001", output="1")
    entry = ended(ada, key, Usage(Tokens(input=1, output=2_000)), prices=prices)
    rows = table(ada.get(f"/requests/{entry.id}"))
    assert rows[0] == ["Input, not cached", "1 × $0.000000001", "$0.000000000000001"]
    assert rows[-2:] == [
        ["Sum", "$0.002000000000001"],
        ["Rounded up to a whole billionth of a dollar", "$0.002000001"],
    ]
    assert entry.cost_nano == 2_000_001


def test_the_minimum_is_told(ada: Browser, key: Key) -> None:
    """A cheaper answer costs $0.001, and the sum says what it would have cost."""
    entry = ended(ada, key, Usage(Tokens(output=1)))
    shown = ada.get(f"/requests/{entry.id}")
    assert table(shown)[-1] == ["Sum", "$0.0000011"]
    assert charged(shown) == "Charged the minimum of an answer, $0.001, applies $0.001"


def test_the_facts_of_a_request(ada: Browser, key: Key) -> None:
    """Key, model, provider, times, how it was answered, its place in the ledger; no contents."""
    entry = ended(ada, key, Usage(Tokens(1, 2, 3, 4, 5)), streamed=False)
    shown = ada.get(f"/requests/{entry.id}")
    for fact in (
        "Model m-1 , by OpenAI",
        "Let in 24 Nov 2026, 10:00:00 UTC (just now)",
        "Ended 24 Nov 2026, 10:00:02 UTC, after 2.5 s",
        "Answer in one piece",
        "We keep neither what was asked nor what was answered",
    ):
        assert fact in shown.text
    assert f'data-copy="{entry.id}"' in shown.html
    assert f'href="/keys/{key.id}/ledger?at={entry.id}#{entry.id}"' in shown.html
    assert "not settled yet" not in shown.text


@pytest.mark.parametrize(
    ("usage", "note"),
    [(Usage(Tokens(5), estimated=True), "Estimated"), (Usage(Tokens(5), bounded=True), "Bounded")],
)
def test_a_doubtful_count_is_explained(ada: Browser, key: Key, usage: Usage, note: str) -> None:
    """Whoever wonders at a number reads where it is from; otherwise nothing is said."""
    entry = ended(ada, key, usage)
    assert f"{note}: the model's provider reported" in ada.get(f"/requests/{entry.id}").text
    plain = ended(ada, key, Usage(Tokens(5)))
    assert note not in ada.get(f"/requests/{plain.id}").text


# --------------------------------------------------------------------------- its line in the table


def test_tokens_stand_in_their_buckets(ada: Browser, key: Key) -> None:
    """As on the usage page: input without the cache, cache reads, writes of both kinds, output."""
    ended(ada, key, Usage(Tokens(1000, 200, 30, 4, 5)))
    shown = ada.get(f"/keys/{key.id}/requests")
    heads = re.findall(r'<th scope="col"[^>]*>([^<]+)</th>', shown.html)
    assert heads[4:] == ["Input", "Cache read", "Cache write", "Output", "Cost"]
    assert re.findall(r'<td[^>]* data-label="([^"]+)"', shown.html) == heads[1:]
    (row,) = table(shown)
    assert len(row) == len(heads)
    assert row[1] == "24 Nov 2026, 10:00:00 took 2.5 s"
    assert row[4:8] == ["1,000", "200", "34", "5"]
    used = ada.get("/usage").html
    assert all(f'<th scope="col">{head}' in used for head in heads[4:8])


def test_it_is_told_which_requests_leave_no_record(ada: Browser, key: Key) -> None:
    """Below the table and where one is looked for: those of each status before the start."""
    refusals = {
        row.error.status
        for row in ROWS
        if row.error.status < 500 and row.error is not UpstreamRejected
    }
    statuses = ", ".join(map(str, sorted(refusals)))
    ended(ada, key, None)
    shown = ada.get(f"/keys/{key.id}/requests")
    assert f"refused before it ran ({statuses}) cost nothing and is not listed" in shown.text
    assert '<a href="/limits#errors">what each means</a>' in shown.html
    assert f"we refused ({statuses}) never ran" in ada.get("/requests/nonsense").text


# -------------------------------------------------------------------------------------- the states


@pytest.mark.parametrize("state", [state for state in REQUEST_STATES if state != states.LAPSED])
@pytest.mark.parametrize("usage", [None, Usage(Tokens(output=5_000))], ids=["free", "charged"])
def test_every_state_says_what_it_cost_and_why(
    ada: Browser, key: Key, state: str, usage: Usage | None
) -> None:
    """Charged or not, with the sentence for it; what is not charged has no price's table."""
    entry = ended(ada, key, usage, state=state)
    words = REQUEST_STATES[state]
    shown = ada.get(f"/requests/{entry.id}")
    assert words.meaning in shown.text
    assert words.label in shown.text
    if usage is None:
        assert f"Not charged. {words.free}" in shown.text
        assert "How the price came about" not in shown.text
    else:
        assert f"{words.charged} $0.0055." in shown.text
        assert "Not charged" not in shown.text


def test_the_states_are_those_of_the_ledger() -> None:
    """Each that a request may end in has its words, and those that may be charged say by what."""
    named = {
        value
        for name, value in vars(states).items()
        if name.isupper() and isinstance(value, str) and name not in ENTRY_TYPES
    }
    assert set(REQUEST_STATES) == named
    charged_ones = {state for state, words in REQUEST_STATES.items() if words.charged}
    assert charged_ones == {
        states.COMPLETED,
        states.DEADLINE,
        states.UPSTREAM_FAILED,
        states.UPSTREAM_SILENT,
    }


ENTRY_TYPES = (
    *("CHARGE", "GRANT", "FORFEITURE", "PURCHASE"),
    *("REFUND", "CHARGEBACK", "ADJUSTMENT"),
)


def test_a_lost_request_is_not_charged(ada: Browser, key: Key) -> None:
    """It has no model, and says what became of what it held."""
    request = opened(ada.world, key)
    ada.world.app.ledger.record(lapse(key_id=key.id, request_id=request, now_ms=ada.world.now_ms))
    shown = ada.get(f"/requests/{request}")
    assert REQUEST_STATES[states.LAPSED].meaning in shown.text
    assert "Not charged. A request that we lose is not charged." in shown.text
    assert "not settled yet" in shown.text


def test_a_state_of_a_newer_version_is_named(ada: Browser, key: Key) -> None:
    """By its own word, without a sentence."""
    entry = ended(ada, key, None, state="paused")
    shown = ada.get(f"/requests/{entry.id}")
    assert "Request paused" in shown.text
    assert "Not charged." in shown.text


def test_an_entry_that_waits_says_so(ada: Browser, key: Key) -> None:
    """Its cost is certain before it is taken."""
    entry = recorded(ada.world, key, opened(ada.world, key))
    assert "Its cost is certain" in ada.get(f"/requests/{entry.id}").text


def test_a_request_that_is_open_or_anothers_is_not_found(ada: Browser, key: Key) -> None:
    """The page says that refused requests have none, and open ones none yet."""
    entry = requested(ada.world, key)
    waiting = opened(ada.world, key)
    bob = Browser(ada.world, "bob")
    shown = [
        bob.get(f"/requests/{entry.id}"),
        ada.get(f"/requests/{waiting}"),
        ada.get("/requests/req_0000000000000000"),
        ada.get("/requests/nonsense"),
    ]
    for each in shown:
        assert each.status == 404
        assert "never ran and cost nothing" in each.text
    assert entry.id not in bob.get("/requests/nonsense").html


def test_markup_stays_text(ada: Browser) -> None:
    """In a key's name and a model's id."""
    key = funded(ada.world, "ada")
    ada.world.app.accounts.rename("ada", key.id, MARKUP)
    entry = ended(ada, key, Usage(Tokens(5)), model=MARKUP, state=MARKUP)
    shown = ada.get(f"/requests/{entry.id}")
    assert "<script>alert" not in shown.html
    assert shown.html.count("&lt;script&gt;") >= 3


# -------------------------------------------------------------------------------------------- find


def test_an_id_leads_to_what_it_names(ada: Browser, key: Key) -> None:
    """With blanks around it, or a key's secret's beginning as lists show it."""
    for text, path in {
        "req_0Vk3000000000000": "/requests/req_0Vk3000000000000",
        " ord_0Vk3000000000000 ": "/orders/ord_0Vk3000000000000",
        key.id: f"/keys/{key.id}",
        shown_prefix(key.id): f"/keys/{key.id}",
        shown_prefix(key.id)[:-1] + "...": f"/keys/{key.id}",
    }.items():
        shown = ada.get(f"/find?id={quote(text)}")
        assert (shown.status, shown.location) == (303, path)


@pytest.mark.parametrize(
    "text", ["nothing", "req_", "ent_0Vk3000000000000", "sk-osiris-Abcd…", "é" * 16, "x" * 3_000]
)
def test_what_is_no_id_is_told_so(ada: Browser, text: str) -> None:
    """The page names what can be searched for."""
    shown = ada.get(f"/find?id={quote(text)}")
    assert shown.status == 404
    assert "That is no id that we know" in shown.text
    assert "X-Request-Id" in shown.text


def test_without_an_id_it_says_what_can_be_found(ada: Browser) -> None:
    """An empty field is no mistake."""
    for path in ("/find", "/find?id=", "/find?id=%20"):
        shown = ada.get(path)
        assert shown.status == 200
        assert "That is no id" not in shown.text


def test_a_secret_is_led_away_from(ada: Browser) -> None:
    """Neither the redirect nor the page that follows nor a log has it; it says what to do."""
    issued = create(ada.world.app, "ada", name="laptop")
    led = ada.get(f"/find?id={issued.secret}")
    assert (led.status, led.location) == (303, f"/find?pasted={issued.key.id}")
    shown = ada.get(led.location)
    assert "It names your key “laptop”" in shown.text
    assert f'href="/keys/{issued.key.id}"' in shown.html
    secret = issued.secret.removeprefix(PREFIX)
    for told in (str(led), str(shown), str(ada.world.lines)):
        assert secret[12:] not in told


@pytest.mark.parametrize(
    "text", ["Bearer {}", "{}x", "sk-proj-" + "a" * 40, "sk-osiris-" + "a" * 49, "sk-ant-api03-b"]
)
def test_what_looks_like_a_secret_is_led_away_from(ada: Browser, text: str) -> None:
    """Mistyped, of another service, or with something around it."""
    secret = create(ada.world.app, "ada", name="laptop").secret
    led = ada.get(f"/find?id={quote(text.format(secret))}")
    assert (led.status, led.location) == (303, "/find?pasted=secret")
    assert "It names no key of yours" in ada.get(led.location).text


def test_anothers_secret_tells_nothing_of_its_key(ada: Browser) -> None:
    """Whoever found it is told what to do, and no name."""
    theirs = create(ada.world.app, "bob", name="Bobs own")
    shown = ada.get(ada.get(f"/find?id={theirs.secret}").location)
    assert shown.status == 200
    assert "It names no key of yours" in shown.text
    assert "Bobs own" not in shown.html


@pytest.mark.parametrize("around", ["", " ", "Bearer "])
def test_a_secret_in_the_search_goes_nowhere_before_a_sign_in(around: str) -> None:
    """Who is not signed in is sent to sign in, and the secret is in no address, page or log."""
    world = web_world()
    secret = create(world.app, "ada", name="laptop").secret
    shown = Browser(world, None).get(f"/find?id={quote(around + secret)}")
    assert shown.status == 303
    lost = Browser(world, None).get(f"/no-such-page?id={quote(around + secret)}")
    assert secret not in str(shown) + lost.html + str(world.lines)
