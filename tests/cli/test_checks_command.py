"""`osiris audit` and `osiris reconcile`: exit codes a script can rely on, and what is wrong."""

import pytest

from osiris.flows import credit
from osiris.flows.keys import create
from osiris.ledger.key import Key
from osiris.money import NANO_PER_DOLLAR
from tests.builders import World, admitted, unreachable
from tests.cli.command import Run

DOLLAR = NANO_PER_DOLLAR


@pytest.fixture
def key(world: World) -> Key:
    key = create(world.app, "ada", name="k").key
    credit.grant(world.app, key.id, amount_nano=10 * DOLLAR, days=30)
    return key


def spoil(world: World, key: Key, attribute: str, by: int) -> None:
    """Change a figure by hand."""
    world.memory.call(
        "UpdateItem",
        {
            "TableName": "KeysTable",
            "Key": {"pk": {"S": f"key#{key.id}"}},
            "UpdateExpression": f"SET {attribute} = {attribute} + :by",
            "ExpressionAttributeValues": {":by": {"N": str(by)}},
        },
    )


def test_an_audit_that_holds(run: Run, key: Key) -> None:
    """One clear line with what was looked at, and 0."""
    assert run("audit") == (
        0,
        "All invariants hold: keys 1, accounts 1, entries 1, payments 0.\n",
        "",
    )
    assert run("audit", "--json").json() == {
        "holds": True,
        "keys": 1,
        "accounts": 1,
        "entries": 1,
        "payments": 0,
        "differences": [],
    }


def test_an_audit_that_does_not_hold(world: World, run: Run, key: Key) -> None:
    """1, and each difference with both figures, exact."""
    spoil(world, key, "available_nano", 1)
    ran = run("audit")
    assert ran == (
        1,
        "rule\tof\twhat\texpected\tfound\n"
        f"I2\t{key.id}\tavailable\t10\t10.000000001\n"
        "1 DIFFERENCES: keys 1, accounts 1, entries 1, payments 0.\n",
        "",
    )
    ran = run("audit", "--json")
    assert (ran.exit_code, ran.json()["holds"]) == (1, False)
    assert ran.json()["differences"] == [
        {
            "invariant": "I2",
            "subject": key.id,
            "what": "available",
            "expected": "10",
            "found": "10.000000001",
        }
    ]


def test_the_first_differences_are_shown_and_all_are_there(world: World, run: Run) -> None:
    """A table of many is cut, and says so; the document has all."""
    for number in range(25):
        spoil(world, create(world.app, f"account-{number}", name="k").key, "requests", 1)
    ran = run("audit")
    assert ran.exit_code == 1
    assert len(ran.stdout.splitlines()) == 1 + 20 + 1
    assert ran.stdout.endswith("25 DIFFERENCES: keys 25, accounts 25, entries 0, payments 0.\n")
    assert "The first 20 are shown" in ran.stderr
    assert len(run("audit", "--json").json()["differences"]) == 25


def test_differences_of_keys_are_named(world: World, run: Run, key: Key) -> None:
    """Both lists, side by side."""
    world.memory.call("DeleteItem", {"TableName": "KeysTable", "Key": {"pk": {"S": "account#ada"}}})
    assert f"I6\tada\tkeys\t\t{key.id}\n" in run("audit").stdout


def test_reconcile_tells_what_it_did(world: World, run: Run, key: Key) -> None:
    """Counts on standard output; each lost request is a note."""
    opened = admitted(world, key, DOLLAR)
    world.pass_ms(960_000)
    assert run("reconcile") == (
        0,
        "keys\t1\nfinished\t1\nrollups\t0\ntold low\t0\nfailed\t0\n"
        "rolled until\t2026-11-24T09:00:00.000Z\n",
        f"Finished {opened} of key {key.id}: not charged.\n",
    )
    assert run("reconcile", "--json").json() == {
        "keys": 1,
        "finished": 0,
        "rollups": 0,
        "told_low": 0,
        "failed": 0,
        "rolled_until": "2026-11-24T09:00:00.000Z",
    }


def test_reconcile_with_keys_left_over(world: World, run: Run, key: Key) -> None:
    """1, with the key and what was in the way."""
    admitted(world, key, DOLLAR)
    world.pass_ms(960_000)
    world.meet("UpdateItem", unreachable)
    ran = run("reconcile", "--json")
    assert (ran.exit_code, ran.json()["failed"]) == (1, 1)
    assert ran.stderr == (
        f"Not done: key {key.id}: no connection.\n"
        "1 keys could not be done. The next run takes them up.\n"
    )


@pytest.mark.parametrize("command", ["audit", "reconcile"])
def test_tables_out_of_reach(world: World, run: Run, key: Key, command: str) -> None:
    """One line, 1, and no answer: nothing was judged."""
    world.meet("Scan", *[unreachable] * 10)
    assert run(command) == (1, "", "Error: AWS is out of reach or refuses: no connection\n")
