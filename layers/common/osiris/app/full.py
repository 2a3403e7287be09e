"""The parts of everything but the proxy: one boto3 client under the store."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from osiris.app import App
from osiris.app.lean import aws_json, now_ms, sleep_ms
from osiris.app.providers import Providers
from osiris.money import NANO_PER_DOLLAR, nano_from_dollars
from osiris.rates import er_api, frankfurter
from osiris.settings import SettingMissing, from_environ
from osiris.store.accounts import Accounts
from osiris.store.coins import CoinLists
from osiris.store.events import EventBus
from osiris.store.expiries import Expiries
from osiris.store.keys import Keys
from osiris.store.ledger import Ledger
from osiris.store.mail import Mails
from osiris.store.models import Models
from osiris.store.orders import Orders
from osiris.store.outbox import Outbox
from osiris.store.postings import Postings
from osiris.store.rates import KeptRates
from osiris.store.scans import Scans
from osiris.store.secrets import Secrets
from osiris.store.sessions import Sessions
from osiris.store.transport_boto3 import Boto3Transport, client_of
from osiris.store.usage import UsageRollups
from osiris.telemetry import Telemetry
from osiris.upstream import Upstreams
from osiris.wire.tls import shared_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from osiris.rates import Source
    from osiris.settings import Settings
    from osiris.store.transport import Transport

# By QRIS it is nine payments or so, each of which takes a second or more to be made.
PACKAGE_DOLLARS_MAX = 5_000


class FullApp(App):
    """An app that also manages keys, accounts and credit, and reads whole tables."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        postings: Postings,
        scans: Scans,
        usage: UsageRollups,
        orders: Orders,
        outbox: Outbox,
        expiries: Expiries,
        kept_rates: KeptRates,
        coin_lists: CoinLists,
        event_bus: EventBus,
        mails: Mails,
        sessions: Sessions,
        providers: Providers,
        rate_sources: Sequence[Source],
        **parts: Any,
    ) -> None:
        super().__init__(**parts)
        self.accounts = accounts
        self.postings = postings
        self.scans = scans
        self.usage = usage
        self.orders = orders
        self.outbox = outbox
        self.expiries = expiries
        self.kept_rates = kept_rates
        self.coin_lists = coin_lists
        self.event_bus = event_bus
        self.mails = mails
        self.sessions = sessions
        self.providers = providers
        self.rate_sources = rate_sources


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
    _check(settings)
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
    orders_table, catalogue_table = settings.orders_table, settings.catalogue_table
    ledger = Ledger(dynamodb, ledger_table)
    secrets = Secrets(aws_json(settings, "ssm"), settings.secrets_path)
    return FullApp(
        settings=settings,
        accounts=Accounts(dynamodb, keys_table, ledger),
        postings=Postings(dynamodb, keys_table, ledger),
        keys=Keys(dynamodb, keys_table),
        ledger=ledger,
        scans=Scans(dynamodb, keys_table=keys_table, ledger_table=ledger_table),
        usage=UsageRollups(dynamodb, settings.usage_table),
        orders=Orders(dynamodb, orders_table),
        outbox=Outbox(dynamodb, orders_table),
        expiries=Expiries(dynamodb, keys_table, catalogue_table),
        kept_rates=KeptRates(dynamodb, catalogue_table),
        coin_lists=CoinLists(dynamodb, catalogue_table),
        event_bus=EventBus(partial(client_of, "events")),
        mails=Mails(partial(client_of, "sesv2"), settings.mail_from),
        sessions=Sessions(dynamodb, catalogue_table),
        providers=Providers(settings, secrets, now_ms=now_ms, sleep_ms=sleep_ms),
        rate_sources=(
            er_api.Source(settings.er_api_url),
            frankfurter.Source(settings.frankfurter_url),
        ),
        models=Models(dynamodb, catalogue_table),
        secrets=secrets,
        upstreams=Upstreams(shared_context),
        telemetry=telemetry,
        now_ms=now_ms,
        entropy=entropy,
        sleep_ms=sleep_ms,
    )


def _check(settings: Settings) -> None:
    """Settings that are texts of numbers. Raises SettingMissing."""
    readers: dict[str, tuple[str, Callable[[str], object]]] = {
        "OSIRIS_TRIAL_AMOUNT": (settings.trial_amount, nano_from_dollars),
        "OSIRIS_BALANCE_LOW": (settings.balance_low, nano_from_dollars),
        "OSIRIS_PACKAGES": (settings.packages, _packages),
        "OSIRIS_RATE_MARGIN_PERCENT": (settings.rate_margin_percent, _percent),
        "OSIRIS_RATE_DIFFERENCE_PERCENT": (settings.rate_difference_percent, _percent),
    }
    for variable, (text, read) in readers.items():
        try:
            read(text)
        except ValueError as error:
            raise SettingMissing(f"{variable} is {error}") from error


def _percent(text: str) -> None:
    if not 0 <= nano_from_dollars(text) <= 100 * NANO_PER_DOLLAR:
        raise ValueError(f"not a number from 0 to 100: {text!r}")


def _packages(text: str) -> None:
    words = text.split()
    if not words or not all(
        word.isdecimal() and 0 < int(word) <= PACKAGE_DOLLARS_MAX for word in words
    ):
        raise ValueError(f"not a list of whole dollars up to {PACKAGE_DOLLARS_MAX}: {text!r}")


def _write(line: str) -> None:
    # Looked up each time: the runtime replaces sys.stdout after this module is imported.
    sys.stdout.write(line)
