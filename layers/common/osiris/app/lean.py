"""The proxy's parts: nothing heavier than the standard library."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from osiris.app import App
from osiris.settings import from_environ
from osiris.store.keys import Keys
from osiris.store.ledger import Ledger
from osiris.store.models import Models
from osiris.store.secrets import Secrets
from osiris.store.transport_lean import AwsJson, LeanTransport
from osiris.telemetry import Telemetry
from osiris.upstream import Upstreams
from osiris.wire.sigv4 import Credentials
from osiris.wire.tls import shared_context

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris.settings import Settings

NEEDS = ("keys_table", "ledger_table", "catalogue_table", "region")


def lean_app(environ: Mapping[str, str]) -> App:
    """The app of an environment. Raises SettingMissing."""
    settings = from_environ(environ, needs=NEEDS)
    shared_context()  # now: Lambda gives a start a whole CPU, and a request a part of one
    dynamodb = LeanTransport(aws_json(settings, "dynamodb"))
    return App(
        settings=settings,
        keys=Keys(dynamodb, settings.keys_table),
        ledger=Ledger(dynamodb, settings.ledger_table),
        models=Models(dynamodb, settings.catalogue_table),
        secrets=Secrets(aws_json(settings, "ssm"), settings.secrets_path),
        upstreams=Upstreams(shared_context),
        telemetry=Telemetry(_write, now_ms),
        now_ms=now_ms,
        entropy=os.urandom,
        sleep_ms=sleep_ms,
    )


def aws_json(settings: Settings, service: str) -> AwsJson:
    """The lean client of DynamoDB or SSM."""
    target, version, endpoint_url = {
        "dynamodb": ("DynamoDB_20120810", "1.0", settings.dynamodb_endpoint_url),
        "ssm": ("AmazonSSM", "1.1", settings.ssm_endpoint_url),
    }[service]
    return AwsJson(
        service=service,
        target=target,
        version=version,
        region=settings.region,
        endpoint_url=endpoint_url or settings.endpoint_url,
        credentials=Credentials(
            settings.access_key_id, settings.secret_access_key, settings.session_token or None
        ),
        now_ms=now_ms,
        tls=shared_context,
    )


def now_ms() -> int:
    """The world's clock."""
    return time.time_ns() // 1_000_000


def sleep_ms(wait_ms: int) -> None:
    """Wait."""
    time.sleep(wait_ms / 1000)


def _write(line: str) -> None:
    # Looked up each time: the runtime replaces sys.stdout after this module is imported.
    sys.stdout.write(line)
