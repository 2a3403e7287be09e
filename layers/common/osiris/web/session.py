"""Who is signed in, in a sealed cookie: the browser keeps it, and can neither read nor change it.

Sealed by Fernet (AES-128-CBC and HMAC-SHA256, https://github.com/fernet/spec) of the cryptography
package, under the keys of one secret: the first seals, all open, so that a new key signs nobody
out. Each kind of text is sealed for its own use and opens for no other.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from osiris.errors import UpstreamRefusedUs
from osiris.identity.session_keys import KEYS_SECRET
from osiris.ids import random_base62
from osiris.times import DAY_MS, HOUR_MS

if TYPE_CHECKING:
    from collections.abc import Callable

    from osiris.app.full import FullApp

# A browser that stays away so long is signed out; one that comes gets a new cookie every hour.
IDLE_MS_MAX = DAY_MS
RENEW_AFTER_MS = HOUR_MS
# However busy, nobody stays signed in for longer.
SESSION_MS_MAX = 14 * DAY_MS
# Browsers keep 4 KB of a cookie; no text of ours comes near that.
SEALED_LENGTH_MAX = 4_000
ID_LENGTH = 22


class SessionKeysMissing(Exception):
    """The operator has set no keys to seal sessions with, or none that can be used."""


class Seal:
    """Seals short texts for a time; `keys` reads the Fernet keys of the operator's secret."""

    def __init__(self, keys: Callable[[], str], now_ms: Callable[[], int]) -> None:
        self._keys = keys
        self._now_ms = now_ms

    def close(self, use: str, content: dict[str, Any]) -> str:
        """The content, sealed for a use. Raises SessionKeysMissing or StoreUnavailable."""
        text = json.dumps({**content, "use": use}, separators=(",", ":"))
        sealed = self._fernet().encrypt_at_time(text.encode(), self._now_ms() // 1000)
        return sealed.decode()

    def open(self, use: str, sealed: str, *, lives_ms: int) -> dict[str, Any] | None:
        """What was sealed for this use less than so long ago; None for anything else.

        Raises SessionKeysMissing or StoreUnavailable: nothing can be said of it without the keys.
        """
        if not 0 < len(sealed) <= SEALED_LENGTH_MAX or not sealed.isascii():
            return None
        try:
            opened = self._fernet().decrypt_at_time(
                sealed, lives_ms // 1000, self._now_ms() // 1000
            )
        except InvalidToken:
            return None
        content: dict[str, Any] = json.loads(opened)
        return content if content.pop("use") == use else None

    def _fernet(self) -> MultiFernet:
        try:
            return MultiFernet([Fernet(key) for key in self._keys().split()])
        except UpstreamRefusedUs as error:
            raise SessionKeysMissing(error.details) from error
        except ValueError as error:
            raise SessionKeysMissing("the keys are no Fernet keys") from error


class Session(NamedTuple):
    """A signed-in person's visit. `csrf` is what each form of theirs carries."""

    id: str
    account_id: str
    email: str
    csrf: str
    began_at_ms: int
    renewed_at_ms: int

    @property
    def ends_at_ms(self) -> int:
        """When it ends, however often it is renewed."""
        return self.began_at_ms + SESSION_MS_MAX


def seal_of(app: FullApp) -> Seal:
    """The seal of this stack's pages."""
    return Seal(lambda: app.secrets.read(KEYS_SECRET, app.now_ms()), app.now_ms)


def new_session(account_id: str, email: str, *, now_ms: int, entropy: bytes) -> Session:
    """A session that begins now; `entropy` is 32 random bytes."""
    return Session(
        id=random_base62(entropy[:16], ID_LENGTH),
        account_id=account_id,
        email=email,
        csrf=random_base62(entropy[16:], ID_LENGTH),
        began_at_ms=now_ms,
        renewed_at_ms=now_ms,
    )


def sealed_session(seal: Seal, session: Session) -> str:
    """The cookie's text."""
    return seal.close("session", session._asdict())


def opened_session(seal: Seal, text: str, now_ms: int) -> Session | None:
    """The session of a cookie's text, unless its time is up."""
    content = seal.open("session", text, lives_ms=IDLE_MS_MAX)
    if content is None:
        return None
    try:
        session = Session(**content)
    except TypeError:
        # Sealed by a release whose sessions have other members: sign in once more.
        return None
    return session if now_ms < session.ends_at_ms else None
