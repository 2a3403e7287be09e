"""The audit: each rule broken by hand is found and named, and a busy table is no false alarm."""

from collections.abc import Callable
from typing import Any

import pytest

from osiris.errors import StoreUnavailable
from osiris.flows import credit
from osiris.flows.audit import READS_MAX, audit
from osiris.flows.keys import create, delete, set_rate_limit
from osiris.ids import request_id
from osiris.ledger.audit import Difference, most_in_window
from osiris.ledger.entry import CHARGE, Entry
from osiris.ledger.key import TRIAL, Key
from osiris.money import NANO_PER_DOLLAR
from osiris.store.items import key_item
from osiris.store.transport import Payload
from tests.builders import START_MS, Call, Fault, World, admitted, preceded_by, settled, unreachable

DOLLAR = NANO_PER_DOLLAR


@pytest.fixture
def world() -> World:
    """A world whose books are not audited at its end: they are wrong on purpose."""
    return World({"OSIRIS_TRIAL_AMOUNT": "5"})


@pytest.fixture
def key(world: World) -> Key:
    """A key with $10, a settled request of $1 and an open one that holds $2."""
    key = create(world.app, "ada", name="k").key
    credit.grant(world.app, key.id, amount_nano=10 * DOLLAR, days=30)
    settled(world, key, admitted(world, key, 2 * DOLLAR), 2 * DOLLAR, DOLLAR)
    admitted(world, key, 2 * DOLLAR)
    return key


def change(world: World, pk: str, update: str, values: dict[str, Any], **names: str) -> None:
    """Write into the Keys table by hand."""
    payload = {
        "TableName": "KeysTable",
        "Key": {"pk": {"S": pk}},
        "UpdateExpression": update,
        "ExpressionAttributeValues": values,
    }
    if names:
        payload["ExpressionAttributeNames"] = {f"#{name}": text for name, text in names.items()}
    world.memory.call("UpdateItem", payload)


def shift(world: World, key: Key, attribute: str, by: int) -> None:
    """Add to a figure of a key by hand."""
    change(world, f"key#{key.id}", f"SET {attribute} = {attribute} + :by", {":by": {"N": str(by)}})


def differences(world: World) -> list[Difference]:
    return audit(world.app).differences


def test_sound_books_pass(world: World, key: Key) -> None:
    """Open holds, lapsed ones, deleted keys and trials are all as they should be."""
    create(world.app, "bob", name="t", kind=TRIAL)
    gone = create(world.app, "bob", name="gone").key
    credit.grant(world.app, gone.id, amount_nano=DOLLAR, days=30)
    delete(world.app, "bob", gone.id, confirmed_name="gone")
    opened = admitted(world, key, DOLLAR)
    world.app.ledger.record(Entry(key.id, opened, CHARGE, -DOLLAR, world.now_ms))
    found = audit(world.app)
    assert (found.keys, found.accounts, found.entries) == (3, 2, 6)
    assert found.differences == []


def test_an_empty_table_passes(world: World) -> None:
    """Nothing is no difference."""
    assert audit(world.app) == (0, 0, 0, 0, [])


# ---------------------------------------------------------------------------------- I1, I2, I3


def test_a_wrong_balance_is_found(world: World, key: Key) -> None:
    """I1: the balance is not what the settled entries come to."""
    shift(world, key, "balance_nano", 5)
    shift(world, key, "available_nano", 5)
    expected = Difference("I1", key.id, "balance_nano", 9 * DOLLAR, 9 * DOLLAR + 5)
    assert differences(world) == [expected]


def test_a_missing_entry_is_found(world: World, key: Key) -> None:
    """I1 and I3: an entry that was taken out of the ledger leaves its trace in the key."""
    (entry,) = [entry for entry in world.app.ledger.entries(key.id) if entry.type == CHARGE]
    place = {"key_id": {"S": key.id}, "entry_id": {"S": entry.id.removeprefix("req_")}}
    world.memory.call("DeleteItem", {"TableName": "LedgerTable", "Key": place})
    assert differences(world) == [
        Difference("I1", key.id, "balance_nano", 10 * DOLLAR, 9 * DOLLAR),
        Difference("I3", key.id, "requests", 0, 1),
        Difference("I3", key.id, "spent_nano", 0, DOLLAR),
    ]


def test_an_entry_too_many_is_found(world: World, key: Key) -> None:
    """I1 and I3: a charge that the key never settled."""
    opened = request_id(world.now_ms, bytes(16))
    world.app.ledger.record(Entry(key.id, opened, CHARGE, -DOLLAR, world.now_ms))
    assert [(found.invariant, found.what) for found in differences(world)] == [
        ("I1", "balance_nano"),
        ("I3", "requests"),
        ("I3", "spent_nano"),
    ]


def test_a_wrong_available_is_found(world: World, key: Key) -> None:
    """I2: available is not the balance less what is held, as with a hold that was lost."""
    shift(world, key, "available_nano", -1)
    expected = Difference("I2", key.id, "available_nano", 7 * DOLLAR, 7 * DOLLAR - 1)
    assert differences(world) == [expected]


def test_a_request_settled_twice_is_found(world: World, key: Key) -> None:
    """I3, and I1 by the same amount: one entry, and its cost was taken twice."""
    for attribute, by in (("balance", -DOLLAR), ("available", -DOLLAR), ("spent", DOLLAR)):
        shift(world, key, f"{attribute}_nano", by)
    shift(world, key, "requests", 1)
    assert differences(world) == [
        Difference("I1", key.id, "balance_nano", 9 * DOLLAR, 8 * DOLLAR),
        Difference("I3", key.id, "requests", 1, 2),
        Difference("I3", key.id, "spent_nano", DOLLAR, 2 * DOLLAR),
    ]


def test_entries_without_a_key_are_found(world: World, key: Key) -> None:
    """I1: what was charged to a key that is not there."""
    for _ in range(3):
        opened = request_id(world.now_ms, world.app.entropy(16))
        world.app.ledger.record(Entry("Z" * 12, opened, CHARGE, -DOLLAR, world.now_ms))
    assert differences(world) == [Difference("I1", "Z" * 12, "key", "a key of these entries", None)]


# ------------------------------------------------------------------------------------------ I5


@pytest.mark.parametrize(("beyond_ms", "most"), [(59_999, 41), (60_000, None)])
def test_more_admissions_than_the_limit_are_found(
    world: World, key: Key, beyond_ms: int, most: int | None
) -> None:
    """I5: 41 in less than 60 s, one of them still open; 60 s apart they are allowed."""
    first_ms = START_MS + 3_600_000
    for number in range(40):
        opened = request_id(first_ms + number % 2, world.app.entropy(16))
        world.app.ledger.record(Entry(key.id, opened, CHARGE, 0, first_ms))
    opened = request_id(first_ms + beyond_ms, world.app.entropy(16))
    change(
        world,
        f"key#{key.id}",
        "SET holds.#opened = :held, available_nano = available_nano - :held",
        {":held": {"N": "1"}},
        opened=opened,
    )
    found = [] if most is None else [Difference("I5", key.id, "admissions in 60 s", 40, most)]
    assert differences(world) == found


def test_admissions_before_the_limit_was_set_are_judged_by_none(world: World, key: Key) -> None:
    """I5 since the limit that stands: what an earlier one allowed is not known any more."""
    for _ in range(10):
        settled(world, key, admitted(world, key, DOLLAR), DOLLAR, 0)
    world.pass_ms(1)
    set_rate_limit(world.app, key.id, 2)
    assert differences(world) == []


@pytest.mark.parametrize(
    ("times_ms", "most"),
    [([], 0), ([5], 1), ([0, 59_999], 2), ([0, 60_000], 1), ([60_000, 0, 59_999, 1], 3)],
)
def test_the_most_in_any_60_s(times_ms: list[int], most: int) -> None:
    """60 s apart is no longer within 60 s; the order of the times does not matter."""
    assert most_in_window(times_ms) == most


# ------------------------------------------------------------------------------------------ I6


def test_a_key_that_its_account_does_not_name_is_found(world: World, key: Key) -> None:
    """I6: it would not count among the ten."""
    change(world, "account#ada", "DELETE #keys :id", {":id": {"SS": [key.id]}}, keys="keys")
    assert differences(world) == [Difference("I6", "ada", "keys", [], [key.id])]


def test_a_named_key_that_is_not_there_is_found(world: World, key: Key) -> None:
    """I6: it takes another's place."""
    change(world, "account#ada", "ADD #keys :id", {":id": {"SS": ["Z" * 12]}}, keys="keys")
    both = sorted([key.id, "Z" * 12])
    assert differences(world) == [Difference("I6", "ada", "keys", both, [key.id])]


def test_keys_of_an_account_that_is_not_there_are_found(world: World, key: Key) -> None:
    """I6: nobody counts them."""
    world.memory.call("DeleteItem", {"TableName": "KeysTable", "Key": {"pk": {"S": "account#ada"}}})
    assert differences(world) == [Difference("I6", "ada", "keys", [], [key.id])]


def put_key(world: World, key: Key, number: int, **changes: Any) -> str:
    """Put another key like this one, empty, by hand; returns its id."""
    empty: dict[str, Any] = {
        "balance_nano": 0,
        "available_nano": 0,
        "spent_nano": 0,
        "requests": 0,
        "holds": {},
    }
    other = key._replace(id=f"{number:012d}", **empty, **changes)
    world.memory.call("PutItem", {"TableName": "KeysTable", "Item": key_item(other)})
    return other.id


def test_more_than_ten_keys_are_found(world: World, key: Key) -> None:
    """I6: eleven keys that the account names and that are not deleted."""
    more = [put_key(world, key, number) for number in range(10)]
    change(world, "account#ada", "ADD #keys :ids", {":ids": {"SS": more}}, keys="keys")
    assert differences(world) == [Difference("I6", "ada", "number of keys", 10, 11)]


def test_a_second_trial_is_found(world: World, key: Key) -> None:
    """I6: even when one of them is deleted."""
    trial = create(world.app, "ada", name="t", kind=TRIAL).key
    put_key(world, trial, 0, status="deleted")
    assert differences(world) == [Difference("I6", "ada", "trial keys", 1, 2)]


def test_a_trial_that_the_account_forgot_is_found(world: World, key: Key) -> None:
    """I6: else it could have another."""
    create(world.app, "ada", name="t", kind=TRIAL)
    payload = {
        "TableName": "KeysTable",
        "Key": {"pk": {"S": "account#ada"}},
        "UpdateExpression": "REMOVE trial_granted_at_ms",
    }
    world.memory.call("UpdateItem", payload)
    assert differences(world) == [Difference("I6", "ada", "trial keys", 0, 1)]


# ---------------------------------------------------------------------- while requests are made


def and_then(act: Callable[[], object]) -> Fault:
    """Something else happens just after the call was answered."""

    def fault(call: Call, payload: Payload) -> Payload:
        answer = call(payload)
        act()
        return answer

    return fault


def test_a_request_between_two_readings_is_no_difference(world: World, key: Key) -> None:
    """Entries are read after their key; they may be ahead of it."""
    world.meet(
        "Scan",
        and_then(lambda: settled(world, key, admitted(world, key, DOLLAR), DOLLAR, DOLLAR)),
    )
    assert audit(world.app, segments=1).differences == []


def test_a_grant_between_two_readings_is_no_difference(world: World, key: Key) -> None:
    """The same with a posting."""
    grant = and_then(lambda: credit.grant(world.app, key.id, amount_nano=DOLLAR, days=1))
    world.meet("Scan", grant)
    assert audit(world.app, segments=1).differences == []


def test_a_hold_settled_between_two_readings_is_no_difference(world: World, key: Key) -> None:
    """The hold may be old: its entry is among those read again."""
    (opened,) = world.stored_key(key.id).holds
    world.pass_ms(900_000)
    world.meet("Scan", and_then(lambda: settled(world, key, opened, 2 * DOLLAR, DOLLAR)))
    assert audit(world.app, segments=1).differences == []


def test_a_key_busy_at_each_reading_is_no_difference(world: World, key: Key) -> None:
    """It is read again while it changes, its recent entries alone."""
    world.pass_ms(3_600_000)

    def request() -> None:
        settled(world, key, admitted(world, key, DOLLAR), DOLLAR, 1)

    busy = [and_then(request)] + [preceded_by(request)] * 3
    world.meet("Scan", and_then(lambda: credit.grant(world.app, key.id, amount_nano=1, days=1)))
    world.meet("Query", *busy)
    assert audit(world.app, segments=1).differences == []


def test_a_new_key_is_no_difference(world: World, key: Key) -> None:
    """An account and its keys are read one after the other; a key may come in between."""
    world.meet("Scan", and_then(lambda: create(world.app, "ada", name="new")))
    assert audit(world.app, segments=1).differences == []


def test_a_new_keys_entries_have_a_home(world: World, key: Key) -> None:
    """A key created after the keys were read is looked up before its entries count as lost."""

    def create_funded() -> None:
        new = create(world.app, "bob", name="new").key
        credit.grant(world.app, new.id, amount_nano=DOLLAR, days=1)

    world.meet("Scan", and_then(create_funded))
    assert audit(world.app, segments=1).differences == []


def test_an_accounts_difference_stands_while_it_changes(world: World, key: Key) -> None:
    """A real difference is told even when the account changes beside it."""
    put_key(world, key, 0)
    world.meet("Scan", and_then(lambda: create(world.app, "ada", name="new")))
    (found,) = audit(world.app, segments=1).differences
    assert (found.invariant, found.what, found.found) == (
        "I6",
        "keys",
        sorted(["0" * 12, *world.app.accounts.read("ada").keys]),
    )


# ----------------------------------------------------------------------------------------- cost


def test_a_sound_key_costs_one_query(world: World, key: Key) -> None:
    """It is not read again, and nothing is written."""
    world.transport.calls.clear()
    audit(world.app, segments=1)
    assert world.transport.calls == ["Scan", "Query", "Scan", "Scan"]


def test_a_wrong_key_is_read_a_bounded_number_of_times(world: World, key: Key) -> None:
    """However often it changes meanwhile."""
    shift(world, key, "requests", 7)
    world.meet("GetItem", *[preceded_by(lambda: shift(world, key, "requests", 1))] * 100)
    world.transport.calls.clear()
    assert len(audit(world.app, segments=1).differences) == 1
    assert world.transport.calls.count("GetItem") == READS_MAX


def test_progress_is_told_key_by_key(world: World) -> None:
    """It counts keys over all segments."""
    for number in range(5):
        create(world.app, f"account-{number}", name="k")
    told: list[int] = []
    assert audit(world.app, progress=told.append).keys == 5
    assert told == [1, 2, 3, 4, 5]


def test_a_table_out_of_reach_is_no_difference(world: World, key: Key) -> None:
    """What could not be read is not judged."""
    world.meet("Query", unreachable)
    with pytest.raises(StoreUnavailable):
        audit(world.app)
