"""The mailer: tells keys' owners by mail what the outbox tells EventBridge."""

import os
from typing import Any

from osiris.app.full import full_app
from osiris.flows.mail import tell

APP = full_app(os.environ, needs=("keys_table",))


def lambda_handler(event: dict[str, Any], _context: Any) -> dict[str, bool]:
    """Mail one event; whether somebody's address was known."""
    return {"mailed": tell(APP, event["detail-type"], event["detail"])}
