"""Quotes: what a package costs now by each method, and in how many payments."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from osiris.errors import InvalidRequest, StoreUnavailable
from osiris.flows import coins, rates
from osiris.ledger.order import CRYPTO, QRIS, Part, reference, rupiah_parts
from osiris.ledger.rate import Quoted, rupiah
from osiris.money import NANO_PER_DOLLAR, ceil_div
from osiris.payment_errors import BillRefused, PaymentsNotOffered, RateUnavailable

if TYPE_CHECKING:
    from osiris.app.full import FullApp

# Bank Indonesia's limit for one QRIS payment, Rp 10,000,000.
QRIS_RUPIAH_MAX = 10_000_000
METHODS = (QRIS, CRYPTO)


class Package(NamedTuple):
    """A package on sale: whole dollars, its price in rupiah, and the number of QRIS payments.

    `rupiah` and `qris_parts` are 0 while no rate can be relied on, or no QRIS is taken.
    """

    dollars: int
    rupiah: int
    qris_parts: int


class Offer(NamedTuple):
    """What is on sale now: packages, the methods that can be used, the rate (None: no QRIS)."""

    packages: list[Package]
    methods: list[str]
    rate: Quoted | None
    problem: str


def offer(app: FullApp) -> Offer:
    """The packages at the present rate. Without one they are sold for crypto alone."""
    methods = [method for method in METHODS if _is_offered(app, method)]
    rate, problem = None, ""
    if QRIS in methods:
        try:
            rate = rates.current(app)
        except RateUnavailable as error:
            problem = error.message
            methods.remove(QRIS)
    return Offer([_package(dollars, rate) for dollars in on_sale(app)], methods, rate, problem)


def on_sale(app: FullApp) -> list[int]:
    """The packages in whole dollars, as the operator set them."""
    return [int(word) for word in app.settings.packages.split()]


def chosen(app: FullApp, package: str) -> int:
    """The package of that name in whole dollars. Raises InvalidRequest."""
    for dollars in on_sale(app):
        if package == str(dollars):
            return dollars
    listed = ", ".join(map(str, on_sale(app)))
    raise InvalidRequest(f"'package' must be one of {listed}.", param="package")


def for_rupiah(app: FullApp, order_id: str, dollars: int) -> tuple[tuple[Part, ...], Quoted]:
    """The parts of a QRIS order, and the rate they were reckoned by. Raises RateUnavailable."""
    rate = rates.current(app)
    amount_nano = dollars * NANO_PER_DOLLAR
    parts = rupiah_parts(
        order_id,
        price_rupiah=rupiah(amount_nano, rate.rupiah_per_dollar),
        amount_nano=amount_nano,
        most_rupiah=QRIS_RUPIAH_MAX,
    )
    return parts, rate


def for_coin(app: FullApp, order_id: str, dollars: int, coin: str) -> tuple[Part, ...]:
    """The one part of a crypto order. Raises InvalidRequest for an unknown coin; BillRefused when
    the package is below the coin's least or above its most.
    """
    name = app.providers.name_for(CRYPTO)
    found = coins.find(app, coin)
    if found is None:
        raise InvalidRequest(
            "'coin' must be a code that GET /api/topups/coins lists.", param="coin"
        )
    least = app.providers.of(name).least_dollars(found.code)
    if dollars < least:
        raise BillRefused(
            f"This coin is paid from ${least} on. Choose a larger package or another coin.",
            param="coin",
        )
    if found.most_dollars is not None and dollars > found.most_dollars:
        raise BillRefused(
            f"This coin is paid up to ${found.most_dollars}. Choose a smaller package or another"
            " coin.",
            param="coin",
        )
    return (Part(reference(order_id, 1), str(Decimal(dollars)), dollars * NANO_PER_DOLLAR),)


def _is_offered(app: FullApp, method: str) -> bool:
    try:
        app.providers.check(app.providers.name_for(method))
    except (PaymentsNotOffered, StoreUnavailable):
        return False
    return True


def _package(dollars: int, rate: Quoted | None) -> Package:
    if rate is None:
        return Package(dollars, 0, 0)
    price = rupiah(dollars * NANO_PER_DOLLAR, rate.rupiah_per_dollar)
    return Package(dollars, price, ceil_div(price, QRIS_RUPIAH_MAX))
