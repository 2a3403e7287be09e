"""A shop for tests: the whole stack, its payment simulators in hand, and customers who pay.

Every function that meets a provider reaches it, and DynamoDB, through proxies of the test's own
(`till`). The product's own clock is the machine's.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from typing import TYPE_CHECKING, Any

import httpx

from osiris.money import nano_from_dollars
from tests.e2e.till import RECONCILER, WAIT_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local.front import Result
    from local.payments.simulator import Simulator
    from osiris.ledger.entry import Entry
    from osiris.ledger.key import Key
    from osiris.ledger.order import Order
    from osiris.ledger.payment import Payment
    from tests.e2e.conftest import Harness
    from tests.e2e.till import Till

QRIS = {"method": "qris"}
BTC = {"method": "crypto", "coin": "btc"}
_PASSWORD = "aA1!a-customer-of-tests"


def until[T](found: Callable[[], T], what: str) -> T:
    """The first true result; a generous bound stands for never."""
    deadline_s = time.monotonic() + WAIT_S
    while not (result := found()):
        assert time.monotonic() < deadline_s, f"never: {what}"
        time.sleep(0.02)
    return result


def dollars(text: object) -> int:
    """Nano-dollars of what reads as so many dollars."""
    return nano_from_dollars(str(text))


class Shop:
    """The running stack as one who sells sees it."""

    def __init__(self, harness: Harness, till: Till) -> None:
        self.harness = harness
        self.app = harness.app
        self.stack = harness.stack
        self.till = till
        for sent in till.sent.values():
            sent.dynamodb.target = sent.events.target = harness.stack.cloud.endpoint

    def customer(self) -> Customer:
        """Somebody new, signed in, with a key that has no credit."""
        return Customer(self, self._sign_up())

    def kill(self, function: str) -> None:
        """End the function's processes as a crash of their host would."""
        for pid in self.stack.front.pids(function):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def watched(self, *order_ids: str) -> Result:
        """Make these orders due, and run the reconciler's schedule for orders; it may fail."""
        for order_id in order_ids:
            self.app.orders.schedule(order_id, 1)
        return self.stack.front.fire(f"{RECONCILER}Orders", timeout_s=WAIT_S)

    def watch(self, *order_ids: str) -> dict[str, int]:
        """The same, and what it did."""
        result = self.watched(*order_ids)
        assert result.error is None, result.payload
        return dict(json.loads(result.payload))

    def pass_s(self, simulator: Simulator, seconds: float) -> None:
        """Let the simulator's time pass, and whatever it then has to tell be told."""
        simulator.clock.advance(seconds)
        simulator.agenda.run_due()
        assert simulator.courier.wait(WAIT_S)

    def order(self, order_id: str) -> Order:
        """The order as the table has it; its provider is not asked."""
        order = self.app.orders.read(order_id)
        assert order is not None
        return order

    def payments(self, order_id: str) -> list[Payment]:
        """The order's payments as the table has them."""
        return self.app.orders.payments(self.order(order_id))

    def entries(self, key_id: str) -> list[tuple[str, int]]:
        """Type and nano-dollars of the key's entries, oldest first."""
        return [(entry.type, entry.amount_nano) for entry in self.postings(key_id)]

    def postings(self, key_id: str) -> list[Entry]:
        """The key's entries, oldest first."""
        return sorted(self.app.ledger.entries(key_id), key=lambda entry: entry.at_ms)

    def _sign_up(self) -> str:
        """A fresh ID token of a fresh account."""
        cognito = self.stack.cloud.client("cognito-idp")
        environment = self.stack.environment
        pool_id = environment["OSIRIS_OIDC_ISSUER"].rpartition("/")[2]
        name = f"{os.urandom(6).hex()}@customers.test"
        cognito.admin_create_user(
            UserPoolId=pool_id,
            Username=name,
            UserAttributes=[
                {"Name": "email", "Value": name},
                {"Name": "email_verified", "Value": "true"},
            ],
            MessageAction="SUPPRESS",
        )
        cognito.admin_set_user_password(
            UserPoolId=pool_id, Username=name, Password=_PASSWORD, Permanent=True
        )
        answer = cognito.admin_initiate_auth(
            UserPoolId=pool_id,
            ClientId=environment["OSIRIS_OIDC_AUDIENCE"],
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": name, "PASSWORD": _PASSWORD},
        )
        return str(answer["AuthenticationResult"]["IdToken"])


class Customer:
    """One account by its API: orders for its key, pays at the simulators, looks at its balance."""

    def __init__(self, shop: Shop, token: str) -> None:
        self._shop = shop
        self.token = token
        made = self.call("POST", "/keys", {"name": "shop"})
        assert made.status_code == 201, made.text
        self.key_id: str = made.json()["id"]
        self.secret: str = made.json()["secret"]

    def call(
        self, method: str, path: str, body: Any = None, *, idempotency_key: str = ""
    ) -> httpx.Response:
        """A call of `/api`."""
        headers = {"Authorization": f"Bearer {self.token}"}
        if idempotency_key:
            headers["Idempotency-Key"] = idempotency_key
        return httpx.request(
            method, f"{self._shop.stack.url}/api{path}", json=body, headers=headers, timeout=WAIT_S
        )

    def wish(self, method: Mapping[str, str], package: str = "100") -> dict[str, str]:
        """The body that orders a package for the key."""
        return {"package": package, "key_id": self.key_id, **method}

    def order(self, method: Mapping[str, str], package: str = "100") -> dict[str, Any]:
        """A new order, as the API answers it; its provider has told that it was made."""
        answer = self.call("POST", "/topups", self.wish(method, package))
        assert answer.status_code == 201, answer.text
        assert self._shop.till.simulator(method["method"]).courier.wait(WAIT_S)
        return dict(answer.json())

    def read(self, order_id: str) -> dict[str, Any]:
        """The order by `GET`, which may ask the provider."""
        answer = self.call("GET", f"/topups/{order_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def pay(
        self, order: Mapping[str, Any], what: str = "pay", webhook: str = "normal", **more: Any
    ) -> dict[str, Any]:
        """Have something happen to a part (the first) of the order; webhooks have then been sent.

        Their repeats have not. Returns what the simulator tells of it.
        """
        simulator = self._shop.till.simulator(order["method"])
        part = more.pop("part", 1)
        wish = {"payment_id": order["parts"][part - 1]["payment_id"], "what": what}
        answer = httpx.post(
            f"{simulator.url}/simulate", json={**wish, "webhook": webhook, **more}, timeout=WAIT_S
        )
        assert answer.status_code == 200, answer.text
        assert simulator.courier.wait(WAIT_S)
        return dict(answer.json())

    @property
    def key(self) -> Key:
        """The key as the table has it."""
        key = self._shop.app.keys.read(self.key_id)
        assert key is not None
        return key

    @property
    def balance(self) -> str:
        """What the API shows of it, in dollars."""
        return str(self.call("GET", f"/keys/{self.key_id}").json()["balance"])

    def chat(self) -> tuple[int, str | None]:
        """Status and error code of a small chat with the key."""
        answer = self._shop.harness.chat(self.secret, "[sim input=10000 output=2000]")
        error = answer.json().get("error")
        return answer.status_code, None if error is None else error["code"]
