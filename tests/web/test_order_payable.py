"""What an order asks for, and by what: the rest of a coin, the coin's name, a code to be saved."""

from __future__ import annotations

import base64
import struct
import zlib
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
import segno

from osiris.http.order_shapes import qr_picture
from osiris.ledger.order import CRYPTO
from osiris.payments import Coin
from tests.flows.topup_customer import HOUR_MS, payment_id
from tests.scripted_provider import COIN
from tests.web.markup import Markup
from tests.web.shopper import Shopper, shopper
from tests.web.test_order_pages import (
    PAGE_BYTES_MAX,
    QRIS_TEXT,
    codes,
    giving,
    piece_is_in_page,
)
from tests.web.test_topup_pages import with_coins

if TYPE_CHECKING:
    from tests.web.browser import Shown

TETHER = "usdttrc20"
# The quiet zone that a QR code needs on each side.
BORDER = 4


@pytest.fixture
def ada() -> Shopper:
    return shopper()


def saved(shown: Shown) -> dict[str, str]:
    """The codes that can be saved: addresses by the names of their files."""
    links = Markup(shown.html).of("a")
    return {link["download"]: link["href"] for link in links if "download" in link}


def pixels(picture: str) -> list[list[bool]]:
    """Which pixels of a PNG with one bit each are dark, row by row."""
    png = base64.b64decode(picture.removeprefix("data:image/png;base64,"), validate=True)
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height, depth, color = struct.unpack(">IIBB", png[16:26])
    assert (depth, color) == (1, 0)
    at = png.index(b"IDAT")
    (length,) = struct.unpack(">I", png[at - 4 : at])
    written = zlib.decompress(png[at + 4 : at + 4 + length])
    stride = (width + 7) // 8
    rows = [bytes(stride)]
    for start in range(0, height * (stride + 1), stride + 1):
        row = written[start + 1 : start + 1 + stride]
        # A row as it is, or as what it adds to the one above.
        assert written[start] in (0, 2)
        above = rows[-1] if written[start] == 2 else bytes(stride)
        rows.append(bytes((new + old) % 256 for new, old in zip(row, above, strict=True)))
    return [[not row[x // 8] >> (7 - x % 8) & 1 for x in range(width)] for row in rows[1:]]


# ------------------------------------------------------------------------------- codes to be saved


def test_a_picture_is_the_code() -> None:
    """Module by module, in pixels that any app can read; the same bytes each time."""
    picture = qr_picture(QRIS_TEXT)
    assert picture == qr_picture(QRIS_TEXT)
    code = segno.make(QRIS_TEXT, error="m")
    dark = pixels(picture)
    wanted = [[bool(each) for each in row] for row in code.matrix_iter(border=BORDER)]
    scale = len(dark) // len(wanted)
    assert scale >= 4
    assert [row[scale // 2 :: scale] for row in dark[scale // 2 :: scale]] == wanted


def test_each_code_can_be_saved_on_the_phone_that_shows_it(ada: Shopper) -> None:
    """Under the order's name and the part's number, without a script, on no large page."""
    giving(ada, qr_text=QRIS_TEXT)
    order = ada.order("2500")
    shown = ada.look(order)
    assert "On a phone: save the code (or take a screenshot), and open it in the app." in shown.text
    assert saved(shown) == {
        f"{order.id}-{part}.png": qr_picture(QRIS_TEXT) for part in (1, 2, 3, 4)
    }
    assert shown.text.count("Save the code as a picture") == 4
    assert len(shown.body) < PAGE_BYTES_MAX
    assert Markup(shown.html).forbidden() == []
    assert piece_is_in_page(ada, order)
    ada.customer.pay(order)
    assert f"{order.id}-1.png" not in saved(ada.look(order))


def test_one_code_can_be_saved_and_a_coins_needs_not(ada: Shopper) -> None:
    """An address is copied."""
    order = ada.order()
    assert list(saved(ada.look(order))) == [f"{order.id}-1.png"]
    assert saved(ada.look(ada.order("100", CRYPTO, coin=COIN))) == {}


# ------------------------------------------------------------------------------ the rest of a coin


def test_after_another_coin_the_rest_is_told_by_its_worth(ada: Shopper) -> None:
    """What came was worth nearly all of it: the amount that was asked for is asked for no more."""
    order = ada.order("100", CRYPTO, coin=COIN)
    ada.customer.provider(order).deposit(payment_id(order), Decimal("0.0019998"), coin="eth")
    shown = ada.look(order)
    assert "Partly paid. $99.99 of $100.00 is paid" in shown.text
    assert "Amount BTC worth $0.01 Coin" in shown.text
    assert "Copy the amount" not in shown.text
    assert 'data-copy="0.002' not in shown.html
    assert codes(shown) == ["QR code of the address"]


def test_a_rate_that_is_rounded_is_marked(ada: Shopper) -> None:
    """What a coin is worth in the quote stands with its price."""
    giving(ada, amount=Decimal("0.00103093"))
    shown = ada.look(ada.order("100", CRYPTO, coin=COIN))
    assert "Rate ≈ $96,999.796 for 1 BTC, fixed by the provider for this order" in shown.text


# ----------------------------------------------------------------------------------- a coin's name


def test_a_coin_is_named_as_its_holders_know_it(ada: Shopper) -> None:
    """With the provider's code in one piece beside it; the piece says what the page says."""
    with_coins(ada, Coin(TETHER, "Tether USD (Tron)", "trx", False, None))
    giving(ada, network="trx")
    order = ada.order("100", CRYPTO, coin=TETHER)
    shown = ada.look(order)
    assert "Send Tether USD (Tron) on the network TRX." in shown.text
    assert 'Tether USD (Tron) <code class="whole">USDTTRC20</code>' in shown.html
    assert "paid in Tether USD (Tron)" in shown.text
    assert piece_is_in_page(ada, order)


def test_a_silent_provider_takes_no_name_away(ada: Shopper) -> None:
    """What was listed once is known; nobody is asked for it again while the page lives."""
    order = ada.order("100", CRYPTO, coin=COIN)
    provider = ada.customer.provider(order)
    ada.world.app.orders.start(
        order._replace(state="pending"), order.parts, order.expires_at_ms + 3 * HOUR_MS
    )
    ada.world.pass_ms(2 * HOUR_MS)
    ada.browser.sign_in("ada")
    provider.away = True
    provider.asked.clear()
    assert "Send Bitcoin. What is sent on another network" in ada.look(order).text
    assert "coins" not in provider.asked


def test_a_coin_that_is_listed_no_more_goes_by_its_code(ada: Shopper) -> None:
    """Then nothing but its code is known."""
    order = ada.order("100", CRYPTO, coin=COIN)
    ada.world.app.coin_lists.put("nowpayments", [], 0)
    shown = ada.look(order)
    assert "Send BTC. What is sent on another network" in shown.text
    assert "Coin BTC Address" in shown.text
    assert piece_is_in_page(ada, order)
