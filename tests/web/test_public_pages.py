"""The pages for everybody: read without sign-in, cheap, small, and kept by no cache of others."""

from __future__ import annotations

import gzip
import re
from html import unescape
from itertools import pairwise

import pytest

from osiris.flows.keys import create
from osiris.web import examples
from osiris.web.pages.public import PUBLIC
from osiris.web.rendering import TEMPLATES, takes_gzip
from osiris.web.words import LANGUAGES
from tests.builders import unreachable
from tests.web.browser import SITE, Browser, web_world
from tests.web.markup import Markup
from tests.web.stock import stocked

PATHS = ["/", *PUBLIC]
PAGE_BYTES_MAX = 50_000


@pytest.fixture
def passer() -> Browser:
    """Somebody who is not signed in, where models are on sale."""
    return Browser(stocked(), None)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("account_id", [None, "ada"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_each_is_there_for_everybody(path: str, account_id: str | None, language: str) -> None:
    """Signed in or not, in each language: a page with one heading of the first level, not large."""
    shown = Browser(stocked(), account_id).get(f"{path}?lang={language}")
    assert shown.status == 200
    assert len(re.findall(r"<h1[ >]", shown.html)) == 1
    assert f'<html lang="{language}">' in shown.html
    assert len(shown.body) < PAGE_BYTES_MAX


@pytest.mark.parametrize("path", PATHS)
def test_headings_are_in_order(passer: Browser, path: str) -> None:
    """No level of headings is skipped on the way down."""
    levels = [int(level) for level in re.findall(r"<h([1-6])[ >]", passer.get(path).html)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("account_id", [None, "ada"])
def test_nothing_is_read_but_the_catalogue_and_that_once_a_minute(account_id: str | None) -> None:
    """All pages together cost one Query; within the minute that follows they cost nothing."""
    browser = Browser(stocked(), account_id)
    for path in PATHS:
        browser.get(path)
    assert browser.world.transport.calls == ["Query"]
    browser.world.pass_ms(59_000)
    for path in PATHS:
        browser.get(path)
    assert browser.world.transport.calls == ["Query"]


def test_without_the_catalogue_all_but_the_models_can_be_read() -> None:
    """A database out of reach hides prices, and nothing else."""
    browser = Browser(stocked(), None)
    browser.world.meet("Query", *[unreachable] * 20)
    statuses = {path: browser.get(path).status for path in PATHS}
    assert statuses == {path: 503 if path == "/models" else 200 for path in PATHS}
    assert f'"model": "{examples.NO_MODEL}"' in unescape(browser.get("/").html)


@pytest.mark.parametrize("path", PATHS)
def test_compressed_for_those_who_are_not_signed_in(passer: Browser, path: str) -> None:
    """Signed out, whoever takes gzip gets the same page so, and asks for it anew each time."""
    plain = passer.get(path)
    packed = passer.get(path, accept_encoding="br, gzip")
    assert packed.header("Content-Encoding") == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert plain.header("Content-Encoding") == ""
    for shown in (plain, packed):
        assert shown.header("Cache-Control") == "no-cache"
        assert shown.header("Vary") == "Accept-Encoding, Cookie, Accept-Language"


@pytest.mark.parametrize("path", PATHS)
def test_never_compressed_with_a_sessions_token_in_it(path: str) -> None:
    """Signed in, the page holds the form's token: it is sent as it is, and kept by nobody."""
    ada = Browser(stocked(), "ada")
    shown = ada.get(path, accept_encoding="gzip")
    assert ada.csrf in shown.html
    assert shown.header("Content-Encoding") == ""
    assert shown.header("Cache-Control") == "no-store"
    assert "Cookie" in shown.header("Vary")


@pytest.mark.parametrize(
    ("accept_encoding", "taken"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("br , gzip; q=0.5", True),
        ("gzip;q=1.0", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("br", False),
        ("x-gzip-not", False),
        ("", False),
        (",;,q=", False),
    ],
)
def test_who_takes_gzip(accept_encoding: str, taken: bool) -> None:
    """Those who name it, and not with the weight 0."""
    assert takes_gzip(accept_encoding) is taken


@pytest.mark.parametrize("path", ["/nothing", "/models/more", "/Models", "/.env", "/v1x"])
def test_other_paths_have_no_page(passer: Browser, path: str) -> None:
    """An unknown path is told as a page, which no cache keeps."""
    shown = passer.get(path)
    assert shown.status == 404
    assert "There is no such page" in shown.text
    assert shown.header("Cache-Control") == "no-store"


@pytest.mark.parametrize("path", ["/v1/nothing", "/api/nothing", "/webhooks/a/b"])
def test_programs_get_an_answer_for_programs(passer: Browser, path: str) -> None:
    """Below the API's paths it is the API's error."""
    shown = passer.get(path)
    assert shown.status == 404
    assert '"code":"route_not_found"' in shown.body.decode()


def test_the_start_page_tells_what_is_offered() -> None:
    """The minimum, the smallest package, the ways of paying and the trial come from the rules."""
    shown = Browser(stocked({"OSIRIS_PACKAGES": "50 70", "OSIRIS_TRIAL_AMOUNT": "2"}), None).get(
        "/"
    )
    for part in (
        "at least $0.001",
        "packages from $50.00",
        "Paid by QRIS or crypto",
        "$2.00 for 7",
    ):
        assert part in shown.text
    assert f"curl -N {SITE}/v1/chat/completions" in shown.text


@pytest.mark.parametrize(
    ("variables", "title"),
    [
        ({"OSIRIS_CRYPTO_PROVIDER": "none"}, "Paid by QRIS Credit"),
        ({"OSIRIS_QRIS_PROVIDER": "none"}, "Paid by crypto Credit"),
        ({"OSIRIS_QRIS_PROVIDER": "none", "OSIRIS_CRYPTO_PROVIDER": "none"}, ""),
    ],
)
def test_no_way_of_paying_is_told_that_is_not_offered(
    variables: dict[str, str], title: str
) -> None:
    """A method without a provider is named nowhere on the start page."""
    text = Browser(stocked(variables), None).get("/").text
    assert title in text
    assert ("Paid by" in text) == bool(title)


@pytest.mark.parametrize("path", ["/terms", "/privacy", "/refunds"])
def test_drafts_say_that_they_are(passer: Browser, path: str) -> None:
    """What an operator must still fill in is marked, and the page says so at its top."""
    text = passer.get(path).text
    assert "Draft. The operator of this site has not completed this page." in text
    assert "[contact" in text


def test_privacy_tells_what_is_stored_here() -> None:
    """Addresses where mails are sent, none where not; the providers that the settings name."""
    text = Browser(stocked({"OSIRIS_CRYPTO_PROVIDER": "none"}), None).get("/privacy").text
    assert "No e-mail address: this site sends no mails" in text
    assert "you deal with Midtrans." in text
    mailing = {"OSIRIS_MAIL_FROM": "osiris@example.com", "OSIRIS_QRIS_PROVIDER": "other"}
    text = Browser(stocked(mailing), None).get("/privacy").text
    assert "Your e-mail address, to tell you" in text
    assert "you deal with other, NOWPayments." in text
    assert "until 24 hours after your last visit, and 14 days at most" in text


@pytest.mark.parametrize(
    ("contact", "link"),
    [
        ("", ""),
        ("help@osiris.example", "mailto:help@osiris.example"),
        ("https://osiris.example/help@desk", "https://osiris.example/help@desk"),
    ],
)
def test_every_page_says_where_to_write_to(contact: str, link: str) -> None:
    """By mail or on a page, once the operator has named one; texts that say so have a place."""
    ada = Browser(web_world({"OSIRIS_SUPPORT_CONTACT": contact}), "ada")
    for path in ("/", "/no-such-page", "/keys", "/orders/ord_none", "/billing"):
        links = Markup(ada.get(path).html).links
        found = {each for each in links if not each.startswith(("/", "#"))}
        assert found == ({link} if link else set()), path


def test_a_new_keys_page_shows_the_same_examples_with_its_secret() -> None:
    """The texts of `osiris.web.examples` are the only ones, whichever page shows them."""
    ada = Browser(stocked(), "ada")
    made = ada.post("/keys", name="laptop")
    html = unescape(ada.get(made.location).html)
    found = re.search(r'<code id="secret">(sk-osiris-\w+)</code>', html)
    assert found
    given = {"base_url": f"{SITE}/v1", "model": "gpt-5.4-nano", "secret": found[1]}
    for example in (examples.curl_stream, examples.python, examples.javascript, examples.aider):
        assert f"<code>{example(**given)}</code>" in html


def test_no_template_writes_an_example_of_its_own() -> None:
    """SDKs and curl are called in one place."""
    for path in sorted(TEMPLATES.glob("*.html")):
        text = path.read_text()
        assert not re.search(r"OpenAI\(|chat\.completions\.create|curl -", text), path.name


def test_a_secret_is_on_no_public_page() -> None:
    """Whoever is signed in, and whatever keys they have, examples take it from the environment."""
    ada = Browser(stocked(), "ada")
    secret = create(ada.world.app, "ada", name="laptop").secret
    for path in PATHS:
        shown = ada.get(path)
        assert secret[:14] not in shown.html
