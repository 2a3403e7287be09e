"""The operator's command over a world in memory."""

from functools import partial

import pytest

from tests.builders import World
from tests.cli.command import Run, WorldOperator, run_as


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def operator(world: World) -> WorldOperator:
    return WorldOperator(world)


@pytest.fixture
def run(operator: WorldOperator) -> Run:
    return partial(run_as, operator)
