"""Storms of webhooks: ten thousand that lie credit nothing, a thousand genuine ones credit once.

Most of it runs in this process, by the webhook function's own code over the in-memory store and the
simulators' real HTTP; a part of it runs through the gateway and the functions' processes.
"""

from __future__ import annotations

import threading
from collections import Counter as Tally
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from local.payments import MidtransSimulator, NowPaymentsSimulator
from osiris.flows.audit import audit
from osiris.money import nano_from_dollars
from tests.builders import preceded_by
from tests.dynamodb.engine import MemoryDynamoDB
from tests.dynamodb.schemas import schemas
from tests.e2e.counter import Counter
from tests.e2e.forgeries import MIDTRANS, NOWPAYMENTS, SIGNATURE, Forger, Webhook
from tests.e2e.money import BTC, QRIS
from tests.e2e.till import WAIT_S, tilled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.e2e.money import Customer, Shop

# What API Gateway lets through is another test's affair.
PARAMETERS = {"RequestsPerSecond": "10000"}
PACKAGE_NANO = nano_from_dollars("100")
FORGED, FORGED_BY_HTTP = 10_000, 200
TIMES, AT_ONCE = 1_000, 50
TIMES_BY_HTTP, AT_ONCE_BY_HTTP = 200, 10
REFUSED = {400, 403, 413}


@pytest.fixture
def counters() -> Iterator[list[Counter]]:
    """So many as are wanted at once, over one store; `counters[0].till` has the simulators."""
    store = MemoryDynamoDB(schemas().values())
    with tilled() as till, ExitStack() as ending:
        opened = [Counter(till, store=store, seed=seed) for seed in range(AT_ONCE)]
        for counter in opened:
            ending.callback(counter.close)
        yield opened


def pay(simulator: MidtransSimulator | NowPaymentsSimulator, payment_id: str) -> None:
    """Pay what was asked; no webhook reaches anybody."""
    done = httpx.post(
        f"{simulator.url}/simulate",
        json={"payment_id": payment_id, "what": "pay", "webhook": "lost"},
        timeout=30,
    )
    assert done.status_code == 200, done.text


def genuine_of(simulator: MidtransSimulator | NowPaymentsSimulator, id: str) -> list[Webhook]:
    """The webhooks that the simulator has to send of a payment, in order, sent or not."""
    provider = MIDTRANS if isinstance(simulator, MidtransSimulator) else NOWPAYMENTS
    notices = simulator._wishes.history(simulator._account.find(id))  # type: ignore[arg-type]
    return [
        Webhook(
            provider,
            {name: text for name, text in notice.headers.items() if name == SIGNATURE},
            notice.body,
        )
        for notice in notices
    ]


def members(provider: str, payment_id: str, reference: str) -> dict[str, Any]:
    """What names a payment in a webhook's body."""
    if provider == MIDTRANS:
        return {"order_id": payment_id, "transaction_status": "settlement", "status_code": "200"}
    return {"payment_id": int(payment_id), "order_id": reference, "payment_status": "finished"}


def in_flight(send: Sequence[Any], count: int, post: Any) -> Tally[int]:
    """The statuses of as many posts, so many at a time, in order of their start."""
    with ThreadPoolExecutor(count) as pool:
        return Tally(pool.map(post, send))


def test_ten_thousand_forged_webhooks_credit_nothing(counters: list[Counter]) -> None:
    """Whatever is flipped, altered, swapped, cut or signed by another: no payment, no credit."""
    counter = counters[0]
    genuine: list[Webhook] = []
    unpaid: dict[str, list[dict[str, Any]]] = {MIDTRANS: [], NOWPAYMENTS: []}
    credited, waiting = [], []
    for provider, method, coin in ((MIDTRANS, "qris", ""), (NOWPAYMENTS, "crypto", "btc")):
        simulator = counter.till.simulator(method)
        for number in range(6):
            order = counter.order(method, coin).order
            part = order.parts[0]
            if number:
                waiting.append(order)
                unpaid[provider].append(members(provider, part.payment_id, part.reference))
                continue
            credited.append(order)
            pay(simulator, part.payment_id)
            genuine += genuine_of(simulator, part.payment_id)
    for webhook in genuine:
        assert counter.take(*webhook) == 200

    answers: dict[str, Tally[int]] = {}
    for way, webhook in Forger(1, genuine, unpaid).forged(FORGED):
        answers.setdefault(way, Tally())[counter.take(*webhook)] += 1
    # What Midtrans' signature does not cover may say anything: the provider's status decides.
    covered = {way: set(found) for way, found in answers.items()}
    assert covered.pop("replayed") == {200}
    for way in ("altered", "more members"):
        assert covered.pop(way) <= {200, *REFUSED}
    assert set().union(*covered.values()) <= REFUSED, answers

    for order in waiting:
        assert counter.app.orders.payments(order) == []
        assert counter.world.stored_key(order.key_id).balance_nano == 0
    for order in credited:
        assert counter.world.stored_key(order.key_id).balance_nano == PACKAGE_NANO
    assert audit(counter.app).differences == []
    assert {line["event"] for line in counter.world.lines} <= {"webhook", "payment_credited"}


@pytest.mark.parametrize("is_backward", [False, True], ids=["in_order", "backward"])
@pytest.mark.parametrize("method", ["qris", "crypto"])
def test_a_thousand_genuine_webhooks_credit_once(
    counters: list[Counter], method: str, is_backward: bool
) -> None:
    """Each of a payment's events so often, fifty at a time, first to last or last to first.

    The first fifty have all seen that nothing is credited yet, and then credit at once.
    """
    order = counters[0].order(method, "btc" if method == "crypto" else "").order
    simulator = counters[0].till.simulator(method)
    pay(simulator, order.parts[0].payment_id)
    events = genuine_of(simulator, order.parts[0].payment_id)
    assert len(events) >= 2
    if is_backward:
        events.reverse()
    send = [event for event in events for _ in range(TIMES)]
    together = threading.Barrier(AT_ONCE)
    for counter in counters:
        counter.world.meet("TransactWriteItems", preceded_by(lambda: together.wait(WAIT_S)))
    idle = list(counters)

    def post(webhook: Webhook) -> int:
        counter = idle.pop()
        try:
            return counter.take(*webhook)
        finally:
            idle.append(counter)

    answers = in_flight(send, AT_ONCE, post)
    # Whoever met another at the same figures too often asks the provider to come again.
    assert set(answers) <= {200, 503}
    assert answers[200] >= TIMES
    app = counters[0].app
    (payment,) = app.orders.payments(counters[0].app.orders.read(order.id) or order)
    assert (payment.credited_nano, payment.taken_back_nano) == (PACKAGE_NANO, 0)
    entries = list(app.ledger.entries(order.key_id))
    assert [(entry.type, entry.amount_nano) for entry in entries] == [("purchase", PACKAGE_NANO)]
    assert audit(app).differences == []


def test_forged_webhooks_are_refused_at_the_door(shop: Shop) -> None:
    """The same through the gateway: refused or without effect, and the log holds no secret."""
    paid, unpaid = shop.customer(), shop.customer()
    genuine: list[Webhook] = []
    names: dict[str, list[dict[str, Any]]] = {}
    for provider, method in ((MIDTRANS, QRIS), (NOWPAYMENTS, BTC)):
        order, other = paid.order(method), unpaid.order(method)
        paid.pay(order)
        simulator = shop.till.simulator(method["method"])
        genuine += genuine_of(simulator, order["parts"][0]["payment_id"])
        part = other["parts"][0]
        names[provider] = [members(provider, part["payment_id"], part["reference"])]
    forged = [webhook for _, webhook in Forger(2, genuine, names).forged(FORGED_BY_HTTP)]
    answers = in_flight(forged, 4, lambda webhook: send_by_http(shop, webhook))
    assert set(answers) <= {200, *REFUSED}
    assert (paid.balance, unpaid.balance) == ("200", "0")
    assert len(shop.entries(paid.key_id)) == 2
    for secret in shop.till.world.secrets.values():
        assert secret not in shop.harness.log()


@pytest.mark.parametrize("is_backward", [False, True], ids=["in_order", "backward"])
def test_genuine_webhooks_through_the_gateway_credit_once(shop: Shop, is_backward: bool) -> None:
    """As many processes as callers, all with the same webhook: one credit."""
    customer: Customer = shop.customer()
    order = customer.order(BTC)
    customer.pay(order, webhook="lost")
    events = genuine_of(shop.till.nowpayments, order["parts"][0]["payment_id"])
    if is_backward:
        events.reverse()
    send = [event for event in events for _ in range(TIMES_BY_HTTP // len(events))]
    answers = in_flight(send, AT_ONCE_BY_HTTP, lambda webhook: send_by_http(shop, webhook))
    assert set(answers) <= {200, 503}
    assert shop.entries(customer.key_id) == [("purchase", PACKAGE_NANO)]
    assert customer.read(order["id"])["state"] == "credited"


def send_by_http(shop: Shop, webhook: Webhook) -> int:
    """The status that answers a webhook, by the gateway."""
    answer = httpx.post(
        f"{shop.stack.url}/webhooks/{webhook.provider}",
        content=webhook.body,
        headers={"Content-Type": "application/json", **webhook.headers},
        timeout=60,
    )
    return answer.status_code
