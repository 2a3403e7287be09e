"""The runtime as Lambda starts it: a process of its own behind a Runtime API on a real socket."""

import base64
import json
import os
import queue
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import osiris
from tests.runtime.fake_runtime_api import FakeRuntimeApi, Invocation

pytestmark = pytest.mark.timeout(60)

PACKAGE = Path(osiris.__file__).parent
TASK = Path(__file__).parent / "task"
CONTENT_TYPE = "application/vnd.awslambda.http-integration-response"
MARGIN_MS = 5_000


class Runtime(NamedTuple):
    """A running function, its Runtime API and its log."""

    api: FakeRuntimeApi
    process: subprocess.Popen[bytes]
    log_file: Path

    def log(self) -> str:
        """What it has logged by now."""
        return self.log_file.read_text()


class Gate:
    """The test's end of the line to a handler's body."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(30)
        self.port: int = self._listener.getsockname()[1]
        self._sock: socket.socket | None = None

    def _line(self) -> socket.socket:
        if self._sock is None:
            self._sock = self._listener.accept()[0]
            self._sock.settimeout(30)
        return self._sock

    def open(self) -> None:
        """Let the handler go on."""
        self._line().sendall(b".")

    def closed(self) -> bool:
        """Wait until the body is closed; it waits for `open` then."""
        return self._line().recv(100) == b"closed\n"

    def shut(self) -> None:
        """End the line."""
        self._listener.close()
        if self._sock:
            self._sock.close()


@contextmanager
def started(
    tmp_path: Path, handler: str = "handler.lambda_handler", **environment: str
) -> Iterator[Runtime]:
    """Start the runtime the way Lambda does: the wrapper, the interpreter, AWS's bootstrap."""
    layer = tmp_path / "opt" / "python"
    layer.mkdir(parents=True)
    (layer / "osiris").symlink_to(PACKAGE)
    log_file = tmp_path / "log"
    with FakeRuntimeApi() as api, log_file.open("wb") as log:
        process = subprocess.Popen(
            [layer / "osiris/runtime/exec_wrapper", sys.executable, "/var/runtime/bootstrap.py"],
            env={
                "AWS_LAMBDA_RUNTIME_API": api.address,
                "LAMBDA_TASK_ROOT": str(TASK),
                "_HANDLER": handler,
                "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
                "OSIRIS_DEADLINE_MARGIN_MS": str(MARGIN_MS),
                **environment,
            },
            cwd=tmp_path,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield Runtime(api, process, log_file)
        finally:
            process.kill()
            process.wait()


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    """A function that does what each event says."""
    with started(tmp_path) as runtime:
        yield runtime


@pytest.fixture
def gate() -> Iterator[Gate]:
    """A line to a handler's body."""
    gate = Gate()
    yield gate
    gate.shut()


def parsed(whole: bytes) -> tuple[dict[str, Any], bytes]:
    """A streamed answer's prelude and body."""
    prelude, delimiter, body = whole.partition(bytes(8))
    assert delimiter
    return json.loads(prelude), body


def prelude_of(invocation: Invocation) -> dict[str, Any]:
    """The prelude, which is a chunk of its own."""
    first = invocation.next()
    assert isinstance(first, bytes)
    prelude, body = parsed(first)
    assert body == b""
    return prelude


def test_a_plain_result_takes_the_stock_path(runtime: Runtime) -> None:
    """A result that is no `Answer` is posted by AWS's client, as JSON and in one piece."""
    event = {"do": "plain", "text": "é"}
    invocation = runtime.api.invoke(event)
    assert json.loads(invocation.all()) == {"event": event, "id": invocation.id}
    assert invocation.headers["content-type"] == "application/json"
    assert "lambda-runtime-function-response-mode" not in invocation.headers


def test_a_streamed_answer(runtime: Runtime) -> None:
    """An `Answer` is posted in streaming mode: prelude, eight NULs, pieces, declared trailers."""
    headers = [["Content-Type", "text/plain"], ["Set-Cookie", "a=b"], ["Set-Cookie", "c=d"]]
    invocation = runtime.api.invoke(
        {"do": "pieces", "status": 404, "headers": headers, "pieces": ["a", "", "é\0"]}
    )
    assert parsed(invocation.all()) == (
        {
            "statusCode": 404,
            "headers": {"Content-Type": "text/plain"},
            "multiValueHeaders": {"Set-Cookie": ["a=b", "c=d"]},
        },
        "aé\0".encode(),
    )
    assert invocation.kind == "response"
    assert invocation.headers == {
        "host": runtime.api.address,
        "content-type": CONTENT_TYPE,
        "lambda-runtime-function-response-mode": "streaming",
        "lambda-runtime-invocation-id": invocation.token,
        "transfer-encoding": "chunked",
        "trailer": "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
    }
    assert invocation.trailers == {}


def test_an_empty_body(runtime: Runtime) -> None:
    """An answer without a body is its prelude."""
    invocation = runtime.api.invoke({"do": "pieces", "status": 204, "pieces": []})
    assert parsed(invocation.all()) == ({"statusCode": 204, "headers": {}}, b"")


def test_pieces_leave_as_they_come(runtime: Runtime, gate: Gate) -> None:
    """Each piece arrives before the handler is let on to the next, and nothing follows the end."""
    invocation = runtime.api.invoke({"do": "gated", "gate": gate.port})
    runtime.api.wait_until_asked()
    gate.open()
    assert prelude_of(invocation)["statusCode"] == 200
    assert invocation.next() == b"one"
    gate.open()
    gate.open()
    assert invocation.next() == b"two"
    gate.open()
    assert invocation.next() == b"three"
    assert invocation.next() is None
    assert gate.closed()
    posted = f"POST invocation/{invocation.id}/response"
    # The next invocation is asked for only when the body is closed.
    assert runtime.api.calls == ["GET invocation/next", posted]
    gate.open()
    runtime.api.wait_until_asked()
    assert runtime.api.calls == ["GET invocation/next", posted, "GET invocation/next"]


def test_two_invocations_in_one_process(runtime: Runtime) -> None:
    """A process serves one invocation after the other, streamed or not."""
    pids = set()
    for _ in range(2):
        runtime.api.invoke({"do": "pieces", "pieces": ["a"]}).all()
        seen = runtime.api.invoke({"do": "process"})
        pids.add(json.loads(seen.all())["pid"])
    assert pids == {runtime.process.pid}


def test_the_process(runtime: Runtime, tmp_path: Path) -> None:
    """The wrapper becomes the runtime: the function's code first, the layer next, X-Ray's id."""
    invocation = runtime.api.invoke({"do": "process"})
    seen = json.loads(invocation.all())
    assert seen["path"][0] == str(TASK)
    assert str(tmp_path) not in seen["path"]
    assert seen["osiris"] == str(tmp_path / "opt/python/osiris/__init__.py")
    assert seen["trace"] == f"Root=1-{invocation.id}"
    assert seen["pid"] == runtime.process.pid


def test_what_was_in_the_search_path_stays(tmp_path: Path) -> None:
    """The wrapper keeps what Lambda had put into PYTHONPATH, after the layer."""
    with started(tmp_path, PYTHONPATH="/var/runtime") as runtime:
        path = json.loads(runtime.api.invoke({"do": "process"}).all())["path"]
    layer = str(tmp_path / "opt/python")
    assert path.index(str(TASK)) < path.index(layer) < path.index("/var/runtime")


def test_the_wrapper_can_be_executed() -> None:
    """Lambda refuses a wrapper that is not executable or has Windows line ends."""
    wrapper = PACKAGE / "runtime" / "exec_wrapper"
    assert os.access(wrapper, os.X_OK)
    assert wrapper.read_bytes().startswith(b"#!/bin/sh\n")
    assert b"\r" not in wrapper.read_bytes()


def test_an_exception_in_the_handler(runtime: Runtime) -> None:
    """A handler that fails is reported as AWS's runtime does, with X-Ray's cause."""
    invocation = runtime.api.invoke({"do": "fails"})
    error = json.loads(invocation.all())
    assert (invocation.kind, error["errorType"]) == ("error", "LookupError")
    assert "lambda-runtime-function-xray-error-cause" in invocation.headers


@pytest.mark.parametrize("kind", ["value", "os"])
def test_an_exception_before_the_first_piece(runtime: Runtime, gate: Gate, kind: str) -> None:
    """A body that fails before its first piece is closed and reported as a handler's failure."""
    invocation = runtime.api.invoke({"do": "breaks", "after": 0, "with": kind, "gate": gate.port})
    assert gate.closed()
    gate.open()
    error = json.loads(invocation.all())
    name = {"value": "ValueError", "os": "OSError"}[kind]
    assert (invocation.kind, error["errorType"]) == ("error", name)


@pytest.mark.parametrize("kind", ["value", "os"])
def test_an_exception_in_the_middle(runtime: Runtime, gate: Gate, kind: str) -> None:
    """After the first piece an exception ends the answer properly, with trailers, and is logged."""
    invocation = runtime.api.invoke({"do": "breaks", "after": 2, "with": kind, "gate": gate.port})
    runtime.api.wait_until_asked()
    prelude_of(invocation)
    assert [invocation.next(), invocation.next()] == [b"piece", b"piece"]
    assert invocation.next() is None
    name = {"value": "ValueError", "os": "OSError"}[kind]
    assert invocation.trailers["lambda-runtime-function-error-type"] == name
    told = base64.b64decode(invocation.trailers["lambda-runtime-function-error-body"])
    assert json.loads(told)["errorType"] == name
    assert b"secret" not in told
    assert gate.closed()
    gate.open()
    runtime.api.wait_until_asked()
    log = runtime.log()
    assert "an answer broke off" in log
    assert invocation.id in log


def test_no_memory_in_the_middle(runtime: Runtime, gate: Gate) -> None:
    """Out of memory the body is closed, the answer is cut, and the process ends."""
    invocation = runtime.api.invoke(
        {"do": "breaks", "after": 1, "with": "memory", "gate": gate.port}
    )
    prelude_of(invocation)
    assert invocation.next() == b"piece"
    assert gate.closed()
    gate.open()
    assert invocation.next() == "cut"
    assert runtime.process.wait(30) == 1


def test_an_exit_in_the_handler(runtime: Runtime) -> None:
    """A handler that ends the process ends it; Lambda reports that."""
    runtime.api.invoke({"do": "exits"})
    assert runtime.process.wait(30) == 3


def test_a_slow_reader(runtime: Runtime, gate: Gate) -> None:
    """A reader who takes nothing is dropped at the margin, but only after the body was closed."""
    invocation = runtime.api.invoke(
        {"do": "floods", "gate": gate.port}, left_ms=MARGIN_MS + 200, reads=False
    )
    runtime.api.wait_until_asked()
    assert gate.closed()
    # All that was sent can be read, and still no end: the connection stands while the body closes.
    invocation.reads.set()
    prelude_of(invocation)
    with pytest.raises(queue.Empty):
        while True:
            assert invocation.arrived.get(timeout=0.3) == bytes(64 * 1024)
    gate.open()
    assert invocation.next() == "cut"
    runtime.api.wait_until_asked()
    assert "an answer was not taken to its end: the reader is too slow" in runtime.log()
    assert runtime.api.invoke({"do": "pieces", "pieces": ["a"]}).all()


def test_an_end_after_the_margin(runtime: Runtime) -> None:
    """An answer that is ready after the margin still gets out to a reader who reads."""
    invocation = runtime.api.invoke({"do": "pieces", "pieces": ["late", "end"]}, left_ms=10)
    assert parsed(invocation.all())[1] == b"lateend"


def test_headers_beyond_the_limit(runtime: Runtime, gate: Gate) -> None:
    """Headers that do not fit into 16 KB become an error in the same form, with the same id."""
    headers = [["X-Request-Id", "req_1"], ["X-Long", "x" * 16_384]]
    invocation = runtime.api.invoke({"do": "floods", "headers": headers, "gate": gate.port})
    assert gate.closed()
    gate.open()
    prelude, body = parsed(invocation.all())
    assert prelude == {
        "statusCode": 500,
        "headers": {"Content-Type": "application/json", "X-Request-Id": "req_1"},
    }
    assert json.loads(body)["error"]["code"] == "internal_error"


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 500)])
def test_the_limit_of_headers_is_exact(runtime: Runtime, more: int, status: int) -> None:
    """Prelude and delimiter may take 16,384 bytes and not one more."""
    bare = len('{"statusCode":200,"headers":{"A":""}}') + 8
    headers = [["A", "x" * (16_384 - bare + more)]]
    invocation = runtime.api.invoke({"do": "pieces", "headers": headers, "pieces": []})
    assert parsed(invocation.all())[0]["statusCode"] == status


def test_a_refused_answer_is_logged(runtime: Runtime) -> None:
    """What the Runtime API refuses is a line in the log, and the process goes on."""
    runtime.api.invoke({"do": "pieces", "pieces": ["a"]}, reply=413).all()
    runtime.api.invoke({"do": "pieces", "pieces": ["a"]}).all()
    assert "the Runtime API refused an answer: 413" in runtime.log()


def test_a_body_that_fails_to_close(runtime: Runtime) -> None:
    """A failure while closing is a line in the log; the answer and the process stand."""
    assert parsed(runtime.api.invoke({"do": "stubborn"}).all())[1] == b"fine"
    runtime.api.invoke({"do": "pieces", "pieces": ["a"]}).all()
    assert "cannot close" in runtime.log()


def test_a_handler_that_is_not_there(tmp_path: Path) -> None:
    """A module that can't be imported is an init error, and the process ends."""
    with started(tmp_path, handler="nowhere.lambda_handler") as runtime:
        headers, error = runtime.api.init_errors.get(timeout=30)
        assert runtime.process.wait(30) == 1
    assert headers["lambda-runtime-function-error-type"] == "Runtime.ImportModuleError"
    assert "nowhere" in error["errorMessage"]
    assert runtime.api.calls == ["POST init/error"]
