"""The pages: streams answers, so it runs under osiris.runtime (see template.yaml)."""

import os
from typing import Any

from osiris.app.full import full_app
from osiris.app.identity import SIGN_IN_NEEDS
from osiris.http.messages import Answer
from osiris.web.routes import site

TABLES = ("keys_table", "ledger_table", "orders_table", "usage_table", "catalogue_table", "region")
SITE = site(full_app(os.environ, needs=(*TABLES, *SIGN_IN_NEEDS)))


def lambda_handler(event: dict[str, Any], _context: Any) -> Answer:
    """Answer one REST proxy event."""
    return SITE.answer(event)
