"""`osiris expire`: what a sweep forfeits, shown before and told after."""

import pytest

from osiris.money import NANO_PER_DOLLAR
from osiris.times import DAY_MS
from tests.builders import World, admitted, unreachable
from tests.cli.command import Run
from tests.cli.shop import Shop, shop_in

DOLLAR = NANO_PER_DOLLAR
HEADINGS = "key\taccount\texpired\tbalance\theld\tforfeits\n"


@pytest.fixture
def shop(world: World) -> Shop:
    """A key whose $100 have expired, but for $1 that a request holds."""
    shop = shop_in(world)
    shop.paid()
    world.pass_ms(29 * DAY_MS)
    admitted(world, shop.key, DOLLAR)
    world.pass_ms(2 * DAY_MS)
    return shop


def test_a_dry_run_changes_nothing(shop: Shop, run: Run) -> None:
    """Each key that has expired, with what it would lose."""
    before = shop.key
    line = f"{shop.key_id}\tada\t2026-12-24T10:01:00.000Z\t$100\t$1\t$99\n"
    told = "1 keys have expired; a sweep now would forfeit $99.\n"
    assert run("expire", "--dry-run") == (0, HEADINGS + line, told)
    assert run("expire", "--dry-run", "--json").json() == {
        "dry_run": True,
        "forfeits": "99",
        "data": [
            {
                "key": shop.key_id,
                "account": "ada",
                "expired_at": "2026-12-24T10:01:00.000Z",
                "balance": "100",
                "held": "1",
                "forfeits": "99",
            }
        ],
    }
    assert shop.key == before


def test_a_sweep_tells_what_it_did(shop: Shop, run: Run) -> None:
    """What is held stays; a second sweep finds nothing to forfeit."""
    told = "forfeited\t$99 of 1 keys\ndone with\t0\nwarned\t0\nfailed\t0\n"
    assert run("expire") == (0, f"expired\t1\n{told}", "")
    assert (shop.key.balance_nano, shop.key.available_nano) == (DOLLAR, 0)
    assert run("expire", "--json").json() == {
        "dry_run": False,
        "expired": 1,
        "forfeited": "0",
        "forfeited_keys": 0,
        "retired": 0,
        "warned": 0,
        "failed": 0,
    }
    assert run("audit").exit_code == 0


def test_keys_that_could_not_be_done(shop: Shop, run: Run) -> None:
    """1, with the key and what was in the way; the next sweep does it."""
    shop.world.meet("TransactWriteItems", *[unreachable] * 10)
    ran = run("expire", "--json")
    assert (ran.exit_code, ran.json()["failed"]) == (1, 1)
    assert ran.stderr == (
        f"Not done: key {shop.key_id}: no connection.\n"
        "1 keys could not be done. The next sweep takes them up.\n"
    )
    shop.world.transport.faults.clear()
    assert run("expire").exit_code == 0


def test_nothing_has_expired(world: World, run: Run) -> None:
    """An empty table, and 0."""
    shop_in(world).paid()
    told = "0 keys have expired; a sweep now would forfeit $0.\n"
    assert run("expire", "--dry-run") == (0, HEADINGS, told)


def test_a_clock_that_was_set_back(shop: Shop, run: Run) -> None:
    """The sweep goes on; nobody is warned again, or not at all."""
    run("expire")
    shop.world.pass_ms(-DAY_MS // 2)
    assert run("expire").exit_code == 0
