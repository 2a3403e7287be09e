"""Keys with credit that expires, and the sweeper that comes by, for tests of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris.flows import credit, keys
from osiris.flows.expiry import Swept, sweep
from tests.flows.topup_customer import DOLLAR

if TYPE_CHECKING:
    from osiris.ledger.key import Key
    from tests.builders import World

NOTHING = Swept()


def keyed(world: World, dollars: int, *, days: int = 1, account_id: str = "ada") -> Key:
    """A key with so much credit for so many days."""
    key = keys.create(world.app, account_id, name="k").key
    credit.grant(world.app, key.id, amount_nano=dollars * DOLLAR, days=days)
    return world.stored_key(key.id)


def swept(world: World, after_ms: int = 0) -> Swept:
    """What a sweep did, but for its warnings."""
    world.pass_ms(after_ms)
    return sweep(world.app)._replace(warned=0)


def listed(world: World) -> list[str]:
    """The keys that the index of expiries has."""
    items = world.memory.call("Scan", {"TableName": "KeysTable"})["Items"]
    return [item["pk"]["S"] for item in items if "expiry_day" in item]
