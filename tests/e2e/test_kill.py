"""The function is killed at each write of a request; money comes out right all the same."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

from osiris.money import nano_from_dollars
from tests.e2e.dynamodb_proxy import Harm

if TYPE_CHECKING:
    from tests.e2e.conftest import Harness

PARAMETERS = {"HoldLapseMs": "1000"}
STEERING = "[sim input=10000 output=2000 chunk_tokens=1000]"
COST_NANO = nano_from_dollars("0.1")
FUNDED_NANO = nano_from_dollars("100")
ADMIT, RECORD, SETTLE = 1, 2, 3
TRIES_MAX = 40


def kill_proxy(harness: Harness) -> None:
    """End the function's processes as a crash of its host would."""
    for pid in harness.stack.front.pids("ProxyFunction"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def finish(harness: Harness, secret: str) -> None:
    """Let the reconciler run until the key has no open hold."""
    for _ in range(TRIES_MAX):
        if not harness.key(secret).holds:
            return
        time.sleep(0.1)
        harness.reconcile()
    raise AssertionError("the hold was never finished")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("passed_on", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("write", [ADMIT, RECORD, SETTLE], ids=["admit", "record", "settle"])
def test_a_crash_at_a_write_charges_once_or_not_at_all(
    harness: Harness, write: int, passed_on: bool, stream: bool
) -> None:
    """With an entry the request is charged once, without one nothing; and the audit holds."""
    secret = harness.new_key()
    harness.proxy.arm(Harm(write, passed_on, lambda: kill_proxy(harness)))
    with contextlib.suppress(httpx.HTTPError):
        answer = harness.chat(secret, STEERING, stream=stream)
        assert answer.status_code >= 500 or b"[DONE]" not in answer.content
        assert b'"cost"' not in answer.content
    assert len(harness.proxy.writes) == write

    finish(harness, secret)

    recorded = (write, passed_on) >= (RECORD, True)
    admitted = (write, passed_on) >= (ADMIT, True)
    key, charges = harness.key(secret), harness.charges(secret)
    assert key.balance_nano == key.available_nano == FUNDED_NANO - COST_NANO * recorded
    assert [entry.cost_nano for entry in charges] == [COST_NANO * recorded] * admitted
    assert harness.differences() == []
    settled_by_itself = (write, passed_on) == (SETTLE, True)
    lapsed = f'"request_id":"{charges[0].id}"' in harness.log() if charges else False
    assert lapsed == (admitted and not settled_by_itself)
    assert not lapsed or '"HoldsLapsed":1' in harness.log()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("write", [ADMIT, RECORD, SETTLE], ids=["admit", "record", "settle"])
def test_a_lost_reply_changes_nothing(harness: Harness, write: int, stream: bool) -> None:
    """The write was applied and its reply lost: the same call again, one admission, one charge."""
    secret = harness.new_key()
    harness.proxy.arm(Harm(write, passed_on=True, do=lambda: None))
    answer = harness.chat(secret, STEERING, stream=stream)
    assert answer.status_code == 200
    assert b'"cost":0.1' in answer.content
    assert len(harness.proxy.writes) == 4
    key = harness.key(secret)
    assert (key.balance_nano, key.holds) == (FUNDED_NANO - COST_NANO, {})
    assert sum(used > 0 for used in key.window) == 1
    assert harness.differences() == []


def test_nothing_is_forwarded_when_the_store_is_out_of_reach(harness: Harness) -> None:
    """Admit gets no answer at all its tries: 503, and the upstream saw nothing."""
    secret = harness.new_key()
    seen = len(harness.simulator.requests)
    harness.proxy.arm(Harm(ADMIT, passed_on=False, do=lambda: None, times=100))
    answer = harness.chat(secret, STEERING)
    harness.proxy.arm()
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "store_unavailable"
    assert len(harness.simulator.requests) == seen
    assert harness.charges(secret) == []


def test_the_next_admission_finishes_a_lost_request(harness: Harness) -> None:
    """A key whose whole balance is held by a dead request is free again after the hold's life."""
    secret = harness.new_key(dollars="0.01")
    harness.proxy.arm(Harm(RECORD, passed_on=False, do=lambda: kill_proxy(harness)))
    with contextlib.suppress(httpx.HTTPError):
        harness.chat(secret, STEERING)
    harness.proxy.arm()
    answers = []
    for _ in range(TRIES_MAX):
        answers.append(harness.chat(secret, "[sim input=10 output=10]"))
        if answers[-1].status_code == 200:
            break
        assert answers[-1].json()["error"]["code"] == "balance_held"
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
        time.sleep(0.2)
    assert answers[-1].status_code == 200
    assert [entry.cost_nano for entry in harness.charges(secret)] == [0, 1_000_000]
    assert harness.differences() == []


def test_whatever_dies_among_many_is_made_good(harness: Harness) -> None:
    """Twelve at once, half of them streams, and every process dies among their writes, twice.

    Whoever was told a cost has been charged it, once; all others are charged it or nothing.
    """
    secret = harness.new_key(dollars="1000")

    def ask(number: int) -> str | None:
        try:
            answer = harness.chat(secret, STEERING, stream=number % 2 == 0, max_tokens=2000)
        except httpx.HTTPError:
            return None
        return answer.headers["X-Request-Id"] if b'"cost":0.1' in answer.content else None

    told: set[str | None] = set()
    with ThreadPoolExecutor(12) as pool:
        for at, passed_on in ((9, False), (17, True)):
            harness.proxy.arm(Harm(at, passed_on, lambda: kill_proxy(harness)))
            told |= set(pool.map(ask, range(12)))
    harness.proxy.arm()
    told.discard(None)
    finish(harness, secret)

    key, charges = harness.key(secret), harness.charges(secret)
    paid = {entry.id for entry in charges if entry.cost_nano}
    assert told <= paid
    assert len(told) < 24
    assert {entry.cost_nano for entry in charges} <= {0, COST_NANO}
    assert (key.requests, key.spent_nano) == (len(paid), len(paid) * COST_NANO)
    assert key.balance_nano == key.available_nano == nano_from_dollars("1000") - key.spent_nano
    assert len({entry.id for entry in charges}) == len(charges) <= 24
    assert harness.differences() == []
