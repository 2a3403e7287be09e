"""What an account's keys used: by day, model and key."""

from __future__ import annotations

from collections import Counter
from html import escape
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from osiris.errors import KeyNotFound
from osiris.flows.keys import list_keys
from osiris.flows.usage import usage as used
from osiris.times import DAY_MS, day_start_ms
from osiris.usage import Tokens
from osiris.web.charts import stacked
from osiris.web.rendering import page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from osiris.flows.usage import DayUsage
    from osiris.http.messages import Answer
    from osiris.ledger.key import Key
    from osiris.web.visit import Visit

DAYS = (7, 30)
# As long as a model's id may be.
MODEL_LENGTH_MAX = 100
# Models in the table and the list, the dearest first; more are one row.
MODELS_MAX = 20
_MODEL, _KEY = "model", "key"
_CUT = "…"
# Of a name in a bar's title, as HTML: a page has up to 180 of them, and "&" alone takes five.
TITLE_BYTES_MAX = 26


class Sums(NamedTuple):
    """What some requests come to."""

    requests: int = 0
    tokens: Tokens = Tokens()
    cost_nano: int = 0


class Choice(NamedTuple):
    """What the page is asked for; empty means all."""

    days: int
    key_id: str
    model: str
    by: str


def usage(visit: Visit) -> Answer:
    """The days' usage of all keys, or of one; of all models, or of one. Raises KeyNotFound."""
    choice = _choice(visit)
    keys = list_keys(visit.app, visit.account_id)
    names = {key.id: key.name for key in keys}
    now_ms = visit.app.now_ms()
    today_ms = day_start_ms(now_ms)
    days_ms = [today_ms - ago * DAY_MS for ago in range(choice.days - 1, -1, -1)]
    found = used(visit.app, _chosen(keys, choice.key_id), from_ms=days_ms[0], until_ms=now_ms + 1)
    by_model = _summed(found.rows, lambda row: row.model)
    rows = [row for row in found.rows if choice.model in ("", row.model)]
    return page(
        visit,
        "usage.html",
        choice=choice,
        spans=DAYS,
        keys=keys,
        names=names,
        models=_offered(by_model, choice.model),
        complete=found.complete,
        today_ms=today_ms,
        days_ms=days_ms,
        total=_sum(rows),
        by_day=_summed(rows, lambda row: row.day_ms),
        by_model=_largest(_summed(rows, lambda row: row.model)),
        by_key=_ranked(_summed(rows, lambda row: row.key_id)),
        chart=stacked(_amounts(rows, choice.by), days_ms),
        name_of=lambda name: visit.words.text("others") if name is None else names.get(name, name),
        shortened=_shortened,
    )


def _choice(visit: Visit) -> Choice:
    days = {str(number): number for number in DAYS}.get(visit.query("days"), DAYS[0])
    by = _KEY if visit.query("by") == _KEY else _MODEL
    return Choice(days, visit.query("key"), visit.query("model")[:MODEL_LENGTH_MAX], by)


def _chosen(keys: list[Key], key_id: str) -> list[Key]:
    if not key_id:
        return keys
    chosen = [key for key in keys if key.id == key_id]
    if not chosen:
        raise KeyNotFound
    return chosen


def _sum(parts: Iterable[DayUsage | Sums]) -> Sums:
    total = Sums()
    for part in parts:
        total = Sums(
            total.requests + part.requests,
            Tokens._make(map(sum, zip(total.tokens, part.tokens, strict=True))),
            total.cost_nano + part.cost_nano,
        )
    return total


def _summed[T](rows: Sequence[DayUsage], of: Callable[[DayUsage], T]) -> dict[T, Sums]:
    """The sums of the rows that have the same, in the rows' order."""
    groups: dict[T, list[DayUsage]] = {}
    for row in rows:
        groups.setdefault(of(row), []).append(row)
    return {name: _sum(members) for name, members in groups.items()}


def _ranked(sums: dict[str, Sums]) -> dict[str | None, Sums]:
    """The dearest first."""
    return dict(sorted(sums.items(), key=lambda each: (-each[1].cost_nano, each[0])))


def _largest(sums: dict[str, Sums]) -> dict[str | None, Sums]:
    """The dearest, and all others together under None."""
    ranked = list(_ranked(sums).items())
    others = [rest for _, rest in ranked[MODELS_MAX:]]
    return dict(ranked[:MODELS_MAX]) | ({None: _sum(others)} if others else {})


def _offered(by_model: dict[str, Sums], chosen: str) -> list[str]:
    """The models to choose from, by name."""
    dearest = [model for model in _largest(by_model) if model is not None]
    return sorted({*dearest, chosen} - {""})


def _amounts(rows: Sequence[DayUsage], by: str) -> Counter[tuple[str, int]]:
    amounts: Counter[tuple[str, int]] = Counter()
    for row in rows:
        amounts[row.key_id if by == _KEY else row.model, row.day_ms] += row.cost_nano
    return amounts


def _shortened(text: str) -> str:
    """The text, or its beginning, within TITLE_BYTES_MAX bytes of HTML."""
    if _html_bytes(text) <= TITLE_BYTES_MAX:
        return text
    reached = accumulate(map(_html_bytes, text))
    kept = sum(size <= TITLE_BYTES_MAX - _html_bytes(_CUT) for size in reached)
    return text[:kept] + _CUT


def _html_bytes(text: str) -> int:
    return len(escape(text).encode())
