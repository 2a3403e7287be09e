"""Signing people in at an OpenID Connect issuer: the authorization code flow with PKCE.

https://openid.net/specs/openid-connect-core-1_0.html, section 3.1, and RFC 7636. The protocol is
Authlib's, the call to the issuer our own (`token_call`): bounded, and nothing in it is followed.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

from osiris.errors import IdentityUnavailable, SignInFailed, UpstreamRefusedUs
from osiris.identity.token_call import TokenCall

if TYPE_CHECKING:
    from collections.abc import Callable

    from authlib.oauth2.client import OAuth2Client

SCOPE = "openid email"
# Cognito's codes are short; some issuers' are tokens of a kilobyte or two.
CODE_LENGTH_MAX = 4_096
# RFC 6749, section 5.2, and what others have added to it; anything else is not for the log.
_ERROR_CODE = re.compile(r"[a-z_]{1,40}")
# What Authlib raises for an answer that is no token, beside its own errors.
_UNREADABLE = (ValueError, TypeError, ArithmeticError, AttributeError, RecursionError)


class Begun(NamedTuple):
    """A sign-in under way: where the person goes, and what we must know when they come back."""

    url: str
    state: str
    nonce: str
    code_verifier: str


class SignIn:
    """The issuer's endpoints, for one client of it; `client_secret` reads its secret, if any."""

    def __init__(
        self,
        *,
        client_id: str,
        client_secret: Callable[[], str] | None,
        authorize_url: str,
        token_url: str,
        logout_url: str,
    ) -> None:
        self._client_id = client_id
        self._client_secret = client_secret
        self._authorize_url = authorize_url
        self._token_url = token_url
        self._logout_url = logout_url

    @property
    def pages(self) -> tuple[str, ...]:
        """The issuer's pages that a browser is sent to."""
        return tuple(filter(None, (self._authorize_url, self._logout_url)))

    def begin(self, redirect_uri: str) -> Begun:
        """A sign-in that comes back to `redirect_uri`."""
        nonce, code_verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        url, state = self._client(redirect_uri, secret=None).create_authorization_url(
            self._authorize_url,
            state=secrets.token_urlsafe(32),
            nonce=nonce,
            code_verifier=code_verifier,
        )
        return Begun(url, state, nonce, code_verifier)

    def id_token(self, code: str, *, code_verifier: str, redirect_uri: str) -> str:
        """The ID token that the issuer gives for a code, not yet checked.

        Raises SignInFailed when it gives none, and IdentityUnavailable when it can't be asked.
        """
        from authlib.oauth2 import OAuth2Error

        if not 0 < len(code) <= CODE_LENGTH_MAX:
            raise SignInFailed(details="no usable code")
        try:
            token = self._client(redirect_uri, secret=self._secret()).fetch_token(
                self._token_url,
                code=code,
                code_verifier=code_verifier,
                grant_type="authorization_code",
            )
        except OAuth2Error as error:
            is_code = isinstance(error.error, str) and _ERROR_CODE.fullmatch(error.error)
            told = error.error if is_code else "an error of its own"
            raise SignInFailed(details=f"token endpoint: {told}") from error
        except _UNREADABLE as error:
            raise IdentityUnavailable(details=f"token endpoint: {type(error).__name__}") from error
        id_token = token.get("id_token")
        if not isinstance(id_token, str):
            raise SignInFailed(details="the issuer gave no ID token")
        return id_token

    def logout_url(self, after_url: str) -> str:
        """Where a person is signed out at the issuer and sent back from; empty where it has none.

        Cognito's parameters and those of OpenID Connect RP-Initiated Logout 1.0, section 2.
        """
        if not self._logout_url:
            return ""
        query = urlencode(
            {
                "client_id": self._client_id,
                "logout_uri": after_url,
                "post_logout_redirect_uri": after_url,
            }
        )
        return f"{self._logout_url}{'&' if '?' in self._logout_url else '?'}{query}"

    def _secret(self) -> str | None:
        try:
            return self._client_secret().strip() if self._client_secret is not None else None
        except UpstreamRefusedUs as error:
            raise IdentityUnavailable(details=error.details) from error

    def _client(self, redirect_uri: str, *, secret: str | None) -> OAuth2Client:
        # A twentieth of a second to import, so only a sign-in does.
        from authlib.oauth2.client import OAuth2Client

        return OAuth2Client(
            TokenCall(),
            client_id=self._client_id,
            client_secret=secret,
            token_endpoint_auth_method="none" if secret is None else "client_secret_basic",
            scope=SCOPE,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
        )
