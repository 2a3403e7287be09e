"""Midtrans' Core API for QRIS, as its documentation and its clients describe it."""

from __future__ import annotations

import base64
import json
import random
import re
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from local.payments.delivery import Rules
from local.payments.midtrans.account import Account
from local.payments.midtrans.charge import Refusal, read_charge
from local.payments.midtrans.picture import png
from local.payments.midtrans.record import (
    STATUS_CODES,
    QrPayment,
    Switches,
    charge_body,
    status_body,
)
from local.payments.midtrans.wishes import WHATS, Wishes
from local.payments.page import Card, by_payment, stamp
from local.payments.server import Reply, Request
from local.payments.simulator import Simulator
from local.payments.wishes import FALSE_WAYS, Refused, Wish, newest_reference

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from local.payments.book import Receipt

_KEY_CHARS_MAX = 46  # a longer Idempotency-Key is ignored in silence
_KEY_MS = 5 * 60 * 1000
_URLS_MAX = 3  # of the current documentation; in 2021 there were two
_PATH = re.compile(r"/v([24])/(qris/)?([^/]+)/(.+)")

_TIMEOUT_S = 15.0
_REPEATS_S = (120, 600, 1800, 5400, 12_600)
_REPEATS_MAX = {500: 1, 503: 4, 400: 2, 404: 2, 301: 0, 302: 0, 303: 0}
# A first repeat, meant to come after two minutes, was seen after 33 seconds.
_SHIFT = (0.275, 1.25)


def midtrans_rules(shift: Callable[[], float]) -> Rules:
    """Midtrans' table of repeats; `shift` is the random factor of each pause."""

    def delay_s(repeats: int, status: int | None) -> float | None:
        most = len(_REPEATS_S) if status is None else _REPEATS_MAX.get(status, len(_REPEATS_S))
        return _REPEATS_S[repeats] * shift() if repeats < most else None

    return Rules(_TIMEOUT_S, delay_s, followed=frozenset({307, 308}), hops_max=5)


class MidtransSimulator(Simulator):
    """One merchant's Midtrans. Webhooks go to `webhook_url` unless a charge overrides it."""

    title = "Midtrans (simulated)"
    whats = WHATS

    def __init__(
        self,
        port: int = 0,
        *,
        server_key: str = "SB-Mid-server-simulated",
        webhook_url: str = "",
        host: str = "127.0.0.1",
        state: Path | None = None,
        seed: int = 0,
    ) -> None:
        shifts = random.Random(seed)  # noqa: S311 - repeatable, and no secret
        rules = midtrans_rules(lambda: shifts.uniform(*_SHIFT))
        self.switches: Switches = Switches()
        super().__init__(port, host, switches=self.switches, rules=rules, seed=seed)
        self.server_key = server_key
        self.webhook_url = webhook_url
        self._account = Account(self.clock, self.agenda, self.switches, server_key, state)
        self._account.tell = self.courier.send
        self._wishes = Wishes(self._account, self.clock.now_ms, self.switches)
        # By Idempotency-Key: when its answer was made, and the answer; None while it is made.
        self._answered: dict[str, tuple[int, Reply] | None] = {}

    @property
    def received(self) -> list[Receipt]:
        """Rupiah received and returned."""
        return self._account.book.receipts()

    def refusal(self, status: int, message: str, *, at_200: bool = False) -> Reply:
        """Midtrans' error: the code stands in the body, too, and sometimes only there."""
        body = {"status_code": str(status), "status_message": message, "id": str(uuid.uuid4())}
        return Reply.json(200 if at_200 or self.switches.errors_at_200 else status, body)

    def guarded(self, request: Request, answer: Callable[[], Reply]) -> Reply:
        """Replay the answer that this Idempotency-Key had, whatever the body now says."""
        key = request.headers.get("idempotency-key", "")
        is_kept = request.method == "POST" and 0 < len(key) <= _KEY_CHARS_MAX
        if not is_kept or not self._has_key(request):
            return answer()
        with self._account.book.reading():
            known = self._answered.get(key, (0, Reply(0, b"")))
            if known is None:
                return self.refusal(202, "the first request with this key is in process")
            if known[1].status and self.clock.now_ms() - known[0] < _KEY_MS:
                return known[1]
            self._answered[key] = None
        reply = Reply(0, b"")
        try:
            reply = answer()
        finally:
            with self._account.book.reading():
                if _succeeded(reply):
                    self._answered[key] = (self.clock.now_ms(), replace(reply, is_dropped=False))
                else:
                    del self._answered[key]
        return reply

    def serve(self, request: Request) -> Reply:
        """The API's routes; pictures need no key, as they are shown to customers."""
        match = _PATH.fullmatch(request.path)
        if match is not None and match[2] and match[4] == "qr-code" and request.method == "GET":
            return self._picture(match[3], border=1 if match[1] == "2" else 4)
        if not self._has_key(request):
            return self.refusal(401, "Unknown Merchant server_key/id")
        try:
            if (request.method, request.path) == ("POST", "/v2/charge"):
                return self._charge(request)
            if match is None or match[1] != "2":
                raise Refusal(404, "The requested resource is not found")
            return self._act(request, match[3], match[4])
        except Refusal as refusal:
            return self.refusal(refusal.code, refusal.message)

    def _has_key(self, request: Request) -> bool:
        expected = base64.b64encode(f"{self.server_key}:".encode()).decode()
        return request.headers.get("authorization") == f"Basic {expected}"

    def _charge(self, request: Request) -> Reply:
        if self.switches.channel_inactive:
            raise Refusal(402, "Payment channel is not activated.")
        charge = read_charge(_json(request), self.clock.now_ms())
        payment, notices = self._account.charge(charge, self._urls(request))
        body = charge_body(payment, self.url, self.switches)
        self.courier.send(notices)
        if self.switches.paid_before_answer:
            self.courier.send(self._account.settle(payment, payment.asked))
            self.courier.wait()
        return Reply.json(200, body)

    def _urls(self, request: Request) -> list[str]:
        own = [self.webhook_url] if self.webhook_url else []
        override = _addresses(request.headers.get("x-override-notification", ""))
        return (override or own + _addresses(request.headers.get("x-append-notification", "")))[
            :_URLS_MAX
        ]

    def _act(self, request: Request, id: str, action: str) -> Reply:
        payment = self._account.find(id)
        if payment is None:
            raise Refusal(404, "Transaction doesn't exist.")
        if (request.method, action) == ("GET", "status"):
            with self._account.book.reading():
                return Reply.json(200, self._body(payment, STATUS_CODES[payment.status]))
        if (request.method, action) == ("POST", "cancel"):
            return self._closed(payment, "cancel", "200", "Success, transaction is canceled")
        if (request.method, action) == ("POST", "expire"):
            return self._closed(payment, "expire", "407", "Success, transaction has expired")
        if request.method == "POST" and action in ("refund", "refund/online/direct"):
            return self._refund(payment, _json(request))
        raise Refusal(404, "The requested resource is not found")

    def _closed(self, payment: QrPayment, status: str, code: str, message: str) -> Reply:
        self.courier.send(self._account.close(payment, status))
        return Reply.json(200, {**self._body(payment, code), "status_message": message})

    def _refund(self, payment: QrPayment, body: Any) -> Reply:
        if not isinstance(body, dict):
            raise Refusal(400, "the body is not a JSON object")
        rupiah = body.get("amount")
        if rupiah is not None and type(rupiah) is not int:
            raise Refusal(400, "amount is not a whole number")
        key = str(body.get("refund_key") or f"auto-{uuid.uuid4()}")
        done, notices = self._account.refund(
            payment, key=key, rupiah=rupiah, reason=str(body.get("reason", ""))
        )
        self.courier.send(notices)
        more = {"refund_key": key, "refund_amount": f"{done['rupiah']}.00"}
        message = "Success, refund request is approved"
        return Reply.json(200, {**self._body(payment, "200"), "status_message": message, **more})

    def _picture(self, id: str, *, border: int) -> Reply:
        payment = self._account.find(id)
        if payment is None:
            return self.refusal(404, "Transaction doesn't exist.")
        return Reply(200, png(payment.qr_text, border=border), "image/png")

    def _body(self, payment: QrPayment, code: str) -> dict[str, Any]:
        return status_body(payment, self.server_key, self.switches, status_code=code)

    def fulfil(self, wish: Wish) -> dict[str, Any]:
        """Let a wish come true for a transaction, or be claimed by a webhook that lies."""
        payment = self._wished(wish)
        earlier = self._wishes.history(payment)[-1:]
        if wish.way in FALSE_WAYS:
            self.courier.send(self._wishes.false(payment, wish))
        else:
            notices = self._wishes.true(payment, wish)
            self.send(notices, wish, earlier=earlier[0] if earlier else None)
        return {
            "payment_id": payment.transaction_id,
            "payment_ids": [payment.transaction_id],
            "order": payment.order_id,
            "what": wish.what,
            "webhook": wish.way,
            "status": payment.status,
            "amount": str(payment.amount),
            "returned": str(payment.returned),
            "currency": "idr",
            "money_moved": wish.way not in FALSE_WAYS,
        }

    def _wished(self, wish: Wish) -> QrPayment:
        id: str | None = wish.payment_id
        if not id:
            references = [payment.order_id for payment in self._account.newest_first()]
            id = newest_reference(references, wish.order, wish.part)
        payment = self._account.find(id) if id else None
        if payment is None:
            raise Refused(404, f"no payment for part {wish.part} of order {wish.order!r}")
        return payment

    def cards(self) -> list[Card]:
        """Every transaction for the page."""
        attempts = by_payment(self.deliveries)
        return [
            Card(
                payment_id=payment.transaction_id,
                reference=payment.order_id,
                status=payment.status,
                facts=(
                    ("asked", f"Rp {payment.asked:,}"),
                    ("amount", f"Rp {payment.amount:,}"),
                    ("returned", f"Rp {payment.returned:,}"),
                    ("made", stamp(payment.created_ms)),
                    ("code ends", stamp(payment.expiry_ms)),
                    ("transaction", payment.transaction_id),
                    ("QR text", payment.qr_text),
                ),
                attempts=attempts.get(payment.transaction_id, ()),
                picture=f"/v4/qris/{payment.transaction_id}/qr-code",
            )
            for payment in self._account.newest_first()
        ]


def _succeeded(reply: Reply) -> bool:
    if reply.status != 200:
        return False
    code = str(json.loads(reply.body).get("status_code"))
    return code.startswith("2") or code == "407"


def _json(request: Request) -> Any:
    try:
        return request.json()
    except ValueError as exc:
        raise Refusal(400, "the body is not JSON") from exc


def _addresses(header: str) -> list[str]:
    return [part.strip() for part in header.split(",") if part.strip()]
