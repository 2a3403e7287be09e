"""A payment provider in hand: what it says of each payment is what the test sets."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from osiris.errors import StoreUnavailable
from osiris.ledger.order import CRYPTO, QRIS
from osiris.ledger.payment import (
    CHARGEBACK,
    DETECTED,
    ENDED,
    RECEIVED,
    REFUND,
    WAITING,
    PaymentStatus,
)
from osiris.payment_errors import PaymentNotFound, PaymentsNotOffered, ProviderUnavailable
from osiris.payments import Bill, Coin, Hint, Started
from osiris.rates import Rate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from osiris.app.full import FullApp
    from osiris.app.providers import Providers
    from osiris.store.events import EventBus
    from osiris.store.outbox import Event

NOTHING = Decimal(0)
COIN = "btc"
# What a coin costs in dollars.
COIN_DOLLARS = Decimal(50_000)
RUPIAH_PER_DOLLAR = Decimal("17917")


class ScriptedProvider:
    """Stands in for an adapter; `payments` is all that it knows, by its own id of each."""

    secrets = ("scripted-key",)

    def __init__(self, name: str, method: str, now_ms: Callable[[], int]) -> None:
        self.name = name
        self.method = method
        self.payments: dict[str, PaymentStatus] = {}
        self.away = False
        self.asked: list[str] = []
        self.refunds: dict[str, Decimal] = {}
        self.coin_dollars = COIN_DOLLARS
        self._now_ms = now_ms

    # -- what the product sees

    def start(self, bill: Bill) -> Started:
        """A payment that waits; QRIS by our reference, a coin under another id at each call."""
        self._answer("start")
        is_coin = self.method == CRYPTO
        id = f"p{len(self.payments) + 1}" if is_coin else bill.reference
        asked = bill.price.quantize(Decimal("1e-8")) if is_coin else bill.price
        if is_coin:
            asked = Decimal(int(bill.price * 10**8 / self.coin_dollars)).scaleb(-8)
        status = PaymentStatus(
            provider=self.name,
            id=id,
            reference=bill.reference,
            state=WAITING,
            told="waiting",
            price=bill.price,
            price_currency="USD" if is_coin else "IDR",
            currency=bill.coin or "IDR",
            asked=asked,
            received=NOTHING,
            returned=NOTHING,
            returned_by="",
            paid_at_ms=0,
        )
        self.payments.setdefault(id, status)
        address = f"address-of-{id}" if is_coin else ""
        return Started(
            id,
            asked,
            status.currency,
            address or "qr",
            address,
            "",
            "",
            bill.now_ms + bill.lives_ms,
        )

    def verify(self, headers: Mapping[str, str], body: bytes) -> Hint:
        raise NotImplementedError

    def status(self, payment_id: str, *, timeout_ms: int) -> PaymentStatus:
        self._answer(payment_id)
        if payment_id not in self.payments:
            raise PaymentNotFound
        return self.payments[payment_id]

    def cancel(self, payment_id: str) -> bool:
        self._answer("cancel")
        status = self.payments[payment_id]
        if self.method == CRYPTO or status.state not in (WAITING, ENDED):
            return False
        self.change(payment_id, state=ENDED, told="cancelled")
        return True

    def refund(self, payment_id: str, *, amount: Decimal, key: str, reason: str) -> None:
        self._answer("refund")
        if key not in self.refunds:
            self.refunds[key] = amount
            self.give_back(payment_id, amount)

    def coins(self) -> list[Coin]:
        self._answer("coins")
        return [
            Coin(COIN, "Bitcoin", "btc", False, None),
            Coin("shib", "Shiba", "eth", False, 2000),
        ]

    def least_dollars(self, coin: str) -> Decimal:
        return Decimal(20)

    def value_dollars(self, currency: str, amount: Decimal) -> Decimal:
        return amount * self.coin_dollars

    # -- what the test does

    def change(self, payment_id: str, **changes: Any) -> None:
        """Let the provider say something else of a payment."""
        self.payments[payment_id] = self.payments[payment_id]._replace(**changes)

    def detect(self, payment_id: str) -> None:
        """Money is seen, and is not final."""
        self.change(payment_id, state=DETECTED, told="confirming", paid_at_ms=self._now_ms())

    def pay(
        self, payment_id: str, share: str = "1", *, at_ms: int | None = None, complete: bool = True
    ) -> Decimal:
        """The customer pays this share of what was asked; returns the amount."""
        status = self.payments[payment_id]
        amount = status.asked * Decimal(share)
        if self.method == QRIS:
            amount = Decimal(int(amount))
        self.change(
            payment_id,
            state=RECEIVED,
            told="finished",
            received=amount,
            price=status.price if self.method == CRYPTO else amount,
            paid_at_ms=self._now_ms() if at_ms is None else at_ms,
            complete=complete and Decimal(share) >= 1,
        )
        return amount

    def deposit(self, parent_id: str, amount: Decimal, *, coin: str = COIN) -> str:
        """A further deposit to the address of a payment: a payment of its own."""
        parent = self.payments[parent_id]
        id = f"{parent_id}-{len(parent.child_ids) + 1}"
        self.payments[id] = parent._replace(
            id=id,
            state=RECEIVED,
            told="partially_paid",
            asked=amount,
            received=amount,
            returned=NOTHING,
            returned_by="",
            currency=coin,
            paid_at_ms=self._now_ms(),
            parent_id=parent_id,
            child_ids=(),
            complete=False,
        )
        self.change(parent_id, child_ids=(*parent.child_ids, id))
        return id

    def give_back(
        self, payment_id: str, amount: Decimal | None = None, *, by: str = REFUND
    ) -> None:
        """Money goes back to the customer: all that is left of it, or so much."""
        status = self.payments[payment_id]
        amount = status.received - status.returned if amount is None else amount
        self.change(
            payment_id,
            returned=status.returned + amount,
            returned_by=by,
            told="chargeback" if by == CHARGEBACK else "refund",
        )

    def _answer(self, what: str) -> None:
        self.asked.append(what)
        if self.away:
            raise ProviderUnavailable(details="scripted")


class ScriptedProviders:
    """Stands in for `osiris.app.providers.Providers`."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.qris = ScriptedProvider("midtrans", QRIS, now_ms)
        self.crypto = ScriptedProvider("nowpayments", CRYPTO, now_ms)
        self.missing: set[str] = set()

    def name_for(self, method: str) -> str:
        if method in self.missing:
            raise PaymentsNotOffered
        return self.qris.name if method == QRIS else self.crypto.name

    def of(self, name: str) -> ScriptedProvider:
        for provider in (self.qris, self.crypto):
            if provider.name == name and provider.method not in self.missing:
                return provider
        raise PaymentsNotOffered

    def check(self, name: str) -> None:
        self.of(name)


class ScriptedSource:
    """Stands in for a source of the rupiah's rate."""

    def __init__(self, name: str, now_ms: Callable[[], int]) -> None:
        self.name = name
        self.rupiah_per_dollar = RUPIAH_PER_DOLLAR
        self.age_ms = 0
        self.reads = 0
        self.error: Exception | None = None
        self._now_ms = now_ms

    def read(self) -> Rate:
        self.reads += 1
        if self.error is not None:
            raise self.error
        return Rate(self.name, self.rupiah_per_dollar, self._now_ms() - self.age_ms)


class ScriptedBus:
    """Stands in for `osiris.store.events.EventBus`: takes events unless it is away."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.away = False

    def send(self, events: Sequence[Event]) -> list[Event]:
        if self.away:
            raise StoreUnavailable(details="PutEvents: scripted")
        self.events += events
        return list(events)


class Money(NamedTuple):
    """What an app pays with, and tells of it by, in a test."""

    bus: ScriptedBus
    providers: ScriptedProviders
    sources: tuple[ScriptedSource, ScriptedSource]


def with_scripted_money(app: FullApp, now_ms: Callable[[], int]) -> Money:
    """Give the app scripted providers and rates."""
    money = Money(
        ScriptedBus(),
        ScriptedProviders(now_ms),
        (ScriptedSource("er-api", now_ms), ScriptedSource("frankfurter", now_ms)),
    )
    app.providers = cast("Providers", money.providers)
    app.rate_sources = money.sources
    app.event_bus = cast("EventBus", money.bus)
    return money
