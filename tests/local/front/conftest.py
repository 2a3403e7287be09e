"""The toy template's front, shared where a test changes nothing in it, and a gate."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.front import Front
from local.template import Template
from tests.local.front.client import Gate

TOYS = Path(__file__).parent / "toys" / "template.yaml"
VALUES = {"Things": "local-things", "Things.Arn": "arn:aws:dynamodb:::table/local-things"}

FrontMaker = Callable[..., Front]


def make_front(*, parameters: dict[str, str] | None = None, **settings: Any) -> Front:
    """A front of the toys; not started."""
    settings.setdefault("environment", {"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "local"})
    return Front(Template.load(TOYS, parameters=parameters), VALUES, **settings)


@pytest.fixture(scope="session")
def front() -> Iterator[Front]:
    """One front for all tests that leave it as it is."""
    with make_front() as started:
        yield started


@pytest.fixture
def start_front() -> Iterator[FrontMaker]:
    """Starts fronts of a test's own, and stops them."""
    started: list[Front] = []

    def start(**settings: Any) -> Front:
        front = make_front(**settings)
        front.start()
        started.append(front)
        return front

    yield start
    for front in started:
        front.stop()


@pytest.fixture
def gate() -> Iterator[Gate]:
    opened = Gate()
    yield opened
    opened.close()
