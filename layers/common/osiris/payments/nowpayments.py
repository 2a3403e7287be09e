"""NOWPayments: bitcoin, USDT, ether and some hundred other coins.

Sources: NOWPayments' API documentation (Postman collection 2s93JusNJt), its official SDK
(NowPaymentsIO/nowpayments-sdk-nodejs) and its help pages. What to know:

- It knows no idempotency, and takes an order's id any number of times. So a payment that may have
  been made is not asked for again here: the address of the first would be watched by nobody. Who
  asks again gets another payment of the same price, and each is credited if it is paid.
- A payment's id is a string when it is made and a number later; amounts are either. All is read
  as exact text.
- The third call in a row may be refused with 429; waiting some hundred milliseconds helps.
"""

from __future__ import annotations

import json
import re
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from osiris.payment_errors import BillRefused, PaymentNotFound, RefundByHand
from osiris.payments import Started
from osiris.payments.http import (
    CALL_TIMEOUT_MS,
    failed,
    patiently,
    reached,
    read,
    secret_of,
    segment,
    sent_once,
    words,
)
from osiris.payments.members import amount, moment_ms, optional_amount, optional_text, text
from osiris.payments.nowpayments_coins import coins_of, ticked_codes
from osiris.payments.nowpayments_notification import PAYMENT_ID, SIGNATURE, hint_of
from osiris.payments.nowpayments_status import status_of
from osiris.wire.json_call import ANSWER_BYTES_MAX, JsonOrigin

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from osiris.ledger.payment import PaymentStatus
    from osiris.payments import Bill, Coin, Hint, Surroundings
    from osiris.wire.json_call import Answer

PRODUCTION_URL = "https://api.nowpayments.io"
API_KEY = "nowpayments-api-key"
IPN_SECRET = "nowpayments-ipn-secret"  # noqa: S105  # its name

_CODE = re.compile(r"[a-z0-9]{1,32}", re.ASCII)
# Together below a second: whoever waits has three seconds to answer a webhook.
_WAITS_MS = (250, 600)
# 350 coins with their details have about 300 KB.
_COIN_BYTES_MAX = 2 * 1024 * 1024
_NO_SUCH_BILL = (400, 422)
_NO_SUCH_COIN = (400, 404, 422)
# Wallets know these as URIs with an amount (BIP 21); another coin's QR code says its address alone.
_URI_SCHEMES = {"btc": "bitcoin", "ltc": "litecoin", "doge": "dogecoin"}


class Provider:
    """The adapter."""

    name = "nowpayments"
    method = "crypto"
    secrets = (API_KEY, IPN_SECRET)

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._origin = JsonOrigin(surroundings.base_url or PRODUCTION_URL)

    def start(self, bill: Bill) -> Started:
        """Create a payment at a fixed rate; see the protocol. A repeat is a second payment."""
        if not _CODE.fullmatch(bill.coin):
            raise BillRefused(details=f"{self.name}: no such coin")
        call = partial(
            self._origin.call,
            "POST",
            "/v1/payment",
            self._headers(),
            _payment(bill),
            timeout_ms=CALL_TIMEOUT_MS,
        )
        # A kept connection may end just now, and whether it was heard would be unknown.
        self._origin.close()
        with reached(self.name):
            answer = self._patiently(partial(sent_once, call))
        if answer.status in _NO_SUCH_BILL:
            raise BillRefused(details=f"{self.name}: {answer.status} {self._words(answer)}")
        if answer.status not in (200, 201):
            raise failed(self.name, answer)
        with reached(self.name):
            return _started(bill, answer.members)

    def verify(self, headers: Mapping[str, str], body: bytes) -> Hint:
        """Check the signature, which stands in a header; see the protocol."""
        secret = secret_of(self._surroundings, IPN_SECRET)
        return hint_of(body, headers.get(SIGNATURE, ""), secret)

    def status(self, payment_id: str, *, timeout_ms: int) -> PaymentStatus:
        """The payment as it is now; see the protocol."""
        if not PAYMENT_ID.fullmatch(payment_id):
            raise PaymentNotFound
        answer = self._get(f"/v1/payment/{segment(payment_id)}", timeout_ms=timeout_ms)
        if answer.status == 404:
            raise PaymentNotFound
        self._expect(answer)
        with reached(self.name):
            found = status_of(self.name, answer.members)
            if found.id != payment_id:
                raise ValueError("the answer is about another payment")
            return found

    def cancel(self, payment_id: str) -> bool:
        """Never certain: there is no such call, and an address can be paid for ever."""
        return False

    def refund(self, payment_id: str, *, amount: Decimal, key: str, reason: str) -> None:
        """Never by a call: giving back a finished payment is a transfer of the merchant's own."""
        raise RefundByHand(details=f"{self.name} has no refunds")

    def coins(self) -> list[Coin]:
        """The coins that the account takes, the best known first."""
        ticked = self._get("/v1/merchant/coins", bytes_max=_COIN_BYTES_MAX)
        self._expect(ticked)
        whole = self._get("/v1/full-currencies", bytes_max=_COIN_BYTES_MAX)
        self._expect(whole)
        with reached(self.name):
            return coins_of(whole.body, ticked_codes(ticked.members))

    def least_dollars(self, coin: str) -> Decimal:
        """The least payment in this coin at a fixed rate. Some coins need the payout's coin named.

        Raises BillRefused for a coin that it does not take.
        """
        asked = {"currency_from": coin, "fiat_equivalent": "usd", "is_fixed_rate": "true"}
        answer = self._get(f"/v1/min-amount?{urlencode(asked)}")
        if answer.status == 400:
            answer = self._get(f"/v1/min-amount?{urlencode({**asked, 'currency_to': coin})}")
        self._expect_coin(answer)
        with reached(self.name):
            dollars = optional_amount(answer.members, "fiat_equivalent")
            least = amount(answer.members, "min_amount")
        return self.value_dollars(coin, least) if dollars is None else dollars

    def value_dollars(self, currency: str, amount: Decimal) -> Decimal:
        """What it would bring now. Raises BillRefused for a coin that it does not take."""
        asked = {"amount": f"{amount:f}", "currency_from": currency, "currency_to": "usd"}
        answer = self._get(f"/v1/estimate?{urlencode(asked)}")
        self._expect_coin(answer)
        with reached(self.name):
            return _estimated(answer.members)

    def _get(
        self,
        target: str,
        *,
        timeout_ms: int = CALL_TIMEOUT_MS,
        bytes_max: int = ANSWER_BYTES_MAX,
    ) -> Answer:
        headers = self._headers()
        call = partial(
            self._origin.call, "GET", target, headers, timeout_ms=timeout_ms, bytes_max=bytes_max
        )
        with reached(self.name):
            return self._patiently(partial(read, call))

    def _patiently(self, call: partial[Answer]) -> Answer:
        return patiently(call, self._surroundings.sleep_ms, _WAITS_MS)

    def _headers(self) -> dict[str, str]:
        return {"x-api-key": secret_of(self._surroundings, API_KEY)}

    def _expect(self, answer: Answer) -> None:
        if answer.status != 200:
            raise failed(self.name, answer)

    def _expect_coin(self, answer: Answer) -> None:
        if answer.status in _NO_SUCH_COIN:
            raise BillRefused(details=f"{self.name}: {answer.status} {self._words(answer)}")
        self._expect(answer)

    def _words(self, answer: Answer) -> str:
        hidden = secret_of(self._surroundings, API_KEY)
        told = (words(answer.members.get(name), hidden=hidden) for name in ("code", "message"))
        return " ".join(filter(None, told))


def _payment(bill: Bill) -> bytes:
    asked = {
        "price_currency": "usd",
        "pay_currency": bill.coin,
        "order_id": bill.reference,
        # What is not ASCII is signed in ways that the official samples disagree about.
        "order_description": bill.description.encode("ascii", "ignore").decode(),
        "is_fixed_rate": True,
        "is_fee_paid_by_user": False,
    }
    if bill.webhook_url:
        asked["ipn_callback_url"] = bill.webhook_url
    # The price's own digits: no float stands between.
    return f'{{"price_amount":{bill.price:f},{json.dumps(asked)[1:]}'.encode()


def _started(bill: Bill, members: Mapping[str, Any]) -> Started:
    """How to pay it. Raises ValueError when the answer is about something else."""
    if (
        text(members, "order_id") != bill.reference
        or amount(members, "price_amount") != bill.price
        or text(members, "price_currency").lower() != "usd"
        or text(members, "pay_currency").lower() != bill.coin
    ):
        raise ValueError("the answer is about another payment")
    due, address = amount(members, "pay_amount"), text(members, "pay_address")
    if due == 0 or not PAYMENT_ID.fullmatch(text(members, "payment_id")):
        raise ValueError("nothing to pay")
    network = optional_text(members, "network").lower()
    # The estimate ends before the address does: at a fixed rate after 20 minutes.
    ends_at_ms = moment_ms(members, "expiration_estimate_date") or moment_ms(members, "valid_until")
    return Started(
        payment_id=text(members, "payment_id"),
        amount=due,
        currency=bill.coin,
        qr_text=_qr_text(bill.coin, network, address, due),
        address=address,
        memo=optional_text(members, "payin_extra_id"),
        network=network,
        expires_at_ms=ends_at_ms or bill.now_ms + bill.lives_ms,
    )


def _qr_text(coin: str, network: str, address: str, due: Decimal) -> str:
    scheme = _URI_SCHEMES.get(coin)
    if scheme is None or network not in ("", coin):
        return address
    return f"{scheme}:{address}?amount={due:f}"


def _estimated(members: Mapping[str, Any]) -> Decimal:
    return amount(members, "estimated_amount")
