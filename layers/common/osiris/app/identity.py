"""The sign-in, and the check of its tokens, as the settings name their issuer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris.identity import IdTokens
from osiris.identity.jwks import IssuerKeys, reader
from osiris.identity.sign_in import SignIn
from osiris.wire.tls import shared_context

if TYPE_CHECKING:
    from osiris.app import App

NEEDS = ("oidc_issuer", "oidc_audience", "oidc_jwks_url")
SIGN_IN_NEEDS = (*NEEDS, "oidc_authorize_url", "oidc_token_url")


def id_tokens(app: App) -> IdTokens:
    """What tells whom a token speaks for; the issuer's keys are read when first needed."""
    settings = app.settings
    return IdTokens(
        IssuerKeys(reader(settings.oidc_jwks_url, shared_context), app.now_ms),
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
    )


def sign_in(app: App) -> SignIn:
    """What sends people to the issuer's pages, and takes them back."""
    settings = app.settings
    name = settings.oidc_client_secret
    return SignIn(
        client_id=settings.oidc_audience,
        client_secret=(lambda: app.secrets.read(name, app.now_ms())) if name else None,
        authorize_url=settings.oidc_authorize_url,
        token_url=settings.oidc_token_url,
        logout_url=settings.oidc_logout_url,
    )
