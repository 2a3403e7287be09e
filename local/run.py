"""`make run`: starts the whole product on this machine, says how to use it, and ends it again.

Ctrl-C and SIGTERM begin the end at any moment; what was started ends in order, and a second signal
changes nothing. The parts are in :mod:`local.stack`, which tests use directly.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from local.problems import CannotStart
from local.state import STATE_DIR

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from local.stack import LocalStack

_WATCH_INTERVAL_S = 1
_PORT_MAX = 65_535


class _Ending(BaseException):
    """Somebody asked the stack to end."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal; 1 when something could not start or has failed."""
    options = _options(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _begin_ending)
    try:
        print("Starting Osiris …", flush=True)
        return _serve(options)
    except _Ending:
        print("Ended.", flush=True)
        return 0


def _serve(options: argparse.Namespace) -> int:
    # These take a second to import, in which a signal shall already end us in order.
    from local.cloud import forget_own_aws
    from local.front import PortTaken
    from local.stack import LocalStack
    from local.welcome import welcome

    forget_own_aws()
    try:
        stack = LocalStack(
            state_dir=options.state,
            port=options.port,
            environ=os.environ,
            shows_log=options.log,
        )
        logging.basicConfig(filename=stack.state.log("run"), level=logging.INFO)
        with stack:
            print(welcome(stack), flush=True)
            return _watch(stack)
    except PortTaken as problem:
        print(
            f"Osiris did not start: {problem}. Choose another: make run PORT=8081", file=sys.stderr
        )
        return 1
    except CannotStart as problem:
        print(f"Osiris did not start: {str(problem).rstrip('.')}.", file=sys.stderr)
        return 1


def _watch(stack: LocalStack) -> int:
    while (problem := stack.failed()) is None:
        time.sleep(_WATCH_INTERVAL_S)
    print(f"Ending, since {problem}.", file=sys.stderr)
    return 1


def _begin_ending(_number: int, _frame: FrameType | None) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise _Ending


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local.run", description="Run all of Osiris on this machine."
    )
    parser.add_argument("--port", type=_port, default=8080, help="0 takes a free one")
    parser.add_argument("--state", type=Path, default=STATE_DIR, help="directory of the state")
    parser.add_argument("--log", action="store_true", help="show what the functions print")
    return parser.parse_args(arguments)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= _PORT_MAX):
        raise argparse.ArgumentTypeError(f"it is a number from 0 to {_PORT_MAX}, not {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
