"""The whole stack, as `make run` starts it, with an upstream simulator and a DynamoDB proxy."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import pytest

from local.stack import LocalStack
from local.upstream import UpstreamSimulator
from osiris import secrets_text
from osiris.app.full import wired
from osiris.app.lean import now_ms, sleep_ms
from osiris.flows import credit, keys, settlement
from osiris.flows.audit import audit
from osiris.ids import request_id
from osiris.money import nano_from_dollars
from osiris.settings import from_environ
from osiris.store.transport_boto3 import Boto3Transport
from osiris.telemetry import Telemetry
from osiris.window import free_slots
from tests.e2e.dynamodb_proxy import DynamoDBProxy
from tests.e2e.money import Shop
from tests.e2e.till import tilled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from osiris.app.full import FullApp
    from osiris.ledger.entry import Entry
    from osiris.ledger.key import Key
    from tests.e2e.money import Customer
    from tests.e2e.till import Till

ACCOUNT = "e2e-account"
SHORT_WAITS = {"OSIRIS_KEEP_ALIVE_MS": "200", "OSIRIS_UPSTREAM_SILENCE_MS": "2000"}


class Harness(NamedTuple):
    """A running stack and what a test does with it."""

    stack: LocalStack
    simulator: UpstreamSimulator
    proxy: DynamoDBProxy
    app: FullApp

    def new_key(self, *, dollars: str = "100", name: str = "e2e") -> str:
        """The secret of a fresh key of an account of its own, with this much credit."""
        issued = keys.create(self.app, f"{ACCOUNT}-{os.urandom(6).hex()}", name=name)
        if dollars != "0":
            credit.grant(self.app, issued.key.id, amount_nano=nano_from_dollars(dollars), days=30)
        return issued.secret

    def open_request(self, secret: str, *, dollars: str) -> Callable[[], object]:
        """Admit a request that nobody serves and that holds so much; call the result to end it."""
        parsed = secrets_text.parse(secret)
        assert parsed is not None
        at_ms, hold_nano = now_ms(), nano_from_dollars(dollars)
        id = request_id(at_ms, os.urandom(16))
        admission = self.app.keys.admit(
            parsed.key_id,
            secret_hash=parsed.hash,
            request_id=id,
            hold_nano=hold_nano,
            slot=free_slots(self.key(secret).window, at_ms)[0],
            open_requests_max=self.app.settings.open_requests_max,
            now_ms=at_ms,
        )
        assert admission.admitted
        return partial(settlement.finish, self.app, parsed.key_id, id, hold_nano)

    def chat(
        self, secret: str, steering: str, *, stream: bool = False, **more: Any
    ) -> httpx.Response:
        """One chat completion, read to its end."""
        body = {
            "model": "claude-opus-4.6",
            "messages": [{"role": "user", "content": steering}],
            "stream": stream,
            **more,
        }
        return self.post(secret, json.dumps(body).encode())

    def post(self, secret: str, body: bytes) -> httpx.Response:
        """A body as it is, to the chat route."""
        headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        return httpx.post(
            f"{self.stack.base_url}/chat/completions", content=body, headers=headers, timeout=60
        )

    def get(self, secret: str, path: str) -> httpx.Response:
        """A GET of /v1."""
        headers = {"Authorization": f"Bearer {secret}"}
        return httpx.get(f"{self.stack.base_url}/{path}", headers=headers, timeout=60)

    def key(self, secret: str) -> Key:
        """The key as the table has it."""
        parsed = secrets_text.parse(secret)
        assert parsed is not None
        key = self.app.keys.read(parsed.key_id)
        assert key is not None
        return key

    def charges(self, secret: str) -> list[Entry]:
        """The charges in the key's ledger."""
        entries = self.app.ledger.entries(self.key(secret).id)
        return [entry for entry in entries if entry.charge is not None or entry.reason == "lapsed"]

    def reconcile(self) -> None:
        """One run of the reconciler's function."""
        result = self.stack.front.invoke("ReconcilerFunction", {})
        assert result.error is None, result.payload

    def differences(self) -> list[Any]:
        """What the audit finds wrong."""
        return list(audit(self.app).differences)

    def log(self) -> str:
        """What the functions have printed so far."""
        return self.stack.state.log("functions").read_text()


@contextmanager
def running(
    path: Path,
    proxy_environment: Mapping[str, str],
    parameters: Mapping[str, str],
    till: Till | None = None,
) -> Iterator[Harness]:
    """A stack on the path, of the template with these parameters.

    Its proxy function gets the variables on top; a till brings its own payment simulators.
    """
    sent = {} if till is None else till.sent
    with UpstreamSimulator(port=0) as simulator, DynamoDBProxy() as proxy:
        stack = LocalStack(
            state_dir=path,
            upstream_url=simulator.base_url,
            parameters=parameters,
            function_environment={
                "ProxyFunction": {"AWS_ENDPOINT_URL_DYNAMODB": proxy.url, **proxy_environment},
                **{function: calls.environment for function, calls in sent.items()},
            },
            payments=None if till is None else till.world,
        )
        with stack:
            proxy.target = stack.cloud.endpoint
            app = wired(
                from_environ(stack.environment, needs=()),
                Boto3Transport(stack.cloud.client("dynamodb")),
                telemetry=Telemetry(lambda _line: None, now_ms),
                now_ms=now_ms,
                entropy=os.urandom,
                sleep_ms=sleep_ms,
            )
            yield Harness(stack, simulator, proxy, app)


@pytest.fixture(scope="module")
def harness(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Harness]:
    """One stack for a module's tests, with short waits.

    A module's PROXY_ENVIRONMENT and PARAMETERS say what else it wants.
    """
    variables = SHORT_WAITS | getattr(request.module, "PROXY_ENVIRONMENT", {})
    parameters = getattr(request.module, "PARAMETERS", {})
    with running(tmp_path_factory.mktemp("stack"), variables, parameters) as started:
        yield started


@pytest.fixture(scope="module")
def open_shop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    """One stack for a module's tests, whose payment simulators are in the test's hands."""
    parameters = getattr(request.module, "PARAMETERS", {})
    path = tmp_path_factory.mktemp("shop")
    with tilled() as till, running(path, SHORT_WAITS, parameters, till) as started:
        yield Shop(started, till)


@pytest.fixture
def shop(open_shop: Shop) -> Iterator[Shop]:
    """The module's shop; whatever the test did, its simulators are set back and the audit holds."""
    yield open_shop
    for sent in open_shop.till.sent.values():
        sent.calls.arm()
    open_shop.till.set_back()
    assert open_shop.harness.differences() == []


@pytest.fixture
def ada(shop: Shop) -> Customer:
    """A new customer, whose key has no credit."""
    return shop.customer()
