"""Of histories that differ only by the order of steps that don't touch each other, one is enough.

These are sleep sets, after Godefroid. Options are tried in order, so when one is taken, those
before it have been gone through whole. Whoever could have stepped first then sleeps until something
is done that its own step depends on: to wake it sooner would show what was shown already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tests.simulation.steps import READS, Ask, Call

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.simulation.actors import Actor

# What is kept there may be lost, or read late: no money depends on it.
ASIDE = "CatalogueTable"
WHOLE = ""


class Touched(NamedTuple):
    """Items by table and key; WHOLE stands for all of a table."""

    read: frozenset[tuple[str, str]]
    written: frozenset[tuple[str, str]]

    def bears_on(self, other: Touched) -> bool:
        """Whether the order of both matters."""
        return (
            _meet(self.written, other.written)
            or _meet(self.written, other.read)
            or _meet(self.read, other.written)
        )


class Reduction:
    """Who sleeps, in one history."""

    def __init__(self) -> None:
        self.is_redundant = False
        self._asleep: list[Actor] = []
        self._awake: list[Actor] = []

    def awake(self, actors: list[Actor]) -> list[Actor]:
        """Those who may take the next step."""
        self._asleep = [actor for actor in self._asleep if not actor.over]
        self._awake = [actor for actor in actors if actor not in self._asleep]
        if actors and not self._awake:
            self.is_redundant = True
        return self._awake

    def steps(self, actor: Actor) -> None:
        """This one takes the next step; who was tried before it sleeps, unless it matters."""
        self._done(actor.wants, self._awake[: self._awake.index(actor)])

    def arrives(self, call: Call) -> None:
        """A late call is applied, after all who could have stepped were tried."""
        self._done(call, self._awake)

    def wake(self) -> None:
        """Something happened that all depend on."""
        self._asleep = []

    def _done(self, step: object, tried: list[Actor]) -> None:
        mine = touched(step)
        self._asleep = [
            other
            for other in [*self._asleep, *tried]
            if mine is not None
            and (theirs := touched(other.wants)) is not None
            and not mine.bears_on(theirs)
        ]


def is_aside(wants: object) -> bool:
    """Whether a call is about nothing that money depends on."""
    return isinstance(wants, Call) and wants.payload.get("TableName") == ASIDE


def touched(wants: object) -> Touched | None:
    """What a step touches; None when it can't be told."""
    if isinstance(wants, Ask):
        place = frozenset({("providers", WHOLE)})
        return Touched(place, frozenset()) if wants.reads else Touched(frozenset(), place)
    if not isinstance(wants, Call):
        return None
    if is_aside(wants):
        return Touched(frozenset(), frozenset())
    items = frozenset(_items(wants.operation, wants.payload))
    if wants.operation in READS:
        return Touched(items, frozenset())
    return Touched(frozenset(), items)


def _items(operation: str, payload: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if operation == "TransactWriteItems":
        for part in payload["TransactItems"]:
            [(kind, write)] = part.items()
            yield from _items(kind, write)
    elif operation == "BatchGetItem":
        for table, wanted in payload["RequestItems"].items():
            for key in wanted["Keys"]:
                yield table, str(key["pk"])
    elif operation in ("Query", "Scan"):
        yield payload["TableName"], WHOLE
    else:
        item = payload.get("Key") or payload["Item"]
        first, *_ = (item[name] for name in ("pk", "key_id", "kind") if name in item)
        yield payload["TableName"], str(first)


def _meet(some: Iterable[tuple[str, str]], others: Iterable[tuple[str, str]]) -> bool:
    return any(
        table == other and (key == place or WHOLE in (key, place))
        for table, key in some
        for other, place in others
    )
