"""`/webhooks/{provider}`: payment providers tell of payments; what they tell is looked up there."""

import os
from typing import Any

from osiris.app.full import full_app
from osiris.http.webhooks import serve_webhook

APP = full_app(os.environ, needs=("keys_table", "ledger_table", "orders_table", "region"))


def lambda_handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answer one REST proxy event."""
    return serve_webhook(APP, event)
