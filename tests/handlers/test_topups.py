"""`/api/topups` from REST proxy event to answer: shapes, pages, and what its owner sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest

from osiris.errors import StoreUnavailable
from osiris.flows import keys
from osiris.flows.payment import confirm
from osiris.http.order_shapes import _WHY
from osiris.ledger.order import TRANSITIONS
from osiris.payment_errors import RateUnavailable
from tests.handlers.caller import ADA, RSA
from tests.handlers.topup_caller import TopupCaller
from tests.issuer import jwks_server, token

if TYPE_CHECKING:
    from collections.abc import Iterator

MINUTE_MS = 60_000
DAY_MS = 86_400_000
AT = "2026-11-24T10:00:00.000Z"


@pytest.fixture
def ada() -> Iterator[TopupCaller]:
    with jwks_server() as server:
        yield TopupCaller(server)


def is_svg(text: str) -> bool:
    """Whether it parses as XML, as our own drawing must."""
    return ElementTree.fromstring(text).tag.endswith("svg")  # noqa: S314 - not from outside


# ------------------------------------------------------------------------------------- on sale


def test_the_packages_in_json(ada: TopupCaller) -> None:
    """USD, rupiah at the present rate, its source and time, and the ways to pay."""
    shown = ada.call("GET", "/api/topups/packages").json
    assert shown["data"][-1] == {
        "id": "2500",
        "object": "package",
        "usd": "2500",
        "rupiah": "44792500",
        "qris_payments": 5,
        "methods": ["qris", "crypto"],
    }
    assert [package["id"] for package in shown["data"]] == ["100", "250", "500", "1000", "2500"]
    assert shown["rate"] == {
        "rupiah_per_dollar": "17917",
        "source": "er-api",
        "at": AT,
        "margin_percent": "0",
        "note": "The source renews it once a day; it is read at most an hour before a quote.",
    }
    assert (shown["problem"], shown["quote_minutes"], shown["next"]) == (None, 20, None)


def test_packages_without_a_rate(ada: TopupCaller) -> None:
    """For crypto alone, and why."""
    for source in ada.money.sources:
        source.error = RateUnavailable()
    shown = ada.call("GET", "/api/topups/packages").json
    assert (shown["rate"], shown["problem"]) == (None, RateUnavailable.message)
    for package in shown["data"]:
        assert (package["rupiah"], package["qris_payments"]) == (None, None)
        assert package["methods"] == ["crypto"]


def test_the_coins_in_json(ada: TopupCaller) -> None:
    """Searched by `q`, bounded by `limit`."""
    shown = ada.call("GET", "/api/topups/coins", query={"q": "shi", "limit": "1"}).json
    assert shown == {
        "data": [
            {
                "id": "shib",
                "object": "coin",
                "name": "Shiba",
                "network": "eth",
                "has_memo": False,
                "most_usd": "2000",
            }
        ],
        "next": None,
    }
    assert len(ada.call("GET", "/api/topups/coins").json["data"]) == 2


# -------------------------------------------------------------------------------------- an order


def test_a_qris_order_in_json(ada: TopupCaller) -> None:
    """Its members are those documented, with a QR code that is an image of its text."""
    order = ada.ordered()
    (part,) = order.pop("parts")
    assert is_svg(part.pop("qr_svg"))
    assert part == {
        "number": 1,
        "state": "waiting",
        "credit": "100",
        "credited": "0",
        "price": "1791700",
        "price_currency": "IDR",
        "amount": "1791700",
        "currency": "IDR",
        "reference": f"{order['id']}-1",
        "payment_id": f"{order['id']}-1",
        "qr_text": "qr",
    }
    assert order == {
        "id": order["id"],
        "object": "order",
        "state": "pending",
        "why": "No payment has arrived yet. It shows here within seconds of being final.",
        "package": "100",
        "key_id": ada.key_id,
        "method": "qris",
        "coin": None,
        "provider": "midtrans",
        "credited": "0",
        "taken_back": "0",
        "rate": {"rupiah_per_dollar": "17917", "source": "er-api", "at": AT},
        "created_at": AT,
        "expires_at": "2026-11-24T10:20:00.000Z",
        "payments": [],
    }


def test_a_crypto_order_in_json(ada: TopupCaller) -> None:
    """An address, an amount of the coin, and its QR code."""
    order = ada.ordered(method="crypto", coin="BTC")
    (part,) = order["parts"]
    assert (order["coin"], order["rate"], order["provider"]) == ("btc", None, "nowpayments")
    assert (part["price"], part["price_currency"]) == ("100", "USD")
    assert (part["amount"], part["currency"]) == ("0.00200000", "btc")
    assert part["address"] == part["qr_text"] == f"address-of-{part['payment_id']}"
    assert (part["memo"], part["network"]) == (None, None)
    assert is_svg(part["qr_svg"])


def test_an_order_in_parts(ada: TopupCaller) -> None:
    """Each has its state and its credit; QR codes vanish when nothing is to be paid any more."""
    order = ada.ordered(package="2500")
    assert len(order["parts"]) == 5
    ada.paid(order, 2)
    shown = ada.read(order)
    assert (shown["state"], shown["credited"]) == ("part_paid", "500")
    assert shown["why"] == "Not all of it has been paid. What came is credited."
    assert [part["state"] for part in shown["parts"]] == ["waiting", "credited"] + ["waiting"] * 3
    for number in (1, 3, 4, 5):
        ada.paid(order, number)
    shown = ada.read(order)
    assert (shown["state"], shown["why"], shown["credited"]) == ("credited", None, "2500")
    assert not [part for part in shown["parts"] if "qr_text" in part or "qr_svg" in part]


def test_a_payment_in_json(ada: TopupCaller) -> None:
    """What was received, what it bought, and what of it went back."""
    order = ada.ordered()
    ada.paid(order, share="0.5")
    shown = ada.read(order)
    assert shown["parts"][0]["state"] == "part_paid"
    assert shown["payments"] == [
        {
            "id": f"midtrans#{order['id']}-1",
            "part": 1,
            "provider_state": "finished",
            "received": "895850",
            "returned": "0",
            "currency": "IDR",
            "bought": "50",
            "credited": "50",
            "taken_back": "0",
            "key_id": ada.key_id,
            "seen_at": AT,
            "credited_at": AT,
        }
    ]


def test_a_refunded_part_says_so(ada: TopupCaller) -> None:
    """What went back is no longer shown as credited, in the part and in the order."""
    order = ada.ordered()
    ada.paid(order)
    assert ada.read(order)["parts"][0]["state"] == "credited"
    [id] = [part["payment_id"] for part in order["parts"]]
    ada.money.providers.of(order["provider"]).give_back(id)
    confirm(ada.world.app, order["provider"], id, timeout_ms=1)
    shown = ada.read(order)
    assert (shown["state"], shown["parts"][0]["state"]) == ("refunded", "returned")
    assert (shown["credited"], shown["taken_back"]) == ("100", "100")


def test_why_nothing_is_credited(ada: TopupCaller) -> None:
    """Seen and not final; ended; cancelled; a person has to look: each says so."""
    order = ada.ordered(method="crypto", coin="btc")
    provider = ada.money.providers.crypto
    id = order["parts"][0]["payment_id"]
    provider.detect(id)
    shown = ada.read(order)
    assert (shown["state"], shown["parts"][0]["state"]) == ("pending", "detected")
    assert shown["why"] == "A payment was seen, and is not final yet. Nothing needs to be done."
    provider.change(id, price_currency="EUR")
    ada.world.pass_ms(10_000)
    assert ada.read(order)["why"].endswith("A person looks into it.")
    cancelled = ada.call("POST", f"/api/topups/{ada.ordered()['id']}/cancel").json
    assert cancelled["state"] == "cancelled"
    assert cancelled["why"].startswith("It was cancelled.")
    assert "qr_text" not in cancelled["parts"][0]


def test_each_state_that_is_not_the_end_says_why(ada: TopupCaller) -> None:
    """The table of the API's texts has those of the table of transitions, but for the ends."""
    assert TRANSITIONS.keys() - _WHY.keys() == {"credited", "refunded", "charged_back"}


# -------------------------------------------------------------------------------- list and cancel


def test_orders_are_listed_by_pages(ada: TopupCaller) -> None:
    """Newest first, without QR codes; `after` goes on where a page ended."""
    made = []
    for _ in range(3):
        made.append(ada.ordered()["id"])
        ada.world.pass_ms(20 * MINUTE_MS)
    first = ada.call("GET", "/api/topups", query={"limit": "2"}).json
    assert [order["id"] for order in first["data"]] == made[:0:-1]
    assert not [order for order in first["data"] if "parts" in order or "payments" in order]
    second = ada.call("GET", "/api/topups", query={"limit": "2", "after": first["next"]}).json
    assert ([order["id"] for order in second["data"]], second["next"]) == (made[:1], None)
    assert len(ada.call("GET", "/api/topups").json["data"]) == 3


def test_another_account_sees_nothing(ada: TopupCaller) -> None:
    """404 for reading and cancelling, an empty list; and another's key takes no order."""
    order = ada.ordered()
    bob = f"Bearer {token(RSA, sub='bob')}"
    path = f"/api/topups/{order['id']}"
    assert ada.call("GET", path, bearer=bob).error == (404, "order_not_found", None)
    assert ada.call("POST", f"{path}/cancel", bearer=bob).error == (404, "order_not_found", None)
    assert ada.call("GET", "/api/topups", bearer=bob).json == {"data": [], "next": None}
    refused = ada.call("POST", "/api/topups", ada.wish(), bearer=bob)
    assert refused.error == (404, "key_not_found", None)
    assert ada.read(order)["state"] == "pending"


def test_an_idempotency_key_makes_one_order(ada: TopupCaller) -> None:
    """The same answer again; another body is a 409."""

    def post(**changes: Any) -> Any:
        headers = {
            "Authorization": [f"Bearer {token(RSA)}"],
            "Idempotency-Key": ["order-1"],
        }
        return ada.call("POST", "/api/topups", ada.wish(**changes), multiValueHeaders=headers)

    order = post().json
    assert post().json == order
    assert post(package="250").error == (409, "idempotency_mismatch", None)


def test_an_order_is_logged_without_what_it_holds(ada: TopupCaller) -> None:
    """One line a request: no token, no QR text, no address."""
    order = ada.ordered(method="crypto", coin="btc")
    ada.read(order)
    lines = [line for line in ada.world.lines if line["event"] == "api"]
    assert [(line["route"], line["status"]) for line in lines] == [
        ("POST /api/topups", 201),
        ("GET /api/topups/{id}", 200),
    ]
    logged = str(ada.world.lines)
    assert order["parts"][0]["address"] not in logged
    assert token(RSA).split(".")[1][:40] not in logged
    assert keys.read(ada.world.app, ADA, ada.key_id).account_id == ADA


def test_a_store_away(ada: TopupCaller) -> None:
    """503 in our own words."""

    def away(_call: object, _payload: object) -> dict[str, Any]:
        raise StoreUnavailable(details="no connection")

    ada.world.meet("Query", away)
    assert ada.call("GET", "/api/topups").error == (503, "store_unavailable", None)
