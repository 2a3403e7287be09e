"""The reconciler: what lapsed is finished, what is closed is rolled up, whoever else does the same.

A key's hour closes 20 minutes after its end, once no hold admitted in it is open.
"""

import pytest

from osiris.catalogue import Model, prices_from_dollars
from osiris.errors import StoreUnavailable
from osiris.flows import credit
from osiris.flows.keys import create
from osiris.flows.reconcile import Reconciled, reconcile
from osiris.ledger.entry import COMPLETED, Entry, charge
from osiris.ledger.key import Key
from osiris.ledger.rollup import CLOSES_AFTER_MS, Rollup
from osiris.money import NANO_PER_DOLLAR
from osiris.times import HOUR_MS
from osiris.usage import Tokens, Usage
from tests.builders import START_MS, World, admitted, preceded_by, unreachable

DOLLAR = NANO_PER_DOLLAR
LAPSE_MS = 960_000
MODEL = Model(
    id="m-1",
    name="M",
    upstream="openai",
    base_url="https://api.example/v1",
    upstream_model="m",
    secret="s",
    prices=prices_from_dollars(input="1", output="2"),
    context_tokens=100_000,
    output_tokens=100_000,
    image_tokens_max=0,
    created_at_s=0,
)


@pytest.fixture
def key(world: World) -> Key:
    """A key with $50 for a year."""
    return funded(world, "ada")


def funded(world: World, account_id: str) -> Key:
    key = create(world.app, account_id, name="k").key
    credit.grant(world.app, key.id, amount_nano=50 * DOLLAR, days=365)
    return key


def recorded(world: World, key: Key, opened: str, *, model: str = "m-1", tokens: int = 1) -> Entry:
    """The entry of an open request, in the ledger: so many thousand tokens out."""
    entry = charge(
        key_id=key.id,
        request_id=opened,
        model=MODEL._replace(id=model),
        state=COMPLETED,
        streamed=True,
        usage=Usage(Tokens(output=tokens * 1000)),
        admitted_at_ms=world.now_ms,
        now_ms=world.now_ms,
    )
    return world.app.ledger.record(entry)


def requested(world: World, key: Key, *, model: str = "m-1", tokens: int = 1) -> None:
    """A whole request."""
    opened = admitted(world, key, DOLLAR)
    entry = recorded(world, key, opened, model=model, tokens=tokens)
    world.app.keys.settle(
        key.id, request_id=opened, hold_nano=DOLLAR, amount_nano=entry.amount_nano
    )


def rollup(key: Key, hour: int, *, requests: int, tokens: int, model: str = "m-1") -> Rollup:
    """What is expected of an hour after the start."""
    cost_nano = tokens * 2_000_000
    return Rollup(
        key.id,
        START_MS + hour * HOUR_MS,
        model,
        requests,
        Tokens(output=tokens * 1000),
        cost_nano,
    )


def close_hours(world: World, hours: int) -> None:
    """Let so many hours after the start be closed."""
    world.now_ms = START_MS + hours * HOUR_MS + CLOSES_AFTER_MS


def events(world: World, name: str) -> list[dict[str, object]]:
    return [line for line in world.lines if line["event"] == name]


# -------------------------------------------------------------------------------- lapsed holds


def test_a_lapsed_hold_without_an_entry_costs_nothing(world: World, key: Key) -> None:
    """It is given back whole, and a metric says that an answer was lost."""
    opened = admitted(world, key, 2 * DOLLAR)
    world.pass_ms(LAPSE_MS)
    assert reconcile(world.app).finished == 1
    stored = world.stored_key(key.id)
    assert (stored.balance_nano, stored.available_nano, stored.holds) == (
        50 * DOLLAR,
        50 * DOLLAR,
        {},
    )
    assert stored.requests == 0
    (line,) = events(world, "hold_lapsed")
    assert (line["request_id"], line["charged"], line["HoldsLapsed"]) == (opened, False, 1)


def test_a_lapsed_hold_with_an_entry_is_charged_by_it(world: World, key: Key) -> None:
    """The first writer has decided what the request cost."""
    opened = admitted(world, key, 2 * DOLLAR)
    recorded(world, key, opened, tokens=500)
    world.pass_ms(LAPSE_MS)
    assert reconcile(world.app).finished == 1
    stored = world.stored_key(key.id)
    assert (stored.balance_nano, stored.available_nano) == (49 * DOLLAR, 49 * DOLLAR)
    assert stored.requests == 1
    assert events(world, "hold_lapsed")[0]["charged"] is True


def test_a_younger_hold_is_left_alone(world: World, key: Key) -> None:
    """One millisecond before its time its function may still live."""
    opened = admitted(world, key, DOLLAR)
    world.pass_ms(LAPSE_MS - 1)
    assert reconcile(world.app).finished == 0
    assert list(world.stored_key(key.id).holds) == [opened]


def test_a_second_run_finds_nothing_to_do(world: World, key: Key) -> None:
    """All is as the first one left it."""
    admitted(world, key, DOLLAR)
    requested(world, key)
    close_hours(world, 1)
    first = reconcile(world.app)
    assert first == Reconciled(1, 1, 1, 0, START_MS + HOUR_MS)
    before = world.stored_key(key.id)
    assert reconcile(world.app) == Reconciled(1, 0, 0, 0, START_MS + HOUR_MS)
    assert world.stored_key(key.id) == before


# ------------------------------------------------------------------------------------- rollups


def test_closed_hours_are_rolled_up_by_model(world: World, key: Key) -> None:
    """Requests, tokens and cost of each hour and model; the hour that is not closed is left."""
    requested(world, key, tokens=1)
    requested(world, key, tokens=2)
    requested(world, key, tokens=4, model="m-2")
    world.pass_ms(HOUR_MS)
    requested(world, key, tokens=8)
    close_hours(world, 2)
    requested(world, key, tokens=16)
    assert reconcile(world.app).rollups == 3
    assert list(world.app.usage.of_key(key.id)) == [
        rollup(key, 0, requests=2, tokens=3),
        rollup(key, 0, requests=1, tokens=4, model="m-2"),
        rollup(key, 1, requests=1, tokens=8),
    ]


def test_every_run_makes_the_same_rollups(world: World, key: Key) -> None:
    """A run from the beginning writes what is there already."""
    for _ in range(3):
        requested(world, key)
        world.pass_ms(HOUR_MS)
    close_hours(world, 1)
    reconcile(world.app)
    close_hours(world, 3)
    reconcile(world.app)
    before = list(world.app.usage.of_key(key.id))
    assert len(before) == 3
    world.app.usage.set_rolled_until_ms(0)
    assert reconcile(world.app).rollups == 3
    assert list(world.app.usage.of_key(key.id)) == before


def test_an_hour_with_an_open_hold_stays_open(world: World, key: Key) -> None:
    """Its request may still be charged in it; the next run after that closes it, for all keys."""
    world.app.settings = world.app.settings._replace(hold_lapse_ms=10 * HOUR_MS)
    other = funded(world, "bob")
    opened = admitted(world, key, DOLLAR)
    requested(world, other)
    close_hours(world, 2)
    assert reconcile(world.app).rolled_until_ms == START_MS
    assert world.app.usage.rolled_until_ms() == START_MS
    assert list(world.app.usage.of_key(other.id)) == [rollup(other, 0, requests=1, tokens=1)]
    entry = recorded(world, key, opened, tokens=3)
    world.app.keys.settle(
        key.id, request_id=opened, hold_nano=DOLLAR, amount_nano=entry.amount_nano
    )
    assert reconcile(world.app).rolled_until_ms == START_MS + 2 * HOUR_MS
    assert list(world.app.usage.of_key(key.id)) == [rollup(key, 0, requests=1, tokens=3)]
    assert list(world.app.usage.of_key(other.id)) == [rollup(other, 0, requests=1, tokens=1)]


def test_an_hour_whose_hold_lapsed_closes_with_it(world: World, key: Key) -> None:
    """The run that finishes the hold may roll its hour up; what costs nothing names no model."""
    admitted(world, key, DOLLAR)
    requested(world, key)
    close_hours(world, 1)
    assert reconcile(world.app).rolled_until_ms == START_MS + HOUR_MS
    assert list(world.app.usage.of_key(key.id)) == [rollup(key, 0, requests=1, tokens=1)]


def test_a_request_applied_before_an_earlier_one_counts(world: World, key: Key) -> None:
    """Of two requests around the hour the one that began first may be admitted last."""
    world.now_ms = START_MS + HOUR_MS + CLOSES_AFTER_MS
    reconcile(world.app)
    world.now_ms = START_MS + HOUR_MS
    requested(world, key, tokens=2)
    world.now_ms = START_MS + HOUR_MS - 1
    requested(world, key, tokens=1)
    assert world.stored_key(key.id).last_used_at_ms == START_MS + HOUR_MS - 1
    close_hours(world, 2)
    reconcile(world.app)
    assert list(world.app.usage.of_key(key.id)) == [rollup(key, 1, requests=1, tokens=2)]


def test_a_key_that_was_not_used_is_not_read_again(world: World, key: Key) -> None:
    """An hour without requests costs no query and no write; the mark moves on."""
    requested(world, key)
    close_hours(world, 1)
    reconcile(world.app)
    close_hours(world, 2)
    world.transport.calls.clear()
    reconcile(world.app, segments=1)
    assert world.transport.calls == ["GetItem", "Scan", "PutItem"]
    assert world.app.usage.rolled_until_ms() == START_MS + 2 * HOUR_MS


# ------------------------------------------------------------------------------ failures, races


def test_a_key_that_fails_keeps_its_hours_open(world: World, key: Key) -> None:
    """The others are done; the next run begins where this one did, and leaves nothing out."""
    other = funded(world, "bob")
    requested(world, key)
    requested(world, other)
    close_hours(world, 1)
    world.meet("Query", unreachable)
    done = reconcile(world.app, segments=1)
    assert (done.keys, done.failed, done.rollups, done.rolled_until_ms) == (2, 1, 1, 0)
    assert world.app.usage.rolled_until_ms() == 0
    assert len(events(world, "reconcile_failed")) == 1
    again = reconcile(world.app, segments=1)
    assert (again.failed, again.rollups, again.rolled_until_ms) == (0, 2, START_MS + HOUR_MS)
    for whose in (key, other):
        assert list(world.app.usage.of_key(whose.id)) == [rollup(whose, 0, requests=1, tokens=1)]


def test_a_wrong_key_does_not_keep_the_others_from_theirs(world: World, key: Key) -> None:
    """A key whose figures disagree is told and left as it is; all hours are rolled up."""
    other = funded(world, "bob")
    for whose in (key, other):
        requested(world, whose)
        admitted(world, whose, DOLLAR)
    world.now_ms += LAPSE_MS
    shift = {
        "TableName": "KeysTable",
        "Key": {"pk": {"S": f"key#{key.id}"}},
        "UpdateExpression": "SET available_nano = available_nano + :one",
    }
    world.memory.call("UpdateItem", {**shift, "ExpressionAttributeValues": {":one": {"N": "1"}}})
    close_hours(world, 1)
    done = reconcile(world.app)
    assert done == Reconciled(2, 1, 2, 1, START_MS + HOUR_MS)
    (line,) = events(world, "reconcile_failed")
    assert (line["key_id"], "osiris audit" in str(line["details"])) == (key.id, True)
    world.memory.call("UpdateItem", {**shift, "ExpressionAttributeValues": {":one": {"N": "-1"}}})


def test_a_table_that_cannot_be_read_ends_the_run(world: World, key: Key) -> None:
    """The mark stays, and so does what was done."""
    requested(world, key)
    close_hours(world, 1)
    world.meet("Scan", unreachable)
    with pytest.raises(StoreUnavailable):
        reconcile(world.app)
    assert world.app.usage.rolled_until_ms() == 0


def test_two_runs_at_once_do_it_once(world: World, key: Key) -> None:
    """One run within the other, at any of its calls: finished once, rolled up to the same."""
    world.pass_ms(1)
    for operation in ("Scan", "PutItem", "UpdateItem", "Query"):
        opened = admitted(world, key, DOLLAR)
        recorded(world, key, opened, tokens=500)
        before = world.stored_key(key.id).balance_nano
        world.pass_ms(2 * HOUR_MS)
        world.meet(operation, preceded_by(lambda: reconcile(world.app, segments=1)))
        reconcile(world.app, segments=1)
        assert world.stored_key(key.id).balance_nano == before - DOLLAR
        assert not world.stored_key(key.id).holds
    world.app.usage.set_rolled_until_ms(0)
    rolled = list(world.app.usage.of_key(key.id))
    reconcile(world.app)
    assert list(world.app.usage.of_key(key.id)) == rolled
    assert [hour.requests for hour in rolled] == [1] * 4


def test_all_segments_together_see_each_key_once(world: World) -> None:
    """Progress counts up over all segments, one by one."""
    for number in range(9):
        funded(world, f"account-{number}")
    told: list[int] = []
    assert reconcile(world.app, segments=3, progress=told.append).keys == 9
    assert told == list(range(1, 10))
