"""Ada, signed in, who calls `/api/topups`; her payment providers say what the test sets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from osiris.flows import keys
from osiris.flows.payment import confirm
from osiris.http.topups import topups_api
from tests.handlers.caller import ADA, Answered, Caller
from tests.scripted_provider import with_scripted_money

if TYPE_CHECKING:
    from tests.issuer import JwksServer


class TopupCaller(Caller):
    """The caller, her key, and the money that she pays with."""

    def __init__(self, server: JwksServer) -> None:
        super().__init__(server)
        app = self.world.app
        self.api = topups_api(app, self.api._tokens)
        self.money = with_scripted_money(app, app.now_ms)
        self.key_id = keys.create(app, ADA, name="laptop").key.id
        app.telemetry.line("begun")

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> Answered:
        resource = re.sub(r"^/api/topups/ord_[^/]+", "/api/topups/{id}", path)
        return super().call(method, path, body, **{"resource": resource, **more})

    def wish(self, **changes: Any) -> dict[str, Any]:
        """A body that orders $100 by QRIS, but for what is changed; None leaves a member out."""
        plain = {"package": "100", "key_id": self.key_id, "method": "qris", **changes}
        return {name: value for name, value in plain.items() if value is not None}

    def ordered(self, **changes: Any) -> dict[str, Any]:
        """A new order, as the answer shows it."""
        answer = self.call("POST", "/api/topups", self.wish(**changes))
        assert answer.status == 201, answer.text
        return answer.json

    def read(self, order: dict[str, Any]) -> dict[str, Any]:
        """The order as it is shown now."""
        answer = self.call("GET", f"/api/topups/{order['id']}")
        assert answer.status == 200
        return answer.json

    def paid(self, order: dict[str, Any], part: int = 1, share: str = "1") -> None:
        """She pays a part, and a webhook tells of it."""
        id = order["parts"][part - 1]["payment_id"]
        self.money.providers.of(order["provider"]).pay(id, share)
        confirm(self.world.app, order["provider"], id, timeout_ms=1)
