"""Credit that the operator gives."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from osiris import ids
from osiris.errors import ChangedMeanwhile, KeyNotFound, TrialNotToppedUp
from osiris.flows.patience import CHANGES_MAX, patiently
from osiris.ledger.credit import granted
from osiris.ledger.key import DELETED, PAID

if TYPE_CHECKING:
    from osiris.app.full import FullApp
    from osiris.ledger.credit import Posting


def grant(app: FullApp, key_id: str, *, amount_nano: int, days: int, reason: str = "") -> Posting:
    """Give a paid key credit that lasts `days` from now, and no less than it lasted before.

    Returns what was posted. Raises KeyNotFound; TrialNotToppedUp; ChangedMeanwhile when the key's
    expiry changed at each try.
    """
    assert amount_nano > 0
    assert days > 0
    now_ms = app.now_ms()
    entry_ids = (ids.entry_id(now_ms, app.entropy(16)), ids.entry_id(now_ms, app.entropy(16)))
    for _ in range(CHANGES_MAX):
        key = app.keys.read(key_id)
        if key is None or key.status == DELETED:
            raise KeyNotFound
        if key.kind != PAID:
            raise TrialNotToppedUp
        posting = granted(
            key,
            amount_nano=amount_nano,
            days=days,
            reason=reason,
            entry_ids=entry_ids,
            now_ms=now_ms,
        )
        try:
            patiently(app, partial(app.postings.grant, key, posting))
        except ChangedMeanwhile:
            continue
        return posting
    raise ChangedMeanwhile
