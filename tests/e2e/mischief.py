"""What customers, providers and the machine may do to a shop in chaos, each drawn by one seed.

Each method draws a deed and returns it, undone: what is drawn follows from the seed alone, whenever
and beside what it is then done.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx

from tests.e2e.call_proxy import Harm
from tests.e2e.till import RECONCILER, TOPUPS, WAIT_S, WEBHOOK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.e2e.money import Customer, Shop

ORDER_TRIES = 5
COINS = ("btc", "eth", "usdttrc20", "xrp")
PACKAGES = ("100", "100", "250", "1000")
# Together no longer than a quote lives, less what a run takes: no order is over as it begins.
JUMP_S_MAX, JUMPS_S_MAX = 240, 12 * 60
FAULT_S = 2.0  # longer than a webhook waits for its provider
CALLS_MAX = 9  # a function that moves money makes about as many

PAID = {
    "qris": ("pay", "pay", "pay", "less", "more", "fee", "twice"),
    "crypto": (
        *("pay", "pay", "less", "more", "fee", "twice", "second_deposit", "wrong_coin"),
        *("confirm_slowly", "below_minimum"),
    ),
}
RETURNED = {
    "qris": ("refund", "partial_refund", "chargeback", "partial_chargeback"),
    "crypto": ("refund",),
}
TRUE_WAYS = ("normal", "normal", "normal", "lost", "lost", "duplicate", "disorder")
FALSE_WAYS = ("forged", "wrong_key", "tampered_amount", "tampered_status")
FAULTS = {
    "qris": ("slow", "slow_after", "drop_before", "drop_after", "body_4xx", "429", "500", "503"),
    "crypto": ("slow", "slow_after", "drop_before", "drop_after", "429", "500", "garbage"),
}
PATHS = {"qris": "/v2", "crypto": "/v1/payment"}
DRIFTS: dict[str, tuple[tuple[str, Any], ...]] = {
    "qris": (("upper_case_status", True), ("unknown_fields", True), ("errors_at_200", True)),
    "crypto": (
        ("payment_id_as", "string"),
        ("payment_id_as", "number"),
        ("price_amount_string", True),
        ("pay_amount_string", True),
        ("estimate_string", True),
        ("upper_case_status", True),
        ("unknown_fields", True),
        ("number_spelling", "python"),
        ("signed_arrays", "object"),
        ("repeat_status", "partially_paid"),
    ),
}

type Deed = Callable[[], object]


class Shown(NamedTuple):
    """An order that somebody was told how to pay, and one of its parts."""

    customer: Customer
    order: dict[str, Any]
    part: dict[str, Any]


class Mischief:
    """Draws deeds. `order_ids` are the orders that customers were told how to pay."""

    def __init__(self, shop: Shop, customers: Sequence[Customer], seed: int) -> None:
        self.order_ids: list[str] = []
        self._shop = shop
        self._customers = customers
        self._chance = random.Random(seed)
        self._shown: list[tuple[Customer, dict[str, Any]]] = []
        self._jumped_s = 0

    def draw(self, weights: dict[str, int], count: int) -> list[Deed]:
        """So many deeds; the names in `weights` are methods of this class."""
        names = self._chance.choices(list(weights), list(weights.values()), k=count)
        return [getattr(self, name)() for name in names]

    # -- customers

    def order(self) -> Deed:
        """An order, sent again under its Idempotency-Key until somebody answers."""
        customer, method = self._one_of(self._customers), self._one_of(("qris", "crypto"))
        wish = {"package": self._one_of(PACKAGES), "key_id": customer.key_id, "method": method}
        if method == "crypto":
            wish["coin"] = self._one_of(COINS)
        name = f"{self._chance.getrandbits(64):x}"

        def deed() -> None:
            for _ in range(ORDER_TRIES):
                answer = customer.call("POST", "/topups", wish, idempotency_key=name)
                if answer.status_code == 201 and answer.json()["state"] == "pending":
                    self.order_ids.append(answer.json()["id"])
                    self._shown.append((customer, answer.json()))
                if answer.status_code < 500:
                    return

        return deed

    def pay(self) -> Deed:
        """A payment, right or not."""
        return self._happening(PAID, TRUE_WAYS)

    def pay_late(self) -> Deed:
        """A payment after the quote's end."""
        return self._happening({"qris": ("late",), "crypto": ("late", "twice")}, TRUE_WAYS)

    def give_back(self) -> Deed:
        """Money goes back."""
        return self._happening(RETURNED, TRUE_WAYS)

    def lie(self) -> Deed:
        """A webhook about what never happened."""
        return self._happening({"qris": ("pay", "refund"), "crypto": ("pay",)}, FALSE_WAYS)

    def look(self) -> Deed:
        """An owner reads an order."""
        return self._calling("GET", "")

    def cancel(self) -> Deed:
        """An owner cancels an order, in whatever state it is."""
        return self._calling("POST", "/cancel")

    # -- providers and machines

    def fault(self) -> Deed:
        """A provider fails at its next calls."""
        method = self._one_of(("qris", "crypto"))
        kind, times = self._one_of(FAULTS[method]), self._chance.randint(1, 3)
        faults = self._shop.till.simulator(method).faults
        return lambda: faults.add(kind, PATHS[method], times=times, seconds=FAULT_S)

    def drift(self) -> Deed:
        """A provider writes things otherwise from now on."""
        method = self._one_of(("qris", "crypto"))
        name, value = self._one_of(DRIFTS[method])
        return lambda: setattr(self._shop.till.simulator(method).switches, name, value)

    def kill(self) -> Deed:
        """A function's processes die at one of their next calls."""
        function = self._one_of((WEBHOOK, WEBHOOK, RECONCILER, TOPUPS))
        at, passed_on = self._chance.randint(1, CALLS_MAX), self._chance.random() < 0.5
        harm = Harm(at, passed_on, lambda: self._shop.kill(function))
        return lambda: self._shop.till.sent[function].calls.arm(harm)

    def watch(self) -> Deed:
        """The reconciler runs over some orders; it may fail."""
        ids = self._chance.sample(self.order_ids, min(3, len(self.order_ids)))
        return lambda: self._shop.watched(*ids)

    def jump(self) -> Deed:
        """The providers' clocks jump."""
        seconds = self._chance.randint(30, JUMP_S_MAX)
        if self._jumped_s + seconds > JUMPS_S_MAX:
            return lambda: None
        self._jumped_s += seconds
        return lambda: self.pass_s(seconds)

    def pass_s(self, seconds: float) -> None:
        """Let both providers' time pass; what they then have to tell is under way."""
        for simulator in (self._shop.till.midtrans, self._shop.till.nowpayments):
            simulator.clock.advance(seconds)
            simulator.agenda.run_due()

    # -- what they have in common

    def _one_of[T](self, choices: Sequence[T]) -> T:
        return self._chance.choice(choices)

    def _some_shown(self) -> Shown | None:
        """An order to act on, later ones sooner; None while there is none."""
        if not self._shown:
            return None
        customer, order = self._one_of(self._shown[-8:])
        return Shown(customer, order, self._one_of(order["parts"]))

    def _happening(self, whats: dict[str, tuple[str, ...]], ways: Sequence[str]) -> Deed:
        """Something happens at a provider, if it can: not all is possible in each state."""
        shown = self._some_shown()
        if shown is None:
            return lambda: None
        method = shown.order["method"]
        what, way = self._one_of(whats[method]), self._one_of(ways)
        wish = {"payment_id": shown.part["payment_id"], "what": what, "webhook": way}
        url = f"{self._shop.till.simulator(method).url}/simulate"

        def deed() -> None:
            answer = httpx.post(url, json=wish, timeout=WAIT_S)
            assert answer.status_code in (200, 409), answer.text

        return deed

    def _calling(self, method: str, path: str) -> Deed:
        shown = self._some_shown()
        if shown is None:
            return lambda: None
        return lambda: shown.customer.call(method, f"/topups/{shown.order['id']}{path}")
