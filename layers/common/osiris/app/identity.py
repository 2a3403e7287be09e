"""The check of sign-in tokens, as the settings name their issuer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris.identity import IdTokens
from osiris.identity.jwks import IssuerKeys, reader
from osiris.wire.tls import shared_context

if TYPE_CHECKING:
    from osiris.app import App

NEEDS = ("oidc_issuer", "oidc_audience", "oidc_jwks_url")


def id_tokens(app: App) -> IdTokens:
    """What tells whom a token speaks for; the issuer's keys are read when first needed."""
    settings = app.settings
    return IdTokens(
        IssuerKeys(reader(settings.oidc_jwks_url, shared_context), app.now_ms),
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
    )
