"""The keys' pages: what is shown, what each form does, and what a hostile name can't."""

from __future__ import annotations

import re

import pytest

from osiris.flows import credit, keys
from osiris.flows.keys import create
from osiris.ledger.key import ACCOUNT_KEYS_MAX, DELETED, DISABLED, LIVE
from osiris.money import NANO_PER_DOLLAR
from tests.builders import accepted, admitted, fill
from tests.web.browser import Browser, web_world
from tests.web.markup import Markup
from tests.web.shopper import shopper

MARKUP = "<script>alert(1)</script>\"'&"


@pytest.fixture
def ada() -> Browser:
    return Browser(web_world(), "ada")


def secret_on(html: str) -> str:
    found = re.search(r'<code id="secret">(sk-osiris-\w+)</code>', html)
    assert found is not None
    return found[1]


def test_nobody_has_keys_at_first(ada: Browser) -> None:
    """An empty account is told what to do next."""
    shown = ada.get("/keys")
    assert shown.status == 200
    assert "Create your first key" in shown.text


def test_a_key_is_created_and_its_secret_shown_once(ada: Browser) -> None:
    """The form leads to the secret, which opens the key; a reload shows it no more."""
    made = ada.post("/keys", name="  Production ")
    assert made.status == 303
    first = ada.get(made.location)
    assert accepted(ada.world, secret_on(first.html))
    assert "You see it this once" in first.text
    again = ada.get(made.location)
    assert "The secret was shown once" in again.text
    assert "sk-osiris-" not in again.html
    (key,) = keys.list_keys(ada.world.app, "ada")
    assert key.name == "Production"
    assert key.name in ada.get("/keys").text


def test_the_secret_is_in_no_other_answer_and_no_log(ada: Browser) -> None:
    """Neither the redirect's headers nor any log line hold it."""
    made = ada.post("/keys", name="laptop")
    secret = secret_on(ada.get(made.location).html)
    assert secret not in str(made)
    assert secret not in str(ada.world.lines)


def test_another_account_cannot_read_a_kept_secret(ada: Browser) -> None:
    """The cookie with the secret opens for its own account and key alone."""
    made = ada.post("/keys", name="laptop")
    bob = Browser(ada.world, "bob")
    bob.cookies["__Host-secret"] = ada.cookies["__Host-secret"]
    assert bob.get(made.location).status == 404
    own = create(ada.world.app, "bob", name="his").key
    shown = bob.get(f"/keys/{own.id}/secret")
    assert "The secret was shown once" in shown.text


@pytest.mark.parametrize("name", ["", " ", "x" * 65, "a\nb", "\u202e" + "x"])
def test_a_bad_name_is_told(ada: Browser, name: str) -> None:
    """A name that can't be is refused in words, with what was typed kept; no key is made."""
    shown = ada.post("/keys", name=name)
    assert shown.status == 400
    assert "A name has 1 to 64 printable characters" in shown.text
    assert keys.list_keys(ada.world.app, "ada") == []


def test_markup_in_a_name_stays_text(ada: Browser) -> None:
    """A hostile name does nothing on any page that shows it."""
    key = create(ada.world.app, "ada", name=MARKUP).key
    for path in ("/keys", f"/keys/{key.id}", f"/keys/{key.id}/secret"):
        shown = ada.get(path)
        assert "<script>alert" not in shown.html
        assert "\"'&" not in shown.html
        assert shown.status == 200
    refused = ada.post("/keys", name=MARKUP + "x" * 60)
    assert "<script>alert" not in refused.html


def test_the_eleventh_key_is_refused(ada: Browser) -> None:
    """A full account is told so, before and after it tries."""
    fill(ada.world, "ada")
    assert "Delete one to create another" in ada.get("/keys").text
    shown = ada.post("/keys", name="one more")
    assert shown.status == 409
    assert "You have 10 keys" in shown.text
    assert len(keys.list_keys(ada.world.app, "ada")) == ACCOUNT_KEYS_MAX


def test_a_trial_is_offered_once(ada: Browser) -> None:
    """The trial's amount and days are told; with one, it is not offered again, and can't be had."""
    assert "$5.00 for 7 days" in ada.get("/keys").text
    assert ada.post("/keys", name="try", kind="trial").status == 303
    shown = ada.get("/keys")
    assert "Trial: " not in shown.text
    assert "no top-up" in shown.text
    assert ada.post("/keys", name="again", kind="trial").status == 409


def test_a_key_is_renamed_disabled_and_enabled(ada: Browser) -> None:
    """Each form does what it says, and the page says that it is done."""
    key = create(ada.world.app, "ada", name="laptop").key
    path = f"/keys/{key.id}"
    renamed = ada.post(path, do="rename", name="desk")
    assert renamed.location == f"{path}?done=renamed"
    assert "The key has its new name" in ada.get(renamed.location).text
    for status in (DISABLED, LIVE):
        done = ada.post(path, do="status", status=status)
        assert done.status == 303
        assert ada.world.stored_key(key.id).status == status
    assert ada.post(path, do="status", status=DELETED).status == 400
    assert ada.world.stored_key(key.id).name == "desk"


def test_rotation_shows_a_new_secret_and_keeps_the_old_for_its_time(ada: Browser) -> None:
    """With an overlap both open the key, and the page says until when."""
    issued = create(ada.world.app, "ada", name="laptop")
    rotated = ada.post(f"/keys/{issued.key.id}", do="rotate", overlap_hours="24")
    assert accepted(ada.world, secret_on(ada.get(rotated.location).html))
    assert accepted(ada.world, issued.secret)
    assert "An earlier secret still works until" in ada.get(f"/keys/{issued.key.id}").text
    at_once = ada.post(f"/keys/{issued.key.id}", do="rotate", overlap_hours="0")
    assert at_once.status == 303
    assert not accepted(ada.world, issued.secret)


@pytest.mark.parametrize("hours", ["", "-1", "25", "99", "1.5", "²", "9" * 400])
def test_nonsense_overlaps_are_refused(ada: Browser, hours: str) -> None:
    """Only whole hours up to a day."""
    issued = create(ada.world.app, "ada", name="laptop")
    assert ada.post(f"/keys/{issued.key.id}", do="rotate", overlap_hours=hours).status == 400
    assert accepted(ada.world, issued.secret)


def test_deletion_says_what_is_forfeited_and_asks_for_the_name(ada: Browser) -> None:
    """Another name deletes nothing; the right one does, and the list says so."""
    key = create(ada.world.app, "ada", name="laptop").key
    credit.grant(ada.world.app, key.id, amount_nano=3 * NANO_PER_DOLLAR, days=30)
    assert "$3.00 of credit will be forfeited" in ada.get(f"/keys/{key.id}").text
    refused = ada.post(f"/keys/{key.id}", do="delete", confirm="lap top")
    assert refused.status == 409
    assert "Nothing was deleted" in refused.text
    deleted = ada.post(f"/keys/{key.id}", do="delete", confirm="laptop")
    assert deleted.location == "/keys?done=deleted"
    assert "The key is deleted" in ada.get(deleted.location).text
    assert ada.get(f"/keys/{key.id}").status == 404


def test_the_meter_tells_the_window(ada: Browser) -> None:
    """The part that renews itself has the balance, the used slots and when the next one frees."""
    key = create(ada.world.app, "ada", name="laptop").key
    credit.grant(ada.world.app, key.id, amount_nano=3 * NANO_PER_DOLLAR, days=30)
    idle = ada.get(f"/keys/{key.id}/meter")
    assert "0 of 40 requests" in idle.text
    assert "Every slot is free" in idle.text
    admitted(ada.world, ada.world.stored_key(key.id), 1_000_000)
    busy = ada.get(f"/keys/{key.id}/meter")
    assert "1 of 40 requests" in busy.text
    assert "The next slot frees in 60 s" in busy.text
    assert "$2.999" in busy.text


def test_two_keys_made_side_by_side_lose_no_secret_by_a_look(ada: Browser) -> None:
    """Another key's page leaves the secret that waits for its own."""
    first = create(ada.world.app, "ada", name="first").key
    made = ada.post("/keys", name="second")
    assert "The secret was shown once" in ada.get(f"/keys/{first.id}/secret").text
    assert "You see it this once" in ada.get(made.location).text


def test_a_refusal_that_a_page_tells_of_is_logged(ada: Browser) -> None:
    """A form's page that shows its problem is a line with the problem's code."""
    ada.post("/keys", name="")
    line = ada.world.lines[-1]
    assert (line["event"], line["status"], line["code"]) == ("page", 400, "invalid_request")


def test_what_a_form_does_is_named(ada: Browser) -> None:
    """All are sent to the key's own address, which can be loaded again; nothing else is done."""
    key = create(ada.world.app, "ada", name="laptop").key
    for do in ("", "grant", "__class__"):
        refused = ada.post(f"/keys/{key.id}", do=do, name="desk")
        assert refused.status == 400
    refused = ada.post(f"/keys/{key.id}", do="rename", name=" ")
    assert refused.status == 400
    assert "That name can't be used" in refused.text
    assert "laptop" in ada.get(f"/keys/{key.id}").text


def test_a_keys_page_has_the_snippets_without_its_secret(ada: Browser) -> None:
    """They take it from the environment, as nobody can show it again."""
    issued = create(ada.world.app, "ada", name="laptop")
    shown = ada.get(f"/keys/{issued.key.id}")
    assert "Authorization: Bearer $OSIRIS_API_KEY" in shown.text
    assert issued.secret not in shown.html


def test_deleting_warns_of_open_orders() -> None:
    """Whoever pays one after that has paid for nothing, until a person looks at it."""
    ada = shopper()
    path = f"/keys/{ada.customer.key_id}"
    assert "is open: once the key is deleted" not in ada.browser.get(path).text
    order = ada.order("250")
    shown = ada.browser.get(path)
    assert (
        "An order of $250.00 is open: once the key is deleted it can't be credited." in shown.text
    )
    assert f"/orders/{order.id}" in Markup(shown.html).links
    ada.browser.post(f"/orders/{order.id}")
    assert "is open: once the key is deleted" not in ada.browser.get(path).text
