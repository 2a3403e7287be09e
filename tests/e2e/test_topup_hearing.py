"""How an order comes to its end, by whatever way money is heard of; who is told; and expiry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from osiris.flows import credit
from osiris.store.items import expiry_day, key_pk
from osiris.store.values import typed, typed_item
from tests.e2e.money import BTC, QRIS, dollars, until
from tests.e2e.till import RECONCILER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.e2e.money import Customer, Shop

BOTH = pytest.mark.parametrize("method", [QRIS, BTC], ids=["qris", "crypto"])


@BOTH
def test_an_owner_who_looks_finds_what_no_webhook_told(
    ada: Customer, method: Mapping[str, str]
) -> None:
    """The webhook is lost; reading the order asks the provider, and credits."""
    order = ada.order(method)
    ada.pay(order, webhook="lost")
    assert ada.balance == "0"
    assert ada.read(order["id"])["state"] == "credited"
    assert ada.balance == "100"


@BOTH
def test_the_schedule_finds_what_no_webhook_told(
    shop: Shop, ada: Customer, method: Mapping[str, str]
) -> None:
    """Nobody looks; the run over orders that are due credits it, and it is due later again."""
    order = ada.order(method)
    ada.pay(order, webhook="lost")
    assert shop.watch(order["id"])["asked"] >= 1
    assert ada.balance == "100"
    assert order["id"] not in shop.app.orders.due(shop.app.now_ms(), most=100).orders


@pytest.mark.parametrize("webhook", ["duplicate", "disorder"])
@BOTH
def test_however_it_is_told_it_is_credited_once(
    shop: Shop, ada: Customer, method: Mapping[str, str], webhook: str
) -> None:
    """Each event several times at once, or the last one first."""
    order = ada.order(method)
    ada.pay(order, webhook=webhook)
    assert shop.entries(ada.key_id) == [("purchase", dollars("100"))]
    assert ada.read(order["id"])["state"] == "credited"


@BOTH
def test_a_webhook_that_lies_credits_nothing(
    shop: Shop, ada: Customer, method: Mapping[str, str]
) -> None:
    """Forged, by another key, or altered: refused, and the log says so without a secret."""
    order = ada.order(method)
    for webhook in ("forged", "wrong_key", "tampered_amount", "tampered_status"):
        ada.pay(order, webhook=webhook)
    simulator = shop.till.simulator(order["method"])
    answers = [one.status for one in simulator.deliveries if "(" in one.event][-4:]
    # Midtrans' signature does not cover the status: such a webhook is genuine, and moves nothing.
    assert answers == [403, 403, 403, 200 if order["method"] == "qris" else 403]
    assert (ada.balance, ada.read(order["id"])["state"]) == ("0", "pending")
    log = shop.harness.log()
    assert '"code":"webhook_forged"' in log
    assert shop.till.midtrans.server_key not in log
    assert "simulated-ipn-secret" not in log


def test_a_cancelled_order_frees_its_place(shop: Shop, ada: Customer) -> None:
    """One open order of a kind for a key; cancelled, it can't be paid, and another can be made."""
    first = ada.order(QRIS)
    again = ada.call("POST", "/topups", ada.wish(QRIS))
    assert (again.status_code, again.json()["error"]["code"]) == (409, "order_open")
    assert first["id"] in again.json()["error"]["message"]
    cancelled = ada.call("POST", f"/topups/{first['id']}/cancel")
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    refused = httpx.post(
        f"{shop.till.midtrans.url}/simulate",
        json={"order": first["id"], "part": 1, "what": "pay"},
        timeout=30,
    )
    assert refused.status_code == 409
    second = ada.order(QRIS)
    ada.pay(second)
    late = ada.call("POST", f"/topups/{second['id']}/cancel")
    assert (late.status_code, late.json()["error"]["code"]) == (409, "order_ended")
    listed = ada.call("GET", "/topups").json()["data"]
    assert [(one["id"], one["state"]) for one in listed] == [
        (second["id"], "credited"),
        (first["id"], "cancelled"),
    ]


@BOTH
def test_the_same_order_sent_again_is_the_same_order(
    shop: Shop, ada: Customer, method: Mapping[str, str]
) -> None:
    """An Idempotency-Key replays its order, at once and later; with another body it is a 409."""
    wish = ada.wish(method)
    answers = [ada.call("POST", "/topups", wish, idempotency_key="once") for _ in range(2)]
    first, second = (answer.json() for answer in answers)
    assert [answer.status_code for answer in answers] == [201, 201]
    assert (first["id"], first["parts"]) == (second["id"], second["parts"])
    other = ada.call("POST", "/topups", wish | {"package": "250"}, idempotency_key="once")
    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_mismatch")
    ada.pay(first)
    paid = ada.call("POST", "/topups", wish, idempotency_key="once").json()
    assert (paid["id"], paid["state"]) == (first["id"], "credited")
    assert len(shop.entries(ada.key_id)) == 1


def expire(shop: Shop, key_id: str, at_ms: int) -> None:
    """Let the key's credit have expired then. Its entries stay as they are: time has passed."""
    shop.stack.cloud.client("dynamodb").update_item(
        TableName=shop.app.settings.keys_table,
        Key={"pk": typed(key_pk(key_id))},
        UpdateExpression="SET expires_at_ms = :at, expiry_day = :day",
        ExpressionAttributeValues=typed_item({":at": at_ms, ":day": expiry_day(at_ms)}),
    )


def test_expired_credit_is_forfeited_and_a_purchase_begins_anew(shop: Shop, ada: Customer) -> None:
    """402 from the expiry on, the sweep posts the forfeiture; a purchase adds to nothing."""
    credit.grant(shop.app, ada.key_id, amount_nano=dollars("7"), days=1)
    other = shop.customer()
    credit.grant(shop.app, other.key_id, amount_nano=dollars("7"), days=1)
    expired_at_ms = shop.app.now_ms() - 60_000
    expire(shop, ada.key_id, expired_at_ms)
    assert ada.chat()[0] == 402
    swept = shop.stack.front.invoke("ExpirySweeperFunction", {})
    assert swept.error is None, swept.payload
    assert (ada.balance, other.balance) == ("0", "7")
    (_, forfeiture) = shop.postings(ada.key_id)
    assert (forfeiture.type, forfeiture.amount_nano) == ("forfeiture", -dollars("7"))
    assert forfeiture.expired_at_ms == expired_at_ms
    ada.pay(ada.order(QRIS))
    assert ada.balance == "100"
    assert ada.chat() == (200, None)


def listening(shop: Shop) -> Any:
    """A queue behind the default event bus, as an operator may have it; receives when called."""
    sqs, events = (shop.stack.cloud.client(name) for name in ("sqs", "events"))
    url = sqs.create_queue(QueueName="told")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    events.put_rule(Name="told", EventPattern='{"source":["osiris"]}')
    events.put_targets(Rule="told", Targets=[{"Id": "queue", "Arn": arn["QueueArn"]}])

    def received() -> list[str]:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        return [message["Body"] for message in answer.get("Messages", [])]

    return received


def test_an_order_credited_is_told_by_an_event(shop: Shop, ada: Customer) -> None:
    """It leaves the outbox with the reconciler's next run, and reaches EventBridge's rules."""
    received = listening(shop)
    order = ada.order(QRIS)
    ada.pay(order)
    calls = shop.till.sent[RECONCILER].calls
    calls.arm()
    assert shop.watch()["events"] >= 1  # those of the tests before, too
    assert "events PutEvents" in calls.made
    told: list[str] = []

    def arrived() -> bool:
        told.extend(received())
        return any(order["id"] in body for body in told)

    assert until(arrived, "the event reaches its rule's target")
    (body,) = {body for body in told if order["id"] in body}
    assert '"order.credited"' in body
    assert shop.app.orders.due(shop.app.now_ms(), most=100).events == []
