"""Creating keys and trials: one place, one trial, one secret told, whatever happens on the way."""

import pytest

from osiris import secrets_text
from osiris.errors import (
    InvalidRequest,
    StoreUnavailable,
    TooManyKeys,
    TrialAlreadyGranted,
    TrialsNotOffered,
)
from osiris.flows.keys import (
    create,
    delete,
    list_keys,
    set_enabled,
)
from osiris.flows.patience import CONFLICT_TRIES_MAX, CONFLICT_WAIT_MS
from osiris.ledger.credit import TRIAL_CREDIT
from osiris.ledger.key import ACCOUNT_KEYS_MAX, DELETED, TRIAL
from osiris.money import NANO_PER_DOLLAR
from osiris.store.transport import Payload
from osiris.times import DAY_MS
from tests.builders import (
    Call,
    Fault,
    World,
    accepted,
    canceled,
    fill,
    lost,
    preceded_by,
    repeated,
    repeated_late,
    unreachable,
)


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
