"""Events from the outbox: at least once, under a stable id, whatever the bus does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from osiris.errors import StoreUnavailable
from osiris.flows.outbox import send
from osiris.flows.watch import PAGE, watch
from osiris.store.outbox import SENT_LIFE_S, Event
from tests.builders import unreachable
from tests.flows.topup_customer import DAY_MS, MINUTE_MS, Customer

if TYPE_CHECKING:
    from collections.abc import Sequence


def put(ada: Customer, *names: str) -> None:
    for name in names:
        event = Event(name, "balance.low", {"account_id": "ada"}, ada.world.now_ms)
        assert ada.world.app.outbox.add(event)


def sent(ada: Customer) -> list[str]:
    return [event.id for event in ada.money.bus.events]


def test_an_event_is_sent_and_taken_out(ada: Customer) -> None:
    """Its id stays taken for longer than the same thing can be found again; then it vanishes."""
    put(ada, "e1")
    assert watch(ada.world.app).events == 1
    assert watch(ada.world.app).events == 0
    assert sent(ada) == ["e1"]
    again = Event("e1", "balance.low", {}, ada.world.now_ms)
    assert not ada.world.app.outbox.add(again)
    place = {"TableName": "OrdersTable", "Key": {"pk": {"S": "event#e1"}}}
    item = ada.world.memory.call("GetItem", place)["Item"]
    assert int(item["expires_at_s"]["N"]) == ada.world.now_ms // 1000 + SENT_LIFE_S
    assert SENT_LIFE_S * 1000 > 3 * 31 * DAY_MS


def test_a_bus_that_is_away_keeps_them_waiting(ada: Customer) -> None:
    """The next run sends them."""
    put(ada, "e1", "e2")
    ada.money.bus.away = True
    assert watch(ada.world.app).events == 0
    assert ada.line("events_not_sent")["details"] == "PutEvents: scripted"
    ada.money.bus.away = False
    assert watch(ada.world.app).events == 2
    assert sorted(sent(ada)) == ["e1", "e2"]


def test_a_crash_after_sending_sends_again(ada: Customer) -> None:
    """At least once: the receiver tells a repeat by its id."""
    put(ada, "e1")
    ada.world.meet("UpdateItem", unreachable)
    with pytest.raises(StoreUnavailable):
        watch(ada.world.app)
    watch(ada.world.app)
    watch(ada.world.app)
    assert sent(ada) == ["e1", "e1"]


def test_an_event_that_the_bus_refuses_waits(
    ada: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EventBridge takes some of a batch and not others."""
    put(ada, "e1", "e2", "e3")

    def some(events: Sequence[Event]) -> list[Event]:
        return [event for event in events if event.id != "e2"]

    with monkeypatch.context() as patched:
        patched.setattr(ada.money.bus, "send", some)
        assert watch(ada.world.app).events == 2
    assert watch(ada.world.app).events == 1
    assert sent(ada) == ["e2"]


def test_many_events_go_in_tens(ada: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as PutEvents takes at once; a run sends more than a page."""
    sizes: list[int] = []
    send_all = ada.money.bus.send

    def counted(events: Sequence[Event]) -> list[Event]:
        sizes.append(len(events))
        return send_all(events)

    monkeypatch.setattr(ada.money.bus, "send", counted)
    put(ada, *(f"e{number:03}" for number in range(PAGE + 25)))
    assert watch(ada.world.app).events == PAGE + 25
    assert max(sizes) == 10
    assert len(set(sent(ada))) == PAGE + 25


def test_what_was_sent_by_another_is_not_sent(ada: Customer) -> None:
    """The index is behind: the event itself is read before."""
    put(ada, "e1")
    assert send(ada.world.app, ["e1", "e0"]) == 1
    assert send(ada.world.app, ["e1"]) == 0


def test_a_waiting_event_keeps_no_order_waiting(ada: Customer) -> None:
    """However long the bus is away, orders are asked about."""
    put(ada, *(f"e{number}" for number in range(10)))
    ada.money.bus.away = True
    order = ada.order()
    ada.pay(order)
    ada.watched(order)
    ada.world.pass_ms(MINUTE_MS)
    assert ada.dollars == 100


@pytest.mark.parametrize("extra", [0, 5])
def test_a_page_of_waiting_events_keeps_no_order_waiting(ada: Customer, extra: int) -> None:
    """Also when more wait than a read of the index brings."""
    put(ada, *(f"e{number:03}" for number in range(PAGE + extra)))
    ada.world.pass_ms(1)
    ada.money.bus.away = True
    order = ada.order()
    ada.pay(order)
    ada.watched(order)
    assert ada.dollars == 100
