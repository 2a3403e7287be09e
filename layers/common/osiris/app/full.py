"""The parts of everything but the proxy: one boto3 client under the store."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from osiris.app import App
from osiris.app.lean import aws_json, now_ms, sleep_ms
from osiris.money import nano_from_dollars
from osiris.settings import SettingMissing, from_environ
from osiris.store.accounts import Accounts
from osiris.store.keys import Keys
from osiris.store.ledger import Ledger
from osiris.store.models import Models
from osiris.store.postings import Postings
from osiris.store.scans import Scans
from osiris.store.secrets import Secrets
from osiris.store.transport_boto3 import Boto3Transport, client_of
from osiris.store.usage import UsageRollups
from osiris.telemetry import Telemetry
from osiris.upstream import Upstreams
from osiris.wire.tls import shared_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from osiris.settings import Settings
    from osiris.store.transport import Transport


class FullApp(App):
    """An app that also manages keys, accounts and credit, and reads whole tables."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        postings: Postings,
        scans: Scans,
        usage: UsageRollups,
        **parts: Any,
    ) -> None:
        super().__init__(**parts)
        self.accounts = accounts
        self.postings = postings
        self.scans = scans
        self.usage = usage


def full_app(
    environ: Mapping[str, str],
    *,
    needs: Iterable[str],
    write: Callable[[str], object] | None = None,
) -> FullApp:
    """The app of an environment; `needs` names the settings that its caller uses.

    Log lines go to `write`, by default to standard output, where Lambda collects them. Nothing is
    connected to before it is used. Raises SettingMissing.
    """
    settings = from_environ(environ, needs=needs)
    _check_trial(settings)
    return wired(
        settings,
        Boto3Transport(client_of("dynamodb")),
        telemetry=Telemetry(write or _write, now_ms),
        now_ms=now_ms,
        entropy=os.urandom,
        sleep_ms=sleep_ms,
    )


def wired(
    settings: Settings,
    dynamodb: Transport,
    *,
    telemetry: Telemetry,
    now_ms: Callable[[], int],
    entropy: Callable[[int], bytes],
    sleep_ms: Callable[[int], None],
) -> FullApp:
    """The app over a transport and a world."""
    keys_table, ledger_table = settings.keys_table, settings.ledger_table
    ledger = Ledger(dynamodb, ledger_table)
    return FullApp(
        settings=settings,
        accounts=Accounts(dynamodb, keys_table, ledger),
        postings=Postings(dynamodb, keys_table, ledger),
        keys=Keys(dynamodb, keys_table),
        ledger=ledger,
        scans=Scans(dynamodb, keys_table=keys_table, ledger_table=ledger_table),
        usage=UsageRollups(dynamodb, settings.usage_table),
        models=Models(dynamodb, settings.catalogue_table),
        secrets=Secrets(aws_json(settings, "ssm"), settings.secrets_path),
        upstreams=Upstreams(shared_context),
        telemetry=telemetry,
        now_ms=now_ms,
        entropy=entropy,
        sleep_ms=sleep_ms,
    )


def _check_trial(settings: Settings) -> None:
    try:
        nano_from_dollars(settings.trial_amount)
    except ValueError as error:
        raise SettingMissing(f"OSIRIS_TRIAL_AMOUNT is {error}") from error


def _write(line: str) -> None:
    # Looked up each time: the runtime replaces sys.stdout after this module is imported.
    sys.stdout.write(line)
