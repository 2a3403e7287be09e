"""Keys: the table, and one key with its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from osiris import window
from osiris.errors import InvalidRequest, OsirisError
from osiris.flows import keys as flows
from osiris.flows.topup import open_orders
from osiris.flows.usage import today
from osiris.ledger.key import ACCOUNT_KEYS_MAX, DISABLED, LIVE, NAME_LENGTH_MAX, PAID, TRIAL
from osiris.money import nano_from_dollars
from osiris.secrets_text import shown_prefix
from osiris.web.examples import example_model
from osiris.web.rendering import page, redirect

if TYPE_CHECKING:
    from collections.abc import Callable

    from osiris.flows.keys import Issued
    from osiris.http.messages import Answer
    from osiris.ledger.key import Key
    from osiris.web.visit import Visit

# The secret is shown by the page that follows its making; until then a sealed cookie has it.
_SECRET = "secret"  # noqa: S105  (a cookie's name)
_SECRET_LIVES_MS = 300_000


def table(visit: Visit) -> Answer:
    """The account's keys, and the form for another."""
    app = visit.app
    keys = flows.list_keys(app, visit.account_id)
    return page(
        visit,
        "keys.html",
        keys=keys,
        today=today(app, keys),
        prefix=shown_prefix,
        keys_max=ACCOUNT_KEYS_MAX,
        name_length_max=NAME_LENGTH_MAX,
        offers_trial=_offers_trial(visit, keys),
        trial_nano=nano_from_dollars(app.settings.trial_amount),
        trial_days=app.settings.trial_days,
        wanted_name=visit.field("name") if visit.problem else "",
        done=visit.query("done"),
    )


def create(visit: Visit) -> Answer:
    """Make a key, and go on to its secret."""
    kind = TRIAL if visit.field("kind") == TRIAL else PAID
    try:
        issued = flows.create(visit.app, visit.account_id, name=visit.field("name"), kind=kind)
    except OsirisError as problem:
        visit.problem = problem
        return table(visit)
    return _to_secret(visit, issued)


def secret(visit: Visit) -> Answer:
    """A key's new secret, this once."""
    key = flows.read(visit.app, visit.account_id, visit.parameter("key_id"))
    kept = visit.seal.open(_SECRET, visit.cookie(_SECRET), lives_ms=_SECRET_LIVES_MS)
    is_its = kept is not None and (kept["account_id"], kept["key_id"]) == (
        visit.account_id,
        key.id,
    )
    if is_its:
        # Another key's goes on waiting for its own page.
        visit.drop_cookie(_SECRET)
    return page(
        visit,
        "key_secret.html",
        key=key,
        secret=kept["secret"] if kept is not None and is_its else "",
        base_url=visit.url("/v1"),
        model=_cheapest_model(visit),
    )


def one(visit: Visit) -> Answer:
    """One key: where it stands, and what can be done with it."""
    key = flows.read(visit.app, visit.account_id, visit.parameter("key_id"))
    return page(
        visit,
        "key.html",
        key=key,
        prefix=shown_prefix(key.id),
        limit=_limit(visit, key),
        name_length_max=NAME_LENGTH_MAX,
        overlap_hours_max=flows.OVERLAP_HOURS_MAX,
        base_url=visit.url("/v1"),
        model=_cheapest_model(visit),
        open_orders=open_orders(visit.app, visit.account_id, key.id),
        done=visit.query("done"),
    )


def meter(visit: Visit) -> Answer:
    """Where a key's balance and limit stand now: the part of its page that lives."""
    key = flows.read(visit.app, visit.account_id, visit.parameter("key_id"))
    return page(visit, "key_meter.html", key=key, limit=_limit(visit, key))


def change(visit: Visit) -> Answer:
    """What a form on a key's page asks for, by its field `do`.

    All are sent to the page's own address, so that what is shown after one can be loaded again.
    """
    act = CHANGES.get(visit.field("do"))
    if act is None:
        raise InvalidRequest(details="do")
    return act(visit)


def _rename(visit: Visit) -> Answer:
    return _changed(
        visit,
        lambda key_id: flows.rename(visit.app, visit.account_id, key_id, visit.field("name")),
        done="renamed",
    )


def _set_status(visit: Visit) -> Answer:
    status = visit.field("status")
    if status not in (LIVE, DISABLED):
        raise InvalidRequest(details="status")
    return _changed(
        visit,
        lambda key_id: flows.set_enabled(
            visit.app, visit.account_id, key_id, enabled=status == LIVE
        ),
        done="enabled" if status == LIVE else "disabled",
    )


def _rotate(visit: Visit) -> Answer:
    hours = visit.field("overlap_hours")
    if not (hours.isascii() and hours.isdigit() and len(hours) <= len("24")):
        raise InvalidRequest(details="overlap_hours")
    if int(hours) > flows.OVERLAP_HOURS_MAX:
        raise InvalidRequest(details="overlap_hours")
    try:
        issued = flows.rotate(
            visit.app, visit.account_id, visit.parameter("key_id"), overlap_hours=int(hours)
        )
    except OsirisError as problem:
        visit.problem = problem
        return one(visit)
    return _to_secret(visit, issued)


def _delete(visit: Visit) -> Answer:
    try:
        flows.delete(
            visit.app,
            visit.account_id,
            visit.parameter("key_id"),
            confirmed_name=visit.field("confirm"),
        )
    except OsirisError as problem:
        visit.problem = problem
        return one(visit)
    return redirect(visit.path("/keys", done="deleted"))


CHANGES = {"rename": _rename, "status": _set_status, "rotate": _rotate, "delete": _delete}


class _Limit(NamedTuple):
    most: int
    used: int
    frees_at_ms: int


def _limit(visit: Visit, key: Key) -> _Limit:
    now_ms = visit.app.now_ms()
    most = len(key.window)
    used = most - window.remaining(key.window, now_ms)
    return _Limit(most, used, window.frees_at_ms(key.window, now_ms))


def _offers_trial(visit: Visit, keys: list[Key]) -> bool:
    """Whether a trial may still be had, as far as the keys tell; creating one decides."""
    amount_nano = nano_from_dollars(visit.app.settings.trial_amount)
    return amount_nano > 0 and all(key.kind != TRIAL for key in keys)


def _cheapest_model(visit: Visit) -> str:
    """The model that examples name; empty while there is none."""
    return example_model(visit.app.models.all(visit.app.now_ms()))


def _changed(visit: Visit, change: Callable[[str], Key], *, done: str) -> Answer:
    key_id = visit.parameter("key_id")
    try:
        change(key_id)
    except OsirisError as problem:
        visit.problem = problem
        return one(visit)
    return redirect(visit.path(f"/keys/{key_id}", done=done))


def _to_secret(visit: Visit, issued: Issued) -> Answer:
    content = {
        "account_id": visit.account_id,
        "key_id": issued.key.id,
        "secret": issued.secret,
    }
    visit.set_cookie(_SECRET, visit.seal.close(_SECRET, content), lives_ms=_SECRET_LIVES_MS)
    return redirect(visit.path(f"/keys/{issued.key.id}/secret"))
