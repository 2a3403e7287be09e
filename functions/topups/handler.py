"""`/api/topups`: an account's orders of credit, for whoever shows its ID token."""

import os
from typing import Any

from osiris.app import identity
from osiris.app.full import full_app
from osiris.http.topups import topups_api

TABLES = ("keys_table", "ledger_table", "orders_table", "catalogue_table", "region")
APP = full_app(os.environ, needs=(*TABLES, *identity.NEEDS))
API = topups_api(APP, identity.id_tokens(APP))


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one REST proxy event."""
    return API.answer(event, context)
