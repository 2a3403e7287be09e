"""Payment providers as a part of the world: what they took and have, no killed process takes back.

A process reaches them by a `Line`: each call is a step, at which the scheduler may let another go
on, and at which the process may be killed, or the call or its answer be lost.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from osiris.errors import StoreUnavailable
from osiris.ledger.order import CRYPTO, QRIS
from osiris.ledger.payment import DETECTED, ENDED, RECEIVED, WAITING
from osiris.payment_errors import PaymentNotFound
from osiris.payments import ReferenceTaken
from tests.scripted_provider import COIN_DOLLARS, ScriptedProvider, ScriptedSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osiris.ledger.payment import PaymentStatus
    from osiris.payments import Bill, Coin, Hint, Started
    from osiris.store.outbox import Event
    from tests.simulation.functions import Process
    from tests.simulation.world import World

LEAST_DOLLARS = Decimal(1)
# Above this share of the price a provider may take it as met.
COVERED_FROM = Decimal("0.99")


class Till(ScriptedProvider):
    """A provider of cheap packages; a `forgetful` one can't show a payment a second time."""

    def __init__(self, name: str, method: str, world: World) -> None:
        super().__init__(name, method, lambda: world.now_ms)
        self.forgetful = False
        self.told: dict[str, list[PaymentStatus]] = defaultdict(list)

    def change(self, payment_id: str, **changes: Any) -> None:
        """Let the provider say something else of a payment, and remember what it said."""
        super().change(payment_id, **changes)
        self.told[payment_id].append(self.payments[payment_id])

    def start(self, bill: Bill) -> Started:
        """A payment that waits."""
        if self.forgetful and self.method == QRIS and bill.reference in self.payments:
            raise ReferenceTaken
        return super().start(bill)

    def least_dollars(self, coin: str) -> Decimal:
        """Simulated packages cost a dollar or two."""
        return LEAST_DOLLARS

    # -- what customers do; each says whether it could be done

    def take(self, payment_id: str, share: str, *, complete: bool = True) -> bool:
        """A customer pays so much of what is asked, the first time; a coin may be added to."""
        status = self.payments[payment_id]
        if status.state not in (WAITING, DETECTED):
            more = status.asked * Decimal(share) > status.received
            if self.method == QRIS or status.state == ENDED or not more:
                return False
        at_ms = status.paid_at_ms or None
        self.pay(payment_id, share, at_ms=at_ms)
        covered = complete and Decimal(share) > COVERED_FROM
        self.told[payment_id].pop()
        self.change(payment_id, complete=covered)
        return True

    def see(self, payment_id: str) -> bool:
        """The money is on its way."""
        if self.payments[payment_id].state != WAITING:
            return False
        self.detect(payment_id)
        return True

    def take_again(self, payment_id: str, share: str, coin: str) -> bool:
        """A further deposit to a coin's address, perhaps of another coin."""
        status = self.payments[payment_id]
        if self.method != CRYPTO or status.state != RECEIVED:
            return False
        child = self.deposit(payment_id, status.asked * Decimal(share), coin=coin)
        self.told[child].append(self.payments[child])
        return True

    def return_some(self, payment_id: str, share: str, by: str) -> bool:
        """This share of what came goes back, or what is left of it."""
        status = self.payments[payment_id]
        left = status.received - status.returned
        if left <= 0:
            return False
        amount = min(left, status.received * Decimal(share))
        if self.method == QRIS:
            amount = Decimal(max(1, int(amount)))
        self.give_back(payment_id, amount, by=by)
        return True


class Line:
    """A process's way to a provider: stands in for its adapter."""

    def __init__(self, process: Process, till: Till) -> None:
        self.name, self.method, self.secrets = till.name, till.method, till.secrets
        self._process = process
        self._till = till

    def start(self, bill: Bill) -> Started:
        started: Started = self._ask(f"start {bill.reference}", partial(self._till.start, bill))
        return started

    def verify(self, headers: object, body: bytes) -> Hint:
        raise NotImplementedError

    def status(self, payment_id: str, *, timeout_ms: int) -> PaymentStatus:
        call = partial(self._till.status, payment_id, timeout_ms=timeout_ms)
        status: PaymentStatus = self._ask(f"status {payment_id}", call, reads=True)
        return status

    def cancel(self, payment_id: str) -> bool:
        done: bool = self._ask(f"cancel {payment_id}", partial(self._till.cancel, payment_id))
        return done

    def refund(self, payment_id: str, *, amount: Decimal, key: str, reason: str) -> None:
        call = partial(self._till.refund, payment_id, amount=amount, key=key, reason=reason)
        self._ask(f"refund {payment_id} {amount}", call)

    def coins(self) -> list[Coin]:
        return self._till.coins()

    def least_dollars(self, coin: str) -> Decimal:
        return self._till.least_dollars(coin)

    def value_dollars(self, currency: str, amount: Decimal) -> Decimal:
        call = partial(self._till.value_dollars, currency, amount)
        dollars: Decimal = self._ask(f"value {amount}", call, reads=True)
        return dollars

    def _ask(self, what: str, call: Any, *, reads: bool = False) -> Any:
        return self._process.running.ask(f"{self.name}: {what}", call, reads=reads)


class Lines:
    """A process's providers: stands in for `osiris.app.providers.Providers`."""

    def __init__(self, process: Process, tills: Tills) -> None:
        self._lines = {till.name: Line(process, till) for till in tills.all}
        self._names = {till.method: till.name for till in tills.all}

    def name_for(self, method: str) -> str:
        return self._names[method]

    def of(self, name: str) -> Line:
        return self._lines[name]

    def check(self, name: str) -> None:
        self.of(name)


class Tills:
    """All providers, the rupiah's rate, and the bus that events go out by."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.qris = Till("midtrans", QRIS, world)
        self.crypto = Till("nowpayments", CRYPTO, world)
        self.all = (self.qris, self.crypto)
        self.sources = tuple(
            ScriptedSource(name, lambda: world.now_ms) for name in ("er-api", "frankfurter")
        )
        self.sent: set[str] = set()
        self.bus_is_away = False
        world.rules.money.orders.provider_has = self.has
        world.rules.money.orders.provider_told = self.told
        world.rules.money.orders.coin_rates.add(COIN_DOLLARS)

    def of(self, payment_id: str) -> tuple[Till, str]:
        """The provider of a payment by its full id, and the provider's own id of it."""
        name, _, own = payment_id.partition("#")
        return next(till for till in self.all if till.name == name), own

    def told(self, payment_id: str, received: Decimal) -> PaymentStatus | None:
        """What its provider said of a payment when so much had come, by its full id."""
        till, own = self.of(payment_id)
        return next((told for told in till.told[own] if told.received == received), None)

    def has(self, payment_id: str) -> PaymentStatus:
        """The provider's own record of a payment, by its full id."""
        till, own = self.of(payment_id)
        if own not in till.payments:
            raise PaymentNotFound
        return till.payments[own]

    def price_rupiah(self, rupiah_per_dollar: Decimal) -> None:
        """What a dollar costs from now on."""
        for source in self.sources:
            source.rupiah_per_dollar = rupiah_per_dollar

    def price_coin(self, dollars: Decimal) -> None:
        """What a coin is worth from now on."""
        self.crypto.coin_dollars = dollars
        self._world.rules.money.orders.coin_rates.add(dollars)

    def send(self, events: Sequence[Event]) -> list[Event]:
        """The bus takes events, unless it is away."""
        if self.bus_is_away:
            raise StoreUnavailable(details="PutEvents: simulated")
        self.sent |= {event.id for event in events}
        return list(events)
