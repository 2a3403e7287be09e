"""Who runs in a world: each stops at every step, until the scheduler lets it go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]  # it has no types

from tests.simulation.steps import READS, Ask, Call, Until

if TYPE_CHECKING:
    from collections.abc import Callable

    from osiris.store.transport import Payload
    from tests.simulation.world import World


class Killed(BaseException):
    """The function is gone."""


class Actor:
    """One run of a function, or of the operator's command."""

    def __init__(self, world: World, name: str, body: Callable[[Actor], None]) -> None:
        self.world = world
        self.name = name
        self.dead = False
        self.wants: Call | Ask | Until = Until(0)
        self.number = world.next_number()
        self.tries = 0
        # The platform ends a function that ran for so long.
        self.dies_at_ms = world.now_ms + world.life_ms
        self._greenlet = greenlet(lambda _: body(self))

    @property
    def over(self) -> bool:
        return self.dead or bool(self._greenlet.dead)

    def call(self, operation: str, payload: Payload) -> Payload:
        """The store's transport."""
        answer: Payload = self.stop(Call(operation, payload))
        return answer

    def ask(self, what: str, make: Callable[[], Any], *, reads: bool) -> Any:
        """A call of a payment provider."""
        return self.stop(Ask(what, make, reads))

    @property
    def reads(self) -> bool:
        """Whether its next step changes nothing that others see."""
        if isinstance(self.wants, Ask):
            return self.wants.reads
        return isinstance(self.wants, Call) and self.wants.operation in READS

    def stop(self, wants: Call | Ask | Until) -> Any:
        """Let the scheduler choose what happens next."""
        if self.dead:
            raise Killed
        self.wants, self.tries = wants, 0
        hub = self._greenlet.parent
        assert hub is not None
        assert getcurrent() is self._greenlet
        return hub.switch()

    def wait(self, wait_ms: int) -> None:
        """Sleep."""
        if wait_ms or not self.world.eager:
            self.stop(Until(self.world.now_ms + wait_ms))

    def go_on(self, answer: object = None) -> None:
        self._greenlet.switch(answer)

    def fail(self, error: BaseException) -> None:
        self._greenlet.throw(error)

    def kill(self) -> None:
        self.dead = True
        if self._greenlet:
            self._greenlet.throw(Killed)
        assert self._greenlet.dead or not self._greenlet
