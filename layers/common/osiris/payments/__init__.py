"""Payment providers: adapters of one protocol, each a module of this package named by a setting.

Nothing outside a provider's module knows its words. A third provider is a module here with a class
`Provider` that has the protocol below, and the setting that names the module.
"""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, NamedTuple, Protocol

from osiris.payment_errors import PaymentsNotOffered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from decimal import Decimal

    from osiris.ledger.payment import PaymentStatus

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


class ReferenceTaken(Exception):
    """A payment of this reference stands at the provider, and how to pay it can't be read again."""


class Bill(NamedTuple):
    """What is to be paid: one part of an order.

    `reference` is our name for it, the same at each try. `price` is whole rupiah for QRIS, dollars
    for a coin. `coin` is empty for QRIS. `lives_ms` is how long it can be paid from `now_ms` on.
    `webhook_url` is where the provider shall tell of it.
    """

    reference: str
    price: Decimal
    coin: str
    description: str
    lives_ms: int
    now_ms: int
    webhook_url: str


class Started(NamedTuple):
    """How the part can be paid.

    `payment_id` is the provider's. `qr_text` is what the QR code says (for a coin: its address, or
    an URI of it). `amount` is what to send, in `currency`. `address`, `memo` and `network` are a
    coin's. `expires_at_ms` is the provider's end of it.
    """

    payment_id: str
    amount: Decimal
    currency: str
    qr_text: str
    address: str
    memo: str
    network: str
    expires_at_ms: int


class Hint(NamedTuple):
    """What a genuine webhook claims: which payment, and figures to hold against its status."""

    payment_id: str
    reference: str
    price: Decimal
    price_currency: str
    told: str


class Coin(NamedTuple):
    """A coin on sale. `most_dollars` bounds one payment, where the provider says so."""

    code: str
    name: str
    network: str
    has_memo: bool
    most_dollars: int | None


class Provider(Protocol):
    """One provider. Each call may raise ProviderUnavailable: try again later.

    `timeout_ms` bounds each wait for the provider's next bytes.
    """

    name: str
    # "qris" or "crypto".
    method: str
    # The secrets that it needs, by name; the webhook's own is the last.
    secrets: tuple[str, ...]

    def start(self, bill: Bill) -> Started:
        """Have the provider take a payment. A repeat of the same bill is the same payment, as far
        as the provider can tell. Raises BillRefused when it will not, ReferenceTaken when a
        payment of that reference stands and can't be shown again.
        """
        ...

    def verify(self, headers: Mapping[str, str], body: bytes) -> Hint:
        """What a webhook claims, once its signature holds over the raw bytes (constant time).

        Header names are in lower case. Raises WebhookForged, or WebhookUnreadable.
        """
        ...

    def status(self, payment_id: str, *, timeout_ms: int) -> PaymentStatus:
        """The payment as the provider has it now, by its id. Raises PaymentNotFound."""
        ...

    def cancel(self, payment_id: str) -> bool:
        """See that it is not paid any more; whether that is certain now."""
        ...

    def refund(self, payment_id: str, *, amount: Decimal, key: str, reason: str) -> None:
        """Give money back, once for each `key`. Raises RefundByHand when it must be done there."""
        ...

    def coins(self) -> list[Coin]:
        """What may be paid with; empty for QRIS."""
        ...

    def least_dollars(self, coin: str) -> Decimal:
        """The least that one payment in this coin may come to, in dollars; 0 for QRIS."""
        ...

    def value_dollars(self, currency: str, amount: Decimal) -> Decimal:
        """What this amount of a coin is worth at the provider's present rate."""
        ...


class Surroundings(NamedTuple):
    """What a provider's class is made of: `Provider(surroundings)`."""

    base_url: str
    # A secret's text by its name. Raises PaymentsNotOffered where there is none; StoreUnavailable.
    secret: Callable[[str], str]
    now_ms: Callable[[], int]
    sleep_ms: Callable[[int], None]


def provider(name: str, surroundings: Surroundings) -> Provider:
    """The adapter of that name. Raises PaymentsNotOffered for a name that is none."""
    if not _NAME.fullmatch(name):
        raise PaymentsNotOffered(details="the setting names no provider")
    try:
        kind = importlib.import_module(f"{__name__}.{name}").Provider
    except (ModuleNotFoundError, AttributeError) as error:
        raise PaymentsNotOffered(details=f"no provider {name}") from error
    made: Provider = kind(surroundings)
    return made
