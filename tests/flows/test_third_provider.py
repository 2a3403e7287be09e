"""A third provider is one file and one setting: order, webhook and credit go through it."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any, cast

import pytest

from osiris import payments
from osiris.app.providers import Providers
from osiris.flows import keys, topup
from osiris.flows.topup import Wish
from osiris.http.webhooks import serve_webhook
from osiris.ledger.order import CREDITED, QRIS, shown_state
from osiris.money import NANO_PER_DOLLAR
from tests.builders import World
from tests.scripted_provider import ScriptedSource

ADAPTERS = Path(__file__).parents[1] / "adapters"
SECRET = "shared"


class OneSecret:
    """Stands in for `osiris.store.secrets.Secrets`."""

    def read(self, _name: str, _now_ms: int) -> str:
        return SECRET


@pytest.fixture
def vouchers(tmp_path: Path) -> Path:
    return tmp_path / "vouchers.json"


@pytest.fixture
def world(vouchers: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world whose settings name the third provider; its file lies where a package's would."""
    monkeypatch.setattr(payments, "__path__", [*payments.__path__, str(ADAPTERS)])
    world = World(
        {
            "OSIRIS_QRIS_PROVIDER": "voucher",
            "OSIRIS_PROVIDER_URLS": f"voucher=file://{vouchers}",
        }
    )
    app = world.app
    app.providers = Providers(
        app.settings, cast(Any, OneSecret()), now_ms=app.now_ms, sleep_ms=app.sleep_ms
    )
    world.app.rate_sources = (ScriptedSource("er-api", lambda: world.now_ms),)
    return world


def webhook(body: bytes, signature: str) -> dict[str, Any]:
    return {
        "httpMethod": "POST",
        "resource": "/webhooks/{provider}",
        "pathParameters": {"provider": "voucher"},
        "headers": {"X-Signature": signature},
        "body": body.decode(),
    }


def test_a_third_provider_sells_credit(world: World, vouchers: Path) -> None:
    """Its order is paid, its webhook verified and looked up, and the key credited once."""
    key = keys.create(world.app, "ada", name="laptop").key
    wish = Wish("100", key.id, QRIS, "")
    order = topup.create(world.app, "ada", wish, idempotency_key="", webhooks_url="").order
    [voucher] = json.loads(vouchers.read_text())
    line = json.loads(vouchers.read_text())[voucher]
    vouchers.write_text(json.dumps({voucher: line | {"state": "paid"}}))
    body = json.dumps({"voucher": voucher, "price": line["price"], "state": "paid"}).encode()
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert serve_webhook(world.app, webhook(body, "0" * 64))["statusCode"] == 403
    for _ in range(2):
        assert serve_webhook(world.app, webhook(body, signature))["statusCode"] == 200
    assert world.stored_key(key.id).balance_nano == 100 * NANO_PER_DOLLAR
    stored = world.app.orders.read(order.id)
    assert stored is not None
    assert shown_state(stored) == CREDITED
