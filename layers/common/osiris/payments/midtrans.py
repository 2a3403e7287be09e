"""Midtrans' Core API: QRIS, payable from GoPay, OVO, DANA, ShopeePay and every other QRIS wallet.

Sources: docs.midtrans.com, "QRIS", "API Headers & Idempotency", "HTTP(S) Notification", "Get
Transaction Status", "Cancel Transaction", "Refund Transactions" and "Code 4xx". What to know:

- A payment's id is our own reference. Midtrans takes it wherever it takes its transaction's id,
  refuses it a second time (406), and we know it before we ask: after a call whose outcome is
  unknown the payment can still be found.
- Many errors come with HTTP 200, and the true code in the body.
- A notification's signature covers the order, the code and the amount, but not what happened:
  settlement and refund share one. So it is a hint, and the status call is what counts.
- Times carry no zone; they are in GMT+7.
"""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from osiris.ledger.payment import RUPIAH, PaymentStatus
from osiris.payment_errors import BillRefused, PaymentNotFound, RefundByHand
from osiris.payments import ReferenceTaken, Started
from osiris.payments.http import (
    CALL_TIMEOUT_MS,
    failed,
    reached,
    read,
    secret_of,
    segment,
    words,
)
from osiris.payments.members import amount, moment_ms, text
from osiris.payments.midtrans_notification import ORDER_ID, hint_of
from osiris.payments.midtrans_status import status_of
from osiris.wire.connection import WireError
from osiris.wire.json_call import JsonOrigin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from osiris.payments import Bill, Coin, Hint, Surroundings
    from osiris.wire.json_call import Answer

PRODUCTION_URL = "https://api.midtrans.com"
SECRET = "midtrans-server-key"  # noqa: S105  # its name
JAKARTA = timezone(timedelta(hours=7))

# Midtrans ignores a longer Idempotency-Key, and takes no longer order_id than 50.
REFERENCE_LENGTH_MAX = 46
_CODE = re.compile(r"[1-5][0-9]{2}", re.ASCII)
_REFUND_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_ITEM_NAME_LENGTH_MAX = 50
_REASON_LENGTH_MAX = 255
# The shortest life of a code that Midtrans takes.
LIFE_S_MIN = 20

# Posts are repeated under the same key, which Midtrans remembers for five minutes.
REPEATS_MAX = 2
# "The first call is still in process": a charge takes one to three seconds.
IN_PROCESS_WAITS_MAX = 5
IN_PROCESS_WAIT_MS = 400

_CREATED = (200, 201)
_NO_SUCH_BILL = (400, 410)
# Of a refund these say: later, or not from here. Any other refusal stays one.
_REFUND_LATER = (401, 403, 405, 429)


class Provider:
    """The adapter."""

    name = "midtrans"
    method = "qris"
    secrets = (SECRET,)

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._origin = JsonOrigin(surroundings.base_url or PRODUCTION_URL)

    def start(self, bill: Bill) -> Started:
        """Charge by QRIS; see the protocol."""
        assert bill.price == int(bill.price), "rupiah have no parts"
        assert len(bill.reference) <= REFERENCE_LENGTH_MAX and ORDER_ID.fullmatch(bill.reference)
        headers = {"Idempotency-Key": bill.reference}
        if bill.webhook_url:
            headers["X-Override-Notification"] = bill.webhook_url
        life_s = max(LIFE_S_MIN, bill.lives_ms // 1000)
        with reached(self.name):
            answer = self._post("/v2/charge", headers, _charge(bill, life_s))
        code = code_of(answer)
        if code == 406:
            raise ReferenceTaken
        told = self._words(answer)
        if code in _NO_SUCH_BILL or (code == 202 and "transaction_status" in answer.members):
            raise BillRefused(details=f"{self.name}: {code} {told}")
        if code not in _CREATED:
            raise failed(self.name, answer, code)
        with reached(self.name):
            return _started(bill, life_s, answer.members)

    def verify(self, headers: Mapping[str, str], body: bytes) -> Hint:
        """Check the signature, which stands in the body; see the protocol."""
        return hint_of(body, secret_of(self._surroundings, SECRET))

    def status(self, payment_id: str, *, timeout_ms: int) -> PaymentStatus:
        """The transaction as it is now; see the protocol."""
        if not ORDER_ID.fullmatch(payment_id):
            raise PaymentNotFound
        target = f"/v2/{segment(payment_id)}/status"
        headers = self._authorization()
        call = partial(self._origin.call, "GET", target, headers, timeout_ms=timeout_ms)
        with reached(self.name):
            answer = read(call)
        code, members = code_of(answer), answer.members
        if code == 404:
            raise PaymentNotFound
        # 407 is a transaction that expired: an answer, not an error.
        if "transaction_status" not in members or (code >= 400 and code != 407):
            raise failed(self.name, answer, code)
        with reached(self.name):
            if text(members, "order_id") != payment_id:
                raise ValueError("the answer is about another payment")
            return status_of(self.name, members, JAKARTA)

    def cancel(self, payment_id: str) -> bool:
        """Cancel it while it is pending; False when it is not (412): it may have been paid."""
        with reached(self.name):
            answer = self._post(f"/v2/{segment(payment_id)}/cancel", {}, None)
        code = code_of(answer)
        if code not in (200, 404, 412):
            raise failed(self.name, answer, code)
        return code != 412

    def refund(self, payment_id: str, *, amount: Decimal, key: str, reason: str) -> None:
        """Refund so many rupiah, once for each key: 406 says that it was done before."""
        assert amount == int(amount), "rupiah have no parts"
        assert _REFUND_KEY.fullmatch(key), "a character that Midtrans does not take"
        asked = {"refund_key": key, "amount": int(amount), "reason": reason[:_REASON_LENGTH_MAX]}
        with reached(self.name):
            answer = self._post(f"/v2/{segment(payment_id)}/refund", {}, asked)
        code = code_of(answer)
        if code in (200, 201, 406):
            return
        if code == 404:
            raise PaymentNotFound
        if 400 <= code < 500 and code not in _REFUND_LATER:
            raise RefundByHand(details=f"{self.name}: {code} {self._words(answer)}")
        raise failed(self.name, answer, code)

    def coins(self) -> list[Coin]:
        """None: QRIS is paid in rupiah."""
        return []

    def least_dollars(self, coin: str) -> Decimal:
        """Nothing: one rupiah is enough."""
        return Decimal(0)

    def value_dollars(self, currency: str, amount: Decimal) -> Decimal:
        """Midtrans tells no rates. Raises BillRefused."""
        raise BillRefused(details=f"{self.name} has no rate for a coin")

    def _post(self, target: str, headers: dict[str, str], content: Any) -> Answer:
        """Post, and again when the outcome is unknown.

        Each post made here is one that Midtrans does once: by Idempotency-Key, by refund_key, or
        because a cancelled transaction can't be cancelled again.
        """
        body = b"" if content is None else json.dumps(content).encode()
        headers = {**self._authorization(), **headers}
        call = partial(self._origin.call, "POST", target, headers, body, timeout_ms=CALL_TIMEOUT_MS)
        answer = _repeated(call)
        for _ in range(IN_PROCESS_WAITS_MAX):
            if answer.status != 202 or "transaction_status" in answer.members:
                return answer
            self._surroundings.sleep_ms(IN_PROCESS_WAIT_MS)
            answer = _repeated(call)
        return answer

    def _authorization(self) -> dict[str, str]:
        pair = f"{secret_of(self._surroundings, SECRET)}:"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}

    def _words(self, answer: Answer) -> str:
        secret = secret_of(self._surroundings, SECRET)
        return words(answer.members.get("status_message"), hidden=secret)


def code_of(answer: Answer) -> int:
    """What Midtrans says of a call: the body's code, unless HTTP tells of an error and it not."""
    value = str(answer.members.get("status_code"))
    told = int(value) if _CODE.fullmatch(value) else answer.status
    return answer.status if told < 400 <= answer.status else told


def _repeated(call: Callable[[], Answer]) -> Answer:
    for _ in range(REPEATS_MAX):
        try:
            return call()
        except WireError:
            continue
    return call()


def _charge(bill: Bill, life_s: int) -> dict[str, Any]:
    price = int(bill.price)
    ordered_at = datetime.fromtimestamp(bill.now_ms // 1000, UTC).astimezone(JAKARTA)
    name = bill.description[:_ITEM_NAME_LENGTH_MAX]
    return {
        "payment_type": "qris",
        "transaction_details": {"order_id": bill.reference, "gross_amount": price},
        "item_details": [{"id": "credit", "price": price, "quantity": 1, "name": name}],
        "qris": {"acquirer": "gopay"},
        "custom_expiry": {
            "order_time": ordered_at.strftime("%Y-%m-%d %H:%M:%S %z"),
            "expiry_duration": life_s,
            "unit": "second",
        },
    }


def _started(bill: Bill, life_s: int, members: Mapping[str, Any]) -> Started:
    """How to pay it. Raises ValueError when the answer is about something else, or has no code.

    `qr_string` is not in the documentation but in the answers (midtrans-go tests that it is). The
    documented picture is no help without it: a wallet reads the code's text, not an address of it.
    """
    if text(members, "order_id") != bill.reference or amount(members, "gross_amount") != bill.price:
        raise ValueError("the answer is about another payment")
    ends_at_ms = moment_ms(members, "expiry_time", zone=JAKARTA)
    return Started(
        payment_id=bill.reference,
        amount=bill.price,
        currency=RUPIAH,
        qr_text=text(members, "qr_string"),
        address="",
        memo="",
        network="",
        expires_at_ms=ends_at_ms or bill.now_ms + life_s * 1000,
    )
