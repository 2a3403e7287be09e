"""A key's history on the pages: every page adds up, leads on, and reads no more than it shows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from osiris.flows import credit
from osiris.flows import ledger_page as flows
from osiris.flows.keys import create, delete
from osiris.ids import REQUEST_PREFIX
from osiris.ledger.entry import LAPSED, lapse
from osiris.ledger.key import TRIAL
from osiris.money import NANO_PER_DOLLAR
from osiris.web.ledger_words import REQUEST_STATES, TYPES
from tests.builders import preceded_by
from tests.flows.used_key import funded, granted, opened, recorded, requested
from tests.web.browser import Browser, web_world
from tests.web.history import every_kind, table
from tests.web.markup import Markup

if TYPE_CHECKING:
    from osiris.ledger.key import Key
    from tests.web.browser import Shown

MARKUP = "<script>alert(1)</script>\"'&"
LINES = flows.LINES
DAY_MS = 86_400_000
BOTH = pytest.mark.parametrize("kind", ["ledger", "requests"])


@pytest.fixture
def ada() -> Browser:
    return Browser(web_world(), "ada")


@pytest.fixture
def key(ada: Browser) -> Key:
    return funded(ada.world, "ada")


def link(shown: Shown, text: str) -> str:
    """Where a link of this text leads; empty when there is none."""
    found = re.search(rf'<a href="([^"]+)"[^>]*>{text}</a>', shown.html)
    return found[1].replace("&amp;", "&") if found else ""


def many(ada: Browser, key: Key, number: int) -> list[str]:
    """So many requests, some seconds apart; their ids, newest first."""
    made = []
    for _ in range(number):
        ada.world.pass_ms(2_000)
        made.append(requested(ada.world, key).id)
    return made[::-1]


def shown_ids(shown: Shown, kind: str) -> list[str]:
    """The entries' ids, in order."""
    if kind == "ledger":
        return re.findall(r'<tr id="(\w+)"', shown.html)
    return [row[0] for row in table(shown)]


# ---------------------------------------------------------------------------------- how it adds up


def test_an_empty_history_says_what_to_do(ada: Browser) -> None:
    """Neither page is blank."""
    new = create(ada.world.app, "ada", name="laptop").key
    assert "Top up this key" in ada.get(f"/keys/{new.id}/ledger").text
    assert "Send a test request" in ada.get(f"/keys/{new.id}/requests").text


def test_the_first_balance_is_the_keys(ada: Browser, key: Key) -> None:
    """And each is the one below it and the row's amount, down to the first entry."""
    many(ada, key, 3)
    shown = ada.get(f"/keys/{key.id}/ledger")
    assert [row[3:] for row in table(shown)] == [
        ["-$0.002", "$499.994"],
        ["-$0.002", "$499.996"],
        ["-$0.002", "$499.998"],
        ["+$500.00", "$500.00"],
    ]
    assert "Balance now $499.994 Held by open requests $0.00" in shown.text


@BOTH
def test_pages_follow_each_other(ada: Browser, key: Key, kind: str) -> None:
    """Fifty lines a page; each entry stands on one of them, and the last leads no further."""
    made = many(ada, key, 2 * LINES + 10)
    path = f"/keys/{key.id}/{kind}"
    ids, balances, pages = [], [], 0
    while path:
        shown = ada.get(path)
        assert shown.status == 200
        assert bool(link(shown, "Newest")) == (pages > 0)
        ids += shown_ids(shown, kind)
        balances += [row[-1] for row in table(shown)]
        path = link(shown, "Older")
        pages += 1
    assert pages == 3
    assert [id for id in ids if id.startswith(REQUEST_PREFIX)] == made
    if kind == "ledger":
        mills = [500_000 - 2 * number for number in range(len(made), -1, -1)]
        assert [round_dollars(balance) for balance in balances] == mills


def round_dollars(text: str) -> int:
    """Thousandths of a dollar."""
    whole, decimals = text.removeprefix("$").split(".")
    return int(whole + decimals.ljust(3, "0"))


# ------------------------------------------------------------------------------------- the cursors


@BOTH
def test_a_wrong_cursor_begins_at_the_newest_page(ada: Browser, key: Key, kind: str) -> None:
    """Made up, of another key, of the other page, a session's, or older than a day."""
    ids = many(ada, key, LINES + 5)
    other = funded(ada.world, "ada")
    many(ada, other, LINES + 5)
    path, opposite = f"/keys/{key.id}/{kind}", {"ledger": "requests", "requests": "ledger"}[kind]
    right = link(ada.get(path), "Older").partition("?")[2]
    wrong = [
        "before=x",
        "before=" + "A" * 5_000,
        right[:-1] + ("A" if right[-1] != "A" else "B"),
        "before=" + ada.cookies["__Host-session"],
        link(ada.get(f"/keys/{other.id}/{kind}"), "Older").partition("?")[2],
        link(ada.get(f"/keys/{key.id}/{opposite}"), "Older").partition("?")[2],
    ]
    newest = ids[:LINES]
    for query in wrong:
        shown = ada.get(f"{path}?{query}")
        assert shown.status == 200
        assert shown_ids(shown, kind) == newest
        assert link(shown, "Newest") == ""
    assert shown_ids(ada.get(f"{path}?{right}"), kind)[:5] == ids[LINES:]
    ada.world.pass_ms(DAY_MS + 1_000)
    ada.sign_in("ada")
    assert shown_ids(ada.get(f"{path}?{right}"), kind) == newest


def test_a_cursor_that_is_too_far_begins_at_the_newest_page(
    ada: Browser, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when it was kept until more came than is walked through."""
    ids = many(ada, key, LINES + 5)
    path = link(ada.get(f"/keys/{key.id}/ledger"), "Older")
    monkeypatch.setattr(flows, "WALKED_MAX", 10)
    assert shown_ids(ada.get(path), "ledger") == ids[:LINES]


# -------------------------------------------------------------------------------- types and states


def test_every_type_of_entry_names_its_cause(ada: Browser) -> None:
    """A request, an order, an expiry, the forfeiture that is given back, or a reason."""
    key = create(ada.world.app, "ada", name="laptop").key
    order = every_kind(ada.world, key, reason=MARKUP)
    ada.sign_in("ada")
    shown = ada.get(f"/keys/{key.id}/ledger")
    rows = {row[0]: row[2:] for row in table(shown)}
    forfeiture = next(
        entry for entry in ada.world.app.ledger.entries(key.id) if entry.type == "forfeiture"
    )
    assert rows == {
        "Grant": [MARKUP, "+$200.00", "$170.00"],
        "Chargeback": [order.id, "-$100.00", "-$30.00"],
        "Adjustment": [
            f"gives back a forfeiture , for {order.id}",
            "+$70.00",
            rows["Adjustment"][2],
        ],
        "Forfeiture": ["credit that expired on 24 Dec 2026", "-$70.00", "$0.00"],
        "Charge": [rows["Charge"][0], "-$30.00", "$70.00"],
        "Purchase": [order.id, "+$100.00", "$100.00"],
    }
    assert link(shown, "a forfeiture") == f"#{forfeiture.id}"
    assert f'<tr id="{forfeiture.id}">' in shown.html
    assert link(shown, "credit that expired on 24 Dec 2026") == "/billing#expiry"
    assert {f"/orders/{order.id}"} <= Markup(shown.html).links
    assert "<script>alert" not in shown.html
    assert set(TYPES) - {type for type in TYPES if TYPES[type] in rows} == {"refund"}


def test_a_grant_without_a_reason_is_by_the_operator(ada: Browser) -> None:
    """Whoever gave credit need not say why, and the line is not empty; a trial says its own."""
    key = create(ada.world.app, "ada", name="laptop").key
    credit.grant(ada.world.app, key.id, amount_nano=NANO_PER_DOLLAR, days=9)
    (row,) = table(ada.get(f"/keys/{key.id}/ledger"))
    assert (row[0], row[2]) == ("Grant", "by the operator")
    ada.world.app.settings = ada.world.app.settings._replace(trial_amount="5")
    trial = create(ada.world.app, "ada", name="try", kind=TRIAL).key
    (row,) = table(ada.get(f"/keys/{trial.id}/ledger"))
    assert (row[0], row[2]) == ("Grant", "trial credit")


def test_an_adjustment_leads_to_an_entry_on_another_page(ada: Browser) -> None:
    """Its link begins a page at the forfeiture that it gives back."""
    key = create(ada.world.app, "ada", name="laptop").key
    every_kind(ada.world, key, reason="")
    ada.sign_in("ada")
    entries = list(ada.world.app.ledger.entries(key.id, newest_first=True))
    adjustment = next(entry for entry in entries if entry.type == "adjustment")
    for _ in range(LINES - [entry.id for entry in entries].index(adjustment.id) - 1):
        ada.world.pass_ms(1)
        granted(ada.world, key)
    path = link(ada.get(f"/keys/{key.id}/ledger"), "a forfeiture")
    assert path == f"/keys/{key.id}/ledger?at={adjustment.reverses}#{adjustment.reverses}"
    assert shown_ids(ada.get(path.partition("#")[0]), "ledger")[0] == adjustment.reverses


def test_what_is_not_settled_yet_is_marked(ada: Browser, key: Key) -> None:
    """Its entry stands, the balance is without it, and both pages say so."""
    ada.world.pass_ms(1)
    recorded(ada.world, key, opened(ada.world, key))
    for kind in ("ledger", "requests"):
        assert "not settled yet" in ada.get(f"/keys/{key.id}/{kind}").text
    (row, _) = table(ada.get(f"/keys/{key.id}/ledger"))
    assert row[3:] == ["-$0.002", "$500.00"]


def test_open_requests_are_listed_before_the_newest(ada: Browser, key: Key) -> None:
    """With what they hold; one that is lost is told, and older pages list none."""
    first = opened(ada.world, key)
    many(ada, key, LINES + 1)
    second = opened(ada.world, key)
    shown = ada.get(f"/keys/{key.id}/requests")
    assert "2 requests are open" in shown.text
    assert f"{second} · just now · holds $1.00 {first}" in shown.text
    assert shown_ids(shown, "requests")[0] not in (first, second)
    assert "are open" not in ada.get(link(shown, "Older")).text
    ada.world.pass_ms(ada.world.app.settings.hold_lapse_ms)
    lost = ada.get(f"/keys/{key.id}/requests").text
    assert lost.count("lost; its hold is given back soon") == 2


def test_a_request_that_was_lost_is_a_line_without_a_model(ada: Browser, key: Key) -> None:
    """It says so in words, and that it was not charged."""
    request = opened(ada.world, key)
    ada.world.app.ledger.record(lapse(key_id=key.id, request_id=request, now_ms=ada.world.now_ms))
    (row,) = table(ada.get(f"/keys/{key.id}/requests"))
    label = REQUEST_STATES[LAPSED].label
    assert row[2:] == ["–", f"{label} not settled yet", "–", "–", "–", "–", "not charged"]
    assert "took" not in row[1]
    assert f"{request} {label}" in ada.get(f"/keys/{key.id}/ledger").text


def test_a_page_without_requests_leads_on(ada: Browser, key: Key) -> None:
    """Where so many other entries stand that no request is among those searched."""
    ids = many(ada, key, 1)
    for _ in range(4 * LINES + 10):
        ada.world.pass_ms(1)
        granted(ada.world, key)
    shown = ada.get(f"/keys/{key.id}/requests")
    assert "Older pages may have some" in shown.text
    assert shown_ids(ada.get(link(shown, "Older")), "requests") == ids


# ------------------------------------------------------------------------------- one entry's place


def test_an_entry_is_found_on_its_page(ada: Browser, key: Key) -> None:
    """`at` begins at it, with the balances that the newest page would lead to."""
    ids = many(ada, key, LINES + 20)
    wanted = ids[LINES + 10]
    shown = ada.get(f"/keys/{key.id}/ledger?at={wanted}")
    assert shown_ids(shown, "ledger")[0] == wanted
    assert table(shown)[0][4] == f"${500 - (10 * 2) / 1000:.2f}"
    assert link(shown, "Newest")


def test_an_entry_too_far_back_is_in_its_days_file(
    ada: Browser, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest page says so, and links it."""
    ids = many(ada, key, LINES + 20)
    monkeypatch.setattr(flows, "WALKED_MAX", 10)
    shown = ada.get(f"/keys/{key.id}/ledger?at={ids[-1]}")
    assert shown_ids(shown, "ledger") == ids[:LINES]
    path = link(shown, "The file of its day has it")
    assert path == f"/keys/{key.id}/ledger.csv?from=2026-11-24&to=2026-11-24"
    assert ids[-1] in ada.get(path).html


@pytest.mark.parametrize("at", ["x", "req_", "req_zzzzzzzzzzzzzzzz", "ord_0Vk3000000000000", "é"])
def test_a_place_that_is_none_is_the_newest_page(ada: Browser, key: Key, at: str) -> None:
    """Malformed, of another kind, or of the year 8888."""
    shown = ada.get(f"/keys/{key.id}/ledger?at={at}")
    assert shown.status == 200
    assert len(table(shown)) == 1
    assert "too far back" not in shown.text


# -------------------------------------------------------------------------------- whose, and where


@BOTH
def test_another_accounts_key_has_no_history(ada: Browser, key: Key, kind: str) -> None:
    """Nor a deleted one, nor what is no key."""
    mine = create(ada.world.app, "ada", name="gone").key
    delete(ada.world.app, "ada", mine.id)
    bob = Browser(ada.world, "bob")
    assert bob.get(f"/keys/{key.id}/{kind}").status == 404
    for key_id in (mine.id, "nonsense"):
        assert ada.get(f"/keys/{key_id}/{kind}").status == 404


@BOTH
def test_the_other_keys_are_one_step_away(ada: Browser, key: Key, kind: str) -> None:
    """Each of the account's, by its name, on the same page; a single key has no such links."""
    assert "The same of another key" not in ada.get(f"/keys/{key.id}/{kind}").html
    other = create(ada.world.app, "ada", name=MARKUP).key
    shown = ada.get(f"/keys/{key.id}/{kind}")
    assert {f"/keys/{other.id}/{kind}", f"/keys/{key.id}/{kind}"} <= Markup(shown.html).links
    assert "<script>alert" not in shown.html + ada.get(f"/keys/{other.id}/{kind}").html


def test_markup_in_a_models_id_stays_text(ada: Browser, key: Key) -> None:
    """On both pages."""
    requested(ada.world, key, model=MARKUP)
    for kind in ("ledger", "requests"):
        shown = ada.get(f"/keys/{key.id}/{kind}")
        assert "<script>alert" not in shown.html
        assert "&lt;script&gt;" in shown.html


def test_a_key_that_never_rests_is_told(ada: Browser, key: Key) -> None:
    """Where it changes at each reading, the page says what happened instead of a wrong balance."""
    request = [requested(ada.world, key)][0]
    assert request.cost_nano
    ada.world.meet("Query", *[preceded_by(lambda: requested(ada.world, key))] * 40)
    shown = ada.get(f"/keys/{key.id}/ledger")
    assert shown.status == 409
    assert "It changed at the same moment" in shown.text
