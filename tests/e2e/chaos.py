"""Chaos in the shop, by seed: `python -m tests.e2e.chaos --seeds 20`.

Customers order, pay and are paid back in every way that the simulators know, while providers are
slow, drop calls or refuse them, webhooks are lost, doubled, disordered and forged, functions die at
their calls, and the providers' clocks jump. At the end all that is due is done, and the providers'
own lists of money are held against the ledger (`truth`).

The product's own processes have the machine's clock: it can't be made to jump. So orders are aged
by their time in the table, and quotes end by the provider's clock, whose time of a payment is what
counts. The seed decides what is tried; threads and processes decide how it meets.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osiris.flows import orders
from osiris.ledger.order import KEY_DELETED, NOT_ACCEPTED
from tests.e2e import truth
from tests.e2e.mischief import Mischief
from tests.e2e.till import WAIT_S, tilled

if TYPE_CHECKING:
    from tests.e2e.money import Shop

CUSTOMERS, AT_ONCE = 3, 3
FIRST_ROUNDS, ROUNDS, LATE_ROUNDS = 2, 20, 5
DAILY = {
    "order": 6,
    "pay": 9,
    "give_back": 3,
    "lie": 1,
    "look": 2,
    "cancel": 1,
    "fault": 3,
    "drift": 1,
    "kill": 4,
    "watch": 2,
    "jump": 1,
}
LATE = {"pay_late": 4, "give_back": 1, "fault": 1, "kill": 1, "watch": 1}
# A minute by the provider's clock lies between the steps of a slow confirmation.
STEP_S, STEPS = 61, 4
LATE_S = 45 * 60
# Longer than the longest pause in a provider's table of repeats, and as often as it repeats.
REPEAT_S, REPEATS = 5 * 3600, 6
RUNS_MAX = 5


class Chaos:
    """One run in a shop; `differences` is empty when money came out right."""

    def __init__(self, shop: Shop, seed: int) -> None:
        self._shop = shop
        self._customers = [shop.customer() for _ in range(CUSTOMERS)]
        self._mischief = Mischief(shop, self._customers, seed)

    def run(self, rounds: int = ROUNDS) -> None:
        """Chaos, then late payments, then everything that is due until nothing is.

        One of the customers deletes the key on the way, whatever is being paid for it.
        """
        leaver = self._customers[-1]
        for _ in range(FIRST_ROUNDS):
            self._round({"order": 1})
        for number in range(rounds):
            self._round(DAILY)
            if number == rounds * 2 // 3:
                leaver.call("DELETE", f"/keys/{leaver.key_id}?confirm=shop")
        # What confirms slowly is final before its quote has ended.
        for _ in range(STEPS):
            self._mischief.pass_s(STEP_S)
        self._mischief.pass_s(LATE_S)
        for _ in range(LATE_ROUNDS):
            self._round(LATE)
        self._settle()

    def differences(self) -> list[Any]:
        """Where the ledger differs from the truth, or from itself."""
        key_ids = [customer.key_id for customer in self._customers]
        wrong: list[Any] = list(truth.differences(self._shop, key_ids, self._mischief.order_ids))
        return wrong + self._shop.harness.differences()

    @property
    def payments(self) -> int:
        """How many payments brought money."""
        return len(truth.moved(self._shop, self._mischief.order_ids))

    def _round(self, weights: dict[str, int]) -> None:
        """A few deeds at once."""
        deeds = self._mischief.draw(weights, AT_ONCE)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for done in [pool.submit(deed) for deed in deeds]:
                done.result()

    def _settle(self) -> None:
        """Let nothing break any more, and all be done that providers and schedules still do."""
        till = self._shop.till
        for sent in till.sent.values():
            sent.calls.arm()
        for simulator in (till.midtrans, till.nowpayments):
            simulator.faults.clear()
        for _ in range(REPEATS):
            self._mischief.pass_s(REPEAT_S)
            assert till.midtrans.courier.wait(WAIT_S)
            assert till.nowpayments.courier.wait(WAIT_S)
        for _ in range(RUNS_MAX):
            if self._shop.watch(*self._mischief.order_ids)["failed"] == 0:
                break
        else:
            raise AssertionError("the reconciler never came to an end")
        self._house()

    def _house(self) -> None:
        """Give what was paid for the deleted key another home, as an operator does."""
        for order in orders.undecided(self._shop.app):
            if order.id in self._mischief.order_ids:
                # Too little to be accepted is nobody's loss, and may hide that there is more.
                assert order.problem in (KEY_DELETED, NOT_ACCEPTED), order
                orders.assign(self._shop.app, order.id, self._customers[0].key_id)


def main() -> int:
    """Run the seeds, each in the same stack; 1 at the first that breaks something."""
    # Pytest's own, and only needed by the command.
    from tests.e2e.conftest import SHORT_WAITS, running
    from tests.e2e.money import Shop

    parser = argparse.ArgumentParser(prog="python -m tests.e2e.chaos", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10, help="how many (10)")
    parser.add_argument("--from", dest="first", type=int, default=1, help="the first (1)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of each ({ROUNDS})")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        tilled() as till,
        running(Path(folder), SHORT_WAITS, {}, till) as harness,
    ):
        shop = Shop(harness, till)
        for seed in range(options.first, options.first + options.seeds):
            chaos = Chaos(shop, seed)
            chaos.run(options.rounds)
            wrong = chaos.differences()
            sys.stdout.write(f"seed {seed}: {chaos.payments} payments, {wrong or 'holds'}\n")
            sys.stdout.flush()
            if wrong:
                return 1
            till.set_back()
    return 0


if __name__ == "__main__":
    sys.exit(main())
