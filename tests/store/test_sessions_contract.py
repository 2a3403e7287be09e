"""Sessions that were signed out, on every engine: told by their id, until their time is up."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import pytest

from osiris.errors import StoreUnavailable
from osiris.store.sessions import Sessions
from tests.builders import FaultyTransport, lost, repeated, unreachable

if TYPE_CHECKING:
    from osiris.store.transport import Payload
    from tests.builders import Call, Fault
    from tests.dynamodb.servers import Engine

UNTIL_MS = 1_796_724_000_001


@pytest.fixture
def transport(engine: Engine) -> FaultyTransport:
    return FaultyTransport(engine.transport)


@pytest.fixture
def table(tables: dict[str, str]) -> str:
    return tables["CatalogueTable"]


@pytest.fixture
def sessions(transport: FaultyTransport, table: str) -> Sessions:
    return Sessions(transport, table)


def test_a_session_is_known_by_its_id_alone(sessions: Sessions) -> None:
    """The one that was revoked is, no other; one whose id begins the same is another."""
    sessions.revoke("A" * 22, until_ms=UNTIL_MS)
    assert sessions.is_revoked("A" * 22)
    for other in ("A" * 21, "A" * 21 + "B", "a" * 22, "session"):
        assert not sessions.is_revoked(other)


@pytest.mark.parametrize("again_until_ms", [UNTIL_MS, UNTIL_MS + 60_000, UNTIL_MS - 60_000])
def test_a_session_may_be_revoked_again(sessions: Sessions, again_until_ms: int) -> None:
    """By a second click, or from another window."""
    sessions.revoke("one", until_ms=UNTIL_MS)
    sessions.revoke("one", until_ms=again_until_ms)
    assert sessions.is_revoked("one")


def test_a_revocation_lives_as_long_as_its_session(
    sessions: Sessions, engine: Engine, table: str
) -> None:
    """The table's time-to-live reads it in whole seconds, of which it may not be one too few."""
    sessions.revoke("one", until_ms=UNTIL_MS)
    key = {"kind": {"S": "session"}, "id": {"S": "one"}}
    item = engine.transport.call("GetItem", {"TableName": table, "Key": key})["Item"]
    assert item == {**key, "expires_at_s": {"N": str(UNTIL_MS // 1000 + 1)}}


def test_what_was_revoked_is_read_at_once(transport: FaultyTransport, table: str) -> None:
    """By a consistent read: nobody is let in for the second that a copy lags behind."""
    asked: list[bool] = []

    def noted(call: Call, payload: Payload) -> Payload:
        asked.append(payload["ConsistentRead"])
        return call(payload)

    transport.faults["GetItem"] = deque([noted])
    Sessions(transport, table).is_revoked("one")
    assert asked == [True]


@pytest.mark.parametrize("fault", [lost, unreachable])
def test_a_revocation_that_may_not_have_been_made_is_told(
    sessions: Sessions, transport: FaultyTransport, fault: Fault
) -> None:
    """And can be made again."""
    transport.faults["PutItem"] = deque([fault, repeated])
    with pytest.raises(StoreUnavailable):
        sessions.revoke("one", until_ms=UNTIL_MS)
    sessions.revoke("one", until_ms=UNTIL_MS)
    assert sessions.is_revoked("one")


def test_an_answer_that_did_not_come_is_no_answer(
    sessions: Sessions, transport: FaultyTransport
) -> None:
    """It is not taken for a session that was never revoked."""
    transport.faults["GetItem"] = deque([unreachable])
    with pytest.raises(StoreUnavailable):
        sessions.is_revoked("one")
