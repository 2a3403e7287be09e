"""The local front: what API Gateway, Lambda and EventBridge do on AWS, on one machine.

    template = Template.load(Path("template.yaml"), parameters={"HoldLapseMs": "2000"})
    front = Front(
        template,
        {"KeysTable": "osiris-keys", "UserPool.ProviderURL": "https://…"},  # Ref and GetAtt
        environment={"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "AWS_REGION": "us-east-1", …},
        function_environment={"ProxyFunction": {"AWS_ENDPOINT_URL_DYNAMODB": "http://…"}},
        port=8080,                          # 0 takes a free one
        sink=lambda function, line: …,      # what functions print
        reports=True,                       # START, END and REPORT lines to the sink too
    )
    with front:                             # or front.start() … front.stop()
        front.base_url                      # "http://127.0.0.1:8080"
        front.invoke("ReconcilerFunction", {})      # Result(payload, error)
        front.fire("ReconcilerFunctionHourly")      # the same with the schedule's own event
        front.pids("ProxyFunction")                 # process ids of its environments

Everything runs in one event loop in one thread of its own; `stop` ends every process, by its id,
and the thread. Errors: PortTaken, TemplateError.
"""

import asyncio
import errno
import json
import threading
from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

from local.environments import Settings, Sink
from local.gateway import Gateway
from local.intrinsics import TemplateError
from local.invocations import FunctionError, Invocation, Throttled
from local.limits import Patience
from local.pools import Pool
from local.process import region_of
from local.schedules import Schedules
from local.template import Template

_START_TIMEOUT_S = 30
_STOP_TIMEOUT_S = 30


class PortTaken(Exception):
    """The port is in use; the text names it."""

    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} on 127.0.0.1 is taken")
        self.port = port


class Result(NamedTuple):
    """What a function answered; `error` is Lambda's errorType when it failed."""

    payload: bytes
    error: str | None


class Front:
    """The gateway, the functions' environments and the schedules of one template."""

    def __init__(
        self,
        template: Template,
        values: Mapping[str, str],
        *,
        environment: Mapping[str, str],
        function_environment: Mapping[str, Mapping[str, str]] | None = None,
        port: int = 0,
        sink: Sink | None = None,
        reports: bool = False,
        environments_max: int = 128,
        idle_s: float = 300,
        patience: Patience | None = None,
    ) -> None:
        settings = Settings(
            environment=dict(environment),
            sink=sink or (lambda _function, _line: None),
            reports=reports,
            environments_max=environments_max,
            idle_s=idle_s,
        )
        extra = function_environment or {}
        functions = template.functions(values)
        unknown = set(extra) - set(functions)
        if unknown:
            raise TemplateError(f"the template has no function {', '.join(sorted(unknown))}")
        self._pools = {
            name: Pool(
                function._replace(environment={**function.environment, **extra.get(name, {})}),
                settings,
            )
            for name, function in functions.items()
        }
        self._port = port
        self._gateway = Gateway(template.api(values), self._pools, patience or Patience())
        self._schedules = Schedules(
            template.schedules(values).values(),
            call=self._call_quietly,
            region=region_of(environment),
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def base_url(self) -> str:
        """Where the API is served, without a stage, as behind a custom domain."""
        return f"http://127.0.0.1:{self._gateway.port}"

    def start(self) -> None:
        """Serve; returns when requests are taken. Errors: PortTaken."""
        assert self._thread is None, "the front has been started"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="local-front")
        self._thread.start()
        try:
            self._run(self._start(), timeout_s=_START_TIMEOUT_S)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End everything that was started; harmless when nothing was."""
        if self._loop is None or self._thread is None:
            return
        try:
            self._run(self._stop(), timeout_s=_STOP_TIMEOUT_S)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
            self._loop = self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def invoke(self, function: str, event: object, *, timeout_s: float | None = None) -> Result:
        """Call a function as `aws lambda invoke` does. Errors: Throttled, TimeoutError."""
        document = json.dumps(event).encode()
        return self._run(self._invoke(function, document), timeout_s=timeout_s)

    def fire(self, schedule: str, *, timeout_s: float | None = None) -> Result:
        """Call a schedule's function at once, with the event that EventBridge would send."""
        event = self._schedules.event(schedule)
        function = self._schedules.function(schedule)
        return self._run(self._invoke(function, event), timeout_s=timeout_s)

    def pids(self, function: str) -> list[int]:
        """The process ids of a function's environments."""

        async def ask() -> list[int]:
            return self._pools[function].pids

        return self._run(ask(), timeout_s=_START_TIMEOUT_S)

    async def _start(self) -> None:
        try:
            await self._gateway.start(self._port)
        except OSError as exc:
            if exc.errno == errno.EADDRINUSE:
                raise PortTaken(self._port) from exc
            raise
        self._schedules.start()

    async def _stop(self) -> None:
        await self._schedules.stop()
        await self._gateway.stop()
        for pool in self._pools.values():
            await pool.stop()

    async def _invoke(self, function: str, event: bytes) -> Result:
        invocation = Invocation(event)
        await self._pools[function].invoke(invocation)
        try:
            return Result(await invocation.reply.read_all(), None)
        except FunctionError as exc:
            return Result(exc.payload, exc.kind)
        finally:
            invocation.reply.abandon()

    async def _call_quietly(self, function: str, event: bytes) -> None:
        """A schedule's call: nobody waits for its answer, and a failure is in its output."""
        try:
            await self._invoke(function, event)
        except Throttled:
            self._pools[function].tell("a scheduled call was throttled")

    def _run[T](self, work: Coroutine[Any, Any, T], *, timeout_s: float | None) -> T:
        assert self._loop is not None, "the front is not running"
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_s)
