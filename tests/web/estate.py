"""What Ada has: a key with credit, requests, orders and payments, all with marks to be known by.

A mark is a text that can only be hers. `values` are her ids by the names of the routes'
parameters; a stranger who knows them all must learn nothing that he did not send himself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from osiris.flows import keys
from osiris.ledger.order import CRYPTO
from osiris.money import NANO_PER_DOLLAR, dollars_from_nano
from tests.builders import settled
from tests.flows.topup_customer import ACCOUNT, Customer
from tests.flows.used_key import MODEL, opened, requested
from tests.scripted_provider import with_scripted_money
from tests.web.browser import web_world

if TYPE_CHECKING:
    from osiris.ledger.key import Key
    from tests.builders import World

KEY_NAME, OTHER_NAME = "Apparatus of Ada", "Second of Ada"
# Not in the catalogue any more: it is on no page for everybody.
MODEL_ID = "adas-own-model"
EMAIL = "ada@lovelace.example"
ODD_NANO = 1_234_567_891


class Estate(NamedTuple):
    """`values` by parameter; `ids` all of hers; `marks` what no stranger may be shown."""

    world: World
    key: Key
    values: dict[str, str]
    ids: frozenset[str]
    marks: frozenset[str]

    def items(self) -> dict[str, list[str]]:
        """Whatever the tables have of her, byte for byte."""
        hers = {*self.ids, ACCOUNT}
        return {
            table: [text for text in map(repr, items) if any(id in text for id in hers)]
            for table, items in self.world.memory.tables.items()
        }


def estate() -> Estate:
    """Ada's, in a world of its own."""
    world = web_world()
    money = with_scripted_money(world.app, world.app.now_ms)
    world.app.models.put(MODEL)
    world.app.accounts.set_email(ACCOUNT, EMAIL)
    key = keys.create(world.app, ACCOUNT, name=KEY_NAME).key
    other = keys.create(world.app, ACCOUNT, name=OTHER_NAME).key
    ada = Customer(world, money, key.id)
    credited = ada.bought()
    open_order = ada.order("250")
    coin = ada.order("100", CRYPTO, key_id=other.id)
    entry = requested(world, world.stored_key(key.id), model=MODEL_ID)
    held = opened(world, key)
    last = opened(world, key)
    settled(world, key, last, NANO_PER_DOLLAR, ODD_NANO)
    stored = world.stored_key(key.id)
    orders = (credited, open_order, coin)
    entries = [entry.id for entry in world.app.ledger.entries(key.id)]
    ids = {key.id, other.id, entry.id, held, last, *(order.id for order in orders), *entries}
    balances = {dollars_from_nano(stored.balance_nano), dollars_from_nano(stored.available_nano)}
    names = {
        KEY_NAME,
        OTHER_NAME,
        MODEL_ID,
        EMAIL,
        *balances,
        f"address-of-{coin.parts[0].payment_id}",
    }
    return Estate(
        world,
        stored,
        {"key_id": key.id, "order_id": open_order.id, "request_id": entry.id, "name": key.id},
        frozenset(ids),
        frozenset(ids | names),
    )
