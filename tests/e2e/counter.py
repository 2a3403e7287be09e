"""The webhook function's code in this process: over the in-memory store, before real simulators.

What a Lambda environment is, a `Counter` is here: an app of its own with its own connections, so
each thread has one; they share the store.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any, cast

from osiris.app.lean import now_ms
from osiris.app.providers import Providers
from osiris.errors import UpstreamRefusedUs
from osiris.flows import keys, topup
from osiris.http.webhooks import serve_webhook
from tests.builders import World

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris.flows.topup import Shown
    from osiris.store.secrets import Secrets
    from osiris.store.transport import Transport
    from tests.e2e.till import Till

ACCOUNT = "ada"
# Nobody listens there: webhooks are handed over by the test itself.
NOWHERE = "http://127.0.0.1:1/webhooks"


class _Known:
    """Stands in for the store's secrets."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._secrets = secrets

    def read(self, name: str, now_ms: int) -> str:
        del now_ms
        if name not in self._secrets:
            raise UpstreamRefusedUs(details=f"no secret {name}")
        return self._secrets[name]


class Counter:
    """Takes webhooks, and orders; its clock stands still at the present."""

    def __init__(self, till: Till, *, store: Transport, seed: int) -> None:
        self.till = till
        self.world = World(till.world.environment, transport=store, seed=seed)
        self.world.now_ms = now_ms()
        self.app = self.world.app
        self.app.providers = Providers(
            self.app.settings,
            cast("Secrets", _Known(till.world.secrets)),
            now_ms=self.app.now_ms,
            sleep_ms=lambda _: None,
        )

    def close(self) -> None:
        """Close its connections to the providers."""
        for name in ("midtrans", "nowpayments"):
            self.app.providers.of(name)._origin.close()  # type: ignore[attr-defined]

    def order(self, method: str, coin: str = "", package: str = "100") -> Shown:
        """An order for a new key, taken by its provider."""
        key = keys.create(self.app, f"{ACCOUNT}-{self.world.app.entropy(6).hex()}", name="key").key
        wish = topup.Wish(package, key.id, method, coin)
        return topup.create(
            self.app, key.account_id, wish, idempotency_key="", webhooks_url=NOWHERE
        )

    def take(self, provider: str, headers: Mapping[str, str], body: bytes) -> int:
        """The status that answers a webhook."""
        return int(serve_webhook(self.app, _event(provider, headers, body))["statusCode"])


def _event(provider: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """As API Gateway hands it over; what is not text comes in base64."""
    try:
        text, is_encoded = body.decode(), False
    except UnicodeDecodeError:
        text, is_encoded = b64encode(body).decode(), True
    return {
        "httpMethod": "POST",
        "resource": "/webhooks/{provider}",
        "path": f"/webhooks/{provider}",
        "pathParameters": {"provider": provider},
        "headers": {"Content-Type": "application/json", **headers},
        "body": text,
        "isBase64Encoded": is_encoded,
    }
