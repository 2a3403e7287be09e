"""Long after: the watch and the sweeper run without faults; then all money in is where it belongs.

The truth is the providers' own record of what they received and gave back.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from osiris.errors import OsirisError
from osiris.flows import payment
from osiris.flows.expiry import sweep
from osiris.flows.watch import watch
from tests.simulation.order_rules import outstanding_nano
from tests.simulation.violations import plain_item, require

if TYPE_CHECKING:
    from tests.simulation.functions import Process
    from tests.simulation.histories import History
    from tests.simulation.world import World

DAY_MS = 86_400_000
ROUNDS = 2


def recover_money(history: History) -> None:
    """Ask about every order, sweep, and check."""
    world = history.world
    if not world.rules.money.orders.orders and not world.eager:
        history.alone(lambda process: sweep(process.app))
        _check_expired(world)
        return
    for _ in range(ROUNDS):
        world.move_clock(_due_ms(world))
        history.alone(lambda process: watch(process.app))
    history.alone(lambda process: _told_at_last(process, world))
    history.alone(lambda process: sweep(process.app))
    _check_expired(world)
    history.alone(lambda process: watch(process.app))
    _check_received(world)
    _check_orders(world)
    _check_events(world)


def _due_ms(world: World) -> int:
    """When all that waits is due."""
    items = map(plain_item, world.memory.items("OrdersTable"))
    times = [int(item["due_at_ms"]) for item in items if "queue" in item]
    ends = [int(order["expires_at_ms"]) for order in world.rules.money.orders.orders.values()]
    return max([world.now_ms, *times, *ends]) + 1


def _told_at_last(process: Process, world: World) -> None:
    """Providers tell of what nobody watches any more: an order that is over, a payment of none."""
    for till in world.tills.all:
        for payment_id in list(till.payments):
            try:
                payment.confirm(process.app, till.name, payment_id, timeout_ms=1)
            except OsirisError as error:
                world.log("recovery", f"{payment_id}: {error.code}")


def _check_expired(world: World) -> None:
    """No expired credit is left that could be forfeited."""
    for pk, key in world.rules.items.items():
        if pk.startswith("key#") and key["expires_at_ms"] <= world.now_ms and not key["holds"]:
            require(key["available_nano"] <= 0, "expired credit is left", key)


def _check_received(world: World) -> None:
    """Every payment is credited net of returns, or a person was told what is outstanding."""
    for till in world.tills.all:
        for own, status in till.payments.items():
            if status.received <= 0:
                continue
            full_id = f"{till.name}#{own}"
            item = world.rules.money.orders.payments.get(full_id)
            require(item is not None, "received, and nobody knows", status)
            assert item is not None
            require(Decimal(item["received"]) == status.received, "received", item, status)
            _check_returned(world, full_id, item, status.returned)
            _check_settled(world, item)


def _check_returned(world: World, full_id: str, item: dict[str, Any], returned: Decimal) -> None:
    by_hand = world.rules.money.orders.returned_by_hand[full_id]
    least, most = returned, returned + by_hand
    require(least <= Decimal(item["returned"]) <= most, "returned", item, least, most)


def _check_settled(world: World, item: dict[str, Any]) -> None:
    left_nano = outstanding_nano(item)
    if left_nano == 0:
        return
    order = world.rules.money.orders.orders[item["order_id"]]
    key = world.rules.items[f"key#{item['key_id'] or order['key_id']}"]
    require(left_nano > 0, "never taken back", item)
    require(key["status"] == "deleted", "received, never credited", item, key)
    require(order["problem"] == "key_deleted", "nobody was told what is outstanding", order)


def _check_orders(world: World) -> None:
    """Every quote that is over has ended."""
    for order in world.rules.money.orders.orders.values():
        require(order["state"] in ("expired", "cancelled"), "never ended", order)


def _check_events(world: World) -> None:
    """Every event went out, and waits no more."""
    for pk in world.rules.money.orders.events:
        require(pk.removeprefix("event#") in world.tills.sent, "an event was never sent", pk)
    waiting = [item for item in world.rules.money.orders.events.values() if "queue" in item]
    require(not waiting, "events that wait for ever", waiting)
