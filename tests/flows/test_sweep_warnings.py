"""Events to a key's owner: credit that expires soon, a balance that is low; each once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from osiris.errors import StoreUnavailable
from osiris.flows import credit, keys
from osiris.flows.expiry import sweep
from osiris.flows.reconcile import USED_MS_MAX, reconcile
from osiris.flows.watch import watch
from osiris.ledger.key import TRIAL
from tests.builders import admitted, settled, unreachable
from tests.flows.topup_customer import DAY_MS, DOLLAR, HOUR_MS, MINUTE_MS, Customer

if TYPE_CHECKING:
    from osiris.store.outbox import Event


def events(ada: Customer) -> list[Event]:
    """What was sent by now, and not before."""
    watch(ada.world.app)
    sent = list(ada.money.bus.events)
    ada.money.bus.events.clear()
    return sent


def granted(ada: Customer, dollars: int, days: int) -> None:
    credit.grant(ada.world.app, ada.key_id, amount_nano=dollars * DOLLAR, days=days)


# --------------------------------------------------------------------------------- expires soon


def test_credit_that_expires_is_told_of_twice(ada: Customer) -> None:
    """Seven days before and one, each once however often the sweeper runs, with what is left."""
    granted(ada, 10, days=30)
    expires_at_ms = ada.key.expires_at_ms
    sweep(ada.world.app)
    told: list[tuple[int, Event]] = []
    for hour in range(31 * 24):
        ada.world.pass_ms(HOUR_MS)
        sweep(ada.world.app)
        told += [(hour + 1, event) for event in events(ada)]
    assert [(hour, event.detail["days"]) for hour, event in told] == [(23 * 24, 7), (29 * 24, 1)]
    assert [event.type for _, event in told] == ["credit.expiring"] * 2
    assert told[0][1].id == f"expiring-7d-{ada.key_id}-{expires_at_ms}"
    assert told[0][1].detail == {
        "account_id": "ada",
        "key_id": ada.key_id,
        "days": 7,
        "expires_at_ms": expires_at_ms,
        "available": "10",
    }


def test_nobody_is_told_of_nothing(ada: Customer) -> None:
    """No credit left, or a deleted key: there is nothing to lose."""
    granted(ada, 10, days=8)
    other = keys.create(ada.world.app, "ada", name="gone").key
    credit.grant(ada.world.app, other.id, amount_nano=DOLLAR, days=8)
    opened = admitted(ada.world, other, DOLLAR)
    keys.delete(ada.world.app, "ada", other.id, confirmed_name="gone")
    ada.spent(10)
    sweep(ada.world.app)
    ada.world.pass_ms(2 * DAY_MS)
    assert sweep(ada.world.app).warned == 0
    assert events(ada) == []
    settled(ada.world, other, opened, DOLLAR, DOLLAR)


def test_a_sweeper_that_was_away_tells_late(ada: Customer) -> None:
    """What came within a warning's time since the last sweep is told then, however long ago."""
    granted(ada, 10, days=30)
    sweep(ada.world.app)
    ada.world.pass_ms(27 * DAY_MS)
    sweep(ada.world.app)
    assert [event.detail["days"] for event in events(ada)] == [7]


def test_an_extension_is_told_of_again(ada: Customer) -> None:
    """Another expiry is another warning."""
    granted(ada, 10, days=10)
    sweep(ada.world.app)
    ada.world.pass_ms(4 * DAY_MS)
    sweep(ada.world.app)
    granted(ada, 10, days=10)
    ada.world.pass_ms(4 * DAY_MS)
    sweep(ada.world.app)
    assert len({event.id for event in events(ada)}) == 2


def test_a_sweep_that_fails_warns_at_the_next(ada: Customer) -> None:
    """The time of the last warnings moves when they are put."""
    granted(ada, 10, days=8)
    sweep(ada.world.app)
    ada.world.pass_ms(DAY_MS)
    ada.world.meet("PutItem", unreachable)
    with pytest.raises(StoreUnavailable):
        sweep(ada.world.app)
    sweep(ada.world.app)
    assert len(events(ada)) == 1


def test_two_sweeps_warn_once(ada: Customer) -> None:
    """The event's id is taken."""
    granted(ada, 10, days=8)
    sweep(ada.world.app)
    progress = ada.world.app.expiries.progress()
    ada.world.pass_ms(DAY_MS)
    assert sweep(ada.world.app).warned == 1
    ada.world.app.expiries.set_progress(progress)
    assert sweep(ada.world.app).warned == 0
    assert len(events(ada)) == 1


# ---------------------------------------------------------------------------------- a low balance


def test_a_low_balance_is_told_once(ada: Customer) -> None:
    """Below $5, by a key in use; again after its next purchase."""
    granted(ada, 10, days=30)
    ada.spent(5)
    assert reconcile(ada.world.app).told_low == 0
    ada.spent(1)
    assert reconcile(ada.world.app).told_low == 1
    ada.spent(1)
    assert reconcile(ada.world.app).told_low == 0
    (event,) = events(ada)
    assert (event.type, event.id) == ("balance.low", f"low-{ada.key_id}-{ada.key.expires_at_ms}")
    assert event.detail["balance"] == "4"
    ada.world.pass_ms(MINUTE_MS)
    ada.bought()
    ada.spent(100)
    assert reconcile(ada.world.app).told_low == 1


def test_only_keys_in_use_are_told_of(ada: Customer) -> None:
    """Not an idle one, an expired, a disabled, a deleted or a trial key, nor one never filled."""
    app, world = ada.world.app, ada.world
    trial = keys.create(app, "ada", name="t", kind=TRIAL).key
    settled(world, trial, admitted(world, trial, DOLLAR), DOLLAR, DOLLAR)
    idle = keys.create(app, "ada", name="idle").key
    credit.grant(app, idle.id, amount_nano=DOLLAR, days=30)
    settled(world, idle, admitted(world, idle, DOLLAR), DOLLAR, 0)
    world.pass_ms(USED_MS_MAX + 1)
    granted(ada, 4, days=30)
    ada.spent(1)
    keys.set_enabled(app, "ada", ada.key_id, enabled=False)
    assert reconcile(app).told_low == 0
    keys.set_enabled(app, "ada", ada.key_id, enabled=True)
    assert reconcile(app).told_low == 1
