"""The page lets a developer pay without JavaScript, and shows nothing unescaped."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from local.payments import MidtransSimulator, NowPaymentsSimulator, RatesSimulator
from tests.local.payments.wire import Receiver, basic, call

if TYPE_CHECKING:
    from collections.abc import Iterator

EVIL = '"><script>alert(1)</script>'


@pytest.fixture
def midtrans() -> Iterator[MidtransSimulator]:
    with (
        Receiver() as receiver,
        MidtransSimulator(server_key="key", webhook_url=receiver.url) as simulator,
    ):
        yield simulator


def charge(midtrans: MidtransSimulator, order_id: str) -> str:
    body = {
        "payment_type": "qris",
        "transaction_details": {"order_id": order_id, "gross_amount": 1000},
        "custom_field1": EVIL,
    }
    answer = call(midtrans.url, "POST", "/v2/charge", body, basic("key"))
    return str(answer.body["transaction_id"])


def form(midtrans: MidtransSimulator, text: str) -> tuple[int, str]:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = call(midtrans.url, "POST", "/page", text, headers)
    return answer.status, answer.headers.get("Location", "")


def test_a_payment_is_paid_by_a_form(midtrans: MidtransSimulator) -> None:
    """The form names the payment, what is to happen and how it is told; the answer leads back."""
    id = charge(midtrans, "ord1-1")
    text = f"payment_id={id}&what=more&webhook=normal&amount="
    assert form(midtrans, text) == (303, f"/#{id}")
    assert midtrans.received[0].amount == "1500"
    assert midtrans.courier.wait()
    page = call(midtrans.url, "GET", "/").raw.decode()
    assert "settlement" in page and "2 webhook attempts" in page
    status, _ = form(midtrans, text)
    assert status == 409


def test_the_newest_payment_stands_first(midtrans: MidtransSimulator) -> None:
    """Each has a form with everything that can happen, and its picture."""
    for number in (1, 2, 3):
        charge(midtrans, f"ord{number}-1")
    page = call(midtrans.url, "GET", "/").raw.decode()
    assert re.findall(r"<h2>(.*?)</h2>", page) == ["ord3-1", "ord2-1", "ord1-1"]
    assert page.count("<form") == 3 and page.count("/qr-code") == 3
    for name in ("pay", "less", "more", "late", "twice", "refund", "duplicate", "forged"):
        assert f'value="{name}"' in page
    assert "<script" not in page


def test_everything_is_escaped() -> None:
    """Texts that a product or a stranger sent stay texts."""
    with NowPaymentsSimulator(api_key="key", ipn_secret="secret") as provider:
        body = {
            "price_amount": 100,
            "price_currency": "usd",
            "pay_currency": "ltc",
            "order_id": EVIL,
            "ipn_callback_url": f"http://127.0.0.1:9/{EVIL}",
        }
        made = call(provider.url, "POST", "/v1/payment", body, {"x-api-key": "key"}).body
        form = f"payment_id={made['payment_id']}&what=late_unseen&webhook=normal"
        assert call(provider.url, "POST", "/page", form).status == 303
        assert provider.courier.wait()
        refused = call(provider.url, "POST", "/page", f"what={EVIL}&payment_id=x")
        for page in (call(provider.url, "GET", "/").raw, refused.raw):
            assert b"<script" not in page
            assert b"&lt;script&gt;" in page


def test_a_page_without_payments(midtrans: MidtransSimulator) -> None:
    """Says what to do; the rates' page stands, too."""
    assert b"No payment yet" in call(midtrans.url, "GET", "/").raw
    with RatesSimulator() as rates:
        assert call(rates.url, "GET", "/").status == 200
