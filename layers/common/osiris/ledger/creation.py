"""Creation: why a key was not let into its account, from the very items that refused it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris.errors import TooManyKeys, TrialAlreadyGranted
from osiris.ledger.key import TRIAL

if TYPE_CHECKING:
    from osiris.errors import OsirisError
    from osiris.ledger.key import Account, Key


def creation_refusal(
    key: Key, *, account: Account | None, stored: Key | None
) -> OsirisError | None:
    """Why the key was not created; None when it stands.

    `account` and `stored` are the items that refused the write on them, None where none did. A
    stored key of this fresh id, or an account that names it, is the work of an earlier try.
    """
    if stored is not None:
        assert stored.secret_hash == key.secret_hash, "two keys got the same id"
        return None
    assert account is not None
    if key.id in account.keys:
        return None
    if key.kind == TRIAL and account.trial_granted_at_ms:
        return TrialAlreadyGranted()
    return TooManyKeys()
