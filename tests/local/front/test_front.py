"""The front as one object: its port, its schedules, what it says when it cannot start."""

import asyncio
import json
import socket
import threading

import pytest

from local.front import Front, PortTaken
from local.intrinsics import TemplateError
from local.schedules import Schedules
from local.template import Schedule
from tests.local.front.conftest import make_front


def test_a_taken_port_is_named() -> None:
    """Whoever starts it learns which port it was, and nothing stays behind."""
    threads = set(threading.enumerate())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        front = make_front(port=port)
        with pytest.raises(PortTaken, match=rf"port {port} on 127\.0\.0\.1 is taken"):
            front.start()
    assert set(threading.enumerate()) == threads


def test_only_loopback_is_bound(front: Front) -> None:
    """No other interface of the machine answers."""
    port = int(front.base_url.rpartition(":")[2])
    with socket.create_server(("127.0.0.2", port)):
        pass  # free, so it is not bound on every address


def test_it_starts_again_on_its_port_after_a_stop() -> None:
    """A restart does not have to wait for the old port."""
    with make_front() as front:
        port = int(front.base_url.rpartition(":")[2])
        front.invoke("BufferedFunction", {})
    with make_front(port=port) as front:
        assert front.base_url.endswith(f":{port}")


def test_stopping_twice_is_harmless() -> None:
    """Whoever cleans up need not know who did before."""
    front = make_front()
    front.start()
    front.stop()
    front.stop()


def test_variables_for_a_function_that_does_not_exist_are_refused() -> None:
    """A misspelled name would otherwise change nothing, silently."""
    with pytest.raises(TemplateError, match="no function ProxyFunctoin"):
        make_front(function_environment={"ProxyFunctoin": {"A": "b"}})


def test_a_schedule_can_be_fired_at_once(front: Front) -> None:
    """The function gets the event that EventBridge would send, its own input where it has one."""
    hourly = json.loads(json.loads(front.fire("BufferedFunctionHourly").payload)["body"])
    assert hourly["event"]["source"] == "aws.scheduler"
    often = json.loads(json.loads(front.fire("BufferedFunctionOften").payload)["body"])
    assert often["event"] == {"call": "echo"}


def test_schedules_call_at_their_rate_and_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call comes after one interval; a disabled schedule never calls."""
    calls: list[tuple[str, bytes]] = []
    monkeypatch.setattr("local.schedules.interval_s", lambda _expression: 0.01)

    async def scenario() -> None:
        three = asyncio.Event()

        async def call(function: str, event: bytes) -> None:
            calls.append((function, event))
            if len(calls) == 3:
                three.set()

        schedules = Schedules(
            [
                Schedule("On", "aws.events", "rate(1 hour)", "F", '{"a": 1}', True),
                Schedule("Off", "aws.events", "rate(1 hour)", "G", None, False),
            ],
            call=call,
            region="us-east-1",
        )
        schedules.start()
        await asyncio.wait_for(three.wait(), 10)
        await schedules.stop()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scenario())
    assert set(calls) == {("F", b'{"a": 1}')}
