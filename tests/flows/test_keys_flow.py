"""Keys in the hands of their owner: what is promised, whatever races and lost replies do."""

import pytest

from osiris import secrets_text
from osiris.errors import (
    ChangedMeanwhile,
    InvalidRequest,
    KeyNotFound,
    OsirisError,
    StoreUnavailable,
    TooManyKeys,
    TrialAlreadyGranted,
    TrialsNotOffered,
)
from osiris.flows.keys import (
    HOUR_MS,
    Issued,
    create,
    delete,
    list_keys,
    read,
    rename,
    rotate,
    set_enabled,
)
from osiris.flows.patience import CONFLICT_TRIES_MAX, CONFLICT_WAIT_MS
from osiris.ledger.credit import DAY_MS, TRIAL_CREDIT
from osiris.ledger.key import ACCOUNT_KEYS_MAX, DELETED, TRIAL
from osiris.money import NANO_PER_DOLLAR
from osiris.store.transport import Payload
from tests.builders import (
    Call,
    Fault,
    World,
    canceled,
    conflict,
    lost,
    preceded_by,
    repeated,
    repeated_late,
    unreachable,
)


def fill(world: World, account_id: str, *, room: int = 0) -> list[Issued]:
    """As many keys as the account may have, but for `room`."""
    return [
        create(world.app, account_id, name=f"key {number}")
        for number in range(ACCOUNT_KEYS_MAX - room)
    ]


def accepted(world: World, secret: str) -> bool:
    """Whether the key would let a request with this secret in, by its secret alone."""
    parsed = secrets_text.parse(secret)
    assert parsed is not None
    return world.stored_key(parsed.key_id).accepts(parsed.hash, world.now_ms)


# ------------------------------------------------------------------------------------- creation


def test_a_new_key_is_stored_by_its_hash_alone(world: World) -> None:
    """The secret is told once: the table holds its hash, and the key is empty and live."""
    issued = create(world.app, "ada", name="laptop")
    stored = world.stored_key(issued.key.id)
    assert stored == issued.key
    assert stored.secret_hash == secrets_text.hash_of(issued.secret)
    assert accepted(world, issued.secret)
    assert (stored.status, stored.kind, stored.balance_nano) == ("live", "paid", 0)
    assert len(stored.window) == world.app.settings.rate_limit
    assert issued.secret not in str(world.memory.tables)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("x", "x"),
        ("  Produksi №1 \n", "Produksi №1"),
        ("n" * 64, "n" * 64),
        ("Cafe\u0301", "Café"),
        ("🐘", "🐘"),
    ],
)
def test_a_name_is_kept_without_the_space_around_it(world: World, name: str, kept: str) -> None:
    """Names are stripped and composed, so that what looks the same is the same."""
    assert create(world.app, "ada", name=name).key.name == kept


@pytest.mark.parametrize(
    "name", ["", "  ", "n" * 65, "a\nb", "a\x00b", "a\u202eb", "a\u200bb", "\ud800"]
)
def test_a_name_that_can_not_be_read_is_refused(world: World, name: str) -> None:
    """Empty, long and unprintable names are refused, and nothing is written."""
    with pytest.raises(InvalidRequest) as refused:
        create(world.app, "ada", name=name)
    assert refused.value.param == "name"
    assert world.transport.calls == []


def test_an_account_has_ten_keys(world: World) -> None:
    """Disabled keys count, deleted ones don't, other accounts' don't."""
    keys = fill(world, "ada")
    set_enabled(world.app, "ada", keys[0].key.id, enabled=False)
    with pytest.raises(TooManyKeys):
        create(world.app, "ada", name="one more")
    create(world.app, "bob", name="his own")
    delete(world.app, "ada", keys[1].key.id)
    create(world.app, "ada", name="one more")
    with pytest.raises(TooManyKeys):
        create(world.app, "ada", name="and another")
    assert len(list_keys(world.app, "ada")) == ACCOUNT_KEYS_MAX


def test_the_last_place_is_taken_once(world: World) -> None:
    """Of two creations for one place left, the later is refused."""
    fill(world, "ada", room=1)
    world.meet(
        "TransactWriteItems", preceded_by(lambda: create(world.app, "ada", name="the other"))
    )
    with pytest.raises(TooManyKeys):
        create(world.app, "ada", name="this one")


@pytest.mark.parametrize("kind", ["paid", TRIAL])
@pytest.mark.parametrize("room", [ACCOUNT_KEYS_MAX, 1])
@pytest.mark.parametrize("fault", [repeated, repeated_late, lost])
def test_a_creation_is_done_once_however_its_reply_is_lost(
    world: World, fault: Fault, room: int, kind: str
) -> None:
    """One key, into the last place, too, one trial, and its secret is told all the same."""
    before = fill(world, "ada", room=room)
    world.meet("TransactWriteItems", fault)
    issued = create(world.app, "ada", name="once", kind=kind)
    assert accepted(world, issued.secret)
    assert len(list_keys(world.app, "ada")) == len(before) + 1


def test_a_creation_that_came_late_and_was_deleted_is_no_refusal(world: World) -> None:
    """A repeat that meets the full account after its key was made and deleted finds it made."""
    fill(world, "ada", room=1)

    def deleted_meanwhile() -> None:
        (made,) = [key for key in list_keys(world.app, "ada") if key.name == "brief"]
        delete(world.app, "ada", made.id)
        create(world.app, "ada", name="in its place")

    def deleted_before_the_repeat(call: Call, payload: Payload) -> Payload:
        call(payload)
        deleted_meanwhile()
        del payload["ClientRequestToken"]
        return call(payload)

    world.meet("TransactWriteItems", deleted_before_the_repeat)
    issued = create(world.app, "ada", name="brief")
    assert world.stored_key(issued.key.id).status == DELETED


def test_a_creation_that_never_arrived_made_nothing(world: World) -> None:
    """With the store out of reach the answer is 503, and no key is there."""
    world.meet("TransactWriteItems", unreachable)
    with pytest.raises(StoreUnavailable):
        create(world.app, "ada", name="laptop")
    assert list_keys(world.app, "ada") == []


def test_conflicts_are_waited_out(world: World) -> None:
    """A conflict is no refusal: the same write is tried again, each wait up to twice the last."""
    world.meet("TransactWriteItems", *[canceled] * (CONFLICT_TRIES_MAX - 1))
    create(world.app, "ada", name="laptop")
    assert len(world.waits_ms) == CONFLICT_TRIES_MAX - 1
    for tried, wait_ms in enumerate(world.waits_ms):
        assert CONFLICT_WAIT_MS << tried >> 1 <= wait_ms <= CONFLICT_WAIT_MS << tried


def test_conflicts_without_end_are_503(world: World) -> None:
    """After a bounded number of tries the store counts as out of reach; nothing was made."""
    world.meet("TransactWriteItems", *[canceled] * CONFLICT_TRIES_MAX)
    with pytest.raises(StoreUnavailable):
        create(world.app, "ada", name="laptop")
    assert world.transport.calls.count("TransactWriteItems") == CONFLICT_TRIES_MAX
    assert list_keys(world.app, "ada") == []


# --------------------------------------------------------------------------------------- trials


def test_a_trial_comes_with_its_credit(world: World) -> None:
    """The amount and the days are the operator's, and the ledger says where it came from."""
    key = create(world.app, "ada", name="try", kind=TRIAL).key
    assert (key.balance_nano, key.available_nano) == (5 * NANO_PER_DOLLAR,) * 2
    assert key.expires_at_ms == world.now_ms + 7 * DAY_MS
    (entry,) = world.app.ledger.entries(key.id)
    assert (entry.amount_nano, entry.reason) == (5 * NANO_PER_DOLLAR, TRIAL_CREDIT)


def test_one_trial_for_ever(world: World) -> None:
    """A second trial is refused, after the first was deleted, too, and in a full account."""
    first = create(world.app, "ada", name="try", kind=TRIAL).key
    with pytest.raises(TrialAlreadyGranted):
        create(world.app, "ada", name="again", kind=TRIAL)
    delete(world.app, "ada", first.id, confirmed_name="try")
    with pytest.raises(TrialAlreadyGranted):
        create(world.app, "ada", name="again", kind=TRIAL)
    fill(world, "ada")
    with pytest.raises(TrialAlreadyGranted):
        create(world.app, "ada", name="again", kind=TRIAL)
    create(world.app, "bob", name="his", kind=TRIAL)


def test_of_two_trials_at_once_one_is_given(world: World) -> None:
    """The account's own item decides, not what was read before."""
    world.meet(
        "TransactWriteItems",
        preceded_by(lambda: create(world.app, "ada", name="first", kind=TRIAL)),
    )
    with pytest.raises(TrialAlreadyGranted):
        create(world.app, "ada", name="second", kind=TRIAL)


def test_no_room_for_a_trial(world: World) -> None:
    """A full account that had no trial yet is told that it is full."""
    keys = fill(world, "ada")
    with pytest.raises(TooManyKeys):
        create(world.app, "ada", name="try", kind=TRIAL)
    delete(world.app, "ada", keys[0].key.id)
    create(world.app, "ada", name="try", kind=TRIAL)


def test_trials_are_off_by_default() -> None:
    """Unless the operator sets an amount there are none, and the error says so."""
    world = World()
    with pytest.raises(TrialsNotOffered, match="not offered"):
        create(world.app, "ada", name="try", kind=TRIAL)
    assert world.transport.calls == []


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
