"""The plain definition of orders and payments, on raw items: what they say, and how they move.

`provider_has` is the provider's own record of a payment, which no process can roll back. Amounts of
money received are reckoned here by fractions, on their own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from tests.simulation.violations import require

if TYPE_CHECKING:
    from collections.abc import Callable

    from osiris.ledger.payment import PaymentStatus

NANO = 1_000_000_000
ASK_GAP_MS = 10_000
# Clocks of processes are apart by less than this.
SKEW_MS = 1_000
UNSTARTED_MS = 60_000
LATE_MS = 600_000

_STATES = {
    "quoted": {"pending", "expired", "cancelled"},
    "pending": {"expired", "cancelled"},
    "expired": set[str](),
    "cancelled": set[str](),
}
_FIXED = (
    *("account_id", "key_id", "amount_nano", "method", "provider", "coin", "created_at_ms"),
    *("rate", "rate_source", "rate_at_ms"),
)
_GROWING = ("credited_nano", "taken_back_nano", "extended_at_ms", "asked_at_ms")
_TOLD = ("payment_id", "amount", "currency", "qr_text", "address", "memo", "network")
_FIGURES = ("bought_nano", "credited_nano", "taken_back_nano")
_NO_FIGURES = {"received": "0", "returned": "0", **dict.fromkeys(_FIGURES, 0)}


class OrderRules:
    """Orders and payments as they were seen so far, each by its id."""

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.payments: dict[str, dict[str, Any]] = {}
        self.promises: dict[str, list[str]] = defaultdict(list)
        self.events: dict[str, dict[str, Any]] = {}
        self.made_by: dict[str, str] = {}
        self.provider_has: Callable[[str], PaymentStatus]
        self.provider_told: Callable[[str, Decimal], PaymentStatus | None]
        self.coin_rates: set[Decimal] = set()
        # What people did by hand: values given to payments, and returns recorded.
        self.valued_by_hand: dict[str, int] = {}
        self.returned_by_hand: Counter[str] = Counter()

    def look_at_payment(self, new: dict[str, Any]) -> tuple[int, int]:
        """By how much its credited and taken back amounts have grown."""
        payment_id = new["pk"].removeprefix("payment#")
        old = self.payments.get(payment_id, _NO_FIGURES)
        self.payments[payment_id] = new
        for name in _FIGURES:
            require(new[name] >= old[name], f"I4: {name} fell", old, new)
        for name in ("received", "returned"):
            require(Decimal(new[name]) >= Decimal(old[name]), f"I4: {name} fell", old, new)
        taken, credited, bought = (new[name] for name in reversed(_FIGURES))
        require(0 <= taken <= credited <= bought, "I4: taken back, credited, bought", new)
        self._of_provider(payment_id, old, new)
        return credited - old["credited_nano"], taken - old["taken_back_nano"]

    def _of_provider(self, payment_id: str, old: dict[str, Any], new: dict[str, Any]) -> None:
        status = self.provider_has(payment_id)
        known = Decimal(old["received"])
        received = Decimal(new["received"])
        require(received <= status.received, "more than the provider has", new, status)
        returned = status.returned + self.returned_by_hand[payment_id]
        require(Decimal(new["returned"]) <= returned, "more than went back", new, status)
        delta = new["bought_nano"] - old["bought_nano"]
        if payment_id in self.valued_by_hand and not old["bought_nano"]:
            require(delta in (0, self.valued_by_hand[payment_id]), "a value by hand", new)
            return
        if received == known:
            require(delta == 0, "I4: it buys without money", old, new)
            return
        order = self.orders[new["order_id"]]
        part = order["parts"][new["part"] - 1]
        if order["method"] == "qris":
            require(new["bought_nano"] == rupiah_buy(part, received), "I4: bought", new)
            return
        told = self.provider_told(payment_id, received)
        require(told is not None, "received, and never told", new)
        assert told is not None
        quoted, beside = _coin_buys(order, part, told, new["seen_at_ms"], known, received)
        possible = {quoted + int(Fraction(beside) * Fraction(r) * NANO) for r in self.coin_rates}
        require(delta in possible, "I4: bought", old, new, possible)

    def look_at_order(
        self, new: dict[str, Any], who: str, now_ms: int, key: dict[str, Any] | None
    ) -> None:
        """One order, created or changed by this function; `key` is its key as it stands."""
        order_id = new["pk"].removeprefix("order#")
        old = self.orders.get(order_id)
        self.orders[order_id] = new
        if old is None:
            self.made_by[order_id] = who
            _created(new, key)
        else:
            _changed(old, new)
        self._only_one_open(new, now_ms)

    def _only_one_open(self, order: dict[str, Any], now_ms: int) -> None:
        place = (order["key_id"], order["method"])
        found = [
            other["pk"]
            for other in self.orders.values()
            if (other["key_id"], other["method"]) == place and _is_open(other, now_ms)
        ]
        require(len(found) <= 1, "two open orders of a kind for one key", found)

    def look_at_promise(self, item: dict[str, Any]) -> None:
        """An Idempotency-Key names one order, or another once the first was given up."""
        made = self.promises[item["pk"]]
        if item["order_id"] not in made:
            made.append(item["order_id"])
        for earlier in made[:-1]:
            order = self.orders[earlier]
            given_up = order["state"] in ("cancelled", "expired") and not _is_told(order)
            require(given_up, "a second order for one Idempotency-Key", made)

    def look_at_event(self, item: dict[str, Any]) -> None:
        """An event is put once; later it only leaves the queue."""
        old = self.events.get(item["pk"])
        self.events[item["pk"]] = item
        require(old is None or "queue" not in item, "an event was put again", old, item)

    def check_sums(self, order_id: str) -> None:
        """An order's sums are those of its payments."""
        order = self.orders[order_id]
        mine = [paid for paid in self.payments.values() if paid["order_id"] == order_id]
        for name in ("credited_nano", "taken_back_nano"):
            total = sum(paid[name] for paid in mine)
            require(order[name] == total, f"I4: an order's {name}", order[name], total)
        named = {f"payment#{name}" for name in order.get("payment_ids", ())}
        require(named == {paid["pk"] for paid in mine}, "I4: an order's payments", named)


def rupiah_buy(part: dict[str, Any], received: Decimal) -> int:
    """What so many rupiah buy of a part, a fee of up to 1 % on top of its price left out."""
    price, credit = Fraction(part["price"]), part["credit_nano"]
    if price <= Fraction(received) <= price * Fraction(101, 100):
        return int(credit)
    return int(credit * Fraction(received) / price)


def outstanding_nano(payment: dict[str, Any]) -> int:
    """What of a payment is still to be credited, or (below 0) to be taken back."""
    bought = payment["bought_nano"]
    received, returned = Fraction(payment["received"]), Fraction(payment["returned"])
    gone = 0
    if returned > 0:
        gone = bought if returned >= received else int(bought * returned / received)
    credited = payment["credited_nano"]
    return int(min(bought - gone - credited + payment["taken_back_nano"], bought - credited))


def _coin_buys(
    order: dict[str, Any],
    part: dict[str, Any],
    status: PaymentStatus,
    seen_at_ms: int,
    known: Decimal,
    received: Decimal,
) -> tuple[int, Decimal]:
    """What was bought at the quote by what came since, and the amount that came beside it."""
    in_time = 0 < seen_at_ms <= order["expires_at_ms"] + LATE_MS
    if known > 0 or status.parent_id or status.currency != order["coin"] or not in_time:
        return 0, received - known
    if received >= status.asked:
        return part["credit_nano"], received - status.asked
    if status.complete:
        return part["credit_nano"], Decimal(0)
    return int(part["credit_nano"] * Fraction(received) / Fraction(status.asked)), Decimal(0)


def _created(order: dict[str, Any], key: dict[str, Any] | None) -> None:
    assert key is not None
    require(order["state"] == "quoted", "an order begins otherwise", order)
    require(not _is_told(order), "payable before its provider took it", order)
    require(order["account_id"] == key["account_id"], "an order for another's key", order)
    require(key["kind"] == "paid", "an order for a trial key", order)
    parts = sum(part["credit_nano"] for part in order["parts"])
    require(parts == order["amount_nano"], "parts, package", order)
    require(all(order[name] == 0 for name in _GROWING), "an order begins with money", order)


def _changed(old: dict[str, Any], new: dict[str, Any]) -> None:
    for name in _FIXED:
        require(new[name] == old[name], "an order changed its", name, old, new)
    for name in _GROWING:
        require(new[name] >= old[name], "an order's figure fell", name, old, new)
    if new["state"] != old["state"]:
        require(new["state"] in _STATES[old["state"]], "an order's state", old, new)
    if new["asked_at_ms"] != old["asked_at_ms"]:
        gap_ms = new["asked_at_ms"] - old["asked_at_ms"]
        require(gap_ms >= ASK_GAP_MS, "asked again too soon", gap_ms)
    require(new.get("payment_ids", set()) >= old.get("payment_ids", set()), "lost a payment", new)
    if (old["state"], new["state"]) != ("quoted", "pending"):
        for name in ("parts", "expires_at_ms"):
            require(new[name] == old[name], "told anew how to pay", name, old, new)
        return
    require(new["expires_at_ms"] <= old["expires_at_ms"], "a quote that lasts longer", old, new)
    require(all(part["payment_id"] for part in new["parts"]), "pending, not payable", new)
    for before, after in zip(old["parts"], new["parts"], strict=True):
        same = ("price", "credit_nano")
        require(all(before[name] == after[name] for name in same), "another price", old, new)


def _is_told(order: dict[str, Any]) -> bool:
    return any(part[name] for part in order["parts"] for name in _TOLD)


def _is_open(order: dict[str, Any], now_ms: int) -> bool:
    """Whether it waits to be paid, by any clock."""
    if order["state"] not in ("quoted", "pending") or now_ms + SKEW_MS >= order["expires_at_ms"]:
        return False
    if order["state"] == "quoted" and now_ms + SKEW_MS >= order["created_at_ms"] + UNSTARTED_MS:
        return False
    return bool(order["credited_nano"] < order["amount_nano"] and not order["taken_back_by"])
