"""The state directory (``.local/``): what the stack keeps over restarts.

One stack uses a directory at a time. The lock is an ``flock`` that the local cloud inherits, so the
directory is free only when both have ended: a cloud that still writes its state after the stack
was killed outright keeps the next one waiting, and no file of process ids can go stale.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
import socket
import time
from pathlib import Path

from local.problems import CannotStart

STATE_DIR = Path(__file__).parents[1] / ".local"

_LOCK_POLL_S = 0.1
_LOG_BYTES_MAX = 10 * 1024 * 1024
# Below what Linux (from 32768) and others (from 49152) give to outgoing connections, so that none
# of them takes the port between our look and the server's bind.
_PORTS = range(20_000, 32_000)


class StateInUse(CannotStart):
    """Another stack uses the directory."""


class StateDirectory:
    """The files of one stack, private to their owner."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self.logs = self.folder("log")
        self._lock: int | None = None

    def folder(self, name: str) -> Path:
        folder = self.path / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def lock(self, *, timeout_s: float) -> int:
        """Take the directory and return the lock's file descriptor; raise `StateInUse`.

        A stack that runs is told of at once; `timeout_s` is for one whose process has ended and
        whose local cloud still writes its state.
        """
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + timeout_s
        while not _locks(descriptor):
            holder = int(os.pread(descriptor, 20, 0) or 0)
            if _is_running(holder) or time.monotonic() > deadline:
                os.close(descriptor)
                raise StateInUse(f"{self.path} is in use by another `make run` (process {holder})")
            time.sleep(_LOCK_POLL_S)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._lock = descriptor
        return descriptor

    def unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def read(self, name: str) -> str | None:
        """The text of a private file, or None."""
        try:
            return (self.path / name).read_text()
        except FileNotFoundError:
            return None

    def write(self, name: str, text: str) -> Path:
        """Replace a private file as a whole; nobody else can read it at any moment."""
        path = self.path / name
        fresh = path.with_name(path.name + ".new")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        return fresh.replace(path)

    def port(self, name: str) -> int:
        """A free loopback port: the one this name had last time, if it is still free.

        An address that someone sourced from ``.local/env`` then outlives a restart.
        """
        ports = json.loads(self.read("ports.json") or "{}")
        kept = ports.get(name)
        if not (isinstance(kept, int) and is_free(kept)):
            ports[name] = _any_free_port()
            self.write("ports.json", json.dumps(ports, indent=2) + "\n")
        return int(ports[name])

    def log(self, name: str) -> Path:
        """The log file of a name; one that has grown large makes room, and stays beside it once."""
        path = self.logs / f"{name}.log"
        if path.exists() and path.stat().st_size > _LOG_BYTES_MAX:
            path.replace(self.logs / f"{name}.1.log")
        return path


def _locks(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid > 0


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:`port` now; raise `CannotStart` if we may not."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise CannotStart(f"port {port} can't be served: {error.strerror}") from error
    return True


def _any_free_port() -> int:
    while True:
        port = _PORTS.start + secrets.randbelow(len(_PORTS))
        if is_free(port):
            return port
