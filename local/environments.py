"""Execution environments: the processes that run a function, as Lambda runs them.

An environment serves one request at a time and is used again while it is warm. One that crashed,
ran into the function's timeout or failed to start is thrown away; an idle one ends after a while.
Source: Lambda Developer Guide, "Understanding the Lambda execution environment lifecycle".

Differences from AWS: memory is reported, not limited; an environment is not frozen between calls.
Which environment takes a call is decided in :mod:`local.pools`.
"""

import asyncio
import contextlib
import math
import os
import signal
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from local.invocations import FunctionError, Invocation
from local.limits import INIT_TIMEOUT_S
from local.output import Output
from local.process import command, peak_memory_mb, process_environment, region_of
from local.runtime_api import RuntimeApi
from local.template import Function

_ACCOUNT = "000000000000"

Sink = Callable[[str, str], None]


class Settings(NamedTuple):
    """How environments are run, the same for every function."""

    environment: Mapping[str, str]  # what AWS would give: region, credentials; here the endpoint
    sink: Sink  # takes (function id, line) of what functions print
    reports: bool = False  # START, END and REPORT lines too
    environments_max: int = 128  # for each function that reserves no concurrency in the template
    idle_s: float = 300


class Owner(Protocol):
    """Who is told what becomes of an environment."""

    def idle(self, environment: "Environment") -> None:
        """It waits for its next invocation."""

    def forget(self, environment: "Environment") -> None:
        """It takes no more invocations."""

    def ended(self, environment: "Environment") -> None:
        """Its process has ended and been waited for."""


class Environment:
    """One process of a function, its Runtime API and the invocation it is at."""

    def __init__(self, function: Function, settings: Settings, owner: Owner) -> None:
        self._function = function
        self._settings = settings
        self._owner = owner
        self._started_at_s = time.monotonic()
        self._taken_at_s = 0.0
        self._init_s: float | None = None  # until the first REPORT has told it
        self._init_error: FunctionError | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._life: asyncio.Task[None] | None = None
        self._stopping = False
        self._peak_mb: int | None = None
        self._invocation: Invocation | None = None
        self._ready = False
        self._status = ""
        self._output = Output(self.tell)
        region = region_of(settings.environment)
        self._api = RuntimeApi(
            function_arn=f"arn:aws:lambda:{region}:{_ACCOUNT}:function:{function.id}",
            timeout_s=function.timeout_s,
            on_idle=self._idle,
            on_init_error=self._init_failed,
        )

    @property
    def pid(self) -> int | None:
        """The process's id while it runs."""
        return None if self._process is None else self._process.pid

    @property
    def settling(self) -> bool:
        """Whether it has answered and not yet asked for its next invocation."""
        return self._ready and self._invocation is not None and self._invocation.reply.ended

    def tell(self, line: str) -> None:
        """Pass on a line about this function."""
        self._settings.sink(self._function.id, line)

    def start(self, invocation: Invocation) -> None:
        """Start the process; it gets `invocation` as soon as it is ready."""
        self._invocation = invocation
        self._limit(INIT_TIMEOUT_S + self._function.timeout_s)
        self._life = asyncio.create_task(self._live(invocation))

    def invoke(self, invocation: Invocation) -> None:
        """Give an idle environment its next invocation."""
        self._invocation = invocation
        self._limit(self._function.timeout_s)
        self._taken_at_s = time.monotonic()
        if self._settings.reports:
            self.tell(f"START RequestId: {invocation.id} Version: $LATEST")
        self._api.hand_out(invocation)

    async def stop(self) -> None:
        """End the process and wait for its end."""
        self._stopping = True
        if self._invocation is not None:
            error = FunctionError.of("Runtime.ExitError", "The environment was stopped.")
            self._invocation.reply.end(error)
        self._kill()
        if self._life is not None:
            await self._life

    async def _live(self, invocation: Invocation) -> None:
        """From the start of the process to its end."""
        try:
            await self._api.start()
            process = await self._spawn()
        except OSError as exc:
            invocation.reply.end(FunctionError.of("Runtime.InvalidEntrypoint", str(exc)))
        else:
            self._process = process
            if self._stopping:
                self._kill()
            code = await process.wait()
            self._owner.forget(self)
            # What the process had sent in full before it ended counts, so that is read first.
            await self._api.drain()
            self._account_for_end(code)
        finally:
            if self._timer is not None:
                self._timer.cancel()
            await self._api.stop()
            self._output.close()
            self._owner.ended(self)

    async def _spawn(self) -> asyncio.subprocess.Process:
        self._output.open()
        try:
            return await asyncio.create_subprocess_exec(
                *command(self._function),
                env=process_environment(self._function, self._settings.environment, self._api.port),
                cwd=self._function.code_dir,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=self._output.write_fd,
                stderr=self._output.write_fd,
                start_new_session=True,
            )
        finally:
            self._output.started()

    def _idle(self) -> None:
        """The process asks for an invocation: it is ready, or done with the last one."""
        if not self._ready:
            self._ready = True
            self._init_s = time.monotonic() - self._started_at_s
            if self._invocation is not None:
                self.invoke(self._invocation)
                return
        if self._invocation is not None:
            self._report(self._invocation)
        self._invocation = None
        self._limit(self._settings.idle_s)
        self._owner.idle(self)

    def _limit(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._time_is_up)

    def _time_is_up(self) -> None:
        """The function's timeout, or the end of a long idleness: either way the process ends."""
        invocation = self._invocation
        self._owner.forget(self)
        self._stopping = True  # even if the process is only just being made
        if invocation is not None:
            seconds = f"{self._function.timeout_s:.2f} seconds"
            message = f"RequestId: {invocation.id} Error: Task timed out after {seconds}"
            self._status = "timeout"
            self.tell(f"{invocation.id} Task timed out after {seconds}")
            invocation.reply.end(FunctionError.of("Sandbox.Timedout", message))
        self._kill()

    def _init_failed(self, error: FunctionError) -> None:
        if not self._ready:
            self._init_error = error

    def _account_for_end(self, code: int) -> None:
        """The process has ended: answer for it when it owed an answer."""
        invocation = self._invocation
        if invocation is None:
            return
        how = f"signal: {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        message = f"RequestId: {invocation.id} Error: Runtime exited with error: {how}"
        crash = self._init_error or FunctionError.of("Runtime.ExitError", message)
        if not invocation.reply.ended:
            self._status = "error"
            self.tell(f"{message} {crash.kind}")
            invocation.reply.end(crash)
        self._report(invocation)

    def _kill(self) -> None:
        process = self._process
        if process is not None and process.returncode is None:
            self._measure()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # a session of its own, so its own group

    def _report(self, invocation: Invocation) -> None:
        """END and REPORT, after what the function printed."""
        self._output.drain()
        if not self._settings.reports:
            return
        taken_at_s = self._taken_at_s or self._started_at_s
        self._measure()
        report = report_line(
            invocation.id,
            duration_ms=(time.monotonic() - taken_at_s) * 1000,
            init_ms=None if self._init_s is None else self._init_s * 1000,
            memory_mb=self._function.memory_mb,
            peak_mb=self._peak_mb,
            status=self._status,
        )
        self._init_s = None
        self.tell(f"END RequestId: {invocation.id}")
        self.tell(report)

    def _measure(self) -> None:
        """Note the memory; a process that was just killed has none to tell, and keeps its last."""
        if self._process is not None and self._process.returncode is None:
            self._peak_mb = peak_memory_mb(self._process.pid) or self._peak_mb


def report_line(
    request_id: str,
    *,
    duration_ms: float,
    init_ms: float | None,
    memory_mb: int,
    peak_mb: int | None,
    status: str,
) -> str:
    """Lambda's REPORT line. Since August 2025 the start counts towards the billed duration too."""
    parts = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {duration_ms:.2f} ms",
        f"Billed Duration: {math.ceil(duration_ms + (init_ms or 0))} ms",
        f"Memory Size: {memory_mb} MB",
    ]
    if peak_mb is not None:
        parts.append(f"Max Memory Used: {peak_mb} MB")
    if init_ms is not None:
        parts.append(f"Init Duration: {init_ms:.2f} ms")
    if status:
        parts.append(f"Status: {status}")
    return "\t".join(parts)
