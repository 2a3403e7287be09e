"""Processes that the local stack starts: each has a log file, a leash, and an end.

A child lives in a process group of its own, so that Ctrl-C reaches the stack alone, which then
ends its children in order. Start children from a thread that lives as long as the stack: the
leash (see :mod:`local.leash`) is tied to the thread that started the child.
"""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from local.problems import CannotStart

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LEASH = Path(__file__).with_name("leash.py")
_POLL_INTERVAL_S = 0.02


class ChildFailed(CannotStart):
    """A child ended, or never answered, while it was needed; the text names its log."""


class Child:
    """One running process of the stack.

    `stop_signal` is what asks it to end; it has `stop_timeout_s` to do so before it is killed.
    `inherit` are file descriptors that stay open in it (see :mod:`local.state`).
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str],
        directory: Path | None = None,
        inherit: Sequence[int] = (),
        stop_signal: signal.Signals = signal.SIGTERM,
        stop_timeout_s: float = 20.0,
    ) -> None:
        self.name = name
        self.log = log
        self._stop_signal = stop_signal
        self._stop_timeout_s = stop_timeout_s
        leashed = [
            sys.executable,
            *("-I", "-S", str(_LEASH), str(os.getpid()), str(int(stop_signal))),
            *command,
        ]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                leashed,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=directory,
                env=dict(environment),
                pass_fds=tuple(inherit),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_running(self) -> bool:
        return self._process.poll() is None

    def failed(self) -> str | None:
        """That it has ended by itself, in a sentence; None while it runs."""
        return None if self.is_running() else f"{self.name} has ended; see {self.log}"

    def wait_until_answering(self, port: int, path: str, *, timeout_s: float) -> None:
        """Return once the child answers on `port`; raise `ChildFailed` if it never does."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if not self.is_running():
                raise ChildFailed(f"{self.name} ended at its start; see {self.log}")
            if answers(port, path):
                return
            time.sleep(_POLL_INTERVAL_S)
        raise ChildFailed(f"{self.name} did not answer in {timeout_s:.0f} s; see {self.log}")

    def stop(self) -> None:
        """End the process and wait for it; harmless when it has ended."""
        if self.is_running():
            self._process.send_signal(self._stop_signal)
        try:
            self._process.wait(self._stop_timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def bare_environment() -> dict[str, str]:
    """What any program needs of our environment; the user's AWS settings and proxies stay out."""
    names = ("PATH", "HOME", "LANG", "SSL_CERT_FILE")
    return {name: os.environ[name] for name in names if name in os.environ}


def answers(port: int, path: str) -> bool:
    """Whether a server on 127.0.0.1:`port` answers `path` with no error of its own.

    Asked directly: a proxy that the environment names has nothing to do with loopback.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < http.client.INTERNAL_SERVER_ERROR
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
