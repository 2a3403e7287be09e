"""A world of functions that run side by side, one step at a time, over one DynamoDB.

Each function is a greenlet over the real flow code. It stops at every call of the store, and
wherever it waits; the scheduler then chooses who goes on, and what befalls the call:

- `ok`: it is applied and answered;
- `crash_before`, `crash_after`: the function is killed before the call, or after it was applied;
- `lost`: it is applied, its reply is lost, and the transport makes the same call again;
- `late`: it is under way for long, the transport makes the same call again, and this one is
  applied at some later time, even when its function is long gone;
- `away`: it is lost on its way, and made again;
- `down`: every try is lost on its way;
- `conflict`: a transaction on the same item is under way at each try.

A call of a payment provider is a step, too: it may be killed before or after, its answer be lost
(`lost`), or the provider be away (`down`); what it has done by then stays.

A killed function is gone: each further call that its unwinding makes is killed again.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from osiris.errors import OsirisError, StoreUnavailable
from osiris.payment_errors import ProviderUnavailable
from osiris.payments import ReferenceTaken
from osiris.settings import from_environ
from osiris.store.transport import (
    CALL_TRIES_MAX,
    ConditionFailed,
    TransactionCanceled,
    TransactionConflict,
)
from tests.builders import ENVIRONMENT, START_MS
from tests.dynamodb.engine import MemoryDynamoDB
from tests.dynamodb.schemas import schemas
from tests.simulation.reduction import Reduction, is_aside
from tests.simulation.rules import Rules
from tests.simulation.steps import READS, Ask, Call, Until
from tests.simulation.tills import Tills

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from osiris.store.transport import Payload
    from tests.simulation.actors import Actor
    from tests.simulation.choices import Choices

# What befalls a call of a provider: its own transport has no more tries.
ASK_FAULTS = frozenset({"crash_before", "crash_after", "lost", "down"})
FAULTS = ("crash_before", "crash_after", "lost", "late", "away", "down", "conflict")
_EMPTY = MemoryDynamoDB(schemas().values())


class Weather(NamedTuple):
    """How likely what is: faults by name, `late` ones arriving, the clock's jumps."""

    faults: dict[str, float]
    faults_max: int
    jumps: dict[int, float]
    jumps_max: int
    arrival: float = 0.2


class World:
    """Time, the tables, who runs, and what happened."""

    def __init__(
        self,
        choices: Choices,
        weather: Weather,
        *,
        environment: dict[str, str],
        life_ms: int,
        tokens_work: bool = True,
        eager: bool = False,
        reduced: bool = False,
    ) -> None:
        """`eager` functions run on to their next call of the store: nothing else is a step.

        A `reduced` world is for a `Path`: of histories that differ only by the order of steps that
        don't touch each other it has one (`tests.simulation.reduction`). Its reads meet no fault,
        because one before them, or after, comes to the same.
        """
        self.choices = choices
        self.weather = weather
        self.life_ms = life_ms
        self.tokens_work = tokens_work
        self.eager = eager
        self.reduction = Reduction() if reduced else None
        self.settings = from_environ({**ENVIRONMENT, **environment}, needs=())
        self.now_ms = START_MS
        self.memory = _EMPTY.fork()
        self.rules = Rules(self.memory)
        self.rules.now_ms = lambda: self.now_ms
        self.tills = Tills(self)
        self.actors: list[Actor] = []
        self.late: list[tuple[str, Call]] = []
        self.starts: list[Callable[[], None]] = []
        self._events: list[tuple[int, str, str | Call, str]] = []
        self.metrics: Counter[str] = Counter()
        self.forwarded: set[str] = set()
        self.faults_left = weather.faults_max
        self.jumps_left = weather.jumps_max
        self._entropy = 0
        self._made = 0
        self._tokens: set[object] = set()

    # -- what functions see of it

    def entropy(self, size: int) -> bytes:
        """Bytes that never repeat; those that choose a slot come from the choices."""
        if size == 4:
            last = self.settings.rate_limit - 1
            slots = sorted({0, last}) if self.eager else range(last + 1)
            slot: int = self.choices.pick([(1, number) for number in slots])
            return slot.to_bytes(4)
        self._entropy += 1
        number = self._entropy * 0x9E3779B97F4A7C15F39CC0605CEDC835
        return (number % (1 << 8 * size)).to_bytes(size)

    def next_number(self) -> int:
        """A number of its own for each actor, in the order in which they were made."""
        self._made += 1
        return self._made

    def log(self, who: str, what: str | Call, *, told: str = "") -> None:
        """Remember what happened; it is put into words when somebody asks."""
        self._events.append((self.now_ms - START_MS, who, what, told))

    @property
    def history(self) -> list[str]:
        """What happened so far, a line each."""
        return [
            f"{at_ms:>9} {who:<12} {told}{_told(what) if isinstance(what, Call) else what}"
            for at_ms, who, what, told in self._events
        ]

    # -- the scheduler

    def run(self) -> None:
        """Until nobody runs any more, and nothing is under way."""
        while True:
            self.actors = [actor for actor in self.actors if not actor.over]
            options = self._options()
            if not options:
                break
            self.choices.pick(options)()
        for actor in self.actors:
            actor.kill()

    @property
    def is_redundant(self) -> bool:
        """Whether another history shows the same."""
        return self.reduction is not None and self.reduction.is_redundant

    def start(self, actor: Actor) -> None:
        """Let a function run from now on, at the scheduler's choices."""
        self.actors.append(actor)
        self.log(actor.name, "starts")
        if self.eager:
            self.now_ms += 1
            actor.go_on()

    def _options(self) -> list[tuple[float, Callable[[], None]]]:
        options: list[tuple[float, Callable[[], None]]] = []
        sleepers = []
        for actor in self._awake():
            if isinstance(actor.wants, Until) and actor.wants.at_ms > self.now_ms:
                sleepers.append(actor.wants.at_ms)
            else:
                options.append((1, lambda actor=actor: self._step(actor)))  # type: ignore[misc]
        if self.starts:
            options.append((1, self._start_next))
        options += [
            (self.weather.arrival, lambda place=place: self._arrive(place))  # type: ignore[misc]
            for place in range(len(self.late))
        ]
        if sleepers:
            wake_ms = min(sleepers)
            options.append((0.5 if options else 1, lambda: self.move_clock(wake_ms)))
        if options and self.jumps_left:
            options += [
                (weight, lambda jump_ms=jump_ms: self._jump(jump_ms))  # type: ignore[misc]
                for jump_ms, weight in self.weather.jumps.items()
            ]
        return options

    def _awake(self) -> list[Actor]:
        """The actors whose next step is not shown by another history."""
        if self.reduction is None:
            return self.actors
        return self.reduction.awake(self.actors)

    def _start_next(self) -> None:
        self.starts.pop(0)()

    def _jump(self, jump_ms: int) -> None:
        self.jumps_left -= 1
        self.move_clock(self.now_ms + jump_ms)

    def move_clock(self, to_ms: int) -> None:
        """Let time pass; the platform ends the functions that have had theirs."""
        self.now_ms = max(self.now_ms, to_ms)
        if self.reduction is not None:
            self.reduction.wake()
        self.log("clock", "moves")
        for actor in self.actors:
            if not actor.over and actor.dies_at_ms <= self.now_ms:
                self._kill(actor, "times out")

    def _kill(self, actor: Actor, how: str) -> None:
        self.log(actor.name, how)
        actor.kill()

    def _step(self, actor: Actor) -> None:
        # Two milliseconds never bring the same id, and so do not two steps.
        self.now_ms += 1
        if self.reduction is not None:
            self.reduction.steps(actor)
        if isinstance(actor.wants, Until):
            actor.go_on()
            return
        fault = self._fault(actor.wants, reads=actor.reads)
        self.faults_left -= fault != "ok"
        self.step(actor, fault)

    def step(self, actor: Actor, fault: str) -> None:
        """Let this befall the actor's call."""
        if isinstance(actor.wants, Ask):
            self._ask(actor, actor.wants, fault)
            return
        assert isinstance(actor.wants, Call)
        if fault == "ok":
            self._answer(actor, actor.wants)
            return
        self.log(actor.name, actor.wants, told=f"{fault}: ")
        self._befall(actor, actor.wants, fault)

    def _ask(self, actor: Actor, ask: Ask, fault: str) -> None:
        """Let this befall the actor's call of a provider, which keeps what it has done."""
        self.log(actor.name, f"{fault}: {ask.what}")
        if fault == "crash_before":
            self._kill(actor, "is killed")
            return
        if fault == "down":
            actor.fail(ProviderUnavailable(details="simulated"))
            return
        answer: object
        try:
            answer = ask.make()
        except (OsirisError, ReferenceTaken) as refused:
            answer = refused.with_traceback(None)
        if fault == "crash_after":
            self._kill(actor, "is killed")
        elif fault == "lost":
            actor.fail(ProviderUnavailable(details="simulated"))
        elif isinstance(answer, Exception):
            actor.fail(answer)
        else:
            actor.go_on(answer)

    def _fault(self, call: Call | Ask, *, reads: bool) -> str:
        if self.faults_left <= 0 or (self.reduction is not None and (reads or is_aside(call))):
            return "ok"
        faults = self.weather.faults
        left = 1 - sum(faults.values())
        options = [(max(left, 0.01), "ok"), *[(faults[name], name) for name in faults]]
        if isinstance(call, Ask):
            options = [(w, name) for w, name in options if name == "ok" or name in ASK_FAULTS]
        elif reads:
            options = [(w, name) for w, name in options if name not in ("late", "lost", "conflict")]
        return self.choices.pick(options)

    def _befall(self, actor: Actor, call: Call, fault: str) -> None:
        match fault:
            case "crash_before":
                self._kill(actor, "is killed")
            case "crash_after":
                self._apply(actor.name, call)
                self._kill(actor, "is killed")
            case "lost":
                self._apply(actor.name, call)
                self._again(actor)
            case "late":
                self.late.append((actor.name, call))
                self._again(actor)
            case "away":
                self._again(actor)
            case "down":
                actor.fail(StoreUnavailable(details="simulated"))
            case "conflict":
                actor.fail(_conflict(call))
            case _:
                raise AssertionError(fault)

    def _again(self, actor: Actor) -> None:
        """The transport makes the identical call once more, a bounded number of times."""
        actor.tries += 1
        if actor.tries >= CALL_TRIES_MAX:
            actor.fail(StoreUnavailable(details="simulated"))

    def _answer(self, actor: Actor, call: Call) -> None:
        answer = self._apply(actor.name, call)
        if isinstance(answer, Exception):
            actor.fail(answer)
        else:
            actor.go_on(answer)

    def _arrive(self, place: int) -> None:
        name, call = self.late.pop(place)
        if self.reduction is not None:
            self.reduction.arrives(call)
        self._apply(f"({name})", call)

    def _apply(self, who: str, call: Call) -> Payload | Exception:
        """Make the call; what it changed is held against the rules."""
        payload = dict(call.payload)
        token = payload.get("ClientRequestToken")
        if not self.tokens_work:
            payload.pop("ClientRequestToken", None)
        answer: Payload | Exception
        try:
            answer = self.memory.call(call.operation, payload)
        except (ConditionFailed, TransactionCanceled) as refused:
            answer = refused.with_traceback(None)
        told = "refused" if isinstance(answer, Exception) else "done"
        self.log(who, call, told=f"{told}: ")
        again = self.tokens_work and token in self._tokens
        if told == "done" and call.operation not in READS and not again:
            self._tokens |= {token} - {None}
            self.rules.look(call.operation, payload, who)
        return answer


def _conflict(call: Call) -> Exception:
    if call.operation != "TransactWriteItems":
        return TransactionConflict(details="simulated")
    return TransactionCanceled(
        [("TransactionConflict", None) for _ in call.payload["TransactItems"]]
    )


def _told(call: Call) -> str:
    payload = call.payload
    writes: Sequence[Payload] = (
        [next(iter(part.values())) for part in payload["TransactItems"]]
        if call.operation == "TransactWriteItems"
        else [payload]
    )
    return f"{call.operation} " + " + ".join(_told_write(write) for write in writes)


def _told_write(write: Payload) -> str:
    names: dict[str, str] = write.get("ExpressionAttributeNames", {})
    item = write.get("Item") or write.get("Key") or {}
    where = "/".join(str(next(iter(item[part].values()))) for part in _KEYS if part in item)
    request = names.get("#request", "")
    amount = item.get("amount_nano", {}).get("N", "")
    update = write.get("UpdateExpression", "")
    return " ".join(part for part in (where, request, amount, update[:40]) if part)


_KEYS = ("pk", "key_id", "entry_id", "kind", "id")
