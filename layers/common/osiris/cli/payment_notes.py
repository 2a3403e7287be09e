"""What happened to payments while a command was at work, as notes: read from its log lines."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from osiris.cli.output import dollars, note
from osiris.money import dollars_from_nano

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def payment_notes() -> Iterator[Callable[[str], object]]:
    """Takes log lines, and tells of payments once the work is done, or has failed."""
    lines: list[str] = []
    try:
        yield lines.append
    finally:
        for line in lines:
            _note(json.loads(line))


def _note(facts: dict[str, Any]) -> None:
    match facts["event"]:
        case "payment_credited":
            note(f"Credited {_amount(facts)} to key {facts['key_id']}, by {facts['payment_id']}.")
        case "payment_taken_back":
            note(f"Took {_amount(facts)} back from {facts['key_id']}, by {facts['payment_id']}.")
        case "payment_undecided":
            note(f"Undecided: {facts['payment_id']}: {facts['problem'].replace('_', ' ')}.")
        case "ask_failed":
            note(f"Not asked: {facts['code']}: {facts['details']}.")


def _amount(facts: dict[str, Any]) -> str:
    return dollars(dollars_from_nano(facts["amount_nano"]))
