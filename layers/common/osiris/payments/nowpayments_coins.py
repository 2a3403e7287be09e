"""The coins that a NOWPayments account takes: those ticked in its dashboard, with their details.

Sources: NOWPayments' API documentation, "Get available checked currencies" and "Get available
currencies (2nd method)". The first answers `currencies` in the documentation and
`selectedCurrencies`, in capitals, in production: either is read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from osiris.payments import Coin
from osiris.payments.members import optional_text

if TYPE_CHECKING:
    from collections.abc import Mapping

# "Some of the assets have a maximum price limit of ~$2000": those with is_maxlimit.
CAPPED_DOLLARS = 2_000
COINS_MAX = 2_000
_CODE = re.compile(r"[a-z0-9]{1,32}", re.ASCII)


def ticked_codes(members: Mapping[str, Any]) -> set[str]:
    """The codes of the coins that the account takes, in lower case. Raises ValueError for none."""
    told = members.get("selectedCurrencies", members.get("currencies"))
    if not isinstance(told, list):
        raise ValueError("currencies is no list")
    return {code.lower() for code in told if isinstance(code, str)}


def coins_of(body: Any, ticked: set[str]) -> list[Coin]:
    """The coins of the whole list that are enabled and ticked, the best known first.

    One that can't be read is left out. Raises ValueError when there is no list.
    """
    told = body.get("currencies") if isinstance(body, dict) else body
    if not isinstance(told, list):
        raise ValueError("currencies is no list")
    found = {coin.code: coin for coin in map(_coin, told[:COINS_MAX]) if coin is not None}
    return sorted((found[code] for code in ticked & found.keys()), key=_place)


def _coin(told: Any) -> Coin | None:
    if not isinstance(told, dict) or told.get("enable") not in (True, 1):
        return None
    try:
        code = optional_text(told, "code").lower()
        name, network = optional_text(told, "name"), optional_text(told, "network")
    except ValueError:
        return None
    if not _CODE.fullmatch(code):
        return None
    return Coin(
        code=code,
        name=name or code.upper(),
        network=network.lower(),
        has_memo=told.get("extra_id_exists") in (True, 1),
        most_dollars=CAPPED_DOLLARS if told.get("is_maxlimit") in (True, 1) else None,
    )


def _place(coin: Coin) -> tuple[int, str]:
    if coin.code == "btc":
        return 0, ""
    if coin.code.startswith("usdt"):
        return 1, coin.code
    return (2, "") if coin.code == "eth" else (3, coin.code)
