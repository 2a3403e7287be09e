"""The coins that can be paid with: the provider's list, kept for an hour, searched here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osiris.ledger.order import CRYPTO
from osiris.payment_errors import ProviderUnavailable
from osiris.payments import Coin
from osiris.times import HOUR_MS

if TYPE_CHECKING:
    from osiris.app.full import FullApp

FRESH_MS = HOUR_MS


def all_coins(app: FullApp) -> list[Coin]:
    """Every coin on sale, as the provider orders them; an hour old at most while it answers.

    Raises PaymentsNotOffered, and ProviderUnavailable when no list was ever read.
    """
    name = app.providers.name_for(CRYPTO)
    kept, at_ms = app.coin_lists.read(name)
    rows: list[list[Any]] = kept
    now_ms = app.now_ms()
    if now_ms < at_ms + FRESH_MS:
        return [Coin(*row) for row in rows]
    try:
        coins = app.providers.of(name).coins()
    except ProviderUnavailable:
        if not rows:
            raise
        return [Coin(*row) for row in rows]
    app.coin_lists.put(name, [list(coin) for coin in coins], now_ms)
    return coins


def find(app: FullApp, code: str) -> Coin | None:
    """The coin of that code, in any case."""
    wanted = code.lower()
    return next((coin for coin in all_coins(app) if coin.code == wanted), None)


def kept_name(app: FullApp, provider: str, code: str) -> str:
    """The name of the provider's coin of that code as the kept list has it, however old that is.

    Empty where none has it. Nobody is asked, so that a provider's silence keeps no page waiting.
    """
    rows: list[list[Any]] = app.coin_lists.read(provider)[0]
    return next((coin.name for coin in (Coin(*row) for row in rows) if coin.code == code), "")


def search(app: FullApp, text: str, *, most: int) -> list[Coin]:
    """The coins that have every word of the text in their code, name or network.

    Case and hyphens don't count. Codes that begin with the first word come first.
    """
    words = _folded(text).split()
    first = words[0] if words else ""
    wanted = set(words)
    told = [(coin, _folded(f"{coin.code} {coin.name} {coin.network}")) for coin in all_coins(app)]
    found = [coin for coin, folded in told if all(word in folded for word in wanted)]
    return sorted(found, key=lambda coin: not _folded(coin.code).startswith(first))[:most]


def _folded(text: str) -> str:
    return text.casefold().replace("-", "")
