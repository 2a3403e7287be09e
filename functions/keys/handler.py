"""`/api/keys`: an account's own keys, for whoever shows its ID token."""

import os
from typing import Any

from osiris.app.full import full_app
from osiris.http.api import KeysApi
from osiris.identity import IdTokens
from osiris.identity.jwks import IssuerKeys, reader
from osiris.wire.tls import shared_context

APP = full_app(
    os.environ,
    needs=("keys_table", "ledger_table", "oidc_issuer", "oidc_audience", "oidc_jwks_url"),
)
API = KeysApi(
    APP,
    IdTokens(
        IssuerKeys(reader(APP.settings.oidc_jwks_url, shared_context), APP.now_ms),
        issuer=APP.settings.oidc_issuer,
        audience=APP.settings.oidc_audience,
    ),
)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one REST proxy event."""
    return API.answer(event, context)
