"""A request of an account, found by its id under whichever key it was made."""

import pytest

from osiris.errors import RequestNotFound, StoreUnavailable
from osiris.flows.keys import delete
from osiris.flows.request_search import find_request
from osiris.flows.settlement import finish_lapsed
from osiris.ledger.key import ACCOUNT_KEYS_MAX, Key
from osiris.store.transport import Payload
from osiris.store.values import plain_item
from tests.builders import Call, World, fill, preceded_by
from tests.flows.used_key import closed, funded, granted, opened, recorded, requested

READS = ["GetItem", "BatchGetItem", "BatchGetItem", "GetItem"]


@pytest.fixture
def key(world: World) -> Key:
    return funded(world, "ada")


def test_a_request_is_found_under_any_key(world: World) -> None:
    """With its key and whether it is settled, by the same four reads whichever key it is."""
    keys = [funded(world, "ada") for _ in range(ACCOUNT_KEYS_MAX)]
    entries = [requested(world, key, tokens=number + 1) for number, key in enumerate(keys)]
    for key, entry in zip(keys, entries, strict=True):
        world.transport.calls.clear()
        found = find_request(world.app, "ada", entry.id)
        assert found == (world.stored_key(key.id), entry, True)
        assert world.transport.calls == READS


def test_a_request_is_not_settled_before_its_hold_is_gone(world: World, key: Key) -> None:
    """Open it is not there; recorded it is not settled; one that lapsed is, at no cost."""
    request = opened(world, key)
    with pytest.raises(RequestNotFound):
        find_request(world.app, "ada", request)
    entry = recorded(world, key, request)
    assert find_request(world.app, "ada", request) == (world.stored_key(key.id), entry, False)
    lost = opened(world, key)
    world.pass_ms(world.app.settings.hold_lapse_ms)
    finish_lapsed(world.app, world.stored_key(key.id))
    assert find_request(world.app, "ada", request).settled
    found = find_request(world.app, "ada", lost)
    assert (found.entry.amount_nano, found.entry.charge, found.settled) == (0, None, True)


@pytest.mark.parametrize(
    "request_id",
    ["", "req_", "req_" + "0" * 16, "req_" + "0" * 17, "req_" + "é" * 16, "0" * 20, "req_\n" * 999],
)
def test_an_unknown_or_malformed_id_finds_nothing(world: World, key: Key, request_id: str) -> None:
    """One answer for both."""
    requested(world, key)
    with pytest.raises(RequestNotFound):
        find_request(world.app, "ada", request_id)


def test_what_is_no_request_is_not_found(world: World, key: Key) -> None:
    """Neither another entry by its own id nor by that with a request's prefix."""
    (grant,) = world.app.ledger.entries(key.id)
    for entry_id in (grant.id, grant.id.replace("ent_", "req_")):
        with pytest.raises(RequestNotFound):
            find_request(world.app, "ada", entry_id)


def test_anothers_request_is_not_found(world: World, key: Key) -> None:
    """Nor by an account without keys."""
    entry = requested(world, key)
    funded(world, "bob")
    for account_id in ("bob", "nobody"):
        with pytest.raises(RequestNotFound):
            find_request(world.app, account_id, entry.id)


def test_a_deleted_keys_request_is_not_found(world: World, key: Key) -> None:
    """Even when it was deleted while the request was looked for."""
    entry = requested(world, key)
    goes = preceded_by(lambda: delete(world.app, "ada", key.id, confirmed_name="k"))
    # The second one reads the entries.
    world.meet("BatchGetItem", lambda call, payload: call(payload), goes)
    for _ in range(2):
        with pytest.raises(RequestNotFound):
            find_request(world.app, "ada", entry.id)


@pytest.mark.parametrize("act", ["record", "settle"])
def test_what_happens_meanwhile_is_told_as_it_is_then(world: World, key: Key, act: str) -> None:
    """A request that ends while it is looked for is settled when it is told so."""
    request = opened(world, key)
    entry = recorded(world, key, request) if act == "settle" else None

    def happens() -> None:
        if entry is None:
            recorded(world, key, request)
        else:
            closed(world, key, entry)

    world.meet("BatchGetItem", lambda call, payload: call(payload), preceded_by(happens))
    assert find_request(world.app, "ada", request).settled is (act == "settle")


def test_keys_that_were_left_out_are_asked_for_again(world: World) -> None:
    """A bounded number of times; then nothing is said of the request."""
    keys = [issued.key for issued in fill(world, "ada", room=1)]
    used = funded(world, "ada")
    granted(world, used)
    entry = requested(world, used)
    asked = []

    def one(call: Call, payload: Payload) -> Payload:
        ((table, request),) = payload["RequestItems"].items()
        first, *others = request["Keys"]
        asked.append(plain_item(first)["key_id"])
        answer = call({"RequestItems": {table: {**request, "Keys": [first]}}})
        return {**answer, "UnprocessedKeys": {table: {**request, "Keys": others}}}

    def passed(call: Call, payload: Payload) -> Payload:
        return call(payload)

    world.meet("BatchGetItem", passed, *[one] * 4)
    assert find_request(world.app, "ada", entry.id).entry == entry
    assert len(set(asked)) == 4
    assert set(asked) <= {key.id for key in [*keys, used]}
    world.meet("BatchGetItem", passed, *[one] * 5)
    with pytest.raises(StoreUnavailable):
        find_request(world.app, "ada", entry.id)
