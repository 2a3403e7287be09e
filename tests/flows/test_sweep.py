"""The expiry sweeper: what is forfeited, what stays, and what it costs to find out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris.flows import keys
from osiris.flows.expiry import FIRST_DAYS, Swept, expired, sweep
from osiris.ledger.key import TRIAL
from tests.builders import (
    admitted,
    settled,
)
from tests.flows.sweeper import NOTHING, keyed, listed, swept
from tests.flows.topup_customer import DAY_MS, DOLLAR, HOUR_MS, MINUTE_MS, Customer

if TYPE_CHECKING:
    from tests.builders import World


def test_expired_credit_is_forfeited_once(world: World) -> None:
    """By an entry; the key leaves the index, and the next sweep finds nothing."""
    key = keyed(world, 10)
    assert swept(world) == NOTHING
    assert swept(world, DAY_MS - 1) == NOTHING
    assert swept(world, 1) == Swept(expired=1, forfeited=1, forfeited_nano=10 * DOLLAR, retired=1)
    assert (world.stored_key(key.id).balance_nano, listed(world)) == (0, [])
    (_, entry) = world.app.ledger.entries(key.id)
    assert (entry.type, entry.reason, entry.amount_nano, entry.expired_at_ms) == (
        "forfeiture",
        "credit expired",
        -10 * DOLLAR,
        key.expires_at_ms,
    )
    assert swept(world, DAY_MS) == NOTHING


def test_what_is_held_goes_when_it_is_given_back(world: World) -> None:
    """The key stays in the index while a request is open; the balance never falls below holds."""
    key = keyed(world, 10)
    world.pass_ms(DAY_MS - MINUTE_MS)
    opened = admitted(world, key, 4 * DOLLAR)
    assert swept(world, MINUTE_MS) == Swept(expired=1, forfeited=1, forfeited_nano=6 * DOLLAR)
    now = world.stored_key(key.id)
    assert (now.balance_nano, now.available_nano) == (4 * DOLLAR, 0)
    assert swept(world, HOUR_MS) == Swept(expired=1)
    assert listed(world) == [f"key#{key.id}"]
    settled(world, key, opened, 4 * DOLLAR, DOLLAR)
    assert swept(world, HOUR_MS) == Swept(
        expired=1, forfeited=1, forfeited_nano=3 * DOLLAR, retired=1
    )
    assert world.stored_key(key.id).balance_nano == 0
    assert listed(world) == []


def test_a_hold_that_used_all_leaves_the_key_to_be_retired(world: World) -> None:
    """Days later, too: the day of its expiry is not done until then."""
    key = keyed(world, 10)
    world.pass_ms(DAY_MS - MINUTE_MS)
    opened = admitted(world, key, 10 * DOLLAR)
    for _ in range(4):
        assert swept(world, DAY_MS) == Swept(expired=1)
    settled(world, key, opened, 10 * DOLLAR, 10 * DOLLAR)
    assert swept(world, DAY_MS) == Swept(expired=1, retired=1)
    assert listed(world) == []


def test_a_debt_is_left(ada: Customer) -> None:
    """It is no credit: the key leaves the index, and still owes."""
    order = ada.bought()
    ada.spent(30)
    ada.provider(order).give_back(order.parts[0].payment_id)
    ada.told(order)
    assert ada.swept(after_ms=40 * DAY_MS) == Swept(expired=1, retired=1)
    assert (ada.dollars, listed(ada.world)) == (-30, [])


def test_trial_and_deleted_keys_are_swept(world: World) -> None:
    """A trial's credit expires like any; what a deleted key's request gives back goes, too."""
    trial = keys.create(world.app, "ada", name="t", kind=TRIAL).key
    gone = keyed(world, 10, days=7)
    opened = admitted(world, gone, 4 * DOLLAR)
    keys.delete(world.app, "ada", gone.id, confirmed_name="k")
    settled(world, gone, opened, 4 * DOLLAR, DOLLAR)
    assert world.stored_key(gone.id).available_nano == 3 * DOLLAR
    found = swept(world, 7 * DAY_MS)
    assert (found.forfeited, found.forfeited_nano, found.retired) == (2, 8 * DOLLAR, 2)
    assert world.stored_key(trial.id).balance_nano == 0
    assert world.stored_key(gone.id).balance_nano == 0


def test_live_credit_is_not_touched(world: World) -> None:
    """Keys of all days, and only the expired ones are forfeited."""
    all_keys = [keyed(world, 1, days=days, account_id=f"a{days}") for days in range(1, 9)]
    found = swept(world, 4 * DAY_MS)
    assert found == Swept(expired=4, forfeited=4, forfeited_nano=4 * DOLLAR, retired=4)
    left = [key.id for key in all_keys if world.stored_key(key.id).balance_nano]
    assert left == [key.id for key in all_keys[4:]]


def test_the_first_sweep_looks_back(world: World) -> None:
    """A stack may be older than its sweeper, by up to a hundred days."""
    keyed(world, 10)
    world.pass_ms((FIRST_DAYS - 1) * DAY_MS)
    assert swept(world).forfeited == 1


def test_progress_is_kept_by_day(world: World) -> None:
    """A day that is over is not looked at again, one with something left is."""
    key = keyed(world, 10)
    world.pass_ms(DAY_MS - MINUTE_MS)
    opened = admitted(world, key, 4 * DOLLAR)
    first_day = key.expires_at_ms // DAY_MS
    swept(world, 2 * DAY_MS)
    assert world.app.expiries.progress().day == first_day
    settled(world, key, opened, 4 * DOLLAR, 0)
    swept(world, DAY_MS)
    assert world.app.expiries.progress().day == world.now_ms // DAY_MS


def test_a_day_is_done_when_it_has_been_over_for_an_hour(world: World) -> None:
    """The index may be behind: a key that it shows late is still found."""
    world.now_ms += DAY_MS - world.now_ms % DAY_MS
    today = world.now_ms // DAY_MS
    swept(world, HOUR_MS - 1)
    assert world.app.expiries.progress().day == today - 1
    swept(world, 1)
    assert world.app.expiries.progress().day == today


def test_what_a_sweep_would_do(world: World) -> None:
    """The operator's look ahead changes nothing."""
    key = keyed(world, 10)
    world.pass_ms(DAY_MS - 1)
    admitted(world, key, 4 * DOLLAR)
    assert list(expired(world.app)) == []
    world.pass_ms(1)
    before = world.stored_key(key.id)
    (found,) = expired(world.app)
    assert (found.key.id, found.forfeit_nano) == (key.id, 6 * DOLLAR)
    assert world.stored_key(key.id) == before


def test_what_a_sweep_costs(world: World) -> None:
    """One index read a day, and for each expired key a read and a transaction; not more."""
    for number in range(30):
        keyed(world, 1, days=40, account_id=f"live{number}")
    swept(world)
    for number in range(5):
        keyed(world, 1, account_id=f"gone{number}")
    world.pass_ms(DAY_MS)
    world.transport.calls.clear()
    assert sweep(world.app).forfeited == 5
    counts = {name: world.transport.calls.count(name) for name in set(world.transport.calls)}
    # Its progress is read and written; two days of expiries, and four of warnings, are read.
    assert counts == {"GetItem": 1 + 5, "Query": 6, "TransactWriteItems": 5, "PutItem": 1}
