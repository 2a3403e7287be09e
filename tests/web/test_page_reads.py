"""What each page reads is bounded by what it shows, however long a key's history is."""

from __future__ import annotations

import re

import pytest

from osiris.flows.keys import create, rename
from osiris.flows.ledger_page import LINES
from osiris.ledger.key import ACCOUNT_KEYS_MAX, NAME_LENGTH_MAX
from osiris.web.pages.usage import MODEL_LENGTH_MAX
from osiris.web.words import LANGUAGES
from tests.flows.test_long_history import MODELS, OPEN_ENTRIES, OPEN_MINUTES, Account
from tests.flows.used_key import funded, opened, requested
from tests.web.browser import Browser, web_world
from tests.web.history import LongHistory, table

PAGE_BYTES_MAX = 50_000
# The account and its keys, and the session.
KEYS_MAX = 1 + ACCOUNT_KEYS_MAX + 1
A_MINUTE = 4


@pytest.fixture(scope="module")
def long() -> LongHistory:
    return LongHistory()


@pytest.mark.parametrize("kind", ["ledger", "requests"])
def test_a_page_of_history_reads_what_it_shows(long: LongHistory, kind: str) -> None:
    """Of a key with 100,000 requests: its lines and a few more, wherever it is; under 50 KB."""
    path = f"/keys/{long.account.id}/{kind}"
    for page in range(4):
        shown, items = long.get(path)
        assert len(table(shown)) == LINES
        assert len(shown.body) < PAGE_BYTES_MAX
        most = 20 + ACCOUNT_KEYS_MAX + LINES + page * LINES * (kind == "ledger")
        assert items <= most, page
        (path,) = re.findall(r'<a href="([^"]+)">Older</a>', shown.html)


def test_other_pages_read_a_bounded_number(long: LongHistory) -> None:
    """Usage rollups and open hours; a way that is given up in time; else what is shown alone."""
    old = long.account.entries[500].id
    key = f"/keys/{long.account.id}"
    order = f"/orders/{long.bought().id}"
    bounds = {
        "/usage?days=30": 10_000,
        f"{key}/ledger?at={old}": 8_000,
        f"/requests/{old}": 20,
        f"/find?id={old}": 5,
        "/keys": KEYS_MAX + 1 + 24 * MODELS + OPEN_ENTRIES,
        key: 2,
        f"{key}/meter": 2,
        "/topup": KEYS_MAX + 1,
        "/orders": KEYS_MAX + 1,
        order: 10,
        f"{order}/receipt": 10,
        f"{order}/state": 10,
    }
    for path, most in bounds.items():
        shown, items = long.get(path)
        assert shown.status in (200, 303), path
        assert items <= most, path
        assert len(shown.body) < PAGE_BYTES_MAX


def test_the_keys_read_each_busy_ones_open_hours() -> None:
    """Ten keys that are all in use: today's rollups and the open hours of each, and no more."""
    busy = LongHistory(Account(busy=ACCOUNT_KEYS_MAX, requests=1_000, a_minute=A_MINUTE))
    shown, items = busy.get("/keys")
    assert shown.status == 200
    assert items <= KEYS_MAX + 1 + ACCOUNT_KEYS_MAX * (24 * MODELS + A_MINUTE * OPEN_MINUTES)
    spent = re.findall(r"([0-9,]+) requests</small>", shown.html)
    assert len(spent) == ACCOUNT_KEYS_MAX
    assert all(int(number.replace(",", "")) >= A_MINUTE * 60 for number in spent)


def test_a_page_of_long_texts_is_small() -> None:
    """Fifty lines with the longest model ids, as many open requests as may be, odd names."""
    ada = Browser(web_world(), "ada")
    app, key, name = ada.world.app, funded(ada.world, "ada"), '"' * NAME_LENGTH_MAX
    rename(app, "ada", key.id, name)
    for _ in range(ACCOUNT_KEYS_MAX - 1):
        create(app, "ada", name=name)
    for number in range(LINES + 1 + app.settings.open_requests_max):
        ada.world.pass_ms(2_000)
        if number <= LINES:
            requested(ada.world, key, model="m" * MODEL_LENGTH_MAX)
        else:
            opened(ada.world, key)
    for language in LANGUAGES:
        for kind in ("ledger", "requests"):
            shown = ada.get(f"/keys/{key.id}/{kind}?lang={language}")
            assert len(table(shown)) == LINES
            assert len(shown.body) < PAGE_BYTES_MAX
