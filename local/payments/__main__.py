"""`python -m local.payments midtrans|nowpayments|rates`: serve one simulator until told to stop."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from local.payments import MidtransSimulator, NowPaymentsSimulator, RatesSimulator
from local.payments.delivery import is_loopback

if TYPE_CHECKING:
    from local.payments.simulator import Simulator


def main() -> None:
    """Serve on loopback; SIGTERM and Ctrl-C end it."""
    parser = _parser()
    options = parser.parse_args()
    if not is_loopback(options.host):
        parser.error("the simulator serves loopback addresses only")
    signals = (signal.SIGINT, signal.SIGTERM)
    # Blocked before any thread starts, so that only the wait below receives them.
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    with _simulator(options) as simulator:
        print(f"{simulator.title} on {simulator.url}", flush=True)
        signal.sigwait(signals)


def _simulator(options: argparse.Namespace) -> Simulator:
    if options.provider == "rates":
        return RatesSimulator(options.port, host=options.host)
    if options.provider == "midtrans":
        return MidtransSimulator(
            options.port,
            server_key=options.server_key,
            webhook_url=options.webhook,
            host=options.host,
            state=options.state,
        )
    return NowPaymentsSimulator(
        options.port,
        api_key=options.api_key,
        ipn_secret=options.ipn_secret,
        host=options.host,
        state=options.state,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.payments",
        description="Stand-ins for payment providers and exchange rates on this machine.",
    )
    providers = parser.add_subparsers(dest="provider", required=True)
    midtrans = providers.add_parser("midtrans", help="Midtrans' Core API, QRIS")
    midtrans.add_argument("--webhook", default="", help="where notifications go")
    midtrans.add_argument("--server-key", required=True)
    nowpayments = providers.add_parser("nowpayments", help="NOWPayments, coins")
    nowpayments.add_argument("--api-key", required=True)
    nowpayments.add_argument("--ipn-secret", default="", help="without it nobody is notified")
    rates = providers.add_parser("rates", help="dollars in rupiah, by two sources")
    for provider, port in ((midtrans, 8091), (nowpayments, 8092), (rates, 8093)):
        provider.add_argument("--port", type=int, default=port, help="0 takes a free one")
        provider.add_argument("--host", default="127.0.0.1", help="a loopback address")
    for provider in (midtrans, nowpayments):
        provider.add_argument("--state", type=Path, help="a file that keeps the payments")
    return parser


if __name__ == "__main__":
    main()
