"""The protocol of money under faults: histories by seed, and small cases whole.

Each history runs the product's own flows and holds DESIGN's invariants after every write; see
`tests.simulation.rules` for what they are, and `tests.simulation.world` for what befalls a call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulation.histories import by_seed
from tests.simulation.small_cases import CASES
from tests.simulation.upstreams import REJECTED
from tests.simulation.world import ASK_FAULTS, FAULTS

if TYPE_CHECKING:
    from tests.simulation.cases import Case

SEEDS = 600
SEEDS_A_TEST = 50
SEEDS_SEEN = 150
SEEDS_OF_MONEY = 300
HISTORIES_MAX = 5_000


@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_A_TEST))
def test_histories_hold(first: int) -> None:
    """Whatever is killed, lost, repeated, late or out of reach, every invariant holds."""
    for seed in range(first, first + SEEDS_A_TEST):
        history = by_seed(seed)
        try:
            history.run()
        except Exception as error:
            error.add_note("\n".join([*history.world.history, f"seed {seed}"]))
            raise


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_small_cases_hold_whole(case: Case) -> None:
    """Every order of a small case's calls, with a fault at any of them, holds."""
    count = 0
    for history in case.histories(HISTORIES_MAX):
        count += 1
        try:
            history.run()
        except Exception as error:
            error.add_note("\n".join(history.world.history))
            raise
    assert 20 < count < HISTORIES_MAX


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 17])
def test_a_seed_is_the_same_history_again(seed: int) -> None:
    """The same seed is the same history, step by step."""
    histories = []
    for _ in range(2):
        history = by_seed(seed)
        history.run()
        histories.append(history.world.history)
    assert histories[0] == histories[1]


ENDS = {
    *("well", "left", "killed", "rate_limit_exceeded", "too_many_open_requests", "balance_held"),
    *("insufficient_balance", "credit_expired", "invalid_api_key", "key_disabled"),
    *("upstream_failed", "upstream_silent", "upstream_refused", REJECTED),
    *("deadline_exceeded", "store_unavailable"),
}


def test_the_histories_see_every_fault_and_end() -> None:
    """Among the tests' seeds are calls of every fault, and clients of every end."""
    befell: set[str] = set()
    ends: set[str] = set()
    for seed in range(SEEDS_SEEN):
        history = by_seed(seed)
        history.run()
        befell |= {line[23:].strip().split(":")[0] for line in history.world.history}
        ends |= {client.end for client in history.clients}
    assert befell >= {*FAULTS, "times out", "is killed", "refused", "done"}
    assert ends >= ENDS


def test_the_histories_see_money_move_every_way() -> None:
    """Among the tests' seeds is every entry of money in, every fault of a provider's call, a
    payment without a home, and a return that was recorded by hand.
    """
    seen: set[str] = set()
    for seed in range(SEEDS_OF_MONEY):
        history = by_seed(seed)
        history.run()
        rules = history.world.rules
        seen |= {entry["type"] for mine in rules.entries.values() for entry in mine.values()}
        seen |= {order["problem"] for order in rules.money.orders.orders.values()}
        seen |= {"by hand" for _ in rules.money.orders.returned_by_hand}
        asked = [line[23:].strip() for line in history.world.history if ": midtrans: " in line]
        seen |= {f"asked {line.split(': ')[0].split()[-1]}" for line in asked}
    assert seen >= {"purchase", "refund", "chargeback", "forfeiture", "adjustment", "key_deleted"}
    assert seen >= {"by hand", *(f"asked {fault}" for fault in ASK_FAULTS)}
