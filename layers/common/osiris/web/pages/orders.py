"""Orders: the list, one order until it is credited, its receipt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osiris.errors import KeyNotFound, OsirisError
from osiris.flows import coins, keys
from osiris.flows import topup as flows
from osiris.ledger.order import CANCELLED, CRYPTO, reference
from osiris.payment_errors import OrderEnded
from osiris.secrets_text import shown_prefix
from osiris.times import MINUTE_MS
from osiris.web.order_view import CODES_MAX, order_view, told_state
from osiris.web.order_view import meaning as meaning_of
from osiris.web.order_words import (
    PART_STATES,
    PROBLEMS,
    PROVIDERS,
    RATE_SOURCES,
    STATES,
    STEPS,
    amount_words,
    told_words,
)
from osiris.web.rendering import page, redirect

if TYPE_CHECKING:
    from osiris.flows.topup import Shown
    from osiris.http.messages import Answer
    from osiris.ledger.key import Key
    from osiris.ledger.order import Order
    from osiris.web.visit import Visit

PAGE = 20


def table(visit: Visit) -> Answer:
    """The account's orders, newest first. Raises InvalidRequest for a place that is none."""
    shown, after = flows.list_shown(
        visit.app, visit.account_id, after_id=visit.query("after"), most=PAGE
    )
    names = {key.id: key.name for key in keys.list_keys(visit.app, visit.account_id)}
    now_ms = visit.app.now_ms()
    order_states = {
        each.order.id: told_state(*each, now_ms, has_key=each.order.key_id in names)
        for each in shown
    }
    return page(
        visit,
        "orders.html",
        orders=[order for order, _ in shown],
        after=after,
        is_first=not visit.query("after"),
        order_states=order_states,
        states=STATES,
        names=names,
        prefix=shown_prefix,
    )


def one(visit: Visit) -> Answer:
    """One order: how to pay it, and what became of it."""
    shown = flows.read(visit.app, visit.account_id, visit.parameter("order_id"))
    return page(visit, "order.html", **_content(visit, shown))


def state(visit: Visit) -> Answer:
    """Where an order stands now: the part of its page that lives."""
    shown = flows.read(visit.app, visit.account_id, visit.parameter("order_id"))
    return page(visit, "order_state.html", **_content(visit, shown))


def cancel(visit: Visit) -> Answer:
    """End an order that nothing was paid for."""
    order_id = visit.parameter("order_id")
    try:
        flows.cancel(visit.app, visit.account_id, order_id)
    except OrderEnded as problem:
        shown = flows.read(visit.app, visit.account_id, order_id)
        # Pressed twice: it is as it was wished.
        if shown.order.state != CANCELLED:
            visit.problem = problem
            return one(visit)
    except OsirisError as problem:
        visit.problem = problem
        return one(visit)
    return redirect(visit.path(f"/orders/{order_id}"))


def receipt(visit: Visit) -> Answer:
    """What was paid and credited, to print. There is none before anything was credited."""
    shown = flows.read(visit.app, visit.account_id, visit.parameter("order_id"))
    if shown.order.credited_nano == 0:
        return redirect(visit.path(f"/orders/{shown.order.id}"))
    return page(
        visit,
        "receipt.html",
        issued_at_ms=visit.app.now_ms(),
        credited_at_ms=min(paid.credited_at_ms for paid in shown.payments if paid.credited_nano),
        **_content(visit, shown),
    )


def _content(visit: Visit, shown: Shown) -> dict[str, Any]:
    """What all templates of an order show of it."""
    app, words = visit.app, visit.words
    order, now_ms = shown.order, app.now_ms()
    key = _key(visit, order)
    view = order_view(shown, now_ms, has_key=key is not None)
    return {
        "view": view,
        "order": order,
        "label": STATES[view.state],
        "meaning": meaning_of(words, order, view.state),
        "trouble": words.text(PROBLEMS[order.problem]) if order.problem else "",
        "steps": [words.text(step) for step in STEPS] if view.step >= 0 else [],
        "part_states": PART_STATES,
        "provider": PROVIDERS.get(order.provider, order.provider),
        "rate_source": RATE_SOURCES.get(order.rate_source, (order.rate_source, "")),
        "coin_name": _coin_name(visit, order),
        "key": key,
        "prefix": shown_prefix,
        "amount": lambda amount, currency: amount_words(words, amount, currency),
        "told": lambda text: told_words(words, text),
        "left_minutes": max(0, -(-(order.expires_at_ms - now_ms) // MINUTE_MS)),
        "codes_max": CODES_MAX,
        "reference": reference,
    }


def _key(visit: Visit, order: Order) -> Key | None:
    """The order's key; None when it was deleted."""
    try:
        return keys.read(visit.app, visit.account_id, order.key_id)
    except KeyNotFound:
        return None


def _coin_name(visit: Visit, order: Order) -> str:
    """The coin's own name while it can be paid in, where the provider's list has told it."""
    if order.method != CRYPTO or not order.is_open(visit.app.now_ms()):
        return ""
    try:
        return coins.kept_name(visit.app, order.provider, order.coin)
    except OsirisError:
        return ""
