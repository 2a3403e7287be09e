"""`osiris ledger`: every entry with the balance after it, so that anyone can compute it again."""

import pytest

from osiris.catalogue import Model, prices_from_dollars
from osiris.flows import credit
from osiris.flows.keys import create
from osiris.ledger.entry import COMPLETED, charge, lapse
from osiris.ledger.key import Key
from osiris.money import NANO_PER_DOLLAR
from osiris.times import DAY_MS
from osiris.usage import Tokens, Usage
from tests.builders import World, admitted
from tests.cli.command import Run

DOLLAR = NANO_PER_DOLLAR
HEADINGS = "time\tentry\twhat\tamount\tbalance\ttokens\t$ per million\tnotes"


def model(id: str, *, input: str, output: str, cache_read: str | None = None) -> Model:
    return Model(
        id=id,
        name=id,
        upstream="openai",
        base_url="https://api.example",
        upstream_model=id,
        secret="s",
        prices=prices_from_dollars(input=input, output=output, cache_read=cache_read),
        context_tokens=1_000_000,
        output_tokens=100_000,
        image_tokens_max=0,
        created_at_s=0,
    )


OPUS = model("claude-opus-4.6", input="5", output="25", cache_read="0.5")
DEEPSEEK = model("deepseek-v3", input="0.27", output="1.10")


@pytest.fixture
def key(world: World) -> Key:
    """A key with $10."""
    key = create(world.app, "ada", name="k").key
    credit.grant(world.app, key.id, amount_nano=10 * DOLLAR, days=30, reason="welcome")
    return key


def answered(
    world: World, key: Key, model: Model, tokens: Tokens, *, estimated: bool = False
) -> str:
    """A request that was answered with this usage, recorded and settled; its id."""
    world.pass_ms(1_000)
    opened = admitted(world, key, DOLLAR)
    entry = world.app.ledger.record(
        charge(
            key_id=key.id,
            request_id=opened,
            model=model,
            state=COMPLETED,
            streamed=True,
            usage=Usage(tokens, estimated=estimated),
            admitted_at_ms=world.now_ms,
            now_ms=world.now_ms,
        )
    )
    amount_nano = entry.amount_nano
    world.app.keys.settle(key.id, request_id=opened, hold_nano=DOLLAR, amount_nano=amount_nano)
    return opened


def test_each_line_shows_what_it_cost_and_why(world: World, run: Run, key: Key) -> None:
    """Tokens by bucket, the prices they were charged at, the minimum, and the running balance."""
    opus = answered(world, key, OPUS, Tokens(input=10_000, output=2_000))
    deepseek = answered(world, key, DEEPSEEK, Tokens(input=50_000, output=5_000))
    small = answered(world, key, OPUS, Tokens(input=10, cache_read=7, output=2), estimated=True)
    (grant, *_) = world.app.ledger.entries(key.id)
    ran = run("ledger", key.id)
    assert ran.stdout.splitlines() == [
        HEADINGS,
        f"2026-11-24T10:00:00.000Z\t{grant.id}\tgrant\t$10\t$10\t\t\twelcome",
        f"2026-11-24T10:00:01.000Z\t{opus}\tclaude-opus-4.6\t-$0.1\t$9.9\t"
        "in 10,000, out 2,000\tin 5, out 25\tcompleted",
        f"2026-11-24T10:00:02.000Z\t{deepseek}\tdeepseek-v3\t-$0.019\t$9.881\t"
        "in 50,000, out 5,000\tin 0.27, out 1.1\tcompleted",
        f"2026-11-24T10:00:03.000Z\t{small}\tclaude-opus-4.6\t-$0.001\t$9.88\t"
        "in 10, cache read 7, out 2\tin 5, cache read 0.5, out 25\tcompleted, minimum, estimated",
    ]
    assert ran.stderr == "Balance now $9.88, of which $0 is held by open requests.\n"


def test_for_programs_each_line_is_the_requests_record(world: World, run: Run, key: Key) -> None:
    """The same facts as GET /v1/requests/{id}, with the balance after them."""
    opened = answered(world, key, OPUS, Tokens(input=10_000, output=2_000))
    document = run("ledger", key.id, "--json").json()
    assert {name: document[name] for name in ("key", "balance", "held", "omitted")} == {
        "key": key.id,
        "balance": "9.9",
        "held": "0",
        "omitted": 0,
    }
    grant, charged = document["data"]
    assert (grant["type"], grant["amount"], grant["reason"]) == ("grant", "10", "welcome")
    told = ("id", "type", "amount", "cost", "balance_after", "settled", "minimum_applied")
    assert [charged[name] for name in told] == [
        opened,
        "charge",
        "-0.1",
        "0.1",
        "9.9",
        True,
        False,
    ]
    assert charged["prices_per_mtok"]["output"] == "25"
    assert charged["tokens"] == {
        "input": 10_000,
        "cache_read": 0,
        "cache_write_5m": 0,
        "cache_write_1h": 0,
        "output": 2_000,
    }


def test_what_is_not_settled_does_not_count_yet(world: World, run: Run, key: Key) -> None:
    """An entry whose hold is open is shown, and the balance is as the key has it."""
    world.pass_ms(1)
    opened = admitted(world, key, DOLLAR)
    world.app.ledger.record(lapse(key_id=key.id, request_id=opened, now_ms=world.now_ms))
    ran = run("ledger", key.id)
    _, entry, *_, notes = ran.stdout.splitlines()[-1].split("\t")
    assert (entry, notes) == (opened, "lapsed, not settled yet")
    assert "$1 is held" in ran.stderr
    assert run("ledger", key.id, "--json").json()["data"][-1]["settled"] is False


def test_the_newest_lines_within_a_time(world: World, run: Run, key: Key) -> None:
    """The running balance counts what is not shown; how much that is, is told."""
    for _ in range(4):
        world.pass_ms(DAY_MS)
        answered(world, key, OPUS, Tokens(input=10_000, output=2_000))

    def balances(*arguments: str) -> list[str]:
        return [
            line["balance_after"]
            for line in run("ledger", key.id, "--json", *arguments).json()["data"]
        ]

    assert balances() == ["10", "9.9", "9.8", "9.7", "9.6"]
    assert balances("--limit", "2") == ["9.7", "9.6"]
    assert balances("--from", "2026-11-26") == ["9.8", "9.7", "9.6"]
    assert balances("--to", "2026-11-26") == ["10", "9.9"]
    assert balances("--from", "2026-11-25T12:00+02:00", "--to", "2026-11-27") == ["9.9", "9.8"]
    assert "3 older lines are not shown" in run("ledger", key.id, "--limit", "2").stderr


@pytest.mark.parametrize(
    "arguments",
    [("--from", "yesterday"), ("--to", "0001-01-01"), ("--to", "9999-01-01"), ("--limit", "0")],
)
def test_times_that_are_none(run: Run, key: Key, arguments: tuple[str, ...]) -> None:
    """A wrong call."""
    assert run("ledger", key.id, *arguments).exit_code == 2


def test_an_empty_ledger(world: World, run: Run) -> None:
    """A key that never had an entry has a balance of nothing."""
    key = create(world.app, "ada", name="k").key
    ran = run("ledger", key.id)
    assert ran == (
        0,
        HEADINGS + "\n",
        "Balance now $0, of which $0 is held by open requests.\n",
    )
