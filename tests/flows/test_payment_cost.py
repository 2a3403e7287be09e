"""What money in costs in calls of DynamoDB: each number here is one that is paid for."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from osiris.flows import quote, topup
from osiris.flows.watch import PAGE, watch
from osiris.ledger.order import CRYPTO, QRIS
from tests.flows.topup_customer import DAY_MS, MINUTE_MS, Customer, payment_id

if TYPE_CHECKING:
    from collections.abc import Callable


def calls(ada: Customer, act: Callable[[], object]) -> dict[str, int]:
    """The calls that it makes, by operation."""
    ada.world.transport.calls.clear()
    act()
    return dict(Counter(ada.world.transport.calls))


@pytest.mark.parametrize("method", [QRIS, CRYPTO])
def test_a_webhook_that_credits(ada: Customer, method: str) -> None:
    """The order twice, the payment and the key are read, and one transaction moves them."""
    order = ada.order(method=method)
    ada.pay(order)
    assert calls(ada, lambda: ada.told(order)) == {"GetItem": 4, "TransactWriteItems": 1}
    assert calls(ada, lambda: ada.told(order)) == {"GetItem": 2}


def test_a_webhook_about_nothing(ada: Customer) -> None:
    """Pending: order and payment are looked up, nothing is written."""
    order = ada.order()
    assert calls(ada, lambda: ada.told(order)) == {"GetItem": 2}


def test_a_refund_reads_the_ledger_only_where_something_was_forfeited(ada: Customer) -> None:
    """Few keys have a forfeiture at all."""
    order = ada.bought()
    ada.provider(order).give_back(payment_id(order))
    assert calls(ada, lambda: ada.told(order)) == {"GetItem": 4, "TransactWriteItems": 1}
    late = ada.bought()
    ada.world.pass_ms(1)
    ada.bought()
    ada.swept(after_ms=100 * DAY_MS)
    ada.provider(late).give_back(payment_id(late))
    assert calls(ada, lambda: ada.told(late)) == {
        "GetItem": 4,
        "Query": 1,
        "TransactWriteItems": 1,
    }


def test_a_read_of_an_order(ada: Customer) -> None:
    """One item, and its payments in one call; with the asking every 10 s a little more."""
    order, app = ada.bought(), ada.world.app

    def read() -> object:
        return topup.read(app, "ada", order.id)

    # Claimed, asked about (order and payment), read again.
    assert calls(ada, read) == {"GetItem": 4, "UpdateItem": 1, "BatchGetItem": 1}
    assert calls(ada, read) == {"GetItem": 1, "BatchGetItem": 1}
    ada.world.pass_ms(30 * DAY_MS)
    assert calls(ada, read) == {"GetItem": 1, "BatchGetItem": 1}


def test_a_list_of_orders(ada: Customer) -> None:
    """One read of the account's index, however many there are."""
    for method in (QRIS, CRYPTO):
        ada.order(method=method)
    app = ada.world.app
    assert calls(ada, lambda: topup.list_orders(app, "ada", after_id="", most=20)) == {"Query": 1}


def test_an_order_is_made_in_one_transaction(ada: Customer) -> None:
    """Key, place, pace and rates are read before, how to pay it is written after."""
    quote.offer(ada.world.app)
    made = calls(ada, ada.order)
    assert made == {"GetItem": 2, "Query": 2, "TransactWriteItems": 1, "UpdateItem": 1}


def test_an_empty_watch_is_one_read(ada: Customer) -> None:
    """Whatever is stored: every five minutes, for ever."""
    assert calls(ada, lambda: watch(ada.world.app)) == {"Query": 1}
    for _ in range(3):
        ada.bought()
    ada.watched(ada.order(method=CRYPTO), after_ms=30 * DAY_MS)
    assert calls(ada, lambda: watch(ada.world.app)) == {"Query": 1}


def test_a_watched_order_costs_a_few_calls(ada: Customer) -> None:
    """Read, asked about (order and payment), and due again."""
    ada.order()
    ada.world.pass_ms(MINUTE_MS)
    assert calls(ada, lambda: watch(ada.world.app)) == {"Query": 1, "GetItem": 3, "UpdateItem": 1}


def test_a_full_watch_reads_page_by_page(ada: Customer) -> None:
    """A page of the index for every hundred that are due."""
    for _ in range(PAGE + 1):
        topup.cancel(ada.world.app, "ada", ada.order().id)
        ada.world.pass_ms(5 * MINUTE_MS)
    made = calls(ada, lambda: watch(ada.world.app))
    assert (made["Query"], made["UpdateItem"]) == (2, PAGE + 1)
