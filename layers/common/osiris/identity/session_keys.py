"""The keys that the pages seal sessions with, as the operator's secret has them.

The text is two or three Fernet keys with spaces between. The first seals; all open. A rotation
begins to seal with the second, which every process knows by then, adds a fresh second, and keeps
what sealed before for those who have not come back yet. So no rotation signs anybody out.
"""

from __future__ import annotations

from cryptography.fernet import Fernet

KEYS_SECRET = "session-keys"  # noqa: S105  (a name)


def rotated(text: str) -> str:
    """The keys after those of `text`; the first ones for an empty text.

    Twice within a day, and whoever has not come back since before the first is signed out.
    """
    fresh = Fernet.generate_key().decode()
    match text.split():
        case [sealing, following, *_]:
            return f"{following} {fresh} {sealing}"
        case [only]:
            return f"{only} {fresh}"
        case _:
            return f"{Fernet.generate_key().decode()} {fresh}"
