"""A shop whose payment providers are real adapters over the simulators, and webhooks in hand."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from local.payments import MidtransSimulator, NowPaymentsSimulator
from local.payments.wishes import Wish
from osiris.app.providers import Providers
from osiris.errors import UpstreamRefusedUs
from osiris.flows import keys, topup
from osiris.http.webhooks import serve_webhook
from osiris.ids import is_request_id
from osiris.ledger.order import QRIS, shown_state
from tests.builders import World
from tests.scripted_provider import ScriptedSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.payments.delivery import Attempt
    from osiris.ledger.order import Order
    from osiris.store.secrets import Secrets

REPOSITORY = Path(__file__).parents[2]
SERVER_KEY = "SB-Mid-server-webhook-test"
API_KEY = "api-key-of-the-webhook-test"
IPN_SECRET = "ipn-secret-of-the-webhook-test"
SECRETS = {
    "midtrans-server-key": SERVER_KEY,
    "nowpayments-api-key": API_KEY,
    "nowpayments-ipn-secret": IPN_SECRET,
}
# Nobody listens there: what the simulators would deliver is taken from their log.
NOWHERE = "http://127.0.0.1:9"


class KnownSecrets:
    """Stands in for `osiris.store.secrets.Secrets`."""

    def __init__(self) -> None:
        self.known = dict(SECRETS)

    def read(self, name: str, _now_ms: int) -> str:
        if name not in self.known:
            raise UpstreamRefusedUs(details=f"secret {name}: 400 ParameterNotFound")
        return self.known[name]


class Heard(NamedTuple):
    """An answer to a webhook."""

    status: int
    json: Any


RECEIVED = Heard(200, {"received": True})


class Shop:
    """Ada's key, the two simulators with their clocks stopped, and the webhooks' handler."""

    def __init__(self, midtrans: MidtransSimulator, nowpayments: NowPaymentsSimulator) -> None:
        self.midtrans, self.nowpayments = midtrans, nowpayments
        urls = f"midtrans={midtrans.url} nowpayments={nowpayments.url}"
        self.world = World({"OSIRIS_PROVIDER_URLS": urls})
        for simulator in (midtrans, nowpayments):
            simulator.clock.set(speed=0)
        self.world.now_ms = midtrans.clock.now_ms()
        self.secrets = KnownSecrets()
        app = self.world.app
        app.providers = Providers(
            app.settings,
            cast("Secrets", self.secrets),
            now_ms=app.now_ms,
            sleep_ms=lambda _: None,
        )
        app.rate_sources = [ScriptedSource(name, app.now_ms) for name in ("er-api", "frankfurter")]
        self.key_id = keys.create(app, "ada", name="laptop").key.id

    def order(self, method: str = QRIS) -> Order:
        wish = topup.Wish("100", self.key_id, method, "btc" if method != QRIS else "")
        made = topup.create(
            self.world.app, "ada", wish, idempotency_key="", webhooks_url=f"{NOWHERE}/webhooks"
        )
        return made.order

    def told(self, order: Order, what: str = "pay", **more: Any) -> Attempt:
        """The last webhook of what a customer does, signed as its provider signs."""
        simulator = self.simulator(order)
        simulator.fulfil(Wish(what, order=order.id, **more))
        assert simulator.courier.wait()
        return simulator.deliveries[-1]

    def simulator(self, order: Order) -> MidtransSimulator | NowPaymentsSimulator:
        return self.midtrans if order.method == QRIS else self.nowpayments

    def hear(
        self, provider: str, body: bytes | str, headers: dict[str, str] | None = None
    ) -> Heard:
        """What `/webhooks/{provider}` answers."""
        return answered(serve_webhook(self.world.app, event(provider, body, headers or {})))

    def hear_of(self, order: Order, attempt: Attempt, body: bytes | None = None) -> Heard:
        return self.hear(order.provider, attempt.body if body is None else body, attempt.headers)

    @property
    def dollars(self) -> int:
        """The key's balance."""
        return self.world.stored_key(self.key_id).balance_nano // 1_000_000_000

    def state(self, order: Order) -> str:
        """What its owner sees."""
        stored = self.world.app.orders.read(order.id)
        assert stored is not None
        return shown_state(stored)

    def refuses(self, heard: Heard, status: int, code: str) -> None:
        """It was told so, a line and a metric say so, and nothing was credited."""
        assert (heard.status, heard.json["error"]["code"]) == (status, code)
        line = self.refusal()
        assert (line["status"], line["code"], line["WebhookRefused"]) == (status, code, 1)
        assert self.dollars == 0

    def refusal(self) -> dict[str, Any]:
        """The last line about a webhook, checked to hold no secret."""
        lines = json.dumps(self.world.lines)
        assert not [secret for secret in SECRETS.values() if secret in lines]
        assert "signature" not in lines.lower()
        return [line for line in self.world.lines if line["event"] == "webhook"][-1]


@contextmanager
def opened() -> Iterator[Shop]:
    """A shop, ended with its simulators."""
    with (
        MidtransSimulator(0, server_key=SERVER_KEY) as midtrans,
        NowPaymentsSimulator(0, api_key=API_KEY, ipn_secret=IPN_SECRET) as nowpayments,
    ):
        shop = Shop(midtrans, nowpayments)
        yield shop
        for name in ("midtrans", "nowpayments"):
            shop.secrets.known |= SECRETS
            shop.world.app.providers.of(name)._origin.close()  # type: ignore[attr-defined]


def event(provider: str, body: bytes | str, headers: dict[str, str]) -> dict[str, Any]:
    """A REST proxy event, as in events/."""
    text = (REPOSITORY / "events" / "keys_no_token.json").read_text()
    given: dict[str, Any] = json.loads(text)
    return given | {
        "resource": "/webhooks/{provider}",
        "path": f"/webhooks/{provider}",
        "httpMethod": "POST",
        "pathParameters": {"provider": provider},
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "body": body if isinstance(body, str) else body.decode("utf-8", "surrogateescape"),
    }


def answered(answer: dict[str, Any]) -> Heard:
    """An answer, checked for what every answer has."""
    assert is_request_id(answer["headers"]["X-Request-Id"])
    assert answer["headers"]["Content-Type"] == "application/json"
    assert answer["headers"]["Cache-Control"] == "no-store"
    json.dumps(answer)
    return Heard(answer["statusCode"], json.loads(answer["body"]))
