"""`/webhooks/{provider}` over the real adapters: the right answer, a line, a metric, no credit."""

from __future__ import annotations

import base64
import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from local.payments.midtrans.record import signature
from osiris.http.webhooks import BODY_BYTES_MAX, serve_webhook
from osiris.ledger.order import CREDITED, CRYPTO, PENDING, QRIS
from tests.handlers.topup_shop import RECEIVED, SERVER_KEY, answered, event
from tests.unit.payments.provider_origin import HOSTILE

if TYPE_CHECKING:
    from tests.handlers.topup_shop import Shop

BOTH = pytest.mark.parametrize("method", [QRIS, CRYPTO])
PROVIDERS = pytest.mark.parametrize("provider", ["midtrans", "nowpayments"])


# --------------------------------------------------------------------------------------- genuine


@BOTH
def test_a_genuine_webhook_credits_once(shop: Shop, method: str) -> None:
    """However often it comes: 200 each time, so that it ends."""
    order = shop.order(method)
    told = shop.told(order)
    for _ in range(3):
        assert shop.hear_of(order, told) == RECEIVED
        assert (shop.dollars, shop.state(order)) == (100, CREDITED)
    assert shop.refusal()["status"] == 200
    credited = [line for line in shop.world.lines if line["event"] == "payment_credited"]
    assert len(credited) == 1


def test_a_body_in_base64_is_the_same(shop: Shop) -> None:
    """API Gateway may hand it over so; the signature is over the raw bytes."""
    order = shop.order()
    told = shop.told(order)
    given = event("midtrans", "", told.headers) | {
        "body": base64.b64encode(told.body).decode(),
        "isBase64Encoded": True,
    }
    assert answered(serve_webhook(shop.world.app, given)) == RECEIVED
    assert shop.dollars == 100


@BOTH
def test_a_refund_is_taken_back(shop: Shop, method: str) -> None:
    """And the old webhook about the payment, replayed, brings nothing back."""
    order = shop.order(method)
    paid = shop.told(order)
    shop.hear_of(order, paid)
    refund = shop.told(order, "refund")
    for told in (refund, paid, refund):
        assert shop.hear_of(order, told) == RECEIVED
        assert shop.dollars == 0


@BOTH
def test_a_webhook_that_claims_too_much_is_but_a_hint(shop: Shop, method: str) -> None:
    """Midtrans' signature does not cover the status: what the provider says when asked counts."""
    order = shop.order(method)
    told = shop.told(order, way="tampered_status")
    heard = shop.hear_of(order, told)
    assert heard.status == (200 if method == QRIS else 403)
    assert (shop.dollars, shop.state(order)) == (0, PENDING)


# ------------------------------------------------------------------------------------ not genuine


@BOTH
@pytest.mark.parametrize("way", ["forged", "wrong_key", "tampered_amount"])
def test_a_forged_webhook(shop: Shop, method: str, way: str) -> None:
    """A bad signature, another's key, another amount under a genuine signature."""
    order = shop.order(method)
    shop.refuses(shop.hear_of(order, shop.told(order, way=way)), 403, "webhook_forged")


@BOTH
def test_a_thousand_altered_webhooks(shop: Shop, method: str) -> None:
    """One byte of a genuine one is another: none is taken for it, and none is a defect of ours."""
    order = shop.order(method)
    told, chance = shop.told(order), random.Random(1)
    genuine = json.loads(told.body)
    for _ in range(1_000):
        body = bytearray(told.body)
        place = chance.randrange(len(body))
        body[place] ^= chance.randrange(1, 128)
        if _is_same(bytes(body), genuine, method):
            continue
        heard = shop.hear_of(order, told, bytes(body))
        assert heard.status in (400, 403)
    assert shop.dollars == 0
    assert not [line for line in shop.world.lines if line["event"] == "internal_error"]


def _is_same(body: bytes, genuine: dict[str, Any], method: str) -> bool:
    """Whether what the signature covers is still the same: Midtrans' leaves much open."""
    try:
        altered = json.loads(body)
    except ValueError:
        return False
    if not isinstance(altered, dict):
        return False
    if method == CRYPTO:
        return bool(altered == genuine)
    covered = ("order_id", "status_code", "gross_amount")
    if str(altered.get("signature_key")).lower() != genuine["signature_key"]:
        return False
    return all(altered.get(name) == genuine[name] for name in covered)


@PROVIDERS
def test_a_body_that_is_too_large(shop: Shop, provider: str) -> None:
    """It is not even parsed."""
    shop.refuses(shop.hear(provider, "x" * (BODY_BYTES_MAX + 1)), 413, "request_too_large")


@PROVIDERS
@pytest.mark.parametrize("name", HOSTILE)
def test_a_body_that_is_nothing_of_the_kind(shop: Shop, provider: str, name: str) -> None:
    """No JSON, NaN amounts, endless depth and digits: 400, or 403 where nothing was signed."""
    body = HOSTILE[name]
    given = event(provider, "", {}) | {
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }
    heard = answered(serve_webhook(shop.world.app, given))
    too_large = len(body) > BODY_BYTES_MAX
    assert heard.status in ((413,) if too_large else (400, 403))
    shop.refuses(heard, heard.status, heard.json["error"]["code"])


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-1791700.00", "1e400", "0x10", "1,0"])
def test_a_signed_amount_that_is_none(shop: Shop, amount: str) -> None:
    """Even from the provider itself."""
    order = shop.order()
    body = {
        "order_id": f"{order.id}-1",
        "status_code": "200",
        "gross_amount": amount,
        "transaction_status": "settlement",
        "signature_key": signature(f"{order.id}-1", "200", amount, SERVER_KEY),
    }
    shop.refuses(shop.hear("midtrans", json.dumps(body)), 400, "webhook_unreadable")


# ------------------------------------------------------------------------------------- no route


@pytest.mark.parametrize("provider", ["", "stripe", "none", "../midtrans", "MIDTRANS", "x" * 9_999])
def test_an_unknown_provider(shop: Shop, provider: str) -> None:
    """There is no such route; the line is short."""
    shop.refuses(shop.hear(provider, "{}"), 404, "route_not_found")
    assert len(json.dumps(shop.refusal())) < 1_000


@PROVIDERS
@pytest.mark.parametrize("secret", [None, "", " \n"])
def test_no_route_without_a_secret(shop: Shop, provider: str, secret: str | None) -> None:
    """An empty secret would let anybody sign."""
    name = "midtrans-server-key" if provider == "midtrans" else "nowpayments-ipn-secret"
    if secret is None:
        del shop.secrets.known[name]
    else:
        shop.secrets.known[name] = secret
    body = {"order_id": "a", "status_code": "200", "gross_amount": "1", "payment_id": 1}
    body["signature_key"] = signature("a", "200", "1", "")
    shop.refuses(shop.hear(provider, json.dumps(body)), 404, "route_not_found")
