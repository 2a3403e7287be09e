"""The coins that the stand-in knows, their prices in dollars, and conversions between them.

Two dozen have names that customers know; the rest are made up, because the provider has more than
350 and lists of that length are part of its protocol. Addresses are made up, too: nobody can send
real money to them.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, ROUND_UP, Decimal

_MADE_UP = 340  # with the known ones above the 360 that a test may ask for
_NANO_PRECISION = 8

# Dollars for one unit of the fiat currencies in which prices can be given. Rupiah are not among
# them at the provider either.
FIATS = {
    "usd": Decimal(1),
    "eur": Decimal("1.08"),
    "cad": Decimal("0.73"),
    "gbp": Decimal("1.27"),
    "aud": Decimal("0.66"),
    "ils": Decimal("0.27"),
    "ron": Decimal("0.22"),
}


@dataclass(frozen=True)
class Coin:
    """One coin on one network. `usd_max` is the most a payment in it may be worth, if limited."""

    code: str
    name: str
    network: str
    precision: int = _NANO_PRECISION
    has_memo: bool = False
    usd_min: Decimal = Decimal(2)
    usd_max: Decimal | None = None
    contract: str | None = None


_KNOWN = (
    (Coin("btc", "Bitcoin", "btc", usd_min=Decimal(5)), "91234.56"),
    (Coin("eth", "Ethereum", "eth", usd_min=Decimal(5)), "3012.34"),
    (Coin("usdttrc20", "Tether USD (Tron)", "trx", 6, contract="TSIM0USDT"), "0.9998"),
    (Coin("usdterc20", "Tether USD (Ethereum)", "eth", 6, contract="0x5100"), "0.9998"),
    (Coin("usdtbsc", "Tether USD (BSC)", "bsc", contract="0x5101"), "0.9998"),
    (Coin("usdtsol", "Tether USD (Solana)", "sol", 6, contract="SIMUSDT"), "0.9998"),
    (Coin("usdcsol", "USD Coin (Solana)", "sol", 6, contract="SIMUSDC"), "1.0001"),
    (Coin("usdc", "USD Coin (Ethereum)", "eth", 6, contract="0x5102"), "1.0001"),
    (Coin("xrp", "Ripple", "xrp", 6, has_memo=True), "2.15"),
    (Coin("xlm", "Stellar", "xlm", 7, has_memo=True), "0.2541"),
    (Coin("ton", "Toncoin", "ton", has_memo=True), "1.62"),
    (Coin("bnbmainnet", "BNB", "bnb", has_memo=True), "871.2"),
    (Coin("ava", "AVA", "ava", has_memo=True), "0.41"),
    (Coin("eos", "EOS", "eos", 4, has_memo=True), "0.23"),
    (Coin("bnbbsc", "BNB (BSC)", "bsc"), "871.2"),
    (Coin("sol", "Solana", "sol"), "137.42"),
    (Coin("trx", "Tron", "trx", 6), "0.2771"),
    (Coin("doge", "Dogecoin", "doge"), "0.1512"),
    (Coin("ltc", "Litecoin", "ltc"), "84.1"),
    (Coin("bch", "Bitcoin Cash", "bch"), "541.07"),
    (Coin("ada", "Cardano", "ada", 6), "0.4212"),
    (Coin("dot", "Polkadot", "dot"), "2.31"),
    (Coin("xmr", "Monero", "xmr"), "382.5"),
    (Coin("shib", "Shiba Inu", "eth", 2, usd_max=Decimal(2000), contract="0x5103"), "0.0000081"),
    (Coin("matic", "Polygon", "eth", usd_max=Decimal(2000), contract="0x5104"), "0.1351"),
)


class Prices:
    """Coins and their prices in dollars; a price may be moved at any time. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.coins = {coin.code: coin for coin, _ in _KNOWN}
        self._usd = {coin.code: Decimal(price) for coin, price in _KNOWN}
        for number in range(1, _MADE_UP + 1):
            code = f"sim{number:03}"
            self.coins[code] = Coin(code, f"Made-up coin {number}", code)
            self._usd[code] = Decimal(number) / 16

    def usd(self, code: str) -> Decimal:
        """Dollars for one unit of a coin or fiat currency. Errors: KeyError."""
        with self._lock:
            return self._usd[code] if code in self._usd else FIATS[code]

    def set_usd(self, code: str, price: Decimal) -> None:
        """Move a price. Errors: KeyError for an unknown coin, ValueError unless positive."""
        if not price.is_finite() or price <= 0:
            raise ValueError(f"the price of {code} must be positive")
        with self._lock:
            self._usd[self.coins[code].code] = price

    def convert(
        self, amount: Decimal, source: str, target: str, *, is_asked: bool = False
    ) -> Decimal:
        """`amount` of one currency in another, in the target's precision.

        What a customer is asked for is rounded up, an estimate to the nearest. Errors: KeyError.
        """
        precision = self.coins[target].precision if target in self.coins else _NANO_PRECISION
        exact = amount * self.usd(source) / self.usd(target)
        return exact.quantize(
            Decimal(1).scaleb(-precision), rounding=ROUND_UP if is_asked else ROUND_HALF_UP
        )


def full_listing(coin: Coin, number: int) -> dict[str, object]:
    """A coin as `GET /v1/full-currencies` has it."""
    return {
        "id": number,
        "code": coin.code.upper(),
        "name": coin.name,
        "enable": True,
        "wallet_regex": "^sim1[0-9a-f]{36}$",
        "priority": number,
        "extra_id_exists": coin.has_memo,
        "extra_id_regex": "^[0-9]{1,10}$" if coin.has_memo else None,
        "logo_url": f"/images/coins/{coin.code}.svg",
        "track": True,
        "is_maxlimit": coin.usd_max is not None,
        "network": coin.network,
        "smart_contract": coin.contract,
        "network_precision": str(coin.precision),
    }
