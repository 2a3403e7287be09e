"""`osiris keys` and `osiris grant`: what they change, and what they answer."""

import json

import pytest

from osiris import secrets_text
from osiris.flows.keys import create, delete
from osiris.ledger.entry import GRANT
from osiris.ledger.key import DISABLED, LIVE, TRIAL, Key
from osiris.money import NANO_PER_DOLLAR
from osiris.times import DAY_MS
from tests.builders import World, accepted, unreachable
from tests.cli.command import Run, WorldOperator, run_as

DOLLAR = NANO_PER_DOLLAR
NOBODY = "0" * 12


@pytest.fixture
def key(world: World) -> Key:
    return create(world.app, "ada", name="laptop").key


# ---------------------------------------------------------------------------------------- create


def test_create_shows_the_secret_once(world: World, run: Run) -> None:
    """It works, it is told in this one answer, and no other command or table has it."""
    ran = run("keys", "create", "--account", "me", "--name", "first")
    assert ran.exit_code == 0
    fields = dict(line.split("\t") for line in ran.stdout.splitlines())
    assert accepted(world, fields["secret"])
    assert (fields["account"], fields["name"], fields["balance"]) == ("me", "first", "$0")
    assert ran.stderr == "The secret is shown this once: keep it now.\n"
    shown = run("keys", "show", fields["id"]).stdout + run("keys", "list", "--json").stdout
    assert fields["secret"] not in shown + json.dumps(world.lines)


def test_create_for_programs(world: World, run: Run) -> None:
    """One document, with the secret, and nothing on standard error."""
    ran = run("keys", "create", "--account", "me", "--name", "first", "--json")
    document = ran.json()
    parsed = secrets_text.parse(document["secret"])
    assert parsed is not None
    assert (document["id"], document["account"]) == (parsed.key_id, "me")
    assert (ran.exit_code, ran.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (("--name", "n"), 2),
        (("--account", "me"), 2),
        (("--account", "a b", "--name", "n"), 2),
        (("--account", "", "--name", "n"), 2),
        (("--account", "me", "--name", "x" * 65), 1),
        (("--account", "me", "--name", "a\tb"), 1),
    ],
)
def test_create_refuses_what_it_cannot_make(
    world: World, run: Run, arguments: tuple[str, ...], exit_code: int
) -> None:
    """A wrong call is 2, a name that is none is 1; nothing is created."""
    ran = run("keys", "create", *arguments)
    assert (ran.exit_code, ran.stdout) == (exit_code, "")
    assert "Error: " in ran.stderr
    assert list(world.app.scans.keys_and_accounts()) == []


def test_the_eleventh_key_is_refused_in_one_line(run: Run) -> None:
    """The operator's keys count like anybody's."""
    for number in range(10):
        assert run("keys", "create", "--account", "me", "--name", str(number)).exit_code == 0
    ran = run("keys", "create", "--account", "me", "--name", "more")
    assert ran == (
        1,
        "",
        "Error: This account has 10 keys, which is the most. Delete one first.\n",
    )


# ------------------------------------------------------------------------------------ show, list


def test_show_says_all_about_a_key(world: World, run: Run, key: Key) -> None:
    """Amounts are exact, times RFC 3339 in UTC."""
    run("grant", key.id, "5.000000001")
    assert run("keys", "show", key.id).stdout == (
        f"id\t{key.id}\n"
        "account\tada\n"
        "name\tlaptop\n"
        "kind\tpaid\n"
        "status\tlive\n"
        "balance\t$5.000000001\n"
        "available\t$5.000000001\n"
        "held\t$0\n"
        "expires\t2026-12-24T10:00:00.000Z\n"
        "limit\t40 in 60 s, 40 free now\n"
        "used\t$0 in 0 charged requests\n"
        "created\t2026-11-24T10:00:00.000Z\n"
        "last used\tnever\n"
    )


def test_list_has_every_key_that_is_not_deleted(world: World, run: Run, key: Key) -> None:
    """Oldest first, of all accounts or of one; a deleted key can still be shown."""
    world.pass_ms(1)
    other = create(world.app, "bob", name="desk").key
    gone = create(world.app, "bob", name="gone").key
    delete(world.app, "bob", gone.id)
    lines = run("keys", "list").stdout.splitlines()
    assert lines == [
        "id\taccount\tname\tkind\tstatus\tbalance\theld\texpires\trequests",
        f"{key.id}\tada\tlaptop\tpaid\tlive\t$0\t$0\t\t0",
        f"{other.id}\tbob\tdesk\tpaid\tlive\t$0\t$0\t\t0",
    ]
    listed = run("keys", "list", "--account", "bob", "--json").json()["data"]
    assert [shown["id"] for shown in listed] == [other.id]
    assert run("keys", "show", gone.id, "--json").json()["status"] == "deleted"


def test_one_accounts_list_reads_no_table(world: World, run: Run, key: Key) -> None:
    """Its keys are looked up by their names in the account."""
    world.transport.calls.clear()
    run("keys", "list", "--account", "ada")
    assert world.transport.calls == ["GetItem", "BatchGetItem"]


# -------------------------------------------------------------------------- disable, enable, limit


def test_disable_and_enable(world: World, run: Run, key: Key) -> None:
    """The operator switches anybody's key."""
    assert run("keys", "disable", key.id, "--json").json()["status"] == DISABLED
    assert world.stored_key(key.id).status == DISABLED
    assert run("keys", "enable", key.id).exit_code == 0
    assert world.stored_key(key.id).status == LIVE


def test_limit(world: World, run: Run, key: Key) -> None:
    """A key may be given another rate limit, within the template's bounds."""
    assert run("keys", "limit", key.id, "7", "--json").json()["rate_limit"]["limit"] == 7
    assert len(world.stored_key(key.id).window) == 7
    assert run("keys", "limit", key.id, "0").exit_code == 2
    assert run("keys", "limit", key.id, "301").exit_code == 2


@pytest.mark.parametrize(
    "command",
    [
        ("keys", "show"),
        ("keys", "disable"),
        ("keys", "enable"),
        ("keys", "limit", "KEY", "5"),
        ("grant", "KEY", "5"),
        ("ledger",),
    ],
    ids=" ".join,
)
def test_a_key_that_is_not_there(run: Run, command: tuple[str, ...]) -> None:
    """One line says so; a text that is no id is a wrong call, and is not repeated."""
    arguments = [*command] if "KEY" in command else [*command, "KEY"]
    filled = [NOBODY if word == "KEY" else word for word in arguments]
    assert run(*filled) == (1, "", f"Error: There is no key {NOBODY}.\n")
    secret = secrets_text.make(NOBODY, bytes(32))
    ran = run(*[secret if word == "KEY" else word for word in arguments])
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert secret not in ran.stderr


# ----------------------------------------------------------------------------------------- grant


def test_grant_is_an_entry(world: World, run: Run, key: Key) -> None:
    """Amount, days and reason stand in the ledger; the answer names the entry."""
    ran = run("grant", key.id, "5", "--days", "7", "--reason", "beta tester")
    (entry,) = world.app.ledger.entries(key.id)
    assert (entry.type, entry.amount_nano, entry.reason) == (GRANT, 5 * DOLLAR, "beta tester")
    assert world.stored_key(key.id).expires_at_ms == world.now_ms + 7 * DAY_MS
    assert ran == (
        0,
        f"grant\t$5 ({entry.id})\nbalance\t$5\nexpires\t2026-12-01T10:00:00.000Z\n",
        "",
    )


def test_grant_lasts_30_days_by_default_and_tells_forfeitures(
    world: World, run: Run, key: Key
) -> None:
    """What had expired does not come back, and that is told."""
    run("grant", key.id, "5")
    world.pass_ms(31 * DAY_MS)
    document = run("grant", key.id, "0.25", "--json").json()
    assert [(entry["type"], entry["amount"]) for entry in document["entries"]] == [
        ("forfeiture", "-5"),
        ("grant", "0.25"),
    ]
    assert (document["key"], document["balance"]) == (key.id, "0.25")
    assert world.stored_key(key.id).expires_at_ms == world.now_ms + 30 * DAY_MS


@pytest.mark.parametrize(
    "arguments",
    [
        ("0",),
        ("five",),
        ("1e3",),
        ("0.0000000001",),
        ("--", "-5"),
        ("5", "--days", "0"),
        ("5", "--reason", "two\nlines"),
    ],
)
def test_grant_refuses_what_is_no_credit(
    world: World, run: Run, key: Key, arguments: tuple[str, ...]
) -> None:
    """A wrong call, and nothing is posted."""
    assert run("grant", key.id, *arguments).exit_code == 2
    assert list(world.app.ledger.entries(key.id)) == []


def test_grant_to_a_trial_key_is_refused(run: Run) -> None:
    """With the reason that its owner would get."""
    world = World({"OSIRIS_TRIAL_AMOUNT": "5"})
    trial = create(world.app, "ada", name="t", kind=TRIAL).key
    ran = run_as(WorldOperator(world), "grant", trial.id, "5")
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert ran.stderr.startswith("Error: A trial key takes no further credit.")


def test_a_table_out_of_reach_is_one_line(world: World, run: Run) -> None:
    """With what AWS's client said, and no traceback."""
    world.meet("GetItem", unreachable)
    ran = run("keys", "show", NOBODY)
    assert ran == (1, "", "Error: AWS is out of reach or refuses: no connection\n")
