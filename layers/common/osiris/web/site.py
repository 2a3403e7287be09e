"""The pages as one site: a REST proxy event in, an answer out, errors as pages.

A page's handler takes a Visit and gives an Answer. What all pages have in common is here, once:
whether one must be signed in, that a form is ours, what an error looks like, the headers.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from osiris.errors import OsirisError, RouteNotFound
from osiris.http.errors import error_headers, unexpected
from osiris.http.messages import Answer
from osiris.web.rendering import page, redirect, security_headers
from osiris.web.session import SessionKeysMissing, seal_of
from osiris.web.visit import NEXT_LENGTH_MAX, SESSION, Visit, without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from osiris.app.full import FullApp

type Handler = Callable[[Visit], Answer]


class Page(NamedTuple):
    """What answers a route. `public`: without sign-in. `piece`: a part that scripts load anew."""

    handler: Handler
    public: bool = False
    piece: bool = False


class Site:
    """Answers events by (method, the template's route)."""

    def __init__(
        self,
        app: FullApp,
        pages: Mapping[tuple[str, str], Page],
        *,
        form_targets: Iterable[str] = (),
    ) -> None:
        self._app = app
        self._pages = pages
        self._seal = seal_of(app)
        self._form_targets = tuple(form_targets)

    @property
    def routes(self) -> frozenset[tuple[str, str]]:
        """The methods and routes that it answers."""
        return frozenset(self._pages)

    def answer(self, event: Mapping[str, Any]) -> Answer:
        """The answer to one REST proxy event."""
        visit = Visit(self._app, self._seal, event)
        try:
            answer = self._page(visit)
        except OsirisError as refused:
            answer = error_page(visit, refused)
        except SessionKeysMissing as missing:
            visit.problem = None
            self._app.telemetry.line("session_keys_missing", details=str(missing))
            answer = page(visit, "unavailable.html", status=503)
        except Exception as failure:  # noqa: BLE001 - the edge
            error = unexpected(failure, self._app.telemetry, request_id=visit.request_id)
            answer = error_page(visit, error)
        self._log(visit, answer.status, visit.problem)
        return answer._replace(
            headers=[
                *answer.headers,
                *([] if visit.problem is None else error_headers(visit.problem)),
                *(("Set-Cookie", cookie) for cookie in _cookies(visit, answer)),
                *security_headers(visit, self._form_targets),
            ],
            body=answer.body if isinstance(answer.body, tuple) else self._whole(visit, answer.body),
        )

    def _page(self, visit: Visit) -> Answer:
        found = self._pages.get((visit.request.method, visit.request.route))
        if found is None:
            raise RouteNotFound
        if found.public:
            # They are there for everybody, whatever is out of reach.
            with suppress(OsirisError, SessionKeysMissing):
                visit.read_session()
            if visit.session is not None:
                # It may have been signed out, which is not looked up here: no address is shown.
                visit.session = visit.session._replace(email="")
            return found.handler(visit)
        visit.read_session()
        if visit.session is None or self._app.sessions.is_revoked(visit.session.id):
            if visit.session is not None:
                visit.drop_cookie(SESSION)
                visit.session = None
            return _sign_in_first(visit, found)
        if visit.request.method == "POST":
            visit.check_form()
        visit.renew_session()
        return found.handler(visit)

    def _whole(self, visit: Visit, body: Iterable[bytes]) -> Iterator[bytes]:
        """The stream; one that fails must break off, for a part must not look like the whole."""
        try:
            yield from body
        except OsirisError as error:
            self._log(visit, error.status, error)
            raise
        except Exception as failure:
            unexpected(failure, self._app.telemetry, request_id=visit.request_id)
            raise

    def _log(self, visit: Visit, status: int, error: OsirisError | None) -> None:
        self._app.telemetry.line(
            "page",
            request_id=visit.request_id,
            account_id=visit.session.account_id if visit.session else None,
            route=f"{visit.request.method} {visit.request.route}",
            status=status,
            code=None if error is None else error.code,
            details=None if error is None else error.details,
        )


def error_page(visit: Visit, error: OsirisError) -> Answer:
    """What went wrong, what was not lost, and what to do; in plain text when no page works."""
    visit.problem = error
    try:
        return page(visit, "error.html")
    except Exception as failure:  # noqa: BLE001 - the edge: a template or a translation is broken
        unexpected(failure, visit.app.telemetry, request_id=visit.request_id)
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")]
        return Answer(error.status, headers, (error.message.encode(),))


def _cookies(visit: Visit, answer: Answer) -> list[str]:
    """The cookies to set; with what any cache may keep and give to others, none."""
    is_shared = any(
        name == "Cache-Control" and value.startswith("public") for name, value in answer.headers
    )
    return [] if is_shared else visit.cookies


def _sign_in_first(visit: Visit, wanted: Page) -> Answer:
    if wanted.piece:
        return page(visit, "signed_out_piece.html", status=401)
    # A form's page is not there to be gone to.
    after = visit.request.path if visit.request.method == "GET" else "/keys"
    query = visit.request.query if visit.request.method == "GET" else {}
    path = visit.path(after, **without_secrets(query))
    return redirect(visit.path("/sign-in", next=path if len(path) <= NEXT_LENGTH_MAX else ""))
