"""A world for each test; whatever the test did in it, the invariants hold at its end."""

from collections.abc import Iterator

import pytest

from osiris.flows import keys
from osiris.flows.audit import audit
from tests.builders import World
from tests.flows.scripted_upstream import Till
from tests.flows.topup_customer import ACCOUNT, Customer
from tests.scripted_provider import with_scripted_money


@pytest.fixture
def world() -> Iterator[World]:
    """A world in which trials of $5 for 7 days are offered."""
    world = World({"OSIRIS_TRIAL_AMOUNT": "5", "OSIRIS_TRIAL_DAYS": "7"})
    yield world
    world.transport.faults.clear()
    assert audit(world.app).differences == []


@pytest.fixture
def till(world: World) -> Till:
    """A key with $10, whose upstream says what the test writes."""
    return Till(world)


@pytest.fixture
def ada(world: World) -> Customer:
    """A customer with a new key, whose payment providers say what the test sets."""
    money = with_scripted_money(world.app, lambda: world.now_ms)
    return Customer(world, money, keys.create(world.app, ACCOUNT, name="laptop").key.id)
