"""Processes of the stack: they end when they are told, and when their parent is gone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local.children import Child, ChildFailed
from tests.local.processes import command_line, is_alive

REPOSITORY = Path(__file__).parents[2]


def _child(log: Path, code: str) -> Child:
    return Child(
        "the test child", [sys.executable, "-c", code], log=log, environment=dict(os.environ)
    )


def test_a_child_ends_by_its_signal(tmp_path: Path) -> None:
    """stop() asks by SIGTERM, waits for what the child still does, and may be repeated."""
    code = (
        "import signal, sys\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\n"
        "print('up', flush=True); signal.sigwait({signal.SIGTERM}); print('saved')"
    )
    log = tmp_path / "log"
    child = _child(log, code)
    _wait_for(lambda: "up" in log.read_text())
    child.stop()
    child.stop()
    assert not child.is_running()
    assert log.read_text() == "up\nsaved\n"


def test_a_child_that_ends_at_its_start_is_reported_with_its_log(tmp_path: Path) -> None:
    """Waiting for a child that has failed ends at once and names the log to read."""
    child = _child(tmp_path / "child.log", "raise SystemExit('no')")
    with pytest.raises(ChildFailed, match=r"the test child ended at its start; see .*child\.log"):
        child.wait_until_answering(9, "/", timeout_s=60)
    child.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_children_end_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    """SIGKILL to the parent leaves no child behind."""
    code = (
        "import os, sys, time; from pathlib import Path; from local.children import Child\n"
        f"child = Child('c', ['sleep', '600'], log=Path({str(tmp_path / 'log')!r}), "
        "environment=dict(os.environ))\n"
        "print(child.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    )
    assert parent.stdout is not None
    with parent:
        child_pid = int(parent.stdout.readline())
        _wait_for(lambda: "sleep" in command_line(child_pid))
        parent.kill()
    _wait_for(lambda: not is_alive(child_pid))


def _wait_for(condition: object, timeout_s: float = 30) -> None:
    assert callable(condition)
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)
