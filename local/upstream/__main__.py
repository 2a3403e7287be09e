"""`python -m local.upstream --port N`: serve the simulator until it is told to stop."""

from __future__ import annotations

import argparse
import signal

from local.upstream.server import UpstreamSimulator


def main() -> None:
    """Serve on loopback; SIGTERM and Ctrl-C end it."""
    parser = argparse.ArgumentParser(
        prog="python -m local.upstream",
        description="A stand-in for OpenAI, DeepSeek and Anthropic on this machine.",
    )
    parser.add_argument("--port", type=int, default=8090, help="0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    options = parser.parse_args()
    if not options.host.startswith("127.") and options.host not in ("localhost", "::1"):
        parser.error("the simulator serves loopback addresses only")
    signals = (signal.SIGINT, signal.SIGTERM)
    # Blocked before any thread starts, so that only the wait below receives them.
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    with UpstreamSimulator(options.port, options.host, requests_kept=0) as simulator:
        print(f"upstream simulator on {simulator.base_url}", flush=True)
        signal.sigwait(signals)


if __name__ == "__main__":
    main()
