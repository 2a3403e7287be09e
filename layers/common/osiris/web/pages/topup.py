"""Topping up: a package, a key, a way of paying, and then the order.

All that was chosen stands in the page's address, so that it works without scripts and is kept by a
reload. What is ordered is what the summary shows: the form under it sends just that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from osiris.errors import InvalidRequest, OsirisError
from osiris.flows import coins, keys, quote
from osiris.flows import topup as flows
from osiris.flows.topup import Shown, Wish
from osiris.ids import random_base62
from osiris.ledger.expiry import MONTHS_MAX, extended, months_later
from osiris.ledger.key import TRIAL
from osiris.ledger.order import CRYPTO, PART_PAID, PENDING, QRIS, QUOTED
from osiris.money import nano_from_dollars
from osiris.secrets_text import shown_prefix
from osiris.web.order_view import order_view, told_state
from osiris.web.order_words import PROVIDERS, RATE_SOURCES
from osiris.web.problems import Told, told
from osiris.web.rendering import page, redirect

if TYPE_CHECKING:
    from collections.abc import Callable

    from osiris.flows.quote import Offer, Package
    from osiris.http.messages import Answer
    from osiris.ledger.key import Key
    from osiris.ledger.order import Order
    from osiris.payments import Coin
    from osiris.web.visit import Visit

# Enough to see what there is; whoever looks for another types a few letters.
COINS_SHOWN_MAX = 40
SEARCH_LENGTH_MAX = 64
_IDEMPOTENCY_LENGTH = 22


class _Choice(NamedTuple):
    """What was chosen of what there is; None or empty where nothing was, or no such thing.

    `way_out` is how the open order makes way for another: "pay_or_cancel", "pay_rest" or "wait".
    """

    package: Package | None
    key: Key | None
    method: str
    coin: Coin | None
    expires_at_ms: int
    open_order: Order | None
    way_out: str

    @property
    def coin_takes_package(self) -> bool:
        """Whether so much can be paid in this coin, as far as its list tells."""
        if self.package is None or self.coin is None or self.coin.most_dollars is None:
            return True
        return self.package.dollars <= self.coin.most_dollars

    @property
    def is_complete(self) -> bool:
        """Whether it can be ordered."""
        has_means = self.method == QRIS or (self.coin is not None and self.coin_takes_package)
        return self.package is not None and self.key is not None and has_means


class _Coins(NamedTuple):
    """The coins to choose from: those found, the one chosen, why there are none."""

    found: list[Coin]
    chosen: Coin | None
    problem: Told | None


def choose(visit: Visit) -> Answer:
    """What there is to choose, and what the choice comes to."""
    return _choosing(visit, _wish(visit.query))


def order(visit: Visit) -> Answer:
    """Make the order, and go on to paying it; a form that was sent twice made one order."""
    wish = _wish(visit.field)
    try:
        if wish.method not in quote.METHODS:
            raise InvalidRequest(details="method")
        made = flows.create(
            visit.app,
            visit.account_id,
            wish,
            idempotency_key=visit.field("idempotency"),
            webhooks_url=visit.request.url_of("/webhooks"),
            email=visit.signed_in.email,
        )
    except OsirisError as problem:
        visit.problem = problem
        return _choosing(visit, wish)
    return redirect(visit.path(f"/orders/{made.order.id}"))


def _choosing(visit: Visit, wish: Wish) -> Answer:
    app, now_ms = visit.app, visit.app.now_ms()
    offer = quote.offer(app)
    all_keys = keys.list_keys(app, visit.account_id)
    search = visit.query("q").strip()[:SEARCH_LENGTH_MAX]
    method = _method(wish, offer)
    listed = _coins(visit, wish, search) if method == CRYPTO else _Coins([], None, None)
    choice = _chosen(visit, wish, offer, all_keys, method, listed.chosen)
    return page(
        visit,
        "topup.html",
        offer=offer,
        source=RATE_SOURCES.get(offer.rate.source, (offer.rate.source, "")) if offer.rate else None,
        has_margin=nano_from_dollars(app.settings.rate_margin_percent) > 0,
        keys=all_keys,
        has_ordinary_key=any(key.kind != TRIAL for key in all_keys),
        prefix=shown_prefix,
        choice=choice,
        coins=listed.found,
        coins_problem=listed.problem,
        coins_shown_max=COINS_SHOWN_MAX,
        qris_rupiah_max=quote.QRIS_RUPIAH_MAX,
        crypto_provider=PROVIDERS.get(app.settings.crypto_provider, app.settings.crypto_provider),
        search=search,
        search_length_max=SEARCH_LENGTH_MAX,
        quote_minutes=app.settings.quote_minutes,
        latest_expiry_ms=months_later(now_ms, MONTHS_MAX),
        months_max=MONTHS_MAX,
        idempotency=random_base62(app.entropy(16), _IDEMPOTENCY_LENGTH),
    )


def _wish(given: Callable[[str], str]) -> Wish:
    """What was chosen, as it was sent. A coin counts where one pays in a coin."""
    method = given("method")
    coin = given("coin") if method == CRYPTO else ""
    return Wish(given("package"), given("key"), method, coin)


def _method(wish: Wish, offer: Offer) -> str:
    """The way of paying that was chosen, or the only one."""
    if wish.method in offer.methods:
        return wish.method
    return offer.methods[0] if len(offer.methods) == 1 else ""


def _chosen(
    visit: Visit, wish: Wish, offer: Offer, all_keys: list[Key], method: str, coin: Coin | None
) -> _Choice:
    ordinary = [key for key in all_keys if key.kind != TRIAL]
    key = next((key for key in ordinary if key.id == wish.key_id), None)
    if key is None and len(ordinary) == 1:
        key = ordinary[0]
    open_order = None if key is None else _open_order(visit, key.id, method)
    package = next((each for each in offer.packages if str(each.dollars) == wish.package), None)
    return _Choice(
        package=package,
        key=key,
        method=method,
        coin=coin,
        expires_at_ms=0 if key is None else extended(key.expires_at_ms, visit.app.now_ms()),
        open_order=open_order,
        way_out="" if open_order is None else _way_out(visit, open_order),
    )


def _open_order(visit: Visit, key_id: str, method: str) -> Order | None:
    """The key's order of this kind that still waits to be paid."""
    orders = flows.open_orders(visit.app, visit.account_id, key_id)
    return next((order for order in orders if order.method == method), None)


def _way_out(visit: Visit, order: Order) -> str:
    """How an open order of a key that is there makes way for another."""
    payments, now_ms = visit.app.orders.payments(order), visit.app.now_ms()
    state = told_state(order, payments, now_ms, has_key=True)
    if state in (QUOTED, PENDING):
        return "pay_or_cancel"
    if state == PART_PAID and order_view(Shown(order, payments), now_ms, has_key=True).payable:
        return "pay_rest"
    return "wait"


def _coins(visit: Visit, wish: Wish, search: str) -> _Coins:
    """The coins that the search finds, with the chosen one before them if it is not among them."""
    try:
        found = coins.search(visit.app, search, most=COINS_SHOWN_MAX)
        chosen = next((coin for coin in found if coin.code == wish.coin.lower()), None)
        if chosen is None and wish.coin:
            chosen = coins.find(visit.app, wish.coin)
            found = [chosen, *found] if chosen is not None else found
    except OsirisError as problem:
        return _Coins([], None, told(visit.words, problem))
    return _Coins(found, chosen, None)
