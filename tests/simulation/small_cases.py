"""Small cases of requests and keys; `tests.simulation.money_cases` has those of money in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.cases import ANSWER, CRASHES, REPLIES, Case
from tests.simulation.histories import LAPSE_MS, TOKEN_NANO, History, Setting
from tests.simulation.money_cases import MONEY_CASES
from tests.simulation.world import FAULTS

if TYPE_CHECKING:
    from collections.abc import Callable

SHORT_LAPSE_MS = 2_000


def after_a_lost_request(history: History) -> None:
    """A request that has no room until the hold of another, long dead, is given back."""
    history.lost_request(ANSWER)
    history.request(ANSWER)


def _requests(count: int) -> Callable[[History], None]:
    def plan(history: History) -> None:
        for _ in range(count):
            history.request(ANSWER)

    return plan


def _request_and(*changes: str) -> Callable[[History], None]:
    def plan(history: History) -> None:
        history.request(ANSWER)
        for change in changes:
            if change == "finisher":
                history.finisher()
            elif change == "reconciler":
                history.reconciler()
            elif change == "request":
                history.request(ANSWER)
            else:
                history.change(change)

    return plan


def _changes(*changes: str) -> Callable[[History], None]:
    def plan(history: History) -> None:
        for change in changes:
            history.change(change)

    return plan


def _setting(
    *, limit: int = 2, open_max: int = 2, tokens: int = 20, lapse_ms: int = LAPSE_MS
) -> Setting:
    return Setting(
        limit=limit,
        open_max=open_max,
        balance_nano=tokens * TOKEN_NANO,
        processes=9,
        lapse_ms=lapse_ms,
        tokens_work=False,
        eager=True,
    )


CASES = {
    "two requests, one slot": Case(_requests(2), _setting(limit=1)),
    "two requests, room for one": Case(
        _requests(2), _setting(limit=2, open_max=1), ("crash_after",)
    ),
    "two requests, credit for one": Case(_requests(2), _setting(tokens=1), CRASHES),
    "a request that lapses under way": Case(
        _request_and("finisher"),
        _setting(limit=1, lapse_ms=SHORT_LAPSE_MS),
        ("late",),
        jumps=(SHORT_LAPSE_MS,),
    ),
    "a request after a lost one": Case(after_a_lost_request, _setting(open_max=1)),
    "a request, its key deleted": Case(_request_and("confirm"), _setting(), ("crash_after",)),
    "a request, a smaller limit": Case(_request_and("limit 2"), _setting(limit=3), ("late",)),
    "a request, its credit expires, a grant": Case(
        _request_and("grant"),
        _setting(limit=1)._replace(expires_in_ms=1_000),
        ("crash_after", "lost"),
        jumps=(2_000,),
    ),
    "two grants": Case(_changes("grant", "grant"), _setting(), ("lost", "conflict")),
    "a deletion, a switch": Case(_changes("confirm", "disable"), _setting()),
    "a grant, a deletion": Case(_changes("grant", "confirm"), _setting(), REPLIES),
    "a creation, a grant to it": Case(_changes("stock"), _setting()),
    "two rotations": Case(_changes("overlap", "overlap"), _setting()),
    "one request, two faults": Case(_requests(1), _setting(limit=1), faults_max=2),
    **MONEY_CASES,
}
# The same with every fault, and more: `python -m tests.simulation --small`.
LARGE_CASES = {
    **{name: case._replace(faults=FAULTS) for name, case in CASES.items()},
    "a request, the reconciler": Case(
        _request_and("reconciler"), _setting(lapse_ms=SHORT_LAPSE_MS), jumps=(SHORT_LAPSE_MS,)
    ),
    "a request, a grant": Case(_request_and("grant"), _setting()),
    "two requests, a lapse": Case(
        _requests(2), _setting(limit=1, lapse_ms=SHORT_LAPSE_MS), jumps=(SHORT_LAPSE_MS,)
    ),
    "two requests, two faults": Case(_requests(2), _setting(limit=1), faults_max=2),
    "a request, another limit": Case(
        _request_and("limit 1"), _setting(), faults_max=2, jumps=(60_000,)
    ),
    "a request, a request, a deletion": Case(_request_and("request", "confirm"), _setting()),
}
