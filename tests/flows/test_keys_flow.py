"""Keys in the hands of their owner: what is promised, whatever races and lost replies do."""

import pytest

from osiris.errors import (
    ChangedMeanwhile,
    KeyNotFound,
    OsirisError,
    StoreUnavailable,
)
from osiris.flows.keys import Issued, create, delete, list_keys, read, rename, rotate, set_enabled
from osiris.ledger.key import ACCOUNT_KEYS_MAX, DELETED
from osiris.store.transport import Payload
from osiris.times import HOUR_MS
from tests.builders import (
    Call,
    World,
    accepted,
    conflict,
    fill,
    preceded_by,
    repeated,
    unreachable,
)

# ------------------------------------------------------------------------- listing and reading


def test_a_list_shows_the_accounts_keys_oldest_first(world: World) -> None:
    """Its own, not the deleted, in the order of their making."""
    names = ["c", "a", "b"]
    for name in names:
        create(world.app, "ada", name=name)
        world.pass_ms(1)
    gone = create(world.app, "ada", name="gone").key
    delete(world.app, "ada", gone.id)
    create(world.app, "bob", name="his")
    assert [key.name for key in list_keys(world.app, "ada")] == names
    assert list_keys(world.app, "nobody") == []


def test_a_list_is_whole_or_an_error(world: World) -> None:
    """Keys that DynamoDB left out of its answer are asked for again, a bounded number of times."""

    def half(call: Call, payload: Payload) -> Payload:
        ((table, request),) = payload["RequestItems"].items()
        keys = request["Keys"]
        middle = len(keys) // 2
        answer = call({"RequestItems": {table: {**request, "Keys": keys[middle:]}}})
        left = {**request, "Keys": keys[:middle]}
        return {**answer, "UnprocessedKeys": {table: left} if middle else {}}

    fill(world, "ada")
    world.meet("BatchGetItem", half, half)
    assert len({key.id for key in list_keys(world.app, "ada")}) == ACCOUNT_KEYS_MAX

    def nothing(_call: Call, payload: Payload) -> Payload:
        return {"Responses": {}, "UnprocessedKeys": payload["RequestItems"]}

    world.meet("BatchGetItem", *[nothing] * 5)
    with pytest.raises(StoreUnavailable):
        list_keys(world.app, "ada")


def test_a_key_deleted_while_listing_is_not_shown(world: World) -> None:
    """Between reading the account and its keys one may go; it is left out."""
    keep = create(world.app, "ada", name="keep").key
    gone = create(world.app, "ada", name="gone").key
    world.meet("BatchGetItem", preceded_by(lambda: delete(world.app, "ada", gone.id)))
    assert [key.id for key in list_keys(world.app, "ada")] == [keep.id]


@pytest.mark.parametrize("whose", ["bob's", "deleted", "unknown", "malformed", "hostile"])
def test_another_key_is_no_key(world: World, whose: str) -> None:
    """Reading, changing, rotating and deleting answer alike for keys that are not there for one."""
    key_id = {
        "bob's": create(world.app, "bob", name="his").key.id,
        "deleted": create(world.app, "ada", name="gone").key.id,
        "unknown": "0" * 12,
        "malformed": "short",
        "hostile": "x\n" * 5000,
    }[whose]
    if whose == "deleted":
        delete(world.app, "ada", key_id)
    before = world.memory.tables
    for attempt in (
        lambda: read(world.app, "ada", key_id),
        lambda: rename(world.app, "ada", key_id, "mine"),
        lambda: set_enabled(world.app, "ada", key_id, enabled=True),
        lambda: rotate(world.app, "ada", key_id, overlap_hours=0),
        lambda: delete(world.app, "ada", key_id, confirmed_name="gone"),
    ):
        with pytest.raises(KeyNotFound):
            attempt()
    assert world.memory.tables == before


# -------------------------------------------------------------------------------------- changes


def test_renaming_and_switching_take_one_write(world: World) -> None:
    """No read comes first, and nothing else of the key changes."""
    key = create(world.app, "ada", name="old").key
    world.transport.calls.clear()
    assert rename(world.app, "ada", key.id, " new ") == key._replace(name="new")
    off = set_enabled(world.app, "ada", key.id, enabled=False)
    assert off == key._replace(name="new", status="disabled")
    assert set_enabled(world.app, "ada", key.id, enabled=True).status == "live"
    assert world.transport.calls == ["UpdateItem"] * 3


@pytest.mark.parametrize("change", ["rename", "enable", "rotate"])
def test_a_change_that_meets_a_deletion_does_not_undo_it(world: World, change: str) -> None:
    """Deleted stays deleted, whatever arrives after it."""
    key = create(world.app, "ada", name="k").key
    world.meet("UpdateItem", preceded_by(lambda: delete(world.app, "ada", key.id)))
    with pytest.raises(KeyNotFound):
        if change == "rename":
            rename(world.app, "ada", key.id, "new")
        elif change == "enable":
            set_enabled(world.app, "ada", key.id, enabled=True)
        else:
            rotate(world.app, "ada", key.id, overlap_hours=1)
    assert world.stored_key(key.id) == key._replace(status=DELETED)


def test_a_change_waits_out_conflicts(world: World) -> None:
    """A purchase under way on the key delays its renaming and does not refuse it."""
    key = create(world.app, "ada", name="old").key
    world.meet("UpdateItem", conflict, conflict)
    assert rename(world.app, "ada", key.id, "new").name == "new"
    assert len(world.waits_ms) == 2


# ------------------------------------------------------------------------------------- rotation


def test_the_old_secret_lives_on_for_the_time_chosen(world: World) -> None:
    """Both secrets hold in the overlap, then the new one alone."""
    old = create(world.app, "ada", name="k")
    new = rotate(world.app, "ada", old.key.id, overlap_hours=2)
    assert new.key.id == old.key.id
    assert new.secret != old.secret
    world.pass_ms(2 * HOUR_MS - 1)
    assert accepted(world, old.secret)
    assert accepted(world, new.secret)
    world.pass_ms(1)
    assert not accepted(world, old.secret)
    assert accepted(world, new.secret)


def test_a_leaked_secret_can_be_ended_at_once(world: World) -> None:
    """Without overlap the old secret ends now, and so does one still in an earlier overlap."""
    first = create(world.app, "ada", name="k")
    second = rotate(world.app, "ada", first.key.id, overlap_hours=24)
    third = rotate(world.app, "ada", first.key.id, overlap_hours=0)
    assert [accepted(world, issued.secret) for issued in (first, second, third)] == [
        False,
        False,
        True,
    ]
    assert third.key.old_secret_until_ms == 0


def test_only_the_last_old_secret_lives_on(world: World) -> None:
    """A second rotation in the overlap of the first ends the oldest secret."""
    first = create(world.app, "ada", name="k")
    second = rotate(world.app, "ada", first.key.id, overlap_hours=24)
    third = rotate(world.app, "ada", first.key.id, overlap_hours=24)
    assert [accepted(world, issued.secret) for issued in (first, second, third)] == [
        False,
        True,
        True,
    ]


def test_of_two_rotations_at_once_one_is_done(world: World) -> None:
    """The other is told so, and the secret that was given out holds."""
    old = create(world.app, "ada", name="k")
    won: list[Issued] = []
    world.meet(
        "UpdateItem",
        preceded_by(lambda: won.append(rotate(world.app, "ada", old.key.id, overlap_hours=1))),
    )
    with pytest.raises(ChangedMeanwhile):
        rotate(world.app, "ada", old.key.id, overlap_hours=0)
    assert accepted(world, won[0].secret)
    assert accepted(world, old.secret)


@pytest.mark.parametrize("overlap_hours", [0, 24])
def test_a_rotation_repeated_after_a_lost_reply_is_the_same(
    world: World, overlap_hours: int
) -> None:
    """The write finds itself done: the secret told is the one that holds."""
    old = create(world.app, "ada", name="k")
    world.meet("UpdateItem", repeated)
    new = rotate(world.app, "ada", old.key.id, overlap_hours=overlap_hours)
    assert accepted(world, new.secret)
    assert accepted(world, old.secret) == (overlap_hours > 0)


def test_a_store_out_of_reach_is_503_everywhere(world: World) -> None:
    """No flow takes silence for a refusal."""
    key = create(world.app, "ada", name="k").key
    for operation, attempt in (
        ("GetItem", lambda: read(world.app, "ada", key.id)),
        ("GetItem", lambda: list_keys(world.app, "ada")),
        ("UpdateItem", lambda: rename(world.app, "ada", key.id, "n")),
        ("UpdateItem", lambda: rotate(world.app, "ada", key.id, overlap_hours=0)),
        ("TransactWriteItems", lambda: delete(world.app, "ada", key.id)),
    ):
        world.meet(operation, unreachable)
        with pytest.raises(OsirisError) as refused:
            attempt()
        assert refused.value.status == 503
    assert world.stored_key(key.id) == key
