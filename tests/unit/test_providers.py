"""Which payment providers there are: orders go to those that settings name, questions to any."""

from __future__ import annotations

from typing import Any

import pytest

from osiris.app.providers import Providers
from osiris.errors import UpstreamRefusedUs
from osiris.ledger.order import CRYPTO, QRIS
from osiris.payment_errors import PaymentsNotOffered
from osiris.settings import SettingMissing, from_environ


class Secrets:
    """Stands in for `osiris.store.secrets.Secrets`."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def read(self, name: str, _now_ms: int) -> str:
        if name not in self.names:
            raise UpstreamRefusedUs(details=f"secret {name}: 400 ParameterNotFound")
        return "secret"


def providers(*secrets: str, **variables: str) -> Providers:
    settings = from_environ(variables, needs=())
    held: Any = Secrets(*secrets)
    return Providers(settings, held, now_ms=lambda: 0, sleep_ms=lambda _: None)


def test_orders_go_to_those_that_settings_name() -> None:
    """One for each method, or none."""
    made = providers(OSIRIS_CRYPTO_PROVIDER="none")
    assert made.name_for(QRIS) == "midtrans"
    with pytest.raises(PaymentsNotOffered):
        made.name_for(CRYPTO)
    with pytest.raises(PaymentsNotOffered):
        providers(OSIRIS_QRIS_PROVIDER="nowpayments").name_for(QRIS)


def test_one_that_no_setting_names_any_more_is_still_asked() -> None:
    """Its orders were paid, or may be; its webhooks and refunds go on."""
    made = providers("midtrans-server-key", OSIRIS_QRIS_PROVIDER="none")
    made.check("midtrans")
    assert made.of("midtrans").name == "midtrans"


@pytest.mark.parametrize("name", ["none", "nobody", "http", "members", "", "../x", "Midtrans"])
def test_there_are_no_others(name: str) -> None:
    """A module without a provider is none."""
    with pytest.raises(PaymentsNotOffered):
        providers().of(name)


def test_one_without_its_secrets_can_not_be_used() -> None:
    """Said before anything is ordered."""
    with pytest.raises(PaymentsNotOffered):
        providers("nowpayments-api-key").check("nowpayments")


@pytest.mark.parametrize("text", ["midtrans", "midtrans=", "midtrans=api.example", "=https://x"])
def test_urls_are_checked_at_the_start(text: str) -> None:
    """A slip of the operator's ends nobody's order."""
    with pytest.raises(SettingMissing, match="OSIRIS_PROVIDER_URLS"):
        providers(OSIRIS_PROVIDER_URLS=text)
