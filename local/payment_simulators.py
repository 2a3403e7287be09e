"""The payment simulators as the stack starts them: each a process of its own, known by its URL.

What the product is told of them is what it would be told of the real ones: base URLs, and secrets
that lie in the local cloud's parameters.
"""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from local.children import Child, bare_environment

if TYPE_CHECKING:
    import contextlib

    from local.state import StateDirectory

_REPOSITORY = Path(__file__).parents[1]
_READY_TIMEOUT_S = 20
_SECRETS_FILE = "payment-secrets"


class PaymentWorld(NamedTuple):
    """Where the providers and the rates' sources are, and the secrets shared with them."""

    midtrans_url: str
    nowpayments_url: str
    rates_url: str
    server_key: str
    api_key: str
    ipn_secret: str

    @property
    def environment(self) -> dict[str, str]:
        """What the product's functions are told."""
        providers = {"midtrans": self.midtrans_url, "nowpayments": self.nowpayments_url}
        return {
            "OSIRIS_PROVIDER_URLS": " ".join(f"{name}={url}" for name, url in providers.items()),
            "OSIRIS_ER_API_URL": self.rates_url,
            "OSIRIS_FRANKFURTER_URL": self.rates_url,
        }

    @property
    def addresses(self) -> dict[str, str]:
        """What a person or a program that pays is told."""
        return {
            "OSIRIS_SIM_MIDTRANS": self.midtrans_url,
            "OSIRIS_SIM_NOWPAYMENTS": self.nowpayments_url,
        }

    @property
    def secrets(self) -> dict[str, str]:
        """The secrets by the names under which the product reads them."""
        return {
            "midtrans-server-key": self.server_key,
            "nowpayments-api-key": self.api_key,
            "nowpayments-ipn-secret": self.ipn_secret,
        }


def start_simulators(
    state: StateDirectory, ending: contextlib.ExitStack, *, webhooks_url: str
) -> tuple[PaymentWorld, list[Child]]:
    """Start the three, to be ended by `ending`; their payments live on in the state directory."""
    server_key, api_key, ipn_secret = _kept_secrets(state)
    ports = {name: state.port(name) for name in ("midtrans", "nowpayments", "rates")}
    folder = state.folder("payments")
    arguments = {
        "midtrans": [
            *("--server-key", server_key, "--webhook", f"{webhooks_url}/midtrans"),
            *("--state", str(folder / "midtrans.json")),
        ],
        "nowpayments": [
            *("--api-key", api_key, "--ipn-secret", ipn_secret),
            *("--state", str(folder / "nowpayments.json")),
        ],
        "rates": [],
    }
    children = []
    for name, words in arguments.items():
        command = [sys.executable, "-m", "local.payments", name, "--port", str(ports[name]), *words]
        child = Child(
            f"the {name} simulator",
            command,
            log=state.log(name),
            environment=bare_environment(),
            directory=_REPOSITORY,
        )
        ending.callback(child.stop)
        children.append(child)
    for (name, port), child in zip(ports.items(), children, strict=True):
        path = "/v6/latest/USD" if name == "rates" else "/"
        child.wait_until_answering(port, path, timeout_s=_READY_TIMEOUT_S)
    midtrans_url, nowpayments_url, rates_url = (
        f"http://127.0.0.1:{port}" for port in ports.values()
    )
    payments = PaymentWorld(
        midtrans_url, nowpayments_url, rates_url, server_key, api_key, ipn_secret
    )
    return payments, children


def _kept_secrets(state: StateDirectory) -> list[str]:
    """Server key, API key and IPN secret: those of last time, which the cloud keeps, too."""
    kept = (state.read(_SECRETS_FILE) or "").split()
    if len(kept) != len(PaymentWorld._fields) // 2:
        kept = [
            f"SB-Mid-server-{secrets.token_hex(12)}",
            secrets.token_hex(16),
            secrets.token_hex(16),
        ]
        state.write(_SECRETS_FILE, "\n".join(kept) + "\n")
    return kept
