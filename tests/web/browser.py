"""A browser that visits the pages over a World: real events of the template's routes, cookies kept.

browser = Browser(web_world(), "ada")
browser.get("/keys").html
browser.post("/keys", name="laptop").location       # with the session's CSRF token
"""

from __future__ import annotations

import json
import re
from functools import cache
from html import unescape
from http.cookies import SimpleCookie
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import urlencode, urlsplit

from local import events
from local.http11 import Head
from local.routes import Routes
from local.template import Template
from osiris.errors import UpstreamRefusedUs
from osiris.identity.session_keys import KEYS_SECRET
from osiris.web.routes import site
from osiris.web.session import new_session, seal_of, sealed_session
from tests.builders import World

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris.store.secrets import Secrets

REPOSITORY = Path(__file__).parents[2]
SITE = "https://osiris.example"
ISSUER = "https://issuer.example/pool"
ENVIRONMENT = {
    "OSIRIS_SITE_URL": SITE,
    "OSIRIS_OIDC_ISSUER": ISSUER,
    "OSIRIS_OIDC_AUDIENCE": "client-1",
    "OSIRIS_OIDC_JWKS_URL": "http://127.0.0.1:9/jwks.json",
    "OSIRIS_OIDC_AUTHORIZE_URL": "https://sign-in.example/oauth2/authorize",
    "OSIRIS_OIDC_TOKEN_URL": "http://127.0.0.1:9/oauth2/token",
    "OSIRIS_OIDC_LOGOUT_URL": "https://sign-in.example/logout",
    "OSIRIS_TRIAL_AMOUNT": "5",
}
SESSION_KEY = "v0w2kGEMQYyFVwxvL4bTLbOvg6iK0gpfY8DIpZ1vwWc="


class KnownSecrets:
    """Stands in for `osiris.store.secrets.Secrets`."""

    def __init__(self, **known: str) -> None:
        self.known = {KEYS_SECRET: SESSION_KEY, **known}

    def read(self, name: str, _now_ms: int) -> str:
        if name not in self.known:
            raise UpstreamRefusedUs(details=f"secret {name}")
        return self.known[name]


def web_world(environment: Mapping[str, str] | None = None) -> World:
    """A world whose pages can be visited."""
    world = World({**ENVIRONMENT, **(environment or {})})
    world.app.secrets = cast("Secrets", KnownSecrets())
    return world


class Shown(NamedTuple):
    """What the browser was sent."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def html(self) -> str:
        return self.body.decode()

    @property
    def text(self) -> str:
        """What is read on the page, roughly: no tags, one space between words."""
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", self.html)).split())

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    @property
    def location(self) -> str:
        return self.header("Location")


class Browser:
    """One browser; `account_id` is who is signed in, or None."""

    def __init__(self, world: World, account_id: str | None = "ada", *, email: str = "") -> None:
        self.world = world
        self.site = site(world.app)
        self.cookies: dict[str, str] = {}
        self.csrf = ""
        if account_id is not None:
            self.sign_in(account_id, email=email)

    def sign_in(self, account_id: str, *, email: str = "") -> None:
        """Have the cookie that a sign-in leaves."""
        app = self.world.app
        session = new_session(account_id, email, now_ms=app.now_ms(), entropy=app.entropy(32))
        self.csrf = session.csrf
        self.cookies["__Host-session"] = sealed_session(seal_of(app), session)

    def get(self, path: str, **headers: str) -> Shown:
        """A page."""
        return self._send("GET", path, b"", headers)

    def post(self, path: str, **fields: str) -> Shown:
        """A form of a page of ours."""
        return self.post_as(path, {"csrf": self.csrf, **fields}, origin="null")

    def post_as(self, path: str, fields: Mapping[str, str], **headers: str) -> Shown:
        """A form, with just these fields and headers."""
        given = {"content-type": "application/x-www-form-urlencoded", **headers}
        return self._send("POST", path, urlencode(fields).encode(), given)

    def _send(self, method: str, target: str, body: bytes, headers: Mapping[str, str]) -> Shown:
        sent = {
            "host": urlsplit(SITE).netloc,
            **{k.replace("_", "-"): v for k, v in headers.items()},
        }
        if self.cookies:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self.site.answer(event(method, target, body, sent))
        for name, value in answer.headers:
            if name == "Set-Cookie":
                self._keep(value)
        return Shown(answer.status, answer.headers, b"".join(answer.body))

    def _keep(self, header: str) -> None:
        for name, morsel in SimpleCookie(header).items():
            if morsel["max-age"] == "0":
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = morsel.value


@cache
def routes() -> Routes:
    """The template's routes."""
    return Routes(Template.load(REPOSITORY / "template.yaml").api({}).routes)


def event(
    method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The event that API Gateway would make of it."""
    path, _, query = target.partition("?")
    found = routes().find(method, path)
    assert found is not None, f"the template has no route for {method} {path}"
    call = events.Call(
        request_id="00000000-0000-0000-0000-000000000000",
        trace_id="Root=1-0-0",
        head=Head(method, target, "HTTP/1.1", list((headers or {}).items())),
        path=path,
        query=query,
        route=found.route,
        path_parameters=found.path_parameters,
        body=body,
        source_ip="127.0.0.1",
        stage="live",
        api_id="Api",
    )
    made: dict[str, Any] = json.loads(events.event(call))
    return made
