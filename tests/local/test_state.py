"""The state directory: one user at a time, private files, ports that stay."""

from __future__ import annotations

import errno
import os
import socket
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from local.environment_file import read_environment, write_environment
from local.problems import CannotStart
from local.state import StateDirectory, StateInUse, is_free

if TYPE_CHECKING:
    from pathlib import Path


def test_a_directory_serves_one_stack_at_a_time(tmp_path: Path) -> None:
    """A second stack is refused with the first one's process id, and let in once it has ended."""
    first, second = StateDirectory(tmp_path), StateDirectory(tmp_path)
    first.lock(timeout_s=0)
    with pytest.raises(StateInUse, match=rf"{tmp_path} is in use .*\(process {os.getpid()}\)"):
        second.lock(timeout_s=0)
    first.unlock()
    second.lock(timeout_s=0)
    second.unlock()


def test_a_child_that_inherits_the_lock_holds_the_directory(tmp_path: Path) -> None:
    """The directory stays taken until the process that writes its state has ended, too."""
    first, second = StateDirectory(tmp_path), StateDirectory(tmp_path)
    lock = first.lock(timeout_s=0)
    child = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(lock,)
    )
    first.unlock()
    with pytest.raises(StateInUse):
        second.lock(timeout_s=0)
    child.communicate(b"\n")
    second.lock(timeout_s=0)
    second.unlock()


def test_files_are_private_and_replaced_whole(tmp_path: Path) -> None:
    """Only their owner can read the files, whatever the umask, and an older one leaves no trace."""
    state = StateDirectory(tmp_path)
    path = state.write("key", "first")
    path.chmod(0o644)
    state.write("key", "second")
    assert state.read("key") == "second"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert state.read("nothing") is None


def test_a_port_is_kept_while_it_is_free(tmp_path: Path) -> None:
    """A name has the port of last time, and another one only when that is taken."""
    port = StateDirectory(tmp_path).port("cloud")
    assert StateDirectory(tmp_path).port("cloud") == port
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        assert StateDirectory(tmp_path).port("cloud") != port


def test_a_port_that_may_not_be_served_is_not_called_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the system refuses for another reason is said with that reason."""

    def refused(_socket: socket.socket, _address: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("socket.socket.bind", refused)
    with pytest.raises(CannotStart, match="port 80 can't be served: Permission denied"):
        is_free(80)


def test_the_environment_file_means_the_same_to_a_shell_and_to_us(tmp_path: Path) -> None:
    """Whatever a value holds, `source .local/env` sets it, and reading it back gives it too."""
    state = StateDirectory(tmp_path)
    variables = {"OSIRIS_API_KEY": 'it\'s $HOME `x` "y" z', "AWS_REGION": "us-east-1"}
    path = write_environment(state, variables)
    script = (
        f'. {path}; printf "%s|%s|%s|%s" "$OSIRIS_API_KEY" "$AWS_REGION" "$NO_PROXY" "$AWS_PROFILE"'
    )
    shell = subprocess.run(
        ["sh", "-c", script],
        env={"AWS_PROFILE": "mine", "NO_PROXY": "example.org", "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shell.stdout == (
        f"{variables['OSIRIS_API_KEY']}|us-east-1|127.0.0.1,localhost,example.org|"
    )
    assert read_environment(state) == variables
