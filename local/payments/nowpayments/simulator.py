"""NOWPayments' API for payments in coins, as its documentation and its users describe it."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from local.payments.delivery import Rules
from local.payments.nowpayments.account import QUOTE_MS, VALID_MS, Account
from local.payments.nowpayments.catalogue import Catalogue, js_reply
from local.payments.nowpayments.coins import Prices
from local.payments.nowpayments.creation import (
    CASES,
    Creation,
    Refusal,
    read_creation,
)
from local.payments.nowpayments.record import (
    CoinPayment,
    Switches,
    created_body,
    status_body,
)
from local.payments.nowpayments.wishes import WHATS, Wishes
from local.payments.page import Card, by_payment
from local.payments.page import stamp as readable
from local.payments.server import Reply, Request
from local.payments.simulator import Simulator
from local.payments.wishes import FALSE_WAYS, Refused, Wish, newest_reference

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from local.payments.book import Receipt

_TIMEOUT_S = 3.0
_PAYMENTS = "/v1/payment"


def nowpayments_rules(repeats: int = 3, gap_s: float = 60.0) -> Rules:
    """As a merchant sets it in the dashboard: so many repeats, at such intervals."""
    return Rules(_TIMEOUT_S, lambda made, _status: gap_s if made < repeats else None)


class NowPaymentsSimulator(Simulator):
    """One merchant's NOWPayments. `prices` may be moved at any time (also by `POST /prices`)."""

    title = "NOWPayments (simulated)"
    whats = WHATS

    def __init__(
        self,
        port: int = 0,
        *,
        api_key: str = "simulated-api-key",
        ipn_secret: str = "simulated-ipn-secret",  # noqa: S107 - guards made-up money
        host: str = "127.0.0.1",
        state: Path | None = None,
        seed: int = 0,
    ) -> None:
        self.switches: Switches = Switches()
        rules = nowpayments_rules()
        super().__init__(port, host, switches=self.switches, rules=rules, seed=seed)
        self.api_key = api_key
        self.prices = Prices()
        self._catalogue = Catalogue(self.prices, self.switches)
        self._account = Account(
            *(self.clock, self.agenda, self.switches, self.prices),
            ipn_secret=ipn_secret,
            chance=self.random,
            path=state,
        )
        self._account.tell = self.courier.send
        self._wishes = Wishes(self._account, self.clock.now_ms, self.switches)

    @property
    def received(self) -> list[Receipt]:
        """Coins received and returned, with their worth at that time."""
        return self._account.book.receipts()

    def refusal(self, status: int, message: str, *, at_200: bool = False) -> Reply:
        """NOWPayments' error for a fault."""
        codes = {429: "TOO_MANY_REQUESTS", 400: "BAD_REQUEST"}
        return self._refuse(Refusal(status, codes.get(status, "INTERNAL_ERROR"), message), at_200)

    def _refuse(self, refusal: Refusal, at_200: bool = False) -> Reply:
        body = {
            "status": False,
            "statusCode": refusal.status,
            "code": refusal.code,
            "message": refusal.message,
        }
        return Reply.json(200 if at_200 else refusal.status, body)

    def serve(self, request: Request) -> Reply:
        """The API's routes."""
        if (request.method, request.path) == ("GET", "/v1/status"):
            return js_reply(200, {"message": "OK"})
        try:
            if request.headers.get("x-api-key") != self.api_key:
                raise Refusal(403, "INVALID_API_KEY", "Invalid api key")
            return self._route(request)
        except Refusal as refusal:
            return self._refuse(refusal)

    def _route(self, request: Request) -> Reply:
        routes: dict[tuple[str, str], Callable[[Request], Reply]] = {
            **self._catalogue.routes(),
            ("POST", _PAYMENTS): self._create,
        }
        route = routes.get((request.method, request.path))
        if route is not None:
            return route(request)
        if not request.path.startswith(f"{_PAYMENTS}/"):
            raise Refusal(404, "NOT_FOUND", "Not found")
        return self._of_payment(request, request.path[len(_PAYMENTS) + 1 :])

    def _create(self, request: Request) -> Reply:
        try:
            creation = read_creation(request.json(), self.prices)
        except ValueError as exc:
            raise Refusal(400, "INVALID_REQUEST_PARAMS", "the body is not JSON") from exc
        payment = self._new_payment(creation)
        reply = js_reply(201, created_body(payment, creation.coin, self.switches))
        self.courier.send(self._account.add(payment))
        what = CASES.get(creation.case, "pay" if self.switches.paid_before_answer else "")
        if what:
            self.courier.send(self._wishes.true(payment, Wish(what=what)))
        if self.switches.paid_before_answer:
            self.courier.wait()
        return reply

    def _new_payment(self, creation: Creation) -> CoinPayment:
        now_ms = self.clock.now_ms()
        coin = creation.coin
        with self._account.book.changing():
            payment_id, purchase_id, address, memo = self._account.new_ids()
            payment = CoinPayment(
                payment_id=payment_id,
                purchase_id=purchase_id,
                order_id=creation.order_id,
                order_description=creation.order_description,
                price_amount=str(creation.price_amount),
                price_currency=creation.price_currency,
                pay_amount=f"{creation.pay_amount:f}",
                pay_currency=coin.code,
                address=address,
                memo=memo if coin.has_memo else None,
                ipn_url=creation.ipn_url,
                created_ms=now_ms,
                updated_ms=now_ms,
                quote_until_ms=now_ms + QUOTE_MS,
                valid_until_ms=now_ms + (QUOTE_MS if creation.is_fixed_rate else VALID_MS),
                is_fixed_rate=creation.is_fixed_rate,
                is_fee_paid_by_user=creation.is_fee_paid_by_user,
            )
            self._account.book.payments[str(payment_id)] = payment  # its id is taken from here on
            return payment

    def _of_payment(self, request: Request, rest: str) -> Reply:
        id, _, action = rest.partition("/")
        if not id.isdecimal():
            # The list of payments, for which the provider wants a token of the dashboard's login.
            raise Refusal(401, "AUTH_REQUIRED", "Authorization header is empty (Bearer JWTtoken)")
        payment = self._account.find(id)
        if payment is None:
            raise Refusal(404, "PAYMENT_NOT_FOUND", "Payment not found")
        if (request.method, action) == ("POST", "update-merchant-estimate"):
            return self._update_estimate(payment)
        if (request.method, action) != ("GET", ""):
            raise Refusal(404, "NOT_FOUND", "Not found")
        with self._account.book.reading():
            return js_reply(200, status_body(payment, self.switches))

    def _update_estimate(self, payment: CoinPayment) -> Reply:
        """A new quote for a payment that still waits, once the old one is over."""
        now_ms = self.clock.now_ms()
        with self._account.book.changing():
            if payment.status == "waiting" and payment.quote_until_ms <= now_ms:
                amount = self.prices.convert(
                    *(Decimal(payment.price_amount), payment.price_currency, payment.pay_currency),
                    is_asked=True,
                )
                payment.pay_amount = f"{amount:f}"
                payment.quote_until_ms = now_ms + QUOTE_MS
            body = {
                "id": str(payment.payment_id),
                "pay_amount": float(payment.pay_amount),
                "expiration_estimate_date": created_body(
                    payment, self.prices.coins[payment.pay_currency], self.switches
                )["expiration_estimate_date"],
            }
        return js_reply(200, body)

    def _steering(self) -> dict[tuple[str, str], Callable[[Request], Reply]]:
        return {
            **super()._steering(),
            ("GET", "/prices"): lambda _: self._show_prices(),
            ("POST", "/prices"): self._set_prices,
        }

    def _show_prices(self) -> Reply:
        return Reply.json(200, {code: f"{self.prices.usd(code):f}" for code in self.prices.coins})

    def _set_prices(self, request: Request) -> Reply:
        for code, price in request.json().items():
            try:
                self.prices.set_usd(code, Decimal(str(price)))
            except (KeyError, InvalidOperation) as exc:
                raise Refused(400, f"no coin or no price: {code}={price}") from exc
        return self._show_prices()

    def fulfil(self, wish: Wish) -> dict[str, Any]:
        """Let a wish come true for a payment, or be claimed by a webhook that lies."""
        payment = self._wished(wish)
        earlier = self._wishes.history(payment)[-1:]
        if wish.way in FALSE_WAYS:
            self.courier.send(self._wishes.false(payment, wish))
        else:
            notices = self._wishes.true(payment, wish)
            self.send(notices, wish, earlier=earlier[0] if earlier else None)
        children = [self._account.find(str(id)) for id in payment.children]
        family = [payment, *(child for child in children if child is not None)]
        return {
            "payment_id": str(payment.payment_id),
            "payment_ids": [str(one.payment_id) for one in family],
            "order": payment.order_id,
            "what": wish.what,
            "webhook": wish.way,
            "status": payment.status,
            "amount": payment.paid,
            "currency": payment.pay_currency,
            "payments": [
                {
                    "payment_id": str(one.payment_id),
                    "status": one.status,
                    "amount": one.paid,
                    "currency": one.pay_currency,
                    "usd": one.paid_usd,
                }
                for one in family
            ],
            "money_moved": wish.way not in FALSE_WAYS,
        }

    def _wished(self, wish: Wish) -> CoinPayment:
        payments = self._account.newest_first()
        if wish.payment_id:
            named = [one for one in payments if str(one.payment_id) == wish.payment_id]
        else:
            first = [one for one in payments if one.parent_id is None and one.order_id]
            reference = newest_reference(
                [one.order_id or "" for one in first], wish.order, wish.part
            )
            named = [one for one in first if one.order_id == reference]
        if not named:
            raise Refused(404, f"no payment for part {wish.part} of order {wish.order!r}")
        return named[0]

    def cards(self) -> list[Card]:
        """Every payment for the page."""
        attempts = by_payment(self.deliveries)
        return [
            Card(
                payment_id=str(payment.payment_id),
                reference=f"{payment.order_id or '(no order)'} · {payment.payment_id}",
                status=payment.status,
                facts=_facts(payment),
                attempts=attempts.get(str(payment.payment_id), ()),
            )
            for payment in self._account.newest_first()
        ]


def _facts(payment: CoinPayment) -> list[tuple[str, str]]:
    coin = payment.pay_currency.upper()
    facts = [
        ("price", f"{payment.price_amount} {payment.price_currency.upper()}"),
        ("asked", f"{payment.pay_amount} {coin}"),
        ("paid", f"{payment.paid} {coin}, worth ${payment.paid_usd}"),
        ("address", payment.address),
        ("memo", payment.memo or "none"),
        ("made", readable(payment.created_ms)),
        ("quote ends", readable(payment.quote_until_ms)),
        ("valid until", readable(payment.valid_until_ms)),
    ]
    if payment.parent_id is not None:
        facts.append(("below", str(payment.parent_id)))
    if payment.unseen:
        facts.append(("not seen", json.dumps(payment.unseen)))
    return facts
