"""Processes under measurement, and the CPU time that each has used.

The kernel keeps a CPU clock for every process (clock_getcpuclockid(3)). Reading another process's
clock while that process waits for its next task needs no hook in it: the product runs unchanged.
"""

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[1]
LAYER = ROOT / "layers" / "common"

_CPUS = sorted(os.sched_getaffinity(0))
SUBJECT_CPU = _CPUS[-1]
OTHERS_CPU = _CPUS[0]

_CPU_CLOCK = 2  # CPUCLOCK_SCHED of the kernel's posix-timers.h
_END_S = 10


@contextlib.contextmanager
def pinned(cpu: int) -> Iterator[None]:
    """What is started in here stays on this CPU."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Subject:
    """One process, on the subjects' CPU unless another is named."""

    def __init__(
        self,
        command: Sequence[str | Path],
        environment: Mapping[str, str],
        *,
        cpu: int = SUBJECT_CPU,
        log: Path | None = None,
    ) -> None:
        """Start it; what it logs goes to `log`, by default nowhere."""
        with pinned(cpu), (log or Path(os.devnull)).open("ab") as output:
            self._process = subprocess.Popen(
                command,
                env=dict(environment),
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if log is None else output,
                stderr=None if log is None else output,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(_END_S)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()

    def tell(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self._process.stdin
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def hear(self) -> str:
        """The next line of its standard output; RuntimeError when it has ended."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} has ended")
        return line.decode().rstrip("\n")

    @property
    def cpu_ns(self) -> int:
        """The CPU time that it has used so far, all threads, user and system."""
        return time.clock_gettime_ns((~self._process.pid << 3) | _CPU_CLOCK)

    def memory_mb(self, name: str = "VmRSS") -> float:
        """Its resident memory now; with "VmHWM" the most that it ever had."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024 / 1e6
        raise RuntimeError(f"no {name}: the process has ended")
