"""The environments of one function: which of them takes a call, and when another is started."""

import asyncio
import contextlib

from local.environments import Environment, Settings
from local.invocations import EventTooLarge, Invocation, Throttled
from local.limits import EVENT_BYTES_MAX
from local.template import Function

# An environment that has answered asks for its next invocation within a millisecond or so, on a
# busy machine later. Waiting that long for it keeps successive calls in one environment, as the
# network's delay does on AWS.
_SETTLE_S = 0.2


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
        if environment not in self._all:
            return  # it asked in the moment in which its time was up
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
