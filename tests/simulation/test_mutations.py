"""The simulation is sharp enough: whatever part of the protocol is taken out, it sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from osiris.store.keys import ADMIT_CONDITIONS
from tests.simulation.histories import by_seed
from tests.simulation.money_mutations import MONEY_PROTOCOL
from tests.simulation.mutations import (
    PROTOCOL,
    Condition,
    another_slot_after_a_lost_reply,
    every_condition,
)
from tests.simulation.small_cases import CASES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.simulation.histories import History

SEEDS_MAX = 4000
HISTORIES_MAX = 5000
# What takes many seeds is seen by a small case.
CASES_OF = {
    "key_is_new": ["a creation, a grant to it"],
    "key_is_not_deleted": ["a deletion, a switch", "a grant, a deletion"],
    "expiry_is_the_one_seen": ["two grants"],
    "forfeited_is_the_one_seen": ["two take-backs after a forfeiture"],
    "order_is_new": ["an order, two faults"],
    "no_other_order_is_open": ["two orders for one key"],
    "no_other_order_is_promised": ["two orders with one promise"],
    "state_is_the_one_seen": ["an order started by two"],
    "extension_is_the_one_seen": ["two parts told at once"],
    "not_asked_lately": ["an order read by two"],
    "payment_is_new": ["a further part told twice"],
    "figures_are_those_seen": ["a refund told twice"],
    "event_is_new": ["two sweeps"],
    "take_back_alone": ["two take-backs after a forfeiture", "a refund, a sweep"],
    "paid_when_told": ["a payment told after the expiry, a sweep"],
    "expired_credit_comes_back": ["a payment after the expiry, a sweep"],
    "available_is_the_one_seen": ["a grant, a deletion"],
    "secret_is_the_one_seen": ["two rotations"],
    "another_slot_after_making_room": ["a request after a lost one"],
    "old_times_in_new_slots": ["a request, a smaller limit"],
}
# The slot says the same as long as a repeated admission keeps to it: see the last test.
SECOND_LINE = Condition(ADMIT_CONDITIONS, "not_admitted_yet")


def goes_wrong(histories: Iterable[History]) -> bool:
    """Whether one of these histories breaks an invariant."""
    for history in histories:
        try:
            history.run()
        except AssertionError:
            return True
    return False


def likely(name: str) -> Iterator[History]:
    """Histories to look at."""
    for case in CASES_OF.get(name, ()):
        yield from CASES[case].histories(HISTORIES_MAX)
    yield from map(by_seed, range(SEEDS_MAX))


@pytest.mark.parametrize(
    "condition",
    [condition for condition in every_condition() if condition != SECOND_LINE],
    ids=lambda condition: condition.name,
)
def test_each_condition_is_needed(condition: Condition, monkeypatch: pytest.MonkeyPatch) -> None:
    """With any one named condition of a write made to hold always, some history goes wrong."""
    condition.take_out(monkeypatch)
    assert goes_wrong(likely(condition.name))


@pytest.mark.parametrize(
    "mutation", PROTOCOL + MONEY_PROTOCOL, ids=lambda mutation: mutation.__name__
)
def test_each_rule_of_the_protocol_is_needed(
    mutation: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With any one rule of the protocol broken, some history goes wrong."""
    mutation(monkeypatch)
    assert goes_wrong(likely(mutation.__name__))


def test_an_admission_repeated_by_another_slot_is_held_by_its_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Were a repeated admission to take another slot, its id alone would keep it from twice."""
    another_slot_after_a_lost_reply(monkeypatch)
    case = CASES["one request, two faults"]
    case = case._replace(setting=case.setting._replace(limit=2), faults=("lost",), faults_max=2)
    assert not goes_wrong(case.histories(HISTORIES_MAX))
    SECOND_LINE.take_out(monkeypatch)
    assert goes_wrong(case.histories(HISTORIES_MAX))
