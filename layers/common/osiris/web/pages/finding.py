"""One request with its price, and whatever an id leads to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris.errors import KeyNotFound
from osiris.flows.keys import list_keys, read
from osiris.flows.request_search import find_request
from osiris.ids import is_key_id, is_order_id, is_request_id, made_at_ms
from osiris.secrets_text import PREFIX, parse, shown_prefix
from osiris.usage import MINIMUM_CHARGE_NANO, TOKENS_PER_MTOK
from osiris.web.ledger_words import seconds, state_of
from osiris.web.pages.models import UPSTREAMS
from osiris.web.price import price_of
from osiris.web.rendering import page, redirect
from osiris.web.visit import SECRET_SIGN

if TYPE_CHECKING:
    from osiris.http.messages import Answer
    from osiris.ledger.key import Key
    from osiris.web.visit import Visit

# What stands in the address after a secret that names no key.
_UNKNOWN = "secret"
# Of a secret's beginning, as lists show it: that alone opens nothing.
_SHOWN_LENGTH = len(PREFIX) + 4


def request(visit: Visit) -> Answer:
    """One request of the account: what became of it, and how its price came about."""
    found = find_request(visit.app, visit.account_id, visit.parameter("request_id"))
    charge, cost_nano = found.entry.charge, found.entry.cost_nano
    price = price_of(charge.tokens, charge.prices, cost_nano) if charge and cost_nano else None
    return page(
        visit,
        "request.html",
        key=found.key,
        entry=found.entry,
        charge=charge,
        settled=found.settled,
        state=state_of(visit.words, found.entry),
        upstream="" if charge is None else UPSTREAMS.get(charge.upstream, charge.upstream),
        duration="" if charge is None else seconds(visit.words, charge.duration_ms),
        admitted_at_ms=made_at_ms(found.entry.id),
        price=price,
        minimum_nano=MINIMUM_CHARGE_NANO,
        tokens_per_mtok=TOKENS_PER_MTOK,
    )


def find(visit: Visit) -> Answer:
    """Go to what an id names. A secret is led away from: it must not stay in an address."""
    text = visit.query("id").strip()
    if visit.query("pasted") and not text:
        return page(visit, "pasted_secret.html", key=_named(visit, visit.query("pasted")))
    if is_request_id(text):
        return redirect(visit.path(f"/requests/{text}"))
    if is_order_id(text):
        return redirect(visit.path(f"/orders/{text}"))
    if is_key_id(text):
        return redirect(visit.path(f"/keys/{text}"))
    beginning = text.rstrip(".…")
    if beginning.startswith(PREFIX) and len(beginning) == _SHOWN_LENGTH:
        for key in list_keys(visit.app, visit.account_id):
            if shown_prefix(key.id).startswith(beginning):
                return redirect(visit.path(f"/keys/{key.id}"))
    elif SECRET_SIGN in text:
        secret = parse(text)
        pasted = _UNKNOWN if secret is None else secret.key_id
        return redirect(visit.path("/find", pasted=pasted))
    return page(visit, "find.html", status=404 if text else 200, is_empty=not text)


def _named(visit: Visit, key_id: str) -> Key | None:
    """The key of the account that a secret named; None for any other."""
    try:
        return read(visit.app, visit.account_id, key_id)
    except KeyNotFound:
        return None
