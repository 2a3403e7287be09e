"""Pages of a key's requests: the charges of its ledger, and nothing else."""

import pytest

from osiris.flows import ledger_page as pages
from osiris.flows.ledger_page import requests_page
from osiris.flows.settlement import finish_lapsed
from osiris.flows.statement import statement
from osiris.ledger.entry import CHARGE
from osiris.ledger.key import Key
from tests.builders import World, preceded_by
from tests.flows.used_key import closed, funded, granted, opened, recorded, requested

LAPSE_MS = 960_000


@pytest.fixture
def key(world: World) -> Key:
    return funded(world, "ada")


@pytest.mark.parametrize("most", [1, 2, 3, 6, 50])
def test_the_pages_of_requests_are_the_charges(world: World, key: Key, most: int) -> None:
    """Each once, newest first, and nothing else: settled or not, free or not."""
    opened(world, key)
    world.pass_ms(LAPSE_MS)
    finish_lapsed(world.app, world.stored_key(key.id))
    for number in range(6):
        world.pass_ms(1)
        entry = recorded(world, key, opened(world, key))
        if number % 2:
            closed(world, key, entry)
            granted(world, key)
    found, cursor = [], None
    while True:
        page = requests_page(world.app, "ada", key.id, cursor=cursor, most=most)
        assert len(page.lines) <= most
        found += page.lines
        cursor = page.cursor
        if cursor is None:
            break
    lines = statement(world.app, key.id, from_ms=0, until_ms=None, lines_max=100).lines[::-1]
    charges = [line for line in lines if line.entry.type == CHARGE]
    assert found == [(line.entry, line.settled) for line in charges]


def test_a_search_for_requests_is_bounded(world: World, key: Key) -> None:
    """Where there are few it gives up for now, with a cursor to go on from."""
    first = requested(world, key)
    for _ in range(20):
        world.pass_ms(1)
        granted(world, key)
    page = requests_page(world.app, "ada", key.id, most=2)
    assert page.lines == []
    assert page.cursor is not None
    last = requests_page(world.app, "ada", key.id, cursor=page.cursor, most=50)
    assert ([line.entry for line in last.lines], last.cursor) == ([first], None)
    world.transport.calls.clear()
    requests_page(world.app, "ada", key.id, most=2)
    assert world.transport.calls == ["GetItem", *["Query"] * pages.SEARCHED_MAX, "GetItem"]


def test_a_request_is_not_told_settled_before_it_is(world: World, key: Key) -> None:
    """One that was admitted and recorded while the page was read is shown as it is."""
    world.meet("Query", preceded_by(lambda: recorded(world, key, opened(world, key))))
    (line,) = requests_page(world.app, "ada", key.id).lines
    assert line.settled is False
