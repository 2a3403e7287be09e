"""The payment simulators in a test's hands, and proxies between them and the product's functions.

The simulators' clocks, faults, switches and prices can be moved at any time.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from local.payment_simulators import PaymentWorld
from local.payments import MidtransSimulator, NowPaymentsSimulator, RatesSimulator
from tests.e2e.call_proxy import CallProxy, Calls

if TYPE_CHECKING:
    from collections.abc import Iterator

TOPUPS, WEBHOOK, RECONCILER = "TopupsFunction", "TopupWebhookFunction", "ReconcilerFunction"
# A generous bound, which stands for never.
WAIT_S = 60


class Sent(NamedTuple):
    """Where a function's calls go: its count of them, and the proxies before each service."""

    calls: Calls
    dynamodb: CallProxy
    events: CallProxy
    midtrans: CallProxy
    nowpayments: CallProxy

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead the function to the proxies."""
        providers = {"midtrans": self.midtrans.url, "nowpayments": self.nowpayments.url}
        return {
            "AWS_ENDPOINT_URL_DYNAMODB": self.dynamodb.url,
            "AWS_ENDPOINT_URL_EVENTBRIDGE": self.events.url,
            "OSIRIS_PROVIDER_URLS": " ".join(f"{name}={url}" for name, url in providers.items()),
        }


class Till:
    """The simulators, and what leads each function to them."""

    def __init__(self, ending: ExitStack) -> None:
        self.midtrans = ending.enter_context(MidtransSimulator())
        self.nowpayments = ending.enter_context(NowPaymentsSimulator())
        self.rates = ending.enter_context(RatesSimulator())
        for simulator in (self.midtrans, self.nowpayments):
            # How soon webhooks are answered is no matter on a machine that is busy with tests.
            simulator.courier.rules = replace(simulator.courier.rules, timeout_s=WAIT_S)
        self.sent = {function: self._proxies(ending) for function in (TOPUPS, WEBHOOK, RECONCILER)}

    @property
    def world(self) -> PaymentWorld:
        """What the stack is told."""
        return PaymentWorld(
            self.midtrans.url,
            self.nowpayments.url,
            self.rates.url,
            self.midtrans.server_key,
            self.nowpayments.api_key,
            "simulated-ipn-secret",
        )

    def simulator(self, method: str) -> MidtransSimulator | NowPaymentsSimulator:
        """Whoever takes payments by this method."""
        return self.midtrans if method == "qris" else self.nowpayments

    def set_back(self) -> None:
        """Let the simulators be as new: clocks right, nothing broken, but for what was paid."""
        for simulator in (self.midtrans, self.nowpayments):
            simulator.clock.set(offset_s=0, speed=1)
            simulator.faults.clear()
            fresh = type(simulator.switches)()
            for name, value in vars(fresh).items():
                setattr(simulator.switches, name, value)

    def _proxies(self, ending: ExitStack) -> Sent:
        calls = Calls()
        targets = {"dynamodb": "", "events": ""}
        targets |= {"midtrans": self.midtrans.url, "nowpayments": self.nowpayments.url}
        return Sent(
            calls,
            *(
                ending.enter_context(CallProxy(name, calls, target))
                for name, target in targets.items()
            ),
        )


@contextmanager
def tilled() -> Iterator[Till]:
    """Simulators and proxies, started and ended."""
    with ExitStack() as ending:
        yield Till(ending)
