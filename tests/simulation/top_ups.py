"""Money in as it happens: owners order, customers pay, providers tell, the operator steps in.

`TopUps` adds all of it to a history. What customers and providers do is a moment of the world; the
rest are runs of the product's flows, to be interleaved, killed and repeated.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from osiris.errors import OsirisError
from osiris.flows import orders, payment, topup
from osiris.flows.expiry import sweep
from osiris.flows.topup import Wish
from osiris.flows.watch import watch
from osiris.ledger.order import CRYPTO
from osiris.payment_errors import OrderOpen
from osiris.payments import Hint
from tests.scripted_provider import COIN
from tests.simulation.violations import require

if TYPE_CHECKING:
    from collections.abc import Callable

    from osiris.flows.topup import Shown
    from osiris.ledger.payment import PaymentStatus
    from tests.simulation.functions import Process
    from tests.simulation.histories import History

TIMEOUT_MS = 1_000
# How often a customer who finds nothing to pay looks again.
LOOKS_MAX = 4


class TopUps:
    """Money in, in one history. Orders, payments and keys are meant by number, as far as known."""

    def __init__(self, history: History) -> None:
        self._history = history
        self.world = history.world
        self._runs = 0

    # -- what there is

    @property
    def _rules(self) -> Any:
        return self.world.rules.money.orders

    def order_ids(self) -> list[str]:
        """Every order that stands, oldest first."""
        return list(self._rules.orders)

    def payable(self) -> list[str]:
        """Full ids of the payments that owners were told how to make."""
        return [
            f"{order['provider']}#{part['payment_id']}"
            for order in self._rules.orders.values()
            for part in order["parts"]
            if part["payment_id"]
        ]

    # -- the product's flows

    def order(self, method: str, package: str, *, promise: str = "", key: int = 0) -> None:
        """An owner orders."""

        def body(process: Process) -> None:
            key_ids = self._history.owner.key_ids
            coin = COIN if method == CRYPTO else ""
            wish = Wish(package, key_ids[key % len(key_ids)], method, coin)
            name = process.running.name
            try:
                shown = topup.create(
                    process.app, "ada", wish, idempotency_key=promise, webhooks_url=""
                )
            except OrderOpen as error:
                self._check_open(name, promise, error.message)
                raise
            self._check_told(shown)

        self.run(f"order {method}", body)

    def start_again(self, number: int = 0) -> None:
        """One who shows an order that another is about to start: as a repeated creation does."""

        def body(process: Process) -> None:
            found = process.app.orders.read(self.order_ids()[number])
            assert found is not None
            self._check_told(topup._payable(process.app, found, ""))

        self.run("start", body)

    def read(self, number: int = 0) -> None:
        """An owner waits for an order."""
        self._with_order(
            "read",
            number,
            lambda process, id: self._check_told(topup.read(process.app, "ada", id)),
        )

    def cancel(self, number: int = 0) -> None:
        """An owner gives an order up."""
        self._with_order("cancel", number, lambda process, id: topup.cancel(process.app, "ada", id))

    def assign(self, number: int = 0, key: int = 0) -> None:
        """The operator gives what an order left a home."""

        def body(process: Process, order_id: str) -> None:
            key_ids = self._history.owner.key_ids
            orders.assign(process.app, order_id, key_ids[key % len(key_ids)])

        self._with_order("assign", number, body)

    def refund(self, number: int, share: str, *, manual: bool, kind: str = "refund") -> None:
        """The operator gives a payment back, or records that it was."""

        def body(process: Process, order_id: str) -> None:
            mine = self._rules.orders[order_id].get("payment_ids", ())
            if not mine:
                return
            full_id = min(mine)
            name, _, own = full_id.partition("#")
            known = Decimal(self._rules.payments[f"{name}#{own}"]["received"])
            amount = known * Decimal(share)
            if name == self.world.tills.qris.name:
                amount = Decimal(int(amount))
            if manual:
                self._rules.returned_by_hand[full_id] += amount
            orders.refund(process.app, order_id, own, amount=amount, manual=manual, kind=kind)

        self._with_order("refund", number, body)

    def confirm(self, full_id: str, hint: Hint | None = None) -> None:
        """A webhook comes in."""
        name, _, own = full_id.partition("#")
        self.run(
            f"webhook {own[-4:]}",
            lambda process: payment.confirm(
                process.app, name, own, timeout_ms=TIMEOUT_MS, hint=hint
            ),
        )

    def webhook(self, number: int = 0, *, told: str = "") -> None:
        """A webhook about a payment, as it is when it is sent."""

        def body(process: Process) -> None:
            known = self.payable()
            if known:
                full_id = known[number % len(known)]
                name, _, own = full_id.partition("#")
                hint = self.hint(full_id, told=told)
                payment.confirm(process.app, name, own, timeout_ms=TIMEOUT_MS, hint=hint)

        self.run("webhook", body)

    def watch(self) -> None:
        """The schedule of the watch."""
        self.run("watch", lambda process: watch(process.app))

    def sweep(self) -> None:
        """The schedule of the sweeper."""
        self.run("sweep", lambda process: sweep(process.app))

    def _with_order(self, what: str, number: int, body: Callable[[Process, str], object]) -> None:
        def with_order(process: Process) -> None:
            known = self.order_ids()
            if known:
                body(process, known[number % len(known)])

        self.run(what, with_order)

    def run(self, what: str, body: Callable[[Process], object]) -> None:
        """A run of a flow, to start when the scheduler lets it; it may be refused."""
        self._runs += 1

        def told(process: Process) -> None:
            try:
                body(process)
            except OsirisError as error:
                self.world.log(process.running.name, f"ends: {error.code}")
            else:
                self.world.log(process.running.name, "ends well")

        self._history.later(f"{what} {self._runs}", told)

    # -- what customers and providers do

    def happen(self, act: Callable[[str], bool], number: int = 0, *, last: bool = False) -> None:
        """Something that befalls a payment, as soon as it can; a webhook may tell of it later."""
        looks = LOOKS_MAX

        def moment() -> None:
            nonlocal looks
            known = self.payable()
            full_id = known[-1 if last else number % len(known)] if known else ""
            if full_id and act(full_id):
                status = self.world.tills.has(full_id)
                self.world.log("customer", f"{full_id} is {status.told}")
                return
            looks -= 1
            if looks:
                self.world.starts.append(moment)

        self.world.starts.append(moment)

    def pay(self, full_id: str, share: str = "1", *, complete: bool = True) -> bool:
        """A customer pays so much of what is asked."""
        till, own = self.world.tills.of(full_id)
        return till.take(own, share, complete=complete)

    def hint(self, full_id: str, *, told: str = "") -> Hint:
        """A genuine webhook about a payment as it is now; `told` is what no signature covers."""
        status: PaymentStatus = self.world.tills.has(full_id)
        return Hint(
            status.id,
            status.reference,
            status.price,
            status.price_currency,
            told or status.told,
        )

    # -- what owners are told

    def _check_told(self, shown: Shown) -> None:
        """How to pay is told by what is stored."""
        stored = self._rules.orders[shown.order.id]
        for part, kept in zip(shown.order.parts, stored["parts"], strict=True):
            if part.payment_id:
                require(part._asdict() == kept, "told another way to pay", part, kept)

    def _check_open(self, name: str, promise: str, message: str) -> None:
        """Nobody is refused because of an order that this very call, or its like, has made."""
        open_id = next((id for id in self.order_ids() if id in message), "")
        maker = self._rules.made_by.get(open_id, "").strip("()")
        require(maker != name, "refused because of its own order", open_id, name)
        promised = any(open_id in made for made in self._rules.promises.values())
        require(not (promise and promised), "refused because of its like's order", open_id, name)
