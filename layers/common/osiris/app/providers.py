"""Payment providers as the settings name them, each made when it is first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris.errors import UpstreamRefusedUs
from osiris.ledger.order import CRYPTO, QRIS
from osiris.payment_errors import PaymentsNotOffered
from osiris.payments import Surroundings, provider
from osiris.settings import SettingMissing

if TYPE_CHECKING:
    from collections.abc import Callable

    from osiris.payments import Provider
    from osiris.settings import Settings
    from osiris.store.secrets import Secrets

# Takes no payments.
NONE = "none"


class Providers:
    """The adapters of one process."""

    def __init__(
        self,
        settings: Settings,
        secrets: Secrets,
        *,
        now_ms: Callable[[], int],
        sleep_ms: Callable[[int], None],
    ) -> None:
        self._names = {QRIS: settings.qris_provider, CRYPTO: settings.crypto_provider}
        self._base_urls = _base_urls(settings.provider_urls)
        self._secrets = secrets
        self._now_ms = now_ms
        self._sleep_ms = sleep_ms
        self._made: dict[str, Provider] = {}

    def name_for(self, method: str) -> str:
        """Who takes payments by this method. Raises PaymentsNotOffered."""
        name = self._names[method]
        if name == NONE:
            raise PaymentsNotOffered(param="method")
        if self.of(name).method != method:
            raise PaymentsNotOffered(param="method", details=f"{name} takes no {method}")
        return name

    def of(self, name: str) -> Provider:
        """The adapter of that name, whether orders go to it or went to it once.

        Raises PaymentsNotOffered where there is no such module.
        """
        made = self._made.get(name)
        if made is None:
            base_url = self._base_urls.get(name, "")
            made = provider(
                name, Surroundings(base_url, self._secret, self._now_ms, self._sleep_ms)
            )
            self._made[name] = made
        return made

    def check(self, name: str) -> None:
        """Raises PaymentsNotOffered when it can't be used, for want of a secret above all."""
        for secret in self.of(name).secrets:
            self._secret(secret)

    def _secret(self, name: str) -> str:
        try:
            return self._secrets.read(name, self._now_ms())
        except UpstreamRefusedUs as error:
            raise PaymentsNotOffered(details=error.details) from error


def _base_urls(text: str) -> dict[str, str]:
    """The setting's pairs of name and URL."""
    pairs = [word.partition("=") for word in text.split()]
    if not all(name and equals and "://" in url for name, equals, url in pairs):
        raise SettingMissing("OSIRIS_PROVIDER_URLS must be name=https://… with spaces between.")
    return {name: url.rstrip("/") for name, _, url in pairs}
