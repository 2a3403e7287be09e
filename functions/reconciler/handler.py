"""The reconciler: every hour all keys, every five minutes the orders and events that are due."""

import os
from typing import Any

from osiris.app.full import full_app
from osiris.flows.reconcile import reconcile
from osiris.flows.watch import watch

TABLES = ("keys_table", "ledger_table", "usage_table", "orders_table", "region")
APP = full_app(os.environ, needs=TABLES)


class KeysLeft(Exception):
    """Some keys could not be done; the next run does them, and Lambda counts an error for this."""


def lambda_handler(event: dict[str, Any], _context: Any) -> dict[str, int]:
    """One run; what was done, by number. The orders' schedule sends {"task": "orders"}."""
    if event.get("task") == "orders":
        return watch(APP)._asdict()
    done = reconcile(APP)
    if done.failed:
        raise KeysLeft(f"{done.failed} of {done.keys} keys are left for the next run")
    return done._asdict()
