"""Execution environments: one request at a time, reused while warm, thrown away when they fail."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path

import pytest

from local.front import Front
from tests.local.front.client import Gate, ask
from tests.local.front.conftest import VALUES, FrontMaker

TOYS = Path(__file__).parent / "toys"


def echoed(front: Front) -> dict[str, object]:
    got = ask(front.base_url, "POST", "/buffered", {"call": "echo"})
    assert got.status == 200
    seen = got.json
    assert isinstance(seen, dict)
    return seen


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come to that in 10 s")


def wait_until_gone(pid: int) -> None:
    def gone() -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return False

    wait_until(gone)


def test_successive_requests_share_an_environment(start_front: FrontMaker) -> None:
    """A warm environment is used again; nothing is started beside it."""
    front = start_front()
    assert len({json.dumps(echoed(front)["pid"]) for _ in range(20)}) == 1
    assert len(front.pids("BufferedFunction")) == 1


def test_an_environment_serves_one_request_at_a_time(start_front: FrontMaker, gate: Gate) -> None:
    """While one is busy another is started; afterwards both are kept, the last used goes first."""
    lines: list[str] = []
    front = start_front(sink=lambda _, line: lines.append(line), reports=True)
    order = {"call": "hold", "gate": gate.port}
    with ThreadPoolExecutor(2) as pool:
        asked = {pool.submit(ask, front.base_url, "POST", "/buffered", order) for _ in range(2)}
        visitors = [gate.visitor(), gate.visitor()]
        assert [visitor.hear() for visitor in visitors] == ["here", "here"]
        assert len(front.pids("BufferedFunction")) == 2
        answers = []
        for count, visitor in enumerate(visitors, start=1):
            visitor.let_go()
            done, asked = wait(asked, return_when=FIRST_COMPLETED)
            answers += [call.result().body for call in done]
            wait_until(partial(_has_ended, lines, count))
    assert len(set(answers)) == 2
    assert str(echoed(front)["pid"]).encode() == answers[1]


def _has_ended(lines: list[str], count: int) -> bool:
    """Whether processes have asked for their next invocation so often."""
    return sum(line.startswith("END ") for line in lines) == count


def test_beyond_the_limit_a_call_is_throttled(start_front: FrontMaker, gate: Gate) -> None:
    """Lambda's 429 reaches the client as API Gateway's 500; a free environment serves again."""
    front = start_front(environments_max=1)
    with ThreadPoolExecutor(1) as pool:
        order = {"call": "hold", "gate": gate.port}
        asked = pool.submit(ask, front.base_url, "POST", "/buffered", order)
        visitor = gate.visitor()
        refused = ask(front.base_url, "POST", "/buffered", {"call": "echo"})
        assert refused.status == 500
        assert refused.json["error"]["kind"] == "INTEGRATION_FAILURE"
        visitor.let_go()
        assert asked.result().status == 200
    assert echoed(front)["pid"] == int(asked.result().body)


def test_a_crash_is_502_and_the_next_call_gets_a_new_environment(front: Front) -> None:
    """A process that ends without an answer is replaced."""
    first = echoed(front)["pid"]
    assert ask(front.base_url, "POST", "/buffered", {"call": "leave"}).status == 502
    assert echoed(front)["pid"] != first


def test_a_killed_process_is_replaced(start_front: FrontMaker, gate: Gate) -> None:
    """A test can kill an environment by its id in the middle of a call."""
    front = start_front()
    with ThreadPoolExecutor(1) as pool:
        order = {"call": "hold", "gate": gate.port}
        asked = pool.submit(ask, front.base_url, "POST", "/buffered", order)
        gate.visitor()
        (pid,) = front.pids("BufferedFunction")
        os.kill(pid, signal.SIGKILL)
        assert asked.result().status == 502
    assert echoed(front)["pid"] != pid


def test_an_error_of_the_handler_is_502_and_keeps_the_environment(front: Front) -> None:
    """The stock runtime client reports the error and goes on, as on AWS."""
    first = echoed(front)["pid"]
    got = ask(front.base_url, "POST", "/buffered", {"call": "fail"})
    assert got.status == 502
    assert got.json["error"]["kind"] == "INTEGRATION_FAILURE"
    assert echoed(front)["pid"] == first


def test_a_function_that_cannot_be_imported_is_502(front: Front) -> None:
    """An init error ends the environment; each call tries again."""
    assert ask(front.base_url, "GET", "/broken").status == 502
    assert ask(front.base_url, "GET", "/broken").status == 502
    assert front.pids("BrokenFunction") == []


def test_the_functions_timeout_kills_it(start_front: FrontMaker) -> None:
    """A function beyond its timeout is ended, its client gets 502, and a new one starts."""
    lines: list[str] = []
    front = start_front(
        parameters={"Timeout": "1"}, sink=lambda _, line: lines.append(line), reports=True
    )
    first = echoed(front)["pid"]
    assert ask(front.base_url, "POST", "/buffered", {"call": "sleep", "seconds": 60}).status == 502
    assert isinstance(first, int)
    wait_until_gone(first)
    assert echoed(front)["pid"] != first
    assert any("Task timed out after 1.00 seconds" in line for line in lines)
    assert any(line.endswith("Status: timeout") for line in lines)


def test_an_idle_environment_ends(start_front: FrontMaker) -> None:
    """What nobody has used for a while is not kept."""
    front = start_front(idle_s=0.2)
    pid = echoed(front)["pid"]
    assert isinstance(pid, int)
    wait_until_gone(pid)
    assert front.pids("BufferedFunction") == []


def test_stopping_ends_every_process_and_thread(start_front: FrontMaker, gate: Gate) -> None:
    """Busy and idle environments are ended and waited for, and no thread stays."""
    threads = set(threading.enumerate())
    front = start_front()
    echoed(front)
    with ThreadPoolExecutor(1) as pool:
        order = {"call": "hold", "gate": gate.port}
        call = pool.submit(front.invoke, "BufferedFunction", order)
        gate.visitor()
        echoed(front)
        pids = front.pids("BufferedFunction")
        assert len(pids) == 2
        front.stop()
        assert call.result().error == "Runtime.ExitError"
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert set(threading.enumerate()) == threads


def test_the_process_sees_lambdas_environment_and_little_else(
    start_front: FrontMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Template, caller and Lambda's own variables are there; ours do not leak."""
    monkeypatch.setenv("SECRET_OF_THE_DEVELOPER", "x")
    front = start_front(
        environment={"AWS_REGION": "eu-west-3", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
        function_environment={"BufferedFunction": {"AWS_ENDPOINT_URL_DYNAMODB": "http://test"}},
    )
    seen = echoed(front)
    environment = seen["environment"]
    assert isinstance(environment, dict)
    assert environment["THINGS_TABLE"] == VALUES["Things"]
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert environment["AWS_ENDPOINT_URL_DYNAMODB"] == "http://test"
    assert environment["AWS_REGION"] == "eu-west-3"
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "BufferedFunction"
    assert environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert environment["_HANDLER"] == "handler.lambda_handler"
    assert environment["LAMBDA_TASK_ROOT"] == str(TOYS / "buffered") == seen["folder"]
    assert environment["LAYER_FILE"] == str(TOYS / "layer" / "toy_runtime.py")
    assert "SECRET_OF_THE_DEVELOPER" not in environment
    assert set(environment) - set(os.environ) <= _LAMBDAS | set(VALUES) | {"LAYER_FILE", "JOINED"}


_LAMBDAS = {
    *("_HANDLER", "LAMBDA_TASK_ROOT", "TZ", "PYTHONPATH", "_X_AMZN_TRACE_ID"),
    *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_RUNTIME_API"),
    *("AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_LOG_GROUP_NAME"),
    *("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_INITIALIZATION_TYPE"),
    *("AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"),
    *("THINGS_TABLE", "THINGS_ARN"),
}


def test_the_context_is_lambdas(front: Front) -> None:
    """Request id, ARN and remaining time come through the Runtime API's headers."""
    seen = echoed(front)
    assert seen["arn"] == "arn:aws:lambda:us-east-1:000000000000:function:BufferedFunction"
    assert isinstance(seen["remaining_ms"], int)
    assert 0 < seen["remaining_ms"] <= 20_000
    assert seen["request_id"] != echoed(front)["request_id"]


def test_output_and_reports_reach_the_sink_in_order(start_front: FrontMaker) -> None:
    """START, what the function prints, END and REPORT, as in CloudWatch."""
    lines: list[tuple[str, str]] = []
    front = start_front(sink=lambda *line: lines.append(line), reports=True)
    front.invoke("BufferedFunction", {"call": "say", "text": "said by the function"})
    front.stop()  # what is left comes by then
    (start, said, end, report) = lines
    assert {function for function, _ in lines} == {"BufferedFunction"}
    request_id = start[1].split()[2]
    assert start[1] == f"START RequestId: {request_id} Version: $LATEST"
    assert said[1] == "said by the function"
    assert end[1] == f"END RequestId: {request_id}"
    names = [part.split(":")[0] for part in report[1].split("\t")]
    assert names == [
        *("REPORT RequestId", "Duration", "Billed Duration", "Memory Size"),
        *(["Max Memory Used"] if Path("/proc/self/status").exists() else []),
        "Init Duration",
    ]
    assert "Memory Size: 256 MB" in report[1]


def test_without_reports_only_the_functions_lines_come(start_front: FrontMaker) -> None:
    """START, END and REPORT are there on request only."""
    lines: list[str] = []
    front = start_front(sink=lambda _, line: lines.append(line))
    front.invoke("BufferedFunction", {"call": "say", "text": "said by the function"})
    front.stop()
    assert lines == ["said by the function"]


def test_a_direct_call_gives_the_functions_result_or_error(front: Front) -> None:
    """`invoke` is Lambda's own call: no gateway between, errors named as Lambda names them."""
    answer = front.invoke("BufferedFunction", {"call": "answer", "answer": {"rows": 3}})
    assert (json.loads(answer.payload), answer.error) == ({"rows": 3}, None)
    failed = front.invoke("BufferedFunction", {"call": "fail"})
    assert failed.error == "RuntimeError"
    assert json.loads(failed.payload)["errorMessage"] == "told to fail"
    assert front.invoke("BufferedFunction", {"call": "leave"}).error == "Runtime.ExitError"
    assert front.invoke("BrokenFunction", {}).error == "RuntimeError"
