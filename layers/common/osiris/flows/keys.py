"""Keys in the hands of their owner: create, list, rename, switch, rotate, delete.

Nothing is read before it is changed, except where the change depends on what was read: then the
write is conditional on it, and is prepared anew when it has changed meanwhile.
"""

from __future__ import annotations

import unicodedata
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from osiris import ids, secrets_text, window
from osiris.errors import (
    ChangedMeanwhile,
    ConfirmationRequired,
    InvalidRequest,
    KeyNotFound,
    StoreUnavailable,
    TrialsNotOffered,
)
from osiris.flows.patience import CHANGES_MAX, patiently
from osiris.ledger.credit import closed, trial
from osiris.ledger.key import DELETED, DISABLED, LIVE, NAME_LENGTH_MAX, PAID, TRIAL, new_key
from osiris.money import dollars_from_nano, nano_from_dollars
from osiris.times import HOUR_MS

if TYPE_CHECKING:
    from osiris.app.full import FullApp
    from osiris.ledger.credit import Posting
    from osiris.ledger.key import Key

# The longest that an old secret lives on after a rotation.
OVERLAP_HOURS_MAX = 24


class Issued(NamedTuple):
    """A key with the text of its secret, which is told this once."""

    key: Key
    secret: str


def create(app: FullApp, account_id: str, *, name: str, kind: str = PAID) -> Issued:
    """A new key of the account; a trial comes with its credit.

    Raises InvalidRequest, TooManyKeys, TrialAlreadyGranted or TrialsNotOffered.
    """
    name, now_ms = key_name(name), app.now_ms()
    key_id = ids.key_id(app.entropy(16))
    secret = secrets_text.make(key_id, app.entropy(secrets_text.ENTROPY_LENGTH))
    posting = _trial(app, key_id, now_ms) if kind == TRIAL else None
    key = new_key(
        id=key_id,
        account_id=account_id,
        name=name,
        kind=kind,
        secret_hash=secrets_text.hash_of(secret),
        rate_limit=app.settings.rate_limit,
        now_ms=now_ms,
        grant_nano=0 if posting is None else posting.amount_nano,
        expires_at_ms=0 if posting is None else posting.expires_at_ms,
    )
    entries = () if posting is None else posting.entries
    try:
        patiently(app, partial(app.accounts.create, key, entries))
    except StoreUnavailable:
        if app.keys.read(key_id) is None:
            raise
    return Issued(key, secret)


def list_keys(app: FullApp, account_id: str) -> list[Key]:
    """The account's keys, oldest first."""
    return app.accounts.keys(account_id)


def read(app: FullApp, account_id: str, key_id: str) -> Key:
    """A key of the account as it is now. Raises KeyNotFound, for another's and a deleted one."""
    key = app.keys.read(_checked_id(key_id))
    if key is None or key.account_id != account_id or key.status == DELETED:
        raise KeyNotFound
    return key


def rename(app: FullApp, account_id: str, key_id: str, name: str) -> Key:
    """Give a key another name. Raises InvalidRequest or KeyNotFound."""
    name = key_name(name)
    return patiently(app, partial(app.accounts.rename, account_id, _checked_id(key_id), name))


def set_enabled(app: FullApp, account_id: str, key_id: str, *, enabled: bool) -> Key:
    """Let a key be used, or no longer. Raises KeyNotFound."""
    status = LIVE if enabled else DISABLED
    return patiently(app, partial(app.accounts.set_status, account_id, _checked_id(key_id), status))


def rotate(app: FullApp, account_id: str, key_id: str, *, overlap_hours: int) -> Issued:
    """Give a key another secret; the present one lives on for so long, and any older one dies.

    Raises KeyNotFound, or ChangedMeanwhile when the key was rotated by another call.
    """
    assert 0 <= overlap_hours <= OVERLAP_HOURS_MAX
    key = read(app, account_id, key_id)
    secret = secrets_text.make(key_id, app.entropy(secrets_text.ENTROPY_LENGTH))
    old_until_ms = app.now_ms() + overlap_hours * HOUR_MS if overlap_hours else 0
    rotated = patiently(
        app,
        partial(
            app.accounts.rotate,
            key,
            secret_hash=secrets_text.hash_of(secret),
            old_until_ms=old_until_ms,
        ),
    )
    return Issued(rotated, secret)


def delete(app: FullApp, account_id: str, key_id: str, *, confirmed_name: str | None = None) -> int:
    """Delete a key; returns the nano-dollars forfeited.

    Raises KeyNotFound; ConfirmationRequired when credit would be forfeited and the name is not
    given, by the very figures that the deletion is conditional on; ChangedMeanwhile when these
    changed at each try.
    """
    now_ms = app.now_ms()
    entry_id = ids.entry_id(now_ms, app.entropy(16))
    for _ in range(CHANGES_MAX):
        key = read(app, account_id, key_id)
        _check_confirmed(key, confirmed_name)
        posting = closed(key, entry_id=entry_id, now_ms=now_ms)
        try:
            patiently(app, partial(app.postings.close, key, posting))
        except ChangedMeanwhile:
            continue
        return -posting.amount_nano
    raise ChangedMeanwhile


def set_rate_limit(app: FullApp, key_id: str, limit: int) -> Key:
    """Let a key make so many requests in any 60 s, from now on: the operator's right.

    Raises KeyNotFound, or ChangedMeanwhile when requests were admitted at each try.
    """
    assert limit > 0
    for _ in range(CHANGES_MAX):
        key = app.keys.read(_checked_id(key_id))
        if key is None or key.status == DELETED:
            raise KeyNotFound
        if len(key.window) == limit:
            return key
        now_ms = app.now_ms()
        resized = window.resized(key.window, limit, now_ms)
        try:
            return patiently(app, partial(app.accounts.set_window, key, resized, now_ms))
        except ChangedMeanwhile:
            continue
    raise ChangedMeanwhile


def key_name(text: str) -> str:
    """A key's name as it is kept: 1 to 64 printable characters, composed, no space around them.

    Raises InvalidRequest.
    """
    name = unicodedata.normalize("NFC", text.strip())
    if not (0 < len(name) <= NAME_LENGTH_MAX and name.isprintable()):
        raise InvalidRequest(
            f"'name' must be 1 to {NAME_LENGTH_MAX} printable characters.", param="name"
        )
    return name


def _trial(app: FullApp, key_id: str, now_ms: int) -> Posting:
    amount_nano = nano_from_dollars(app.settings.trial_amount)
    if amount_nano <= 0:
        raise TrialsNotOffered
    return trial(
        key_id,
        amount_nano=amount_nano,
        days=app.settings.trial_days,
        entry_id=ids.entry_id(now_ms, app.entropy(16)),
        now_ms=now_ms,
    )


def _checked_id(key_id: str) -> str:
    if not ids.is_key_id(key_id):
        raise KeyNotFound
    return key_id


def _check_confirmed(key: Key, confirmed_name: str | None) -> None:
    """What is at stake is told before it is lost: all that is not spent."""
    if confirmed_name is not None:
        confirmed_name = unicodedata.normalize("NFC", confirmed_name.strip())
    if confirmed_name == key.name or (confirmed_name is None and key.balance_nano <= 0):
        return
    told = [f"${dollars_from_nano(max(0, key.available_nano))} will be forfeited."]
    if key.held_nano > 0:
        held = dollars_from_nano(key.held_nano)
        told.append(f"So will what open requests leave of the ${held} that they hold.")
    told.append("Give the key's name as 'confirm' to delete it.")
    raise ConfirmationRequired(" ".join(told), param="confirm")
