"""The expiry sweeper: forfeits expired credit, and tells owners before that happens."""

import os
from typing import Any

from osiris.app.full import full_app
from osiris.flows.expiry import sweep

APP = full_app(os.environ, needs=("keys_table", "ledger_table", "orders_table", "catalogue_table"))


class KeysLeft(Exception):
    """Some keys could not be done; the next sweep does them, and Lambda counts an error."""


def lambda_handler(_event: dict[str, Any], _context: Any) -> dict[str, int]:
    """One sweep; what was done, by number."""
    done = sweep(APP)
    if done.failed:
        raise KeysLeft(f"{done.failed} keys are left for the next sweep")
    return done._asdict()
