"""A customer who tops up her key: what she orders and pays, and what the product learns of it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from osiris.flows import topup
from osiris.flows.expiry import sweep
from osiris.flows.payment import confirm
from osiris.flows.topup import Wish
from osiris.flows.watch import watch
from osiris.ledger.entry import CHARGE
from osiris.ledger.order import CRYPTO, QRIS, shown_state
from osiris.money import NANO_PER_DOLLAR
from tests.builders import admitted, settled
from tests.scripted_provider import COIN, Money, ScriptedProvider

if TYPE_CHECKING:
    from osiris.flows.expiry import Swept
    from osiris.flows.topup import Shown
    from osiris.ledger.key import Key
    from osiris.ledger.order import Order
    from tests.builders import World

DOLLAR = NANO_PER_DOLLAR
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
ACCOUNT = "ada"


class Customer(NamedTuple):
    """Ada's key, and the providers that take her money."""

    world: World
    money: Money
    key_id: str

    # -- what she does

    def order(
        self, package: str = "100", method: str = QRIS, *, key_id: str = "", once: str = ""
    ) -> Order:
        """A new order; `once` is the Idempotency-Key."""
        return self.ordered(package, method, key_id=key_id, once=once).order

    def ordered(
        self, package: str, method: str, *, key_id: str = "", once: str = "", coin: str = COIN
    ) -> Shown:
        wish = Wish(package, key_id or self.key_id, method, coin if method == CRYPTO else "")
        app = self.world.app
        return topup.create(app, ACCOUNT, wish, idempotency_key=once, webhooks_url="https://us")

    def pay(
        self, order: Order, part: int = 1, share: str = "1", *, at_ms: int | None = None
    ) -> Decimal:
        """She sends this share of what a part asks for; nobody tells us."""
        return self.provider(order).pay(payment_id(order, part), share, at_ms=at_ms)

    def bought(self, package: str = "100", method: str = QRIS) -> Order:
        """A paid order that was told of."""
        order = self.order(package, method)
        for part in range(1, len(order.parts) + 1):
            self.pay(order, part)
            self.told(order, part)
        return self.stored(order)

    def spent(self, dollars: int) -> None:
        """She uses so much of her key."""
        opened = admitted(self.world, self.key, dollars * DOLLAR)
        settled(self.world, self.key, opened, dollars * DOLLAR, dollars * DOLLAR)

    # -- what the product hears

    def told(self, order: Order, part: int = 1) -> None:
        """A webhook comes about a part's payment."""
        self.told_of(order, payment_id(order, part))

    def told_of(self, order: Order, id: str) -> None:
        confirm(self.world.app, order.provider, id, timeout_ms=1)

    def watched(self, order: Order, after_ms: int = MINUTE_MS) -> Order:
        """The order after the watch came by."""
        self.world.pass_ms(after_ms)
        watch(self.world.app)
        return self.stored(order)

    def swept(self, after_ms: int = 0) -> Swept:
        """The sweeper came by; a moment later, so that its entries stand apart."""
        self.world.pass_ms(after_ms)
        done = sweep(self.world.app)
        self.world.pass_ms(1)
        return done

    # -- what is then

    def provider(self, order: Order) -> ScriptedProvider:
        return self.money.providers.of(order.provider)

    def stored(self, order: Order) -> Order:
        stored = self.world.app.orders.read(order.id)
        assert stored is not None
        return stored

    def state(self, order: Order) -> str:
        """What the owner sees."""
        return shown_state(self.stored(order))

    @property
    def key(self) -> Key:
        return self.world.stored_key(self.key_id)

    @property
    def dollars(self) -> Decimal | int:
        """The key's balance."""
        return Decimal(self.key.balance_nano) / DOLLAR

    @property
    def postings(self) -> list[tuple[str, int]]:
        """The key's entries but charges, oldest first: type and whole dollars."""
        return [
            (entry.type, entry.amount_nano // DOLLAR)
            for entry in self.world.app.ledger.entries(self.key_id)
            if entry.type != CHARGE
        ]

    def line(self, event: str) -> dict[str, object]:
        """The last line about such an event."""
        return [line for line in self.world.lines if line["event"] == event][-1]


def payment_id(order: Order, part: int = 1) -> str:
    """The provider's id of a part's payment."""
    return order.parts[part - 1].payment_id
