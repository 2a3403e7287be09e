"""What orders must have been credited, by the simulators' own lists of money received.

The rules, for each payment once, whatever happened on the way:

- Rupiah at the price, or above it by 1 % at most, buy the part's credit; any other sum in
  proportion, late or not.
- A coin's first payment, seen by ten minutes after the quote's end, buys the part's credit with the
  amount that was asked, and in proportion with less.
- Whatever else came of a coin (in excess, later, a further deposit, another coin) buys what the
  simulator says that it is worth; prices stand still here.
- What went back undoes its share of that, rounded down, and the whole with the last of it.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, NamedTuple

from osiris.ledger.entry import CHARGEBACK, PURCHASE, REFUND
from osiris.ledger.order import place_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from local.payments.book import Receipt
    from osiris.ledger.order import Order
    from tests.e2e.money import Shop
    from tests.e2e.till import Till

SEEN_LATE_MS_MAX = 10 * 60_000
FEE_SHARE_MAX = Decimal("1.01")
_NANO = Decimal(10**9)


class Moved(NamedTuple):
    """A payment as its provider's list has it, and what that is worth in credit."""

    id: str
    order_id: str
    kept_nano: int


def moved(shop: Shop, order_ids: Collection[str]) -> list[Moved]:
    """Every payment that these orders were paid by, with the credit that it must have left."""
    found = []
    for provider, receipts in (
        ("midtrans", shop.till.midtrans.received),
        ("nowpayments", shop.till.nowpayments.received),
    ):
        for id, mine in _by_payment(provider, receipts).items():
            place = place_of(mine[0].order or "")
            assert place is not None, "money for no order of ours"
            if place[0] not in order_ids:
                continue
            order, number = shop.order(place[0]), place[1]
            kept = _rupiah_kept if provider == "midtrans" else _coins_kept
            found.append(Moved(f"{provider}#{id}", order.id, kept(shop.till, order, number, mine)))
    return found


def differences(shop: Shop, key_ids: Iterable[str], order_ids: Collection[str]) -> list[str]:
    """Where payments, their entries or the sums differ from the truth; empty when all is right.

    The keys are all that were ever paid for by these orders, and by no others.
    """
    truth = {payment.id: payment for payment in moved(shop, order_ids)}
    posted: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for key_id in key_ids:
        for entry in shop.app.ledger.entries(key_id):
            if entry.type in (PURCHASE, REFUND, CHARGEBACK):
                posted[entry.payment_id].append((entry.type, entry.amount_nano))
    wrong = [f"{id}: credited, and never paid" for id in posted.keys() - truth.keys()]
    for payment in truth.values():
        entries = posted[payment.id]
        left_nano = sum(amount for _, amount in entries)
        if left_nano != payment.kept_nano:
            wrong.append(f"{payment} has {entries} in {shop.order(payment.order_id)}")
        if sum(type == PURCHASE for type, _ in entries) > 1:
            wrong.append(f"{payment} was credited more than once: {entries}")
    total_nano = sum(amount for entries in posted.values() for _, amount in entries)
    if total_nano != sum(payment.kept_nano for payment in truth.values()):
        wrong.append(f"{total_nano} in all")
    return wrong


def _by_payment(provider: str, receipts: Iterable[Receipt]) -> dict[str, list[Receipt]]:
    """Receipts by the id under which the product knows their payment."""
    found: dict[str, list[Receipt]] = defaultdict(list)
    for receipt in receipts:
        id = receipt.order if provider == "midtrans" else receipt.payment_id
        found[id or ""].append(receipt)
    return found


def _sum(receipts: Iterable[Receipt], kind: str) -> Decimal:
    return sum((Decimal(one.amount) for one in receipts if one.kind == kind), Decimal(0))


def _kept(bought_nano: int, receipts: list[Receipt]) -> int:
    received, returned = _sum(receipts, "received"), _sum(receipts, "returned")
    if returned >= received:
        return 0
    return bought_nano - _share(bought_nano, returned, received)


def _share(nano: int, part: Decimal, of: Decimal) -> int:
    """The share, rounded down, exactly: amounts have 18 decimals at most."""
    scale = 10**18
    return nano * int(part * scale) // int(of * scale)


def _rupiah_kept(_till: Till, order: Order, number: int, receipts: list[Receipt]) -> int:
    part = order.parts[number - 1]
    price, received = Decimal(part.price), _sum(receipts, "received")
    at_price = price <= received <= price * FEE_SHARE_MAX
    bought_nano = part.credit_nano if at_price else _share(part.credit_nano, received, price)
    return _kept(bought_nano, receipts)


def _coins_kept(till: Till, order: Order, number: int, receipts: list[Receipt]) -> int:
    payment = till.nowpayments._account.find(receipts[0].payment_id)
    assert payment is not None
    received, asked = _sum(receipts, "received"), Decimal(payment.pay_amount)
    in_time = receipts[0].at_ms <= order.expires_at_ms + SEEN_LATE_MS_MAX
    is_first = payment.parent_id is None and payment.pay_currency == order.coin
    credit_nano = order.parts[number - 1].credit_nano
    if not (is_first and in_time):
        bought_nano = _worth_nano(till, payment.pay_currency, received)
    elif received >= asked:
        bought_nano = credit_nano
        if received > asked:
            bought_nano += _worth_nano(till, payment.pay_currency, received - asked)
    else:
        bought_nano = _share(credit_nano, received, asked)
    return _kept(bought_nano, receipts)


def _worth_nano(till: Till, coin: str, amount: Decimal) -> int:
    """By the provider's estimate, which is a JavaScript number of dollars."""
    dollars = float(till.nowpayments.prices.convert(amount, coin, "usd"))
    return int((Decimal(repr(dollars)) * _NANO).to_integral_value(ROUND_FLOOR))
