"""An account in which every page has something to show."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import httpx

from osiris import secrets_text
from osiris.flows import credit
from osiris.money import nano_from_dollars

if TYPE_CHECKING:
    from tests.e2e.conftest import Harness
    from tests.e2e.visitor import Visitor

COIN = "usdttrc20"
MODELS = ("claude-opus-4.6", "deepseek-v3", "claude-opus-4.6")


class Furnished(NamedTuple):
    """What was put there: ids, as they stand in the pages' addresses."""

    key_id: str
    request_id: str
    credited_order_id: str
    open_order_id: str
    open_coin_order_id: str

    @property
    def paths(self) -> list[str]:
        """Every page of the account, by its address."""
        key, order = f"/keys/{self.key_id}", f"/orders/{self.credited_order_id}"
        return [
            "/keys",
            key,
            f"{key}/secret",
            f"{key}/ledger",
            f"{key}/requests",
            f"/requests/{self.request_id}",
            "/usage",
            "/topup",
            f"/topup?key={self.key_id}&package=2500&method=crypto&q=usdt",
            "/orders",
            order,
            f"{order}/receipt",
            f"/orders/{self.open_order_id}",
            f"/orders/{self.open_coin_order_id}",
            "/find?id=nothing",
            f"/find?pasted={self.key_id}",
            "/requests/req_0000000000000000",
        ]


# Of an account that has nothing yet.
EMPTY = ["/keys", "/topup", "/orders", "/usage"]
PUBLIC = [
    "/",
    "/models",
    "/models?model=claude-opus-4.6&input=10000&output=2000",
    "/getting-started",
    "/billing",
    "/limits",
    "/terms",
    "/privacy",
    "/refunds",
    "/no-such-page",
]


def furnish(visitor: Visitor, harness: Harness) -> Furnished:
    """Make a key, buy credit for it, use it, and leave an order of each kind open."""
    secret = visitor.create_key("Production")
    parsed = secrets_text.parse(secret)
    assert parsed is not None
    key_id = parsed.key_id
    credited_order_id = visitor.order(key_id, "100", "qris")
    pay(harness, credited_order_id)
    visitor.page.get_by_role("link", name="Receipt").wait_for()
    credit.grant(harness.app, key_id, amount_nano=nano_from_dollars("3"), days=30)
    for number, model in enumerate(MODELS, start=1):
        steering = f"[sim input={number * 4000} output={number * 900}]"
        assert harness.chat(secret, steering, model=model).status_code == 200
    harness.chat(secret, "[sim status=500]")
    open_order_id = visitor.order(key_id, "2500", "qris")
    open_coin_order_id = visitor.order(key_id, "100", "crypto", coin=COIN)
    charges = [entry for entry in harness.charges(secret) if entry.cost_nano]
    return Furnished(key_id, charges[0].id, credited_order_id, open_order_id, open_coin_order_id)


def pay(harness: Harness, order_id: str, *, part: int = 1, provider: str = "midtrans") -> None:
    """The customer pays a part at the simulated provider, whose webhook follows."""
    url = harness.stack.payments.midtrans_url
    if provider == "nowpayments":
        url = harness.stack.payments.nowpayments_url
    wish = {"order": order_id, "part": part, "what": "pay", "webhook": "normal"}
    httpx.post(f"{url}/simulate", json=wish, timeout=30).raise_for_status()
