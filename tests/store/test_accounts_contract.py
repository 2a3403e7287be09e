"""The writes on keys that are no request's, on every engine: done once, or refused for its reason.

The flows' own tests (tests/flows) run on the memory engine; here are those whose outcome hangs on
what an engine answers: reasons of a cancelled transaction, the items that come with them, tokens.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from osiris.app.lean import sleep_ms
from osiris.errors import (
    ChangedMeanwhile,
    ConfirmationRequired,
    KeyNotFound,
    StoreUnavailable,
    TooManyKeys,
    TrialAlreadyGranted,
)
from osiris.flows.audit import audit
from osiris.flows.credit import grant
from osiris.flows.keys import (
    Issued,
    create,
    delete,
    list_keys,
    rename,
    rotate,
    set_enabled,
    set_rate_limit,
)
from osiris.ledger.key import ACCOUNT_KEYS_MAX, DELETED, TRIAL
from osiris.money import NANO_PER_DOLLAR
from osiris.times import DAY_MS
from tests.builders import Fault, World, admitted, preceded_by, repeated, repeated_late, settled
from tests.dynamodb.servers import Engine

DOLLAR = NANO_PER_DOLLAR
CLIENTS = 30
# A server that takes writes at the same moment answers most of them with conflicts.
TRIES_MAX = 50

type NewWorld = Callable[[int], World]


@pytest.fixture
def new_world(engine: Engine, tables: dict[str, str]) -> NewWorld:
    """What makes worlds over the same tables, each with a transport and chance of its own."""
    environment = {
        "OSIRIS_KEYS_TABLE": tables["KeysTable"],
        "OSIRIS_LEDGER_TABLE": tables["LedgerTable"],
        "OSIRIS_USAGE_TABLE": tables["UsageTable"],
        "OSIRIS_CATALOGUE_TABLE": tables["CatalogueTable"],
        "OSIRIS_ORDERS_TABLE": tables["OrdersTable"],
        "OSIRIS_TRIAL_AMOUNT": "5",
    }
    return lambda seed: World(environment, transport=engine.transport_of_a_thread(), seed=seed)


@pytest.fixture
def world(new_world: NewWorld) -> World:
    return new_world(0)


def sound(world: World) -> bool:
    """Whether the invariants hold. (A lean transport serves one thread.)"""
    return audit(world.app, segments=1).differences == []


@pytest.mark.parametrize("kind", ["paid", TRIAL])
@pytest.mark.parametrize("room", [ACCOUNT_KEYS_MAX, 1])
@pytest.mark.parametrize("fault", [repeated, repeated_late])
def test_a_creation_is_done_once(world: World, fault: Fault, room: int, kind: str) -> None:
    """A repeat finds its key standing, in the last place, too, and with the trial given."""
    for number in range(ACCOUNT_KEYS_MAX - room):
        create(world.app, "ada", name=f"key {number}")
    world.meet("TransactWriteItems", fault)
    key = create(world.app, "ada", name="once", kind=kind).key
    assert world.stored_key(key.id) == key
    assert len(list_keys(world.app, "ada")) == ACCOUNT_KEYS_MAX - room + 1
    assert sound(world)


def test_a_creation_is_refused_for_its_reason(world: World) -> None:
    """A full account and a second trial are told apart, and leave nothing behind."""
    create(world.app, "ada", name="try", kind=TRIAL)
    with pytest.raises(TrialAlreadyGranted):
        create(world.app, "ada", name="again", kind=TRIAL)
    for number in range(ACCOUNT_KEYS_MAX - 1):
        create(world.app, "ada", name=f"key {number}")
    with pytest.raises(TooManyKeys):
        create(world.app, "ada", name="one more")
    assert len(list_keys(world.app, "ada")) == ACCOUNT_KEYS_MAX
    assert sound(world)


def test_changes_are_the_owners(world: World) -> None:
    """One conditional write each; for a stranger, and after the deletion, there is no key."""
    key = create(world.app, "ada", name="k").key
    assert rename(world.app, "ada", key.id, "new").name == "new"
    assert set_enabled(world.app, "ada", key.id, enabled=False).status == "disabled"
    with pytest.raises(KeyNotFound):
        rename(world.app, "bob", key.id, "his")
    assert delete(world.app, "ada", key.id) == 0
    with pytest.raises(KeyNotFound):
        rename(world.app, "ada", key.id, "back")
    with pytest.raises(KeyNotFound):
        set_enabled(world.app, "ada", key.id, enabled=True)
    assert world.stored_key(key.id).status == DELETED
    assert list_keys(world.app, "ada") == []
    assert sound(world)


@pytest.mark.parametrize("overlap_hours", [0, 24])
def test_a_rotation_is_done_once(world: World, overlap_hours: int) -> None:
    """A repeat finds it done; one that meets another is told so."""
    key = create(world.app, "ada", name="k").key
    world.meet("UpdateItem", repeated)
    rotated = rotate(world.app, "ada", key.id, overlap_hours=overlap_hours).key
    assert world.stored_key(key.id) == rotated
    assert rotated.accepts(key.secret_hash, world.now_ms) == (overlap_hours > 0)
    others: list[Issued] = []
    world.meet(
        "UpdateItem",
        preceded_by(lambda: others.append(rotate(world.app, "ada", key.id, overlap_hours=0))),
    )
    with pytest.raises(ChangedMeanwhile):
        rotate(world.app, "ada", key.id, overlap_hours=24)
    assert world.stored_key(key.id) == others[0].key


@pytest.mark.parametrize("dollars", [0, 10])
@pytest.mark.parametrize("fault", [repeated, repeated_late])
def test_a_deletion_is_done_once(world: World, fault: Fault, dollars: int) -> None:
    """A repeat finds it done, by its entry, or by there being none to make."""
    key = create(world.app, "ada", name="k").key
    if dollars:
        grant(world.app, key.id, amount_nano=dollars * DOLLAR, days=30)
        with pytest.raises(ConfirmationRequired):
            delete(world.app, "ada", key.id)
    world.meet("TransactWriteItems", fault)
    assert delete(world.app, "ada", key.id, confirmed_name="k") == dollars * DOLLAR
    assert world.stored_key(key.id).balance_nano == 0
    assert sound(world)


def test_a_deletion_forfeits_what_is_available_then(world: World) -> None:
    """A request that settles first is counted; one still open settles afterwards."""
    key = create(world.app, "ada", name="k").key
    grant(world.app, key.id, amount_nano=10 * DOLLAR, days=30)
    first, second = admitted(world, key, 2 * DOLLAR), admitted(world, key, 3 * DOLLAR)
    settle = preceded_by(lambda: settled(world, key, first, 2 * DOLLAR, DOLLAR))
    world.meet("TransactWriteItems", settle)
    assert delete(world.app, "ada", key.id, confirmed_name="k") == 6 * DOLLAR
    settled(world, key, second, 3 * DOLLAR, 3 * DOLLAR)
    assert world.stored_key(key.id).balance_nano == 0
    assert sound(world)


@pytest.mark.parametrize("expired", [False, True])
@pytest.mark.parametrize("fault", [repeated, repeated_late])
def test_a_grant_is_posted_once(world: World, fault: Fault, expired: bool) -> None:
    """A repeat finds its entries standing, the forfeiture of expired credit among them."""
    key = create(world.app, "ada", name="k").key
    if expired:
        grant(world.app, key.id, amount_nano=5 * DOLLAR, days=1)
        world.pass_ms(DAY_MS)
    world.meet("TransactWriteItems", fault)
    grant(world.app, key.id, amount_nano=DOLLAR, days=30)
    stored = world.stored_key(key.id)
    assert stored.balance_nano == DOLLAR
    assert stored.expires_at_ms == world.now_ms + 30 * DAY_MS
    assert sound(world)


def test_a_limit_change_keeps_an_admission(world: World) -> None:
    """The whole list is compared: an admission in between makes it read again."""
    key = create(world.app, "ada", name="k").key
    grant(world.app, key.id, amount_nano=DOLLAR, days=30)
    world.meet("UpdateItem", preceded_by(lambda: admitted(world, key, 1)), repeated)
    assert set_rate_limit(world.app, key.id, 1).window == [world.now_ms]


def test_thirty_creations_at_once_make_ten(engine: Engine, new_world: NewWorld) -> None:
    """However many ask at the same moment, the account gets its ten keys and no eleventh."""
    if engine.kind == "moto":
        pytest.skip("moto runs in this process without locks: it loses writes of several threads")
    start = threading.Barrier(CLIENTS)

    def one(number: int) -> bool:
        world = new_world(number)
        world.app.sleep_ms = sleep_ms
        start.wait()
        for _ in range(TRIES_MAX):
            try:
                create(world.app, "ada", name=f"client {number}")
            except TooManyKeys:
                return False
            except StoreUnavailable:
                continue
            return True
        raise AssertionError("conflicts without end")

    with ThreadPoolExecutor(CLIENTS) as threads:
        made = list(threads.map(one, range(CLIENTS)))
    assert made.count(True) == ACCOUNT_KEYS_MAX
    world = new_world(CLIENTS)
    assert len(list_keys(world.app, "ada")) == ACCOUNT_KEYS_MAX
    assert sound(world)
