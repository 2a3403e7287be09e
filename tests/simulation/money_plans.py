"""What a seed adds of money in: its own chance, so that the rest of the history keeps its own."""

from __future__ import annotations

import random
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from osiris.ledger.order import CRYPTO, QRIS
from osiris.ledger.payment import CHARGEBACK, REFUND
from tests.scripted_provider import COIN, COIN_DOLLARS

if TYPE_CHECKING:
    from tests.simulation.histories import History

MINUTE_MS = 60_000
DAY_MS = 86_400_000
# Rupiah for a dollar, so that packages of one to three dollars come in one to four parts.
RATES = (Decimal(17_917), Decimal("6_000_000.25"), Decimal("12_000_000.5"))
# The customer's side: less, all, a fee more, more; and how often.
SHARES = ("0.4", "0.999", "1", "1", "1", "1", "1.005", "1.5")
MONEY_JUMPS = {
    15_000: 0.1,
    21 * MINUTE_MS: 0.06,
    DAY_MS: 0.05,
    9 * DAY_MS: 0.02,
    32 * DAY_MS: 0.08,
}


class Plan:
    """The money of one seed, added to a history."""

    def __init__(self, history: History, seed: int) -> None:
        self.history = history
        self.top_ups = history.top_ups
        self.tills = history.world.tills
        self.chance = random.Random(f"money {seed}")

    def add(self) -> None:
        """Orders first, and what follows from them in any order but the customers' own."""
        chance, world = self.chance, self.history.world
        self.tills.price_rupiah(chance.choice(RATES))
        self.tills.qris.forgetful = chance.random() < 0.3
        world.weather.jumps.update(
            {jump_ms: weight * chance.choice([0, 1, 1]) for jump_ms, weight in MONEY_JUMPS.items()}
        )
        before, world.starts = world.starts, []
        self._orders()
        money, world.starts = world.starts, []
        self._follow()
        money += self._mixed(world.starts)
        # Both keep their own order, and are dealt into each other.
        world.starts = []
        while before or money:
            some = chance.choice([pile for pile in (before, money) if pile])
            world.starts.append(some.pop(0))

    def _orders(self) -> None:
        chance = self.chance
        for _ in range(chance.choice([1, 1, 2, 3])):
            self.top_ups.order(
                chance.choice([QRIS, QRIS, CRYPTO]),
                chance.choice(["1", "2", "3"]),
                promise=chance.choice(["", "", "promise"]),
                key=chance.choice([0, 0, 0, 1]),
            )

    def _mixed[T](self, steps: list[T]) -> list[T]:
        """Moved about a little: what comes early may come late."""
        order = [(place + self.chance.choice([0, 0, 2, 8]), place) for place in range(len(steps))]
        return [steps[place] for _, place in sorted(order)]

    def _follow(self) -> None:
        chance = self.chance
        for _ in range(chance.choice([1, 2, 3, 5])):
            self._customer()
            if chance.random() < 0.3:
                self._owner()
        for _ in range(chance.choice([0, 1, 2])):
            chance.choice([self.top_ups.watch, self.top_ups.sweep, self._operator])()
        if chance.random() < 0.3:
            self.history.change(chance.choice(["confirm", "grant", "overlap"]))
        if chance.random() < 0.3:
            self._operator()
        if chance.random() < 0.4:
            self.top_ups.watch()
        for _ in range(chance.choice([0, 1, 2])):
            self.top_ups.sweep()

    def _customer(self) -> None:
        """Money comes, and goes; webhooks tell of it once, twice or never."""
        chance, pay = self.chance, self.top_ups.pay
        number = chance.choice([0, 0, 1, 2])
        first = partial(pay, share=chance.choice(SHARES), complete=chance.random() < 0.7)
        self.top_ups.happen(first, number)
        self._webhooks(number)
        if chance.random() < 0.4:
            self.top_ups.happen(chance.choice([self._again, self._return, self._see]), number)
            self._webhooks(number)
        if chance.random() < 0.4:
            self.top_ups.happen(self._return, number)
            self._webhooks(number)

    def _again(self, full_id: str) -> bool:
        till, own = self.tills.of(full_id)
        if self.chance.random() < 0.3:
            self.tills.price_coin(COIN_DOLLARS * self.chance.choice([1, 2]))
        if self.chance.random() < 0.5:
            return till.take(own, "1.7")
        return till.take_again(own, "0.5", self.chance.choice([COIN, COIN, "shib"]))

    def _return(self, full_id: str) -> bool:
        till, own = self.tills.of(full_id)
        by = self.chance.choice([REFUND, REFUND, CHARGEBACK])
        return till.return_some(own, self.chance.choice(["0.3", "0.5", "1"]), by)

    def _see(self, full_id: str) -> bool:
        till, own = self.tills.of(full_id)
        return till.see(own)

    def _webhooks(self, number: int) -> None:
        """Each is about the payment as it is then; some lie where no signature sees it."""
        for _ in range(self.chance.choice([0, 0, 1, 1, 2])):
            told = self.chance.choice(["", "", "finished"])
            self.top_ups.webhook(number, told=told)

    def _owner(self) -> None:
        number = self.chance.choice([0, 0, 1])
        what = self.chance.choice(
            [self.top_ups.read, self.top_ups.read, self.top_ups.read, self.top_ups.cancel]
        )
        what(number)

    def _operator(self) -> None:
        chance = self.chance
        number = chance.choice([0, 0, 1])
        if chance.random() < 0.5:
            self.top_ups.assign(number, key=chance.choice([0, 1, 2]))
            return
        self.top_ups.refund(
            number,
            chance.choice(["0.3", "0.5", "1"]),
            manual=chance.random() < 0.4,
            kind=chance.choice([REFUND, REFUND, CHARGEBACK]),
        )
