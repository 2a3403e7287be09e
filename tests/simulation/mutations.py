"""The protocol with one part taken out: some history must then break an invariant.

A condition is replaced by one that uses the same names and values and always holds, so that the
write is still one that DynamoDB takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from osiris import metering, window
from osiris.flows import admission, settlement
from osiris.store import accounts, keys, ledger, new_orders, orders, outbox, postings
from tests.simulation.steps import Call
from tests.simulation.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from osiris.app import App
    from osiris.flows.exchange import Exchange
    from osiris.ledger.entry import Entry
    from tests.simulation.actors import Actor

CONDITIONS = (
    keys.ADMIT_CONDITIONS,
    keys.SETTLE_CONDITIONS,
    ledger.RECORD_CONDITIONS,
    accounts.CREATE_CONDITIONS,
    accounts.PUT_CONDITIONS,
    accounts.TRIAL_CONDITIONS,
    accounts.OWN_KEY_CONDITIONS,
    accounts.ROTATE_CONDITIONS,
    accounts.RESIZE_CONDITIONS,
    postings.POST_CONDITIONS,
    postings.EXPIRY_CONDITIONS,
    postings.FORFEIT_CONDITIONS,
    postings.FORFEITED_CONDITIONS,
    new_orders.ORDER_CONDITIONS,
    new_orders.PLACE_CONDITIONS,
    new_orders.PROMISE_CONDITIONS,
    orders.STATE_CONDITIONS,
    orders.EXTEND_CONDITIONS,
    orders.ASK_CONDITIONS,
    orders.PAYMENT_CONDITIONS,
    outbox.EVENT_CONDITIONS,
)


class Condition(NamedTuple):
    """One named condition of one write."""

    conditions: dict[str, str]
    name: str

    def take_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let it hold always."""
        key = "entry_id" if self.conditions is ledger.RECORD_CONDITIONS else "pk"
        held = self.conditions[self.name]
        always = f"({held} OR attribute_exists({key}) OR attribute_not_exists({key}))"
        monkeypatch.setitem(self.conditions, self.name, always)


def every_condition() -> Iterator[Condition]:
    """All named conditions of all writes."""
    for conditions in CONDITIONS:
        for name in conditions:
            yield Condition(conditions, name)


def settle_before_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hold is given back first, and the entry put after it."""

    def settle(app: App, exchange: Exchange, entry: Entry) -> Entry:
        app.keys.settle(
            entry.key_id,
            request_id=entry.id,
            hold_nano=exchange.hold_nano,
            amount_nano=entry.amount_nano,
        )
        return app.ledger.record(entry)

    monkeypatch.setattr("osiris.flows.completion.settle", settle)


def settle_with_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever records settles with its own entry, not with the one that stands."""
    record = ledger.Ledger.record

    def own(self: ledger.Ledger, entry: Entry) -> Entry:
        record(self, entry)
        return entry

    monkeypatch.setattr(ledger.Ledger, "record", own)


def usage_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The usage, and the end, leave before the charge is recorded."""
    feed = metering.StreamMeter.feed

    def at_once(self: metering.StreamMeter, piece: bytes) -> bytes:
        feed(self, piece)
        return piece

    monkeypatch.setattr(metering.StreamMeter, "feed", at_once)
    monkeypatch.setattr(metering.StreamMeter, "rest", lambda *_, **__: b"")


def another_slot_after_making_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request refused for lack of room comes in by another slot than the one it tried."""

    class Elsewhere(list[int]):
        def __contains__(self, slot: object) -> bool:
            return False

    monkeypatch.setattr(admission, "free_slots", lambda *seen: Elsewhere(window.free_slots(*seen)))


def old_times_in_new_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of the limit leaves free slots free for any time."""

    def resized(times: list[int], limit: int, now_ms: int) -> list[int]:
        if limit >= len(times):
            return [*times, *([now_ms] * (limit - len(times)))]
        return sorted(times)[len(times) - limit :]

    monkeypatch.setattr(window, "resized", resized)


def lapse_without_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recovery gives a lapsed hold back without asking whether its entry stands."""

    def finish(app: App, key_id: str, request_id: str, hold_nano: int) -> None:
        app.keys.settle(key_id, request_id=request_id, hold_nano=hold_nano, amount_nano=0)

    monkeypatch.setattr(settlement, "finish", finish)


PROTOCOL = (
    settle_before_record,
    settle_with_ones_own,
    usage_at_once,
    another_slot_after_making_room,
    old_times_in_new_slots,
    lapse_without_record,
)


def another_slot_after_a_lost_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    """An admission whose reply was lost is tried again by another slot."""
    again = World._again

    def elsewhere(self: World, actor: Actor) -> None:
        assert isinstance(actor.wants, Call)
        payload = dict(actor.wants.payload)
        if payload.get("UpdateExpression", "").startswith("SET #window["):
            for name in ("UpdateExpression", "ConditionExpression"):
                payload[name] = _by_another_slot(payload[name], self.settings.rate_limit)
            actor.wants = Call(actor.wants.operation, payload)
        again(self, actor)

    monkeypatch.setattr(World, "_again", elsewhere)


def _by_another_slot(expression: str, limit: int) -> str:
    start = expression.index("#window[") + len("#window[")
    slot, bracket, rest = expression[start:].partition("]")
    return f"{expression[:start]}{(int(slot) + 1) % limit}{bracket}{rest}"
