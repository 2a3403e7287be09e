"""Who is signed in: what opens as a session, for how long, and what nobody can make of it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, cast

import pytest
from cryptography.fernet import Fernet

from osiris.errors import StoreUnavailable
from osiris.identity.session_keys import KEYS_SECRET
from osiris.times import HOUR_MS
from osiris.web.session import (
    IDLE_MS_MAX,
    SEALED_LENGTH_MAX,
    SESSION_MS_MAX,
    Seal,
    SessionKeysMissing,
    new_session,
    opened_session,
    seal_of,
    sealed_session,
)
from tests.builders import unreachable
from tests.web.browser import SESSION_KEY, Browser, KnownSecrets, Shown, web_world

if TYPE_CHECKING:
    from osiris.store.secrets import Secrets

KEYS = [Fernet.generate_key().decode() for _ in range(3)]
NOW_MS = 1_795_514_400_000
SESSION_COOKIE = "__Host-session"


def seal(*keys: str, now_ms: int = NOW_MS) -> Seal:
    return Seal(lambda: " ".join(keys), lambda: now_ms)


SEALED = seal(KEYS[0]).close("session", {"id": "one"})


def opens(text: str, *keys: str, use: str = "session", now_ms: int = NOW_MS) -> bool:
    return seal(*(keys or KEYS), now_ms=now_ms).open(use, text, lives_ms=HOUR_MS) is not None


# ------------------------------------------------------------------------------------- the seal


def test_what_was_sealed_opens() -> None:
    """The content comes back, without the use that it was sealed for."""
    assert seal(*KEYS).open("session", SEALED, lives_ms=HOUR_MS) == {"id": "one"}


def test_no_changed_byte_opens() -> None:
    """Whichever byte is another, time and initialization vector among them, nothing opens."""
    raw = base64.urlsafe_b64decode(SEALED)
    for place in range(len(raw)):
        for bit in (0x01, 0x80):
            changed = bytearray(raw)
            changed[place] ^= bit
            assert not opens(base64.urlsafe_b64encode(changed).decode()), place


def test_no_part_opens() -> None:
    """A text that was cut, at either end, or has more at its end, opens nothing."""
    raw = base64.urlsafe_b64decode(SEALED)
    parts = [SEALED[:end] for end in range(len(SEALED) - 4)]
    parts += [SEALED[start:] for start in range(1, len(SEALED))]
    for cut in (*(raw[:end] for end in range(len(raw))), raw + b"\0", raw + raw):
        parts.append(base64.urlsafe_b64encode(cut).decode())
    assert not [part for part in parts if opens(part)]


@pytest.mark.parametrize("text", ["", " ", "\0", "é", "\n" + SEALED[1:], "=" * 10, "gAAAAA=="])
def test_nonsense_opens_nothing(text: str) -> None:
    """What a browser may send for a cookie that was never ours."""
    assert not opens(text)


def test_a_text_that_is_too_long_is_not_looked_at() -> None:
    """Not even one that was sealed here."""
    text = seal(KEYS[0]).close("session", {"id": "x" * SEALED_LENGTH_MAX})
    assert len(text) > SEALED_LENGTH_MAX
    assert not opens(text)


@pytest.mark.parametrize("use", ["sign-in", "secret", "", "Session"])
def test_a_text_opens_for_its_own_use_alone(use: str) -> None:
    """What was sealed as one thing is no other."""
    assert not opens(SEALED, use=use)
    assert not opens(seal(KEYS[0]).close(use, {"id": "one"}))


def test_a_use_among_the_content_is_not_believed() -> None:
    """The use that counts is the sealer's, whatever the content has under that name."""
    text = seal(KEYS[0]).close("secret", {"use": "session"})
    assert not opens(text)
    assert opens(text, use="secret")


@pytest.mark.parametrize(
    ("after_ms", "expected"),
    [(0, True), (HOUR_MS, True), (HOUR_MS + 1000, False), (-61_000, False)],
)
def test_a_text_lives_for_its_time(after_ms: int, expected: bool) -> None:
    """Until its life is over, and not before it was sealed (but for clocks a minute apart)."""
    assert opens(SEALED, now_ms=NOW_MS + after_ms) is expected


def test_the_first_key_seals_and_all_open() -> None:
    """A key that another host begins to seal with opens here; one that is gone does not."""
    first, second, third = KEYS
    text = seal(second, first).close("session", {})
    assert opens(text, second)
    assert not opens(text, first)
    assert opens(text, first, second, third)
    assert not opens(text, first, third)


@pytest.mark.parametrize(
    "text", ["", " \n ", "abc", "é" * 44, base64.urlsafe_b64encode(bytes(31)).decode(), "=" * 44]
)
def test_nonsense_is_no_key(text: str) -> None:
    """An empty secret, and one that is no list of Fernet keys, count as none set."""
    for keys in (text, f"{KEYS[0]} {text}") if text.strip() else (text,):
        with pytest.raises(SessionKeysMissing) as missing:
            seal(keys).close("session", {})
        assert KEYS[0] not in str(missing.value)
        with pytest.raises(SessionKeysMissing):
            seal(keys).open("session", SEALED, lives_ms=HOUR_MS)


# ---------------------------------------------------------------------------------- the session


@pytest.fixture
def ada() -> Browser:
    return Browser(web_world(), "ada", email="ada@example.com")


def is_signed_out(shown: Shown) -> bool:
    return (shown.status, shown.location) == (303, "/sign-in?next=%2Fkeys")


def keys_of(browser: Browser) -> dict[str, str]:
    """The secrets that the app reads, to be changed."""
    return cast("KnownSecrets", browser.world.app.secrets).known


def set_cookies(shown: Shown) -> list[str]:
    return [value for name, value in shown.headers if name == "Set-Cookie"]


def test_a_session_lets_in(ada: Browser) -> None:
    """With the cookie there is a page, with the person's sign-out; without it a sign-in."""
    assert ada.get("/keys").status == 200
    assert "ada@example.com" in ada.get("/keys").html
    ada.cookies.clear()
    assert is_signed_out(ada.get("/keys"))


@pytest.mark.parametrize("use", ["sign-in", "secret"])
def test_another_cookie_is_no_session(ada: Browser, use: str) -> None:
    """A text sealed for another use is none, though it has all that a session has."""
    app = ada.world.app
    session = new_session("ada", "", now_ms=app.now_ms(), entropy=bytes(32))
    ada.cookies[SESSION_COOKIE] = seal_of(app).close(use, session._asdict())
    assert is_signed_out(ada.get("/keys"))


@pytest.mark.parametrize("members", [{}, {"id": "one"}, {"shoe_size": 44}])
def test_a_session_of_another_release_is_none(ada: Browser, members: dict[str, object]) -> None:
    """Whoever signed in before the members changed signs in again, and meets no error."""
    app = ada.world.app
    session = new_session("ada", "", now_ms=app.now_ms(), entropy=bytes(32))._asdict()
    content = {**session, **members} if "shoe_size" in members else members
    ada.cookies[SESSION_COOKIE] = seal_of(app).close("session", content)
    assert is_signed_out(ada.get("/keys"))
    assert ada.get("/").status == 200


def test_who_stays_away_for_a_day_is_signed_out(ada: Browser) -> None:
    """24 hours after the last cookie, though the browser still sends it."""
    kept = dict(ada.cookies)
    ada.world.pass_ms(IDLE_MS_MAX)
    assert ada.get("/keys").status == 200
    ada.cookies = kept
    ada.world.pass_ms(1000)
    assert is_signed_out(ada.get("/keys"))


def test_a_cookie_is_renewed_every_hour(ada: Browser) -> None:
    """Not before; the new one is the same session: its id, its forms' token and its beginning."""
    app, seal_ = ada.world.app, seal_of(ada.world.app)
    first = opened_session(seal_, ada.cookies[SESSION_COOKIE], app.now_ms())
    assert first is not None
    ada.world.pass_ms(HOUR_MS - 1)
    assert set_cookies(ada.get("/keys")) == []
    ada.world.pass_ms(1)
    (renewed,) = set_cookies(ada.get("/keys"))
    assert f"Max-Age={IDLE_MS_MAX // 1000}" in renewed
    second = opened_session(seal_, ada.cookies[SESSION_COOKIE], app.now_ms())
    assert second == first._replace(renewed_at_ms=app.now_ms())
    assert ada.post("/keys", name="laptop").status == 303


def test_nobody_stays_for_longer_than_a_fortnight(ada: Browser) -> None:
    """However often the cookie is renewed, 14 days after the sign-in it opens nothing."""
    steps = 20
    for _ in range(steps - 1):
        ada.world.pass_ms(SESSION_MS_MAX // steps)
        assert ada.get("/keys").status == 200
    ada.world.pass_ms(SESSION_MS_MAX // steps - 1)
    assert ada.get("/keys").status == 200
    ada.world.pass_ms(1)
    assert is_signed_out(ada.get("/keys"))


def test_sessions_differ() -> None:
    """Ids and tokens are fresh, and neither is a part of the other."""
    one = new_session("ada", "", now_ms=0, entropy=bytes(range(32)))
    two = new_session("ada", "", now_ms=0, entropy=bytes(range(1, 33)))
    assert len({one.id, one.csrf, two.id, two.csrf}) == 4
    assert len(one.csrf) == len(one.id) == 22


# -------------------------------------------------------------------------- without the keys


def test_a_rotation_signs_nobody_out(ada: Browser) -> None:
    """With a new key before the old one the session goes on, and is renewed under the new."""
    keys_of(ada)[KEYS_SECRET] = f"{KEYS[0]} {SESSION_KEY}"
    assert ada.get("/keys").status == 200
    ada.world.pass_ms(HOUR_MS)
    assert ada.get("/keys").status == 200
    keys_of(ada)[KEYS_SECRET] = KEYS[0]
    assert ada.get("/keys").status == 200


def test_a_key_that_is_gone_signs_out(ada: Browser) -> None:
    """What it sealed opens no more; that is a sign-in, not an error."""
    keys_of(ada)[KEYS_SECRET] = KEYS[1]
    assert is_signed_out(ada.get("/keys"))
    assert ada.get("/").status == 200


@pytest.mark.parametrize("text", [None, "", "nonsense"])
def test_without_keys_pages_say_so(ada: Browser, text: str | None) -> None:
    """Pages that need a session, and the sign-in, name what the operator has to do."""
    keys_of(ada).pop(KEYS_SECRET)
    if text is not None:
        keys_of(ada)[KEYS_SECRET] = text
    calls = len(ada.world.transport.calls)
    answers = [ada.get("/keys"), ada.post("/keys", name="x"), ada.get("/sign-in")]
    for shown in answers:
        assert shown.status == 503
        assert "osiris secrets rotate-session-keys" in shown.text
    assert len(ada.world.transport.calls) == calls
    assert {line["event"] for line in ada.world.lines} == {"session_keys_missing", "page"}
    public = ada.get("/")
    assert public.status == 200
    assert "Sign out" not in public.text


def test_while_secrets_are_out_of_reach_public_pages_go_on(ada: Browser) -> None:
    """The others say that it can't be done right now, and that nothing is lost."""

    class Unreachable:
        def read(self, _name: str, _now_ms: int) -> str:
            raise StoreUnavailable(details="SSM")

    ada.world.app.secrets = cast("Secrets", Unreachable())
    for shown in (ada.get("/keys"), ada.post("/keys", name="x"), ada.get("/sign-in")):
        assert shown.status == 503
        assert "Nothing is lost" in shown.text
    assert ada.get("/").status == 200


def test_a_revocation_that_cannot_be_read_lets_nobody_in(ada: Browser) -> None:
    """While the table is out of reach a session may be a revoked one."""
    ada.world.meet("GetItem", unreachable)
    shown = ada.get("/keys")
    assert shown.status == 503
    assert "Your keys" in shown.text
    assert ada.get("/keys").status == 200


def test_what_is_sealed_cannot_be_read() -> None:
    """The cookie has no account, e-mail or token in it that anybody could read."""
    session = new_session("ada", "ada@example.com", now_ms=NOW_MS, entropy=bytes(32))
    text = sealed_session(seal(KEYS[0]), session)
    raw = base64.urlsafe_b64decode(text)
    for part in ("ada", session.csrf, session.id, "session"):
        assert part.encode() not in raw
        assert part not in text
