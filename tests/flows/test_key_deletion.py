"""Deleting a key: what is forfeited is told before, taken once, and no open request is cheated."""

import pytest

from osiris.errors import ChangedMeanwhile, ConfirmationRequired, KeyNotFound
from osiris.flows.credit import grant
from osiris.flows.keys import create, delete, list_keys
from osiris.flows.patience import CHANGES_MAX
from osiris.ledger.credit import KEY_DELETED
from osiris.ledger.entry import FORFEITURE
from osiris.ledger.key import DELETED, Key
from osiris.money import NANO_PER_DOLLAR
from tests.builders import (
    Fault,
    World,
    admitted,
    canceled,
    lost,
    preceded_by,
    repeated,
    repeated_late,
    settled,
)

DOLLAR = NANO_PER_DOLLAR


def funded(world: World, dollars: int = 10) -> Key:
    """Ada's key, with credit if any is given."""
    key = create(world.app, "ada", name="Production").key
    if dollars:
        grant(world.app, key.id, amount_nano=dollars * DOLLAR, days=30)
    return world.stored_key(key.id)


def forfeitures(world: World, key: Key) -> list[tuple[int, str]]:
    """Amount and reason of each forfeiture of the key."""
    entries = world.app.ledger.entries(key.id)
    return [(entry.amount_nano, entry.reason) for entry in entries if entry.type == FORFEITURE]


def test_an_empty_key_is_deleted_without_a_word(world: World) -> None:
    """Nothing is at stake: no name is asked for, no entry is made, and the place is free."""
    key = funded(world, 0)
    assert delete(world.app, "ada", key.id) == 0
    assert world.stored_key(key.id) == key._replace(status=DELETED)
    assert list_keys(world.app, "ada") == []
    assert forfeitures(world, key) == []


def test_credit_is_lost_only_to_who_names_the_key(world: World) -> None:
    """The refusal says how much is at stake; the name, with spaces around it or not, confirms."""
    key = funded(world)
    for given in (None, "", "production", "Production2"):
        with pytest.raises(ConfirmationRequired, match=r"^\$10 will be forfeited\. ") as refused:
            delete(world.app, "ada", key.id, confirmed_name=given)
        assert refused.value.param == "confirm"
    assert world.stored_key(key.id) == key
    assert delete(world.app, "ada", key.id, confirmed_name=" Production ") == 10 * DOLLAR
    stored = world.stored_key(key.id)
    assert (stored.status, stored.balance_nano, stored.available_nano) == (DELETED, 0, 0)
    assert forfeitures(world, key) == [(-10 * DOLLAR, KEY_DELETED)]


def test_a_wrong_name_deletes_nothing(world: World) -> None:
    """Even an empty key stays when the name given is another's."""
    key = funded(world, 0)
    with pytest.raises(ConfirmationRequired):
        delete(world.app, "ada", key.id, confirmed_name="Development")
    assert world.stored_key(key.id) == key


def test_open_requests_settle_after_the_deletion(world: World) -> None:
    """What is held stays held and pays for its request; only what is available is forfeited."""
    key = funded(world)
    first, second = admitted(world, key, 3 * DOLLAR), admitted(world, key, 4 * DOLLAR)
    with pytest.raises(ConfirmationRequired, match=r"\$3 will be .* of the \$7 that they hold"):
        delete(world.app, "ada", key.id)
    assert delete(world.app, "ada", key.id, confirmed_name="Production") == 3 * DOLLAR
    settled(world, key, first, 3 * DOLLAR, 2 * DOLLAR)
    settled(world, key, second, 4 * DOLLAR, 5 * DOLLAR)
    stored = world.stored_key(key.id)
    assert (stored.status, stored.balance_nano, stored.holds) == (DELETED, 0, {})
    assert stored.spent_nano == 7 * DOLLAR


def test_all_held_is_still_at_stake(world: World) -> None:
    """A balance that open requests hold wholly is not lost without its owner's word, either."""
    key = funded(world)
    opened = admitted(world, key, 12 * DOLLAR)
    with pytest.raises(ConfirmationRequired, match=r"^\$0 will be forfeited"):
        delete(world.app, "ada", key.id)
    assert delete(world.app, "ada", key.id, confirmed_name="Production") == 0
    settled(world, key, opened, 12 * DOLLAR, DOLLAR)
    assert world.stored_key(key.id).balance_nano == 9 * DOLLAR


def test_a_debt_is_left_as_it_is(world: World) -> None:
    """A key below zero is deleted without a forfeiture, which would add to its balance."""
    key = funded(world, 1)
    opened = admitted(world, key, DOLLAR)
    settled(world, key, opened, DOLLAR, 3 * DOLLAR)
    assert delete(world.app, "ada", key.id) == 0
    assert world.stored_key(key.id).balance_nano == -2 * DOLLAR
    assert forfeitures(world, key) == []


def test_what_is_forfeited_is_what_is_available_at_that_moment(world: World) -> None:
    """A request settled, or admitted, between reading and deleting is taken into account."""
    key = funded(world)
    opened = admitted(world, key, 4 * DOLLAR)
    world.meet(
        "TransactWriteItems",
        preceded_by(lambda: settled(world, key, opened, 4 * DOLLAR, DOLLAR)),
        preceded_by(lambda: admitted(world, key, 2 * DOLLAR)),
    )
    assert delete(world.app, "ada", key.id, confirmed_name="Production") == 7 * DOLLAR
    assert forfeitures(world, key) == [(-7 * DOLLAR, KEY_DELETED)]
    assert world.stored_key(key.id).available_nano == 0


def test_credit_that_arrives_meanwhile_is_not_lost_unasked(world: World) -> None:
    """An empty key that is topped up just before its deletion asks for its name after all."""
    key = funded(world, 0)

    def topped_up() -> None:
        grant(world.app, key.id, amount_nano=DOLLAR, days=30)

    world.meet("TransactWriteItems", preceded_by(topped_up))
    with pytest.raises(ConfirmationRequired, match=r"^\$1 will be forfeited"):
        delete(world.app, "ada", key.id)
    assert world.stored_key(key.id).balance_nano == DOLLAR


def test_a_key_that_never_rests_is_told_apart(world: World) -> None:
    """When what is available changes at each try the answer is 409, and nothing was taken."""
    key = funded(world)
    admit = preceded_by(lambda: admitted(world, key, DOLLAR))
    world.meet("TransactWriteItems", *[admit] * CHANGES_MAX)
    with pytest.raises(ChangedMeanwhile):
        delete(world.app, "ada", key.id, confirmed_name="Production")
    assert forfeitures(world, key) == []
    assert world.stored_key(key.id).status == "live"


@pytest.mark.parametrize("dollars", [0, 10])
@pytest.mark.parametrize("fault", [repeated, repeated_late])
def test_a_deletion_is_done_once_when_its_reply_is_lost(
    world: World, fault: Fault, dollars: int
) -> None:
    """The repeat finds it done: one forfeiture, and the same answer."""
    key = funded(world, dollars)
    world.meet("TransactWriteItems", fault)
    forfeited_nano = delete(world.app, "ada", key.id, confirmed_name="Production")
    assert forfeited_nano == dollars * DOLLAR
    assert len(forfeitures(world, key)) == (dollars > 0)


def test_a_deletion_whose_reply_never_came_is_done_all_the_same(world: World) -> None:
    """The answer is 503; who asks again is told that there is no such key."""
    key = funded(world)
    world.meet("TransactWriteItems", lost)
    with pytest.raises(Exception, match="could not be accounted for"):
        delete(world.app, "ada", key.id, confirmed_name="Production")
    with pytest.raises(KeyNotFound):
        delete(world.app, "ada", key.id, confirmed_name="Production")
    assert forfeitures(world, key) == [(-10 * DOLLAR, KEY_DELETED)]


def test_of_two_deletions_at_once_one_forfeits(world: World) -> None:
    """The other finds no such key, and takes nothing."""
    key = funded(world)
    first = preceded_by(lambda: delete(world.app, "ada", key.id, confirmed_name="Production"))
    world.meet("TransactWriteItems", first)
    with pytest.raises(KeyNotFound):
        delete(world.app, "ada", key.id, confirmed_name="Production")
    assert forfeitures(world, key) == [(-10 * DOLLAR, KEY_DELETED)]


def test_a_deletion_waits_out_conflicts(world: World) -> None:
    """A request that settles on the key at the same moment delays it."""
    key = funded(world)
    world.meet("TransactWriteItems", canceled, canceled)
    assert delete(world.app, "ada", key.id, confirmed_name="Production") == 10 * DOLLAR
    assert len(world.waits_ms) == 2


def test_a_deleted_key_takes_nothing_more(world: World) -> None:
    """Credit granted to a key that goes at the same moment is refused, not lost."""
    key = funded(world, 0)
    world.meet("TransactWriteItems", preceded_by(lambda: delete(world.app, "ada", key.id)))
    with pytest.raises(KeyNotFound):
        grant(world.app, key.id, amount_nano=DOLLAR, days=30)
    with pytest.raises(KeyNotFound):
        grant(world.app, key.id, amount_nano=DOLLAR, days=30)
    assert list(world.app.ledger.entries(key.id)) == []
