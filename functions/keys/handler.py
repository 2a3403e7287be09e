"""`/api/keys`: an account's own keys, for whoever shows its ID token."""

import os
from typing import Any

from osiris.app import identity
from osiris.app.full import full_app
from osiris.http.keys import keys_api

APP = full_app(os.environ, needs=("keys_table", "ledger_table", *identity.NEEDS))
API = keys_api(APP, identity.id_tokens(APP))


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one REST proxy event."""
    return API.answer(event, context)
