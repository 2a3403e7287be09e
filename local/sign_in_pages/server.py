"""Serves the sign-in pages on loopback: ministack's, passed on, and the sign-up page."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlencode, urlsplit

from botocore.exceptions import BotoCoreError

from local.payments.server import Reply, Request, Server
from local.sign_in_pages.account import AccountRefused, create_account
from local.sign_in_pages.page import (
    begins_sign_in,
    parameters_of,
    sign_up_page,
    with_sign_up_link,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_HOST = "127.0.0.1"
_QUERY_LENGTH_MAX = 8 * 1024  # state and nonce of any client have room; browsers send no more
_BODY_BYTES_MAX = 64 * 1024  # a form of all these parameters, with room for percent signs
_CLOUD_TIMEOUT_S = 30

# What of a request, and of its answer, concerns the pages; the rest is between two hops.
_REQUEST_HEADERS = ("accept", "authorization", "content-type")
_ANSWER_HEADERS = ("Location", "Cache-Control")

_UNREACHABLE = "The local cloud does not answer. Try again in a moment."
_OWN_PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
}


class SignInPages:
    """Serves from `with` (or `start`) to its end (or `stop`); port 0 takes a free one, at once.

    `cloud_endpoint` is the local cloud's URL, `pool_id` the user pool in which accounts are made,
    and `client_factory` makes a boto3 client of the named service of that cloud.
    """

    def __init__(
        self,
        *,
        cloud_endpoint: str,
        pool_id: str,
        client_factory: Callable[[str], Any],
        port: int = 0,
    ) -> None:
        self._cloud = urlsplit(cloud_endpoint).netloc
        self._pool_id = pool_id
        self._cognito = client_factory("cognito-idp")
        self._routes: dict[tuple[str, str], Callable[[Request], Reply]] = {
            ("GET", "/oauth2/authorize"): self._sign_in,
            ("POST", "/login"): self._sign_in,
            ("POST", "/oauth2/token"): self._passed_on,
            ("GET", "/logout"): self._passed_on,
            ("GET", "/signup"): self._sign_up_form,
            ("POST", "/signup"): self._sign_up,
        }
        self._server = Server(_HOST, port, self._answer)
        self.url = f"http://{_HOST}:{self._server.port}"

    def start(self) -> None:
        """Serve on threads; the port is taken already, so no client comes too early."""
        self._server.start()

    def stop(self) -> None:
        """Stop, and cut what is under way."""
        self._server.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _answer(self, request: Request) -> Reply:
        if len(request.body) > _BODY_BYTES_MAX:
            return _refusal(413, "The form is too large.")
        if len(urlencode(request.query)) > _QUERY_LENGTH_MAX:
            return _refusal(414, "The address is too long.")
        route = self._routes.get((request.method, request.path))
        return _refusal(404, "There is no such page.") if route is None else route(request)

    def _sign_in(self, request: Request) -> Reply:
        """The cloud's page or redirect; from where a sign-in begins one can sign up, too."""
        reply = self._passed_on(request)
        if not reply.content_type.startswith("text/html") or not begins_sign_in(reply.body):
            return reply
        fields = request.query if request.method == "GET" else request.form()
        body = with_sign_up_link(reply.body, parameters_of(fields))
        return Reply(reply.status, body, reply.content_type, reply.headers)

    def _passed_on(self, request: Request) -> Reply:
        """The cloud's own answer; a redirect is the browser's to follow."""
        query = f"?{urlencode(request.query)}" if request.query else ""
        sent = {name: request.headers[name] for name in _REQUEST_HEADERS if name in request.headers}
        connection = http.client.HTTPConnection(self._cloud, timeout=_CLOUD_TIMEOUT_S)
        try:
            address = f"{request.path}{query}"
            connection.request(request.method, address, request.body or None, sent)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            return _refusal(502, _UNREACHABLE)
        finally:
            connection.close()
        found = {name: answer.getheader(name) for name in _ANSWER_HEADERS}
        headers = {name: value for name, value in found.items() if value is not None}
        return Reply(answer.status, body, answer.getheader("Content-Type", "text/plain"), headers)

    def _sign_up_form(self, request: Request) -> Reply:
        return _page(200, sign_up_page(parameters_of(request.query)))

    def _sign_up(self, request: Request) -> Reply:
        fields = request.form()
        parameters = parameters_of(fields)
        email = fields.get("email", "").strip()
        try:
            create_account(
                self._cognito,
                pool_id=self._pool_id,
                client_id=parameters.get("client_id", ""),
                email=email,
                password=fields.get("password", ""),
            )
        except AccountRefused as refused:
            return _page(400, sign_up_page(parameters, email=email, problem=str(refused)))
        except BotoCoreError:
            return _page(502, sign_up_page(parameters, email=email, problem=_UNREACHABLE))
        # 303: the browser gets the sign-in page, and does not post the password again.
        sign_in = f"/oauth2/authorize?{urlencode(parameters)}"
        return Reply(303, b"", "text/plain", {"Location": sign_in, "Cache-Control": "no-store"})


def _page(status: int, text: str) -> Reply:
    return Reply(status, text.encode(), "text/html; charset=utf-8", dict(_OWN_PAGE_HEADERS))


def _refusal(status: int, reason: str) -> Reply:
    return Reply(status, f"{reason}\n".encode(), "text/plain; charset=utf-8")
