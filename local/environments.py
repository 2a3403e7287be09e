"""Execution environments: the processes that run a function, as Lambda runs them.

An environment serves one request at a time. A pool takes the environment that was used last, and
starts another when all are busy, up to a limit; beyond it the call is throttled. An environment
that crashed, ran into the function's timeout or failed to start is thrown away; an idle one ends
after a while. Source: Lambda Developer Guide, "Lambda execution environment life cycle".

Differences from AWS: memory is reported, not limited; an environment is not frozen between calls.
"""

import asyncio
import contextlib
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from local.invocations import EventTooLarge, FunctionError, Invocation, Throttled
from local.limits import EVENT_BYTES_MAX, INIT_TIMEOUT_S
from local.output import Output
from local.runtime_api import RuntimeApi
from local.template import Function

_ACCOUNT = "000000000000"
# An environment that has answered asks for its next invocation within a millisecond or so. Waiting
# a moment for it keeps successive calls in one environment, as the network's delay does on AWS.
_SETTLE_S = 0.05
_INHERITED = ("PATH", "LANG", "SSL_CERT_FILE")

Sink = Callable[[str, str], None]


class Settings(NamedTuple):
    """How environments are run, the same for every function."""

    environment: Mapping[str, str]  # what AWS would give: region, credentials; here the endpoint
    sink: Sink  # takes (function id, line) of what functions print
    reports: bool = False  # START, END and REPORT lines too
    environments_max: int = 128  # for each function that reserves no concurrency in the template
    idle_s: float = 300


class Environment:
    """One process of a function, its Runtime API and the invocation it is at."""

    def __init__(self, function: Function, settings: Settings, pool: "Pool") -> None:
        self._function = function
        self._settings = settings
        self._pool = pool
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
        region = settings.environment.get("AWS_REGION", "us-east-1")
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
            self._pool.forget(self)
            # What the process had sent in full before it ended counts, so that is read first.
            await self._api.drain()
            self._account_for_end(code)
        finally:
            if self._timer is not None:
                self._timer.cancel()
            await self._api.stop()
            self._output.close()
            self._pool.ended(self)

    async def _spawn(self) -> asyncio.subprocess.Process:
        try:
            return await asyncio.create_subprocess_exec(
                *command(self._function),
                env=process_environment(self._function, self._settings, self._api.port),
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
        self._pool.idle(self)

    def _limit(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._time_is_up)

    def _time_is_up(self) -> None:
        """The function's timeout, or the end of a long idleness: either way the process ends."""
        invocation = self._invocation
        self._pool.forget(self)
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
            self._peak_mb = peak_memory_mb(process.pid)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # a session of its own, so its own group

    def _report(self, invocation: Invocation) -> None:
        """END and REPORT, after what the function printed."""
        self._output.drain()
        if not self._settings.reports:
            return
        duration_ms = (time.monotonic() - (self._taken_at_s or self._started_at_s)) * 1000
        # Since August 2025 the start counts towards the billed duration too.
        billed_ms = math.ceil(duration_ms + (self._init_s or 0) * 1000)
        parts = [
            f"REPORT RequestId: {invocation.id}",
            f"Duration: {duration_ms:.2f} ms",
            f"Billed Duration: {billed_ms} ms",
            f"Memory Size: {self._function.memory_mb} MB",
        ]
        running = self._process is not None and self._process.returncode is None
        peak_mb = peak_memory_mb(self._process.pid) if self._process and running else self._peak_mb
        if peak_mb is not None:
            parts.append(f"Max Memory Used: {peak_mb} MB")
        if self._init_s is not None:
            parts.append(f"Init Duration: {self._init_s * 1000:.2f} ms")
            self._init_s = None
        if self._status:
            parts.append(f"Status: {self._status}")
        self.tell(f"END RequestId: {invocation.id}")
        self.tell("\t".join(parts))


class Pool:
    """The environments of one function."""

    def __init__(self, function: Function, settings: Settings) -> None:
        self._function = function
        self._settings = settings
        self._environments_max = (
            settings.environments_max
            if function.concurrency_max is None
            else function.concurrency_max
        )
        self._all: set[Environment] = set()
        self._ending: set[Environment] = set()
        self._idle: list[Environment] = []  # the last one was used last
        self._wakers: set[asyncio.Future[None]] = set()

    @property
    def pids(self) -> list[int]:
        """The process ids of the environments that are starting, busy or idle."""
        return [environment.pid for environment in self._all if environment.pid is not None]

    async def invoke(self, invocation: Invocation) -> None:
        """Start an invocation; its answer comes through `invocation.reply`.

        Errors: Throttled, EventTooLarge.
        """
        if len(invocation.event) > EVENT_BYTES_MAX:
            raise EventTooLarge(f"{len(invocation.event)} bytes of {EVENT_BYTES_MAX}")
        if not self._idle and any(environment.settling for environment in self._all):
            await self._wait_for_idle()
        if self._idle:
            self._idle.pop().invoke(invocation)
            return
        if len(self._all) >= self._environments_max:
            raise Throttled(self._function.id)
        environment = Environment(self._function, self._settings, self)
        self._all.add(environment)
        environment.start(invocation)

    async def _wait_for_idle(self) -> None:
        waker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._wakers.add(waker)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SETTLE_S):
                await waker
        self._wakers.discard(waker)

    def idle(self, environment: Environment) -> None:
        """An environment waits for its next invocation."""
        self._idle.append(environment)
        if self._wakers:
            waker = self._wakers.pop()
            if not waker.done():
                waker.set_result(None)

    def forget(self, environment: Environment) -> None:
        """An environment gets no more invocations."""
        if environment in self._all:
            self._all.remove(environment)
            self._ending.add(environment)
        if environment in self._idle:
            self._idle.remove(environment)

    def ended(self, environment: Environment) -> None:
        """An environment's process has ended and been waited for."""
        self.forget(environment)
        self._ending.discard(environment)

    def tell(self, line: str) -> None:
        """Pass on a line about this function."""
        self._settings.sink(self._function.id, line)

    async def stop(self) -> None:
        """End every environment."""
        everything = [*self._all, *self._ending]
        await asyncio.gather(*(environment.stop() for environment in everything))


def command(function: Function) -> list[str]:
    """What starts the function's process: the wrapper it names, or the stock runtime client."""
    bootstrap = [sys.executable, "-m", "awslambdaric", function.handler]
    wrapper = function.environment.get("AWS_LAMBDA_EXEC_WRAPPER")
    return bootstrap if wrapper is None else [_on_this_machine(wrapper, function), *bootstrap]


def process_environment(function: Function, settings: Settings, port: int) -> dict[str, str]:
    """The process's whole environment; nothing else of ours leaks into it.

    Source: Lambda Developer Guide, "Defined runtime environment variables".
    """
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    own = {name: _on_this_machine(value, function) for name, value in function.environment.items()}
    region = settings.environment.get("AWS_REGION", "us-east-1")
    folders = [function.code_dir, *function.layer_dirs]
    return {
        **inherited,
        "TZ": ":UTC",
        "PYTHONPATH": os.pathsep.join(str(folder) for folder in folders),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        **settings.environment,
        **own,
        "_HANDLER": function.handler,
        "LAMBDA_TASK_ROOT": str(function.code_dir),
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
        "AWS_LAMBDA_FUNCTION_NAME": function.id,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.id}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"local/[$LATEST]{port}",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
    }


def _on_this_machine(value: str, function: Function) -> str:
    """A value with the layer's folder on AWS replaced by where the layer lies here."""
    if not function.layer_dirs:
        return value
    return value.replace("/opt/python/", f"{function.layer_dirs[0]}/")


def peak_memory_mb(pid: int) -> int | None:
    """The most memory a process has held resident, in MB; None where the system does not tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return math.ceil(int(line.split()[1]) / 1024)
    return None
