"""What the operator does to keys: credit, and the rate limit."""

from functools import partial

import pytest

from osiris.errors import ChangedMeanwhile, KeyNotFound, TrialNotToppedUp
from osiris.flows.credit import grant
from osiris.flows.keys import create, delete, set_rate_limit
from osiris.flows.patience import CHANGES_MAX
from osiris.ledger.credit import EXPIRED
from osiris.ledger.entry import FORFEITURE, GRANT
from osiris.ledger.key import TRIAL, Key
from osiris.money import NANO_PER_DOLLAR
from osiris.times import DAY_MS
from osiris.window import WINDOW_MS, free_slots
from tests.builders import (
    Fault,
    World,
    admitted,
    canceled,
    preceded_by,
    repeated,
    repeated_late,
    settled,
)

DOLLAR = NANO_PER_DOLLAR


@pytest.fixture
def key(world: World) -> Key:
    """An empty key."""
    return create(world.app, "ada", name="k").key


def entries(world: World, key: Key) -> list[tuple[str, int, str]]:
    """Type, amount and reason of each entry of the key."""
    return sorted(
        (entry.type, entry.amount_nano, entry.reason) for entry in world.app.ledger.entries(key.id)
    )


# --------------------------------------------------------------------------------------- grants


def test_a_grant_is_an_entry_and_lasts_its_days(world: World, key: Key) -> None:
    """Balance, expiry and the sweeper's index move together with the entry."""
    grant(world.app, key.id, amount_nano=DOLLAR, days=30, reason="beta tester")
    stored = world.stored_key(key.id)
    assert (stored.balance_nano, stored.available_nano) == (DOLLAR, DOLLAR)
    assert stored.expires_at_ms == world.now_ms + 30 * DAY_MS
    assert entries(world, key) == [(GRANT, DOLLAR, "beta tester")]
    index = world.memory.call(
        "Query",
        {
            "TableName": "KeysTable",
            "IndexName": "expiry",
            "KeyConditionExpression": "expiry_day = :day",
            "ExpressionAttributeValues": {":day": {"S": str(stored.expires_at_ms // DAY_MS)}},
        },
    )
    assert index["Count"] == 1


def test_a_short_grant_does_not_shorten_a_long_one(world: World, key: Key) -> None:
    """The expiry is never earlier than it was."""
    grant(world.app, key.id, amount_nano=DOLLAR, days=30)
    grant(world.app, key.id, amount_nano=DOLLAR, days=1)
    stored = world.stored_key(key.id)
    assert stored.expires_at_ms == world.now_ms + 30 * DAY_MS
    assert stored.balance_nano == 2 * DOLLAR


def test_a_grant_does_not_bring_expired_credit_back(world: World, key: Key) -> None:
    """What had expired is forfeited in the same transaction."""
    grant(world.app, key.id, amount_nano=5 * DOLLAR, days=1)
    world.pass_ms(DAY_MS)
    grant(world.app, key.id, amount_nano=DOLLAR, days=1)
    assert world.stored_key(key.id).balance_nano == DOLLAR
    assert (FORFEITURE, -5 * DOLLAR, EXPIRED) in entries(world, key)


def test_a_grant_forfeits_what_is_available_at_that_moment(world: World, key: Key) -> None:
    """A request that settles just before leaves less to forfeit, and the grant is whole."""
    grant(world.app, key.id, amount_nano=5 * DOLLAR, days=1)
    opened = admitted(world, key, 2 * DOLLAR)
    world.pass_ms(DAY_MS)
    settle = preceded_by(lambda: settled(world, key, opened, 2 * DOLLAR, DOLLAR))
    world.meet("TransactWriteItems", settle)
    grant(world.app, key.id, amount_nano=DOLLAR, days=1)
    assert world.stored_key(key.id).balance_nano == DOLLAR
    assert (FORFEITURE, -4 * DOLLAR, EXPIRED) in entries(world, key)


def test_of_two_grants_at_once_neither_is_cut_short(world: World, key: Key) -> None:
    """The later one reckons the expiry from the earlier one's."""
    long = preceded_by(partial(grant, world.app, key.id, amount_nano=DOLLAR, days=90))
    world.meet("TransactWriteItems", long)
    grant(world.app, key.id, amount_nano=DOLLAR, days=1)
    stored = world.stored_key(key.id)
    assert stored.balance_nano == 2 * DOLLAR
    assert stored.expires_at_ms == world.now_ms + 90 * DAY_MS


def test_a_grant_is_tried_a_bounded_number_of_times(world: World, key: Key) -> None:
    """When the expiry moves at each try the answer is 409, and this grant is nowhere."""
    moves = [
        preceded_by(partial(grant, world.app, key.id, amount_nano=DOLLAR, days=10 + day))
        for day in range(CHANGES_MAX)
    ]
    # Each of these grants is a transaction of its own, which meets no fault.
    plan = [fault for move in moves for fault in (move, lambda call, payload: call(payload))]
    world.meet("TransactWriteItems", *plan)
    with pytest.raises(ChangedMeanwhile):
        grant(world.app, key.id, amount_nano=7 * DOLLAR, days=1, reason="never")
    assert world.stored_key(key.id).balance_nano == CHANGES_MAX * DOLLAR


@pytest.mark.parametrize("fault", [repeated, repeated_late])
@pytest.mark.parametrize("expired", [False, True])
def test_a_grant_is_posted_once_when_its_reply_is_lost(
    world: World, key: Key, fault: Fault, expired: bool
) -> None:
    """The repeat finds its entry standing."""
    if expired:
        grant(world.app, key.id, amount_nano=5 * DOLLAR, days=1)
        world.pass_ms(DAY_MS)
    world.meet("TransactWriteItems", fault)
    grant(world.app, key.id, amount_nano=DOLLAR, days=30)
    assert world.stored_key(key.id).balance_nano == DOLLAR


def test_a_grant_waits_out_conflicts(world: World, key: Key) -> None:
    """Requests on the key delay it."""
    world.meet("TransactWriteItems", canceled)
    grant(world.app, key.id, amount_nano=DOLLAR, days=30)
    assert len(world.waits_ms) == 1


def test_trial_keys_take_no_grant(world: World, key: Key) -> None:
    """A trial ends with its own credit; unknown and deleted keys take none, either."""
    trial = create(world.app, "ada", name="try", kind=TRIAL).key
    with pytest.raises(TrialNotToppedUp):
        grant(world.app, trial.id, amount_nano=DOLLAR, days=30)
    delete(world.app, "ada", key.id)
    for key_id in (key.id, "0" * 12):
        with pytest.raises(KeyNotFound):
            grant(world.app, key_id, amount_nano=DOLLAR, days=30)


# ----------------------------------------------------------------------------------- rate limit


def test_a_new_limit_counts_what_was_used(world: World, key: Key) -> None:
    """Growing admits no more than the new limit in the first minute, shrinking neither."""
    grant(world.app, key.id, amount_nano=10 * DOLLAR, days=1)
    for _ in range(3):
        world.pass_ms(1)
        opened = admitted(world, key, DOLLAR)
        settled(world, key, opened, DOLLAR, 0)
    for limit in (50, 10, 3):
        changed = set_rate_limit(world.app, key.id, limit)
        assert len(changed.window) == limit
        used = limit - len(free_slots(changed.window, world.now_ms))
        assert used >= 3
    assert free_slots(changed.window, world.now_ms) == []
    world.pass_ms(WINDOW_MS)
    assert len(free_slots(changed.window, world.now_ms)) == 3


def test_a_limit_change_keeps_an_admission_of_the_same_moment(world: World, key: Key) -> None:
    """The window is read again when a request was admitted meanwhile."""
    grant(world.app, key.id, amount_nano=10 * DOLLAR, days=1)
    admission = preceded_by(lambda: admitted(world, key, DOLLAR))
    world.meet("UpdateItem", admission)
    changed = set_rate_limit(world.app, key.id, 1)
    assert changed.window == [world.now_ms]


def test_a_limit_change_is_done_once(world: World, key: Key) -> None:
    """A repeat finds it done; the limit that is already there takes no write."""
    world.meet("UpdateItem", repeated)
    assert len(set_rate_limit(world.app, key.id, 7).window) == 7
    world.transport.calls.clear()
    set_rate_limit(world.app, key.id, 7)
    assert world.transport.calls == ["GetItem"]
    with pytest.raises(KeyNotFound):
        set_rate_limit(world.app, "0" * 12, 7)


def test_a_limit_change_is_tried_a_bounded_number_of_times(world: World, key: Key) -> None:
    """On a key that admits requests at each try the answer is 409."""
    grant(world.app, key.id, amount_nano=10 * DOLLAR, days=1)
    admission = preceded_by(lambda: admitted(world, key, DOLLAR))
    # Each admission is an update of its own, which meets no fault.
    plan: list[Fault] = [admission, lambda call, payload: call(payload)] * CHANGES_MAX
    world.meet("UpdateItem", *plan)
    with pytest.raises(ChangedMeanwhile):
        set_rate_limit(world.app, key.id, 7)
    assert len(world.stored_key(key.id).window) == world.app.settings.rate_limit
