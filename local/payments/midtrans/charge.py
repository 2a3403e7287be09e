"""Reading a charge: everything that Midtrans refuses before a transaction exists."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass, field
from typing import Any

RUPIAH_MAX = 10_000_000  # the national limit of one QRIS payment
_ORDER_ID = re.compile(r"[A-Za-z0-9\-_~.]{1,50}")
_ACQUIRERS = ("gopay", "airpay shopee")
_UNIT_S = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_DURATION_S_DEFAULT = 15 * 60
_DURATION_S_MIN, _DURATION_S_MAX = 20, 7 * 86_400
_ECHOED = ("custom_field1", "custom_field2", "custom_field3", "metadata")


class Refusal(Exception):
    """An error of the API: `code` is both `status_code` and, as a rule, the HTTP status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Charge:
    """A charge that can be made."""

    order_id: str
    rupiah: int
    acquirer: str
    created_ms: int
    expiry_ms: int
    echoed: dict[str, Any] = field(default_factory=dict)


def read_charge(body: Any, now_ms: int) -> Charge:
    """Check the body of `POST /v2/charge`. Errors: Refusal 400 or 402."""
    if not isinstance(body, dict):
        raise Refusal(400, "the body is not a JSON object")
    if body.get("payment_type") != "qris":
        raise Refusal(402, "Payment channel is not activated.")
    details = _object(body, "transaction_details")
    order_id, rupiah = details.get("order_id"), details.get("gross_amount")
    if not isinstance(order_id, str) or not _ORDER_ID.fullmatch(order_id):
        raise Refusal(400, "transaction_details.order_id has characters that are not allowed")
    if type(rupiah) is not int or rupiah < 1:
        raise Refusal(400, "transaction_details.gross_amount is not a whole number of at least 1")
    if rupiah > RUPIAH_MAX:
        raise Refusal(400, f"transaction_details.gross_amount is above {RUPIAH_MAX}")
    _check_items(body.get("item_details"), rupiah)
    acquirer = _object(body, "qris").get("acquirer", "gopay")
    if acquirer not in _ACQUIRERS:
        raise Refusal(400, "qris.acquirer is unknown")
    expiry_ms = _expiry_ms(_object(body, "custom_expiry"), now_ms)
    echoed = {name: body[name] for name in _ECHOED if name in body}
    return Charge(order_id, rupiah, acquirer, now_ms, expiry_ms, echoed)


def _object(body: dict[str, Any], name: str) -> dict[str, Any]:
    value = body.get(name, {})
    if not isinstance(value, dict):
        raise Refusal(400, f"{name} is not an object")
    return value


def _check_items(items: Any, rupiah: int) -> None:
    if items is None:
        return
    try:
        total = sum(item["price"] * item["quantity"] for item in items)
    except (TypeError, KeyError) as exc:
        raise Refusal(400, "item_details needs a price and a quantity for each item") from exc
    if total != rupiah:
        raise Refusal(400, "transaction_details.gross_amount is not equal to the sum of the items")


def _expiry_ms(expiry: dict[str, Any], now_ms: int) -> int:
    unit, duration = expiry.get("unit", "minute"), expiry.get("expiry_duration")
    if not expiry:
        return now_ms + _DURATION_S_DEFAULT * 1000
    if unit not in _UNIT_S or type(duration) is not int:
        raise Refusal(400, "custom_expiry needs a whole expiry_duration and a known unit")
    seconds = duration * _UNIT_S[unit]
    if not _DURATION_S_MIN <= seconds <= _DURATION_S_MAX:
        raise Refusal(400, "custom_expiry is below 20 seconds or above 7 days")
    return _order_time_ms(expiry.get("order_time"), now_ms) + seconds * 1000


def _order_time_ms(text: Any, now_ms: int) -> int:
    if text is None:
        return now_ms
    try:
        moment = datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S %z")
    except (TypeError, ValueError) as exc:
        raise Refusal(400, "custom_expiry.order_time is not yyyy-MM-dd hh:mm:ss Z") from exc
    return int(moment.timestamp() * 1000)
