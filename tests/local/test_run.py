"""`make run` as a person uses it: a process of its own, what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import pytest

from local.environment_file import read_environment
from local.stack import LocalStack
from local.state import StateDirectory
from local.upstream import UpstreamSimulator
from tests.local.processes import children, command_line, is_alive, listening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

REPOSITORY = Path(__file__).parents[2]
_REAL_UPSTREAM_KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "DEEPSEEK_API_KEY")
_END_TIMEOUT_S = 40
# The cloud, the upstream's simulator, two of payment providers, and one of the rates' sources.
_PARTS = 5
_SIMULATORS = ("OSIRIS_SIM_MIDTRANS", "OSIRIS_SIM_NOWPAYMENTS")
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="uses Linux's own interfaces")


class Running(NamedTuple):
    """A `make run` that has said it is ready."""

    process: subprocess.Popen[str]
    state: StateDirectory
    printed: str

    @property
    def environment(self) -> dict[str, str]:
        return read_environment(self.state)

    def part(self, first_line: str) -> str:
        """The printed lines from the one that begins so, to the next empty one."""
        found = re.search(rf"^{re.escape(first_line)}.*?(?=^$)", self.printed, re.S | re.M)
        assert found, self.printed
        return found[0]

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """Send the signal and wait; the exit code and what was still printed."""
        if self.process.poll() is not None:
            return self.process.returncode, ""
        self.process.send_signal(number)
        with self.process:
            printed = self.process.communicate(timeout=_END_TIMEOUT_S)[0]
        return self.process.returncode, printed


def _environment() -> dict[str, str]:
    """The tests' own, without keys that would send models to a real upstream."""
    return {name: os.environ[name] for name in os.environ if name not in _REAL_UPSTREAM_KEYS}


def _popen(path: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "local.run", "--state", str(path), *arguments],
        cwd=REPOSITORY,
        env=_environment() | {"AWS_PROFILE": "somebody-else"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _start(path: Path, *arguments: str) -> Running:
    process = _popen(path, *arguments)
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if line.startswith("Ctrl-C"):
            return Running(process, StateDirectory(path), printed)
    raise AssertionError(f"it ended with {process.wait()}:\n{printed}")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One that serves the tests which only use it."""
    run = _start(tmp_path_factory.mktemp("state"), "--port", "0")
    yield run
    run.end(signal.SIGTERM)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Running]]:
    """Starts one on the test's own state; whatever still runs at the end is ended."""
    runs: list[Running] = []

    def begin() -> Running:
        runs.append(_start(tmp_path, "--port", "0"))
        return runs[-1]

    yield begin
    for run in runs:
        run.end(signal.SIGTERM)


@needs_curl
def test_the_printed_curl_line_streams_an_answer(running: Running) -> None:
    """Pasted into a shell, it brings server-sent events up to [DONE], with usage and cost."""
    answer = subprocess.run(
        ["bash", "-c", running.part("curl -N")], capture_output=True, text=True, check=True
    ).stdout
    events = [line.removeprefix("data: ") for line in answer.splitlines() if line]
    assert events[-1] == "[DONE]"
    usages = [json.loads(event).get("usage") for event in events[:-1]]
    assert usages[-1]["cost"] >= 0.001


def test_the_printed_python_lines_print_an_answer(running: Running) -> None:
    """Pasted into the environment's Python, they print the model's words."""
    answer = subprocess.run(
        [sys.executable, "-c", running.part("from openai import OpenAI")],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip()


def test_the_demo_key_has_credit(running: Running) -> None:
    """The key that is printed is the one in .local/env, and it has money on it."""
    environment = running.environment
    assert environment["OSIRIS_API_KEY"] in running.printed
    key = _get(f"{environment['OSIRIS_BASE_URL']}/key", environment["OSIRIS_API_KEY"])
    assert float(key["balance"]) > 0
    assert key["expires_at"]


@pytest.mark.parametrize("name", _SIMULATORS)
def test_the_payment_simulators_answer_where_they_are_said_to_be(
    running: Running, name: str
) -> None:
    """Each address stands in .local/env, is printed, and shows a page to pay on."""
    url = running.environment[name]
    assert url in running.printed
    page = httpx.get(f"{url}/", trust_env=False).raise_for_status()
    assert page.headers["content-type"].startswith("text/html")


def test_the_product_is_told_of_the_simulators(running: Running) -> None:
    """Packages have a price in rupiah, by the simulated rate, and can be paid both ways."""
    environment = running.environment
    for name in _SIMULATORS:
        assert environment[name] in environment["OSIRIS_PROVIDER_URLS"]
    root = environment["OSIRIS_BASE_URL"].removesuffix("/v1")
    offer = _get(f"{root}/api/topups/packages", _token(running))
    assert offer["problem"] is None
    for package in offer["data"]:
        assert package["rupiah"]
        assert sorted(package["methods"]) == ["crypto", "qris"]


def test_the_environment_file_is_all_that_the_operator_needs(running: Running) -> None:
    """After `source .local/env` the `osiris` command reads the local tables."""
    osiris = Path(sys.executable).with_name("osiris")
    answer = subprocess.run(
        ["sh", "-c", f". {running.state.path}/env && {osiris} models list --json"],
        env={"PATH": os.environ["PATH"], "AWS_PROFILE": "somebody-else"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "claude-opus-4.6" in answer.stdout


def test_the_operators_apply_keeps_the_models_where_they_lead(running: Running) -> None:
    """`osiris models apply` after `source .local/env` finds nothing to change."""
    osiris = Path(sys.executable).with_name("osiris")
    answer = subprocess.run(
        ["sh", "-c", f". {running.state.path}/env && {osiris} models apply --dry-run --json"],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    plan = json.loads(answer.stdout)
    assert (plan["added"], plan["changed"], plan["removed"]) == ([], [], [])


def test_the_token_opens_the_dashboard_api(running: Running) -> None:
    """`make token` prints one token and nothing else; /api/keys shows the demo key by it."""
    root = running.environment["OSIRIS_BASE_URL"].removesuffix("/v1")
    keys = _get(f"{root}/api/keys", _token(running))["data"]
    assert [key["name"] for key in keys] == ["demo"]


@linux_only
def test_everything_listens_on_loopback_alone(running: Running) -> None:
    """The front, the cloud and the simulators: none can be reached from another machine."""
    pids = [running.process.pid, *children(running.process.pid)]
    addresses = {address for pid in pids for address in listening(pid)}
    assert {host for host, _ in addresses} == {"127.0.0.1"}
    assert len(addresses) >= 1 + _PARTS


@linux_only
@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("local.upstream", "the upstream simulator"),
        ("local.payments midtrans", "the midtrans simulator"),
    ],
)
def test_it_ends_when_a_part_has_failed(
    start: Callable[[], Running], command: str, name: str
) -> None:
    """A part that ends by itself ends the rest, and a sentence names it and its log."""
    run = start()
    simulator = _pid_of(run, command)
    os.kill(simulator, signal.SIGKILL)
    with run.process:
        printed = run.process.communicate(timeout=_END_TIMEOUT_S)[0]
    assert run.process.returncode == 1
    assert f"{name} has ended; see " in printed


def test_a_second_run_of_the_same_state_is_refused(running: Running) -> None:
    """It says whose process it is, and ends with 1."""
    answer = _failed_start(running.state.path, "--port", "0")
    assert f"(process {running.process.pid})" in answer.stderr
    assert answer.stdout.splitlines() == ["Starting Osiris …"]


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    """A port that something else serves ends the start with a sentence that names it."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        answer = _failed_start(tmp_path, "--port", str(port))
    assert f"port {port}" in answer.stderr
    assert "PORT=" in answer.stderr
    assert "Traceback" not in answer.stderr


@linux_only
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_everything_and_begins_again_where_it_was(
    start: Callable[[], Running], number: signal.Signals
) -> None:
    """After Ctrl-C or SIGTERM no process is left; the next run has the key and what it spent."""
    first = start()
    environment = first.environment
    _ask(environment, "deepseek-v3")
    spent = _get(f"{environment['OSIRIS_BASE_URL']}/key", environment["OSIRIS_API_KEY"])
    below = children(first.process.pid)
    assert len(below) >= _PARTS + 1, "the parts and a function"
    code, printed = first.end(number)
    assert (code, printed.splitlines()[-1]) == (0, "Ended.")
    assert [pid for pid in below if is_alive(pid)] == []

    second = start()
    assert second.environment == environment
    again = _get(f"{environment['OSIRIS_BASE_URL']}/key", environment["OSIRIS_API_KEY"])
    assert again["balance"] == spent["balance"]
    assert second.end(number)[0] == 0


def test_a_signal_while_it_starts_ends_it_in_order(tmp_path: Path) -> None:
    """Ctrl-C before it is ready ends it as well: no traceback, and 0."""
    process = _popen(tmp_path, "--port", "0")
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == "Starting Osiris …\n"
        process.send_signal(signal.SIGINT)
        printed = process.communicate(timeout=_END_TIMEOUT_S)[0]
    assert (process.returncode, printed) == (0, "Ended.\n")


@linux_only
def test_a_killed_run_leaves_no_process_behind(start: Callable[[], Running]) -> None:
    """SIGKILL ends the cloud, the simulators and idle functions too."""
    run = start()
    environment = run.environment
    _get(f"{environment['OSIRIS_BASE_URL']}/models", environment["OSIRIS_API_KEY"])
    below = children(run.process.pid)
    assert len(below) >= _PARTS + 1
    run.end(signal.SIGKILL)
    deadline = time.monotonic() + _END_TIMEOUT_S
    while left := [pid for pid in below if is_alive(pid)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def test_an_upstream_whose_key_is_known_is_the_real_one(tmp_path: Path) -> None:
    """With DEEPSEEK_API_KEY its models go to its base URL with that key, all others do not."""
    with UpstreamSimulator() as real, UpstreamSimulator() as simulated:
        environ = {"DEEPSEEK_API_KEY": "sk-real", "DEEPSEEK_BASE_URL": real.base_url}
        with LocalStack(
            state_dir=tmp_path, upstream_url=simulated.base_url, environ=environ
        ) as stack:
            for model in ("deepseek-v3", "claude-opus-4.6"):
                _ask(stack.environment, model)
    assert [request.carried("sk-real") for request in real.requests] == [True]
    assert [request.carried("sk-real") for request in simulated.requests] == [False]


def _ask(environment: Mapping[str, str], model: str) -> None:
    answer = httpx.post(
        f"{environment['OSIRIS_BASE_URL']}/chat/completions",
        json={"model": model, "messages": [{"role": "user", "content": "Hello!"}]},
        headers={"Authorization": f"Bearer {environment['OSIRIS_API_KEY']}"},
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text


def _token(run: Running) -> str:
    """What `make token` prints: one token and nothing else."""
    answer = subprocess.run(
        [sys.executable, "-m", "local.token", "--state", str(run.state.path)],
        cwd=REPOSITORY,
        env=_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    (token,) = answer.stdout.split()
    return token


def _failed_start(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    answer = subprocess.run(
        [sys.executable, "-m", "local.run", "--state", str(path), *arguments],
        cwd=REPOSITORY,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=_END_TIMEOUT_S,
    )
    assert answer.returncode == 1
    return answer


def _pid_of(run: Running, command: str) -> int:
    for pid in children(run.process.pid):
        if command in command_line(pid):
            return pid
    raise AssertionError(f"no {command} below {run.process.pid}")


def _get(url: str, token: str) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.get(url, headers=headers, trust_env=False).raise_for_status().json()
