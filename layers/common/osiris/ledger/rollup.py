"""Rollups: what each model cost a key in a closed hour, summed from its entries.

An hour is closed 20 minutes after its end, once no hold admitted in it is open: then no entry can
be added to it, and every run makes the same rollups of it.
"""

from collections.abc import Iterable
from typing import NamedTuple

from osiris.ids import made_at_ms
from osiris.ledger.entry import CHARGE, Entry
from osiris.times import MINUTE_MS, hour_start_ms
from osiris.usage import Tokens

CLOSES_AFTER_MS = 20 * MINUTE_MS


class Rollup(NamedTuple):
    """One model's part of one hour of one key; requests that cost nothing are counted, too."""

    key_id: str
    hour_ms: int
    model: str
    requests: int
    tokens: Tokens
    cost_nano: int


def closed_until_ms(holds: Iterable[str], now_ms: int) -> int:
    """The end of the last closed hour of a key with these open holds (request ids)."""
    until_ms = hour_start_ms(now_ms - CLOSES_AFTER_MS)
    open_hours = [hour_start_ms(made_at_ms(request_id)) for request_id in holds]
    return min([until_ms, *open_hours])


def rolled_up(entries: Iterable[Entry]) -> list[Rollup]:
    """The rollups of these entries. Requests that lapsed name no model and cost nothing."""
    sums: dict[tuple[int, str], Rollup] = {}
    for entry in entries:
        if entry.type != CHARGE or entry.charge is None:
            continue
        place = (hour_start_ms(made_at_ms(entry.id)), entry.charge.model)
        earlier = sums.get(place) or Rollup(entry.key_id, *place, 0, Tokens(), 0)
        counts = zip(earlier.tokens, entry.charge.tokens, strict=True)
        sums[place] = earlier._replace(
            requests=earlier.requests + 1,
            tokens=Tokens._make(map(sum, counts)),
            cost_nano=earlier.cost_nano + entry.cost_nano,
        )
    return list(sums.values())
