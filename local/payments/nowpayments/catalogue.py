"""The calls about coins: which there are, the least that can be paid, and what a price comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.payments.nowpayments.coins import Prices, full_listing
from local.payments.nowpayments.creation import Refusal, amount_of, minimum_usd
from local.payments.nowpayments.javascript import stringify
from local.payments.server import Reply, Request

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from local.payments.nowpayments.record import Switches


def js_reply(status: int, body: Any) -> Reply:
    """An answer in JSON, its numbers spelled as the provider's JavaScript spells them."""
    return Reply(status, stringify(body).encode())


class Catalogue:
    """Answers from the table of prices."""

    def __init__(self, prices: Prices, switches: Switches) -> None:
        self._prices = prices
        self._switches = switches

    def routes(self) -> dict[tuple[str, str], Callable[[Request], Reply]]:
        """What is served, by method and path. Errors of each: Refusal."""
        return {
            ("GET", "/v1/currencies"): lambda _: self._currencies(),
            ("GET", "/v1/full-currencies"): lambda _: self._full_currencies(),
            ("GET", "/v1/merchant/coins"): lambda _: self._merchant_coins(),
            ("GET", "/v1/min-amount"): self._min_amount,
            ("GET", "/v1/estimate"): self._estimate,
        }

    def _currencies(self) -> Reply:
        return js_reply(200, {"currencies": list(self._prices.coins)})

    def _full_currencies(self) -> Reply:
        coins = self._prices.coins.values()
        listed = [full_listing(coin, number) for number, coin in enumerate(coins, 1)]
        return js_reply(200, {"currencies": listed})

    def _merchant_coins(self) -> Reply:
        codes = list(self._prices.coins)
        if self._switches.coins_selected_upper:
            return js_reply(200, {"selectedCurrencies": [code.upper() for code in codes]})
        return js_reply(200, {"currencies": codes})

    def _min_amount(self, request: Request) -> Reply:
        query = request.query
        source = query.get("currency_from", "").lower()
        target = query.get("currency_to", "").lower()
        coin = self._prices.coins.get(source)
        if coin is None or (self._switches.target_needed and not target):
            raise Refusal(400, "INVALID_REQUEST_PARAMS", "currency_from or currency_to is missing")
        is_fixed = "true" in (query.get("is_fixed_rate"), query.get("is_fee_paid_by_user"))
        usd = minimum_usd(coin, is_fixed=is_fixed)
        body: dict[str, Any] = {
            "currency_from": source,
            "currency_to": target or source,
            "min_amount": float(self._prices.convert(usd, "usd", source, is_asked=True)),
        }
        if fiat := query.get("fiat_equivalent", "").lower():
            body["fiat_equivalent"] = float(self._converted(usd, "usd", fiat))
        return js_reply(200, body)

    def _estimate(self, request: Request) -> Reply:
        source = request.query.get("currency_from", "").lower()
        target = request.query.get("currency_to", "").lower()
        amount = amount_of(request.query.get("amount"))
        estimated = self._converted(amount, source, target)
        body = {
            "currency_from": source,
            "amount_from": float(amount),
            "currency_to": target,
            "estimated_amount": f"{estimated:f}"
            if self._switches.estimate_string
            else float(estimated),
        }
        return js_reply(200, body)

    def _converted(self, amount: Decimal, source: str, target: str) -> Decimal:
        try:
            return self._prices.convert(amount, source, target)
        except KeyError as exc:
            raise Refusal(400, "INVALID_REQUEST_PARAMS", f"currency {exc} is unknown") from exc
