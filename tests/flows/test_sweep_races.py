"""The sweeper and the others: what comes between its steps, and where it may be killed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from osiris.flows.expiry import sweep
from tests.builders import (
    admitted,
    canceled,
    lost,
    preceded_by,
    repeated_late,
    settled,
    unreachable,
)
from tests.flows.sweeper import NOTHING, keyed, listed, swept
from tests.flows.topup_customer import DAY_MS, DOLLAR, MINUTE_MS, Customer

if TYPE_CHECKING:
    from osiris.ledger.order import Order
    from osiris.store.transport import Payload, Transport
    from tests.builders import Call, Fault, World


def test_topped_up_meanwhile(ada: Customer) -> None:
    """The index still shows the old expiry, or the credit comes before the forfeiture."""
    ada.bought()
    ada.world.pass_ms(30 * DAY_MS - MINUTE_MS)
    order = ada.order()
    ada.pay(order)
    ada.world.pass_ms(2 * DAY_MS)
    ada.world.meet("Query", and_then_told(ada, order))
    assert ada.swept()._replace(warned=0) == NOTHING
    assert ada.dollars == 200


def and_then_told(ada: Customer, order: Order) -> Fault:
    """The webhook comes just after the index was read."""

    def fault(call: Call, payload: Payload) -> Payload:
        answer = call(payload)
        ada.told(order)
        return answer

    return fault


def test_a_request_meanwhile(world: World) -> None:
    """What it holds is not forfeited, what it used is gone: the sweep looks again."""
    key = keyed(world, 10)
    world.pass_ms(DAY_MS - 1)
    opened = admitted(world, key, 4 * DOLLAR)
    world.meet(
        "TransactWriteItems",
        preceded_by(lambda: settled(world, key, opened, 4 * DOLLAR, DOLLAR)),
    )
    assert swept(world, 1).forfeited_nano == 9 * DOLLAR
    assert world.stored_key(key.id).balance_nano == 0


@pytest.mark.parametrize("fault", [repeated_late, canceled])
def test_a_repeated_forfeiture_is_one(world: World, fault: Fault) -> None:
    """By the transport, or by us after a conflict."""
    key = keyed(world, 10)
    world.meet("TransactWriteItems", fault)
    swept(world, DAY_MS)
    assert world.stored_key(key.id).balance_nano == 0
    assert len(list(world.app.ledger.entries(key.id))) == 2


@pytest.mark.parametrize("fault", [lost, unreachable])
def test_a_sweep_that_failed_is_made_again(world: World, fault: Fault) -> None:
    """A key that failed keeps no other waiting, and stays for the next sweep."""
    keyed(world, 10)
    keyed(world, 10, account_id="bob")
    world.meet("TransactWriteItems", fault)
    found = swept(world, DAY_MS)
    assert (found.forfeited, found.failed) == (1, 1)
    assert any(line["event"] == "sweep_failed" for line in world.lines)
    found = swept(world, DAY_MS)
    assert (found.forfeited, found.failed) == (int(fault is unreachable), 0)
    assert listed(world) == []


class Killed(BaseException):
    """The process ended here."""


class Dying:
    """A transport whose process ends at one call, before it or after it."""

    def __init__(self, inner: Transport, calls: int, *, after: bool) -> None:
        self._inner = inner
        self._calls = calls
        self._after = after

    def call(self, operation: str, payload: Payload) -> Payload:
        self._calls -= 1
        if self._calls < 0:
            if self._after:
                self._inner.call(operation, payload)
            raise Killed
        return self._inner.call(operation, payload)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("calls", range(14))
def test_a_sweep_killed_anywhere_is_made_again(world: World, calls: int, after: bool) -> None:
    """At any of its calls: the next sweep does what is left, once."""
    sweep(world.app)
    held = keyed(world, 10)
    world.pass_ms(MINUTE_MS)
    one, other = (keyed(world, 10, account_id=account_id) for account_id in ("bob", "eve"))
    world.pass_ms(DAY_MS - 1)
    opened = admitted(world, one, 4 * DOLLAR)
    world.pass_ms(1)
    inner = world.transport.inner
    world.transport.inner = Dying(inner, calls, after=after)
    with pytest.raises(Killed):
        sweep(world.app)
    world.transport.inner = inner
    swept(world)
    assert listed(world) == [f"key#{one.id}"]
    settled(world, one, opened, 4 * DOLLAR, 0)
    swept(world)
    assert listed(world) == []
    for key in (held, one, other):
        forfeited = [e.amount_nano for e in world.app.ledger.entries(key.id) if e.amount_nano < 0]
        assert sum(forfeited) == -10 * DOLLAR
        assert world.stored_key(key.id).balance_nano == 0


def test_two_sweeps_at_once(world: World) -> None:
    """One forfeits, the other finds it done."""
    keyed(world, 10)
    world.pass_ms(DAY_MS)
    world.meet("TransactWriteItems", preceded_by(lambda: sweep(world.app)))
    assert swept(world).forfeited == 0
    assert listed(world) == []
