"""An app whose every DynamoDB call is noted with the units that it consumed."""

import time
from collections.abc import Callable
from typing import NamedTuple

from local.cloud import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY
from osiris.app.full import FullApp, wired
from osiris.app.lean import aws_json, now_ms
from osiris.settings import Settings, from_environ
from osiris.store.transport import Payload, Transport
from osiris.store.transport_lean import LeanTransport
from osiris.telemetry import Telemetry


class Call(NamedTuple):
    """One call, of DynamoDB or of the upstream, and what it consumed."""

    operation: str
    units: float


class Noted:
    """A transport that notes each call and what it consumed."""

    def __init__(self, inner: Transport) -> None:
        self.calls: list[Call] = []
        self.inner = inner

    def call(self, operation: str, payload: Payload) -> Payload:
        """The call, with its units reported."""
        answer = self.inner.call(operation, payload | {"ReturnConsumedCapacity": "TOTAL"})
        consumed = answer.get("ConsumedCapacity", {})
        tables = consumed if isinstance(consumed, list) else [consumed]
        units = sum(float(table["CapacityUnits"]) for table in tables)
        self.calls.append(Call(operation, units))
        return answer


def cloud_transport(endpoint: str) -> Transport:
    """The lean transport to a local cloud's DynamoDB."""
    return LeanTransport(aws_json(_settings(endpoint), "dynamodb"))


def app_over(
    transport: Transport, *, entropy: Callable[[int], bytes], endpoint: str = ""
) -> tuple[FullApp, Noted]:
    """The app over a DynamoDB, and what notes its calls; `endpoint` is where its secrets are."""
    noted = Noted(transport)
    app = wired(
        _settings(endpoint),
        noted,
        telemetry=Telemetry(lambda _line: None, now_ms),
        now_ms=now_ms,
        entropy=entropy,
        sleep_ms=lambda wait_ms: time.sleep(wait_ms / 1000),
    )
    return app, noted


def _settings(endpoint: str) -> Settings:
    return from_environ(
        {
            "OSIRIS_KEYS_TABLE": "KeysTable",
            "OSIRIS_LEDGER_TABLE": "LedgerTable",
            "OSIRIS_USAGE_TABLE": "UsageTable",
            "OSIRIS_CATALOGUE_TABLE": "CatalogueTable",
            "OSIRIS_ORDERS_TABLE": "OrdersTable",
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            "AWS_ENDPOINT_URL": endpoint,
        },
        needs=(),
    )
