"""Somebody who signs in: at a browser, between our pages and a scripted issuer's."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from osiris.web.session import opened_session, seal_of
from tests.web.browser import Browser, Shown, web_world

if TYPE_CHECKING:
    from osiris.web.session import Session
    from tests.web.scripted_issuer import Issuer

UNDER_WAY = "__Host-sign-in"


class Person:
    """Somebody at a browser, between our pages and the issuer's."""

    def __init__(self, at: Issuer, **environment: str) -> None:
        urls = {"OSIRIS_OIDC_JWKS_URL": at.jwks.url, "OSIRIS_OIDC_TOKEN_URL": at.token_url}
        self.issuer = at
        self.browser = Browser(web_world({**urls, **environment}), None)

    def begin(self, next: str = "") -> tuple[str, str]:
        """Go to the issuer's page and sign in there; the code and the state to come back with."""
        begun = self.browser.get("/sign-in" + ("?" + urlencode({"next": next}) if next else ""))
        assert begun.status == 303
        assert begun.location.startswith("https://sign-in.example/oauth2/authorize?")
        return self.issuer.authorize(begun.location)

    def come_back(self, **query: str) -> Shown:
        return self.browser.get("/signed-in?" + urlencode(query))

    def sign_in(self, next: str = "") -> Shown:
        code, state = self.begin(next)
        return self.come_back(code=code, state=state)

    @property
    def session(self) -> Session | None:
        text = self.browser.cookies.get("__Host-session", "")
        app = self.browser.world.app
        return opened_session(seal_of(app), text, app.now_ms()) if text else None

    def failed(self, shown: Shown, details: str, *, status: int = 401) -> None:
        """It did not come to a sign-in, says so in a page, and cannot be taken up again."""
        assert shown.status == status, shown.text
        assert self.session is None
        assert UNDER_WAY not in self.browser.cookies
        assert self.browser.world.lines[-1]["details"] == details
        assert self.browser.get("/keys").status == 303
