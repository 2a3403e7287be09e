"""One request of a browser under way: who, in which language, with which form."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from osiris.errors import FormRefused, InvalidRequest, RequestTooLarge
from osiris.http.messages import Request
from osiris.ids import request_id
from osiris.times import DAY_MS
from osiris.web.cookies import cookie, cookie_name, read_cookies
from osiris.web.session import (
    IDLE_MS_MAX,
    RENEW_AFTER_MS,
    Session,
    opened_session,
    sealed_session,
)
from osiris.web.words import LANGUAGES, Words, preferred

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris.app.full import FullApp
    from osiris.errors import OsirisError
    from osiris.web.session import Seal

# Far above any form here.
FORM_BYTES_MAX = 16 * 1024
FIELDS_MAX = 50
LANGUAGE_LIVES_MS = 365 * DAY_MS
SESSION, LANGUAGE = "session", "language"
# Of a path, with its query, that a sign-in leads back to.
NEXT_LENGTH_MAX = 1_000
# How this site's secrets, and those of others whose keys people mix up with ours, begin: what has
# it goes into no address.
SECRET_SIGN = "sk-"  # noqa: S105
# RFC 3986, section 3.3: what a path has beside letters and digits, and a fragment's mark.
_PATH_CHARACTERS = "/%:@!$&'()*+,;=~#"


class Visit:
    """The request, and what the answer sets beside its page.

    `site_url` is where the pages are ("https://osiris.example"), `cookies` the Set-Cookie headers
    that go with the answer. `session` is whose visit it is, once `read_session` has been called.
    `problem` is the error that the answer tells of.
    """

    def __init__(self, app: FullApp, seal: Seal, event: Mapping[str, Any]) -> None:
        self.app = app
        self.seal = seal
        self.request = Request.from_event(event)
        self.request_id = request_id(app.now_ms(), app.entropy(16))
        self.site_url = (app.settings.site_url or self.request.origin).rstrip("/")
        self.cookies: list[str] = []
        self._sent_cookies = read_cookies(self.request.headers.get("cookie", ""))
        self._form: dict[str, str] | None = None
        self.words = Words(self._language())
        self.session: Session | None = None
        self.problem: OsirisError | None = None

    @property
    def is_secure(self) -> bool:
        """Whether the site is on https, as everywhere but on one's own machine."""
        return not self.site_url.startswith("http://")

    @property
    def contact_url(self) -> str:
        """Where people write to, as a link leads there; empty when the operator names nothing."""
        contact = self.app.settings.support_contact
        return f"mailto:{contact}" if "@" in contact and ":" not in contact else contact

    @property
    def signed_in(self) -> Session:
        """The session of a page that needs one: the site has seen to it."""
        assert self.session is not None
        return self.session

    @property
    def account_id(self) -> str:
        """Whose visit it is."""
        return self.signed_in.account_id

    def path(self, path: str, /, **query: str) -> str:
        """A path of ours as a browser needs it: below the site's own base path, in plain ASCII.

        Whatever `path` is, it leads to this site: two slashes, or a backslash, would name another.
        """
        base = urlsplit(self.site_url).path
        ours = quote(path.lstrip("/"), safe=_PATH_CHARACTERS, errors="replace")
        given = {name: value for name, value in query.items() if value}
        asked = f"?{urlencode(given, errors='replace')}" if given else ""
        return f"{base}/{ours}{asked}"

    def in_language(self, language: str) -> str:
        """This page in another language, as a path; for what can't be asked again, the start page.

        That is a form's answer, and the end of a sign-in, whose address has its code.
        """
        if self.request.method != "GET" or self.request.route == "/signed-in":
            return self.path("/", lang=language)
        asked = without_secrets(self.request.query)
        return self.path(self.request.path, **{**asked, "lang": language})

    def url(self, path: str) -> str:
        """A path of ours as others need it, whole."""
        return self.site_url + path

    def parameter(self, name: str) -> str:
        """A part of the path, by the template's name for it."""
        return self.request.path_parameters.get(name, "")

    def query(self, name: str) -> str:
        """A query parameter, or empty."""
        return self.request.query.get(name, "")

    def field(self, name: str) -> str:
        """A field of the form that was sent, or empty. Raises InvalidRequest or RequestTooLarge."""
        if self._form is None:
            self._form = _form(self.request.body)
        return self._form.get(name, "").strip()

    def cookie(self, name: str) -> str:
        """A cookie of ours, or empty."""
        return self._sent_cookies.get(cookie_name(name, secure=self.is_secure), "")

    def set_cookie(self, name: str, value: str, *, lives_ms: int) -> None:
        """Set a cookie with the answer."""
        self.cookies.append(cookie(name, value, lives_ms=lives_ms, secure=self.is_secure))

    def drop_cookie(self, name: str) -> None:
        """Take a cookie away with the answer."""
        self.set_cookie(name, "", lives_ms=0)

    def read_session(self) -> None:
        """Find out whose visit it is, as the cookie tells.

        Raises SessionKeysMissing or StoreUnavailable.
        """
        text = self.cookie(SESSION)
        self.session = opened_session(self.seal, text, self.app.now_ms()) if text else None

    def begin_session(self, session: Session) -> None:
        """Sign the browser in. Raises SessionKeysMissing or StoreUnavailable."""
        self.session = session
        self.set_cookie(SESSION, sealed_session(self.seal, session), lives_ms=IDLE_MS_MAX)

    def renew_session(self) -> None:
        """Let the cookie live on when it has been a while."""
        session, now_ms = self.signed_in, self.app.now_ms()
        if now_ms >= session.renewed_at_ms + RENEW_AFTER_MS:
            self.begin_session(session._replace(renewed_at_ms=now_ms))

    def check_form(self) -> None:
        """Raises FormRefused unless the form comes from a page of this session.

        The token alone proves it; the headers are a second line. (Our pages send no referrer, so
        browsers call their origin "null".)
        """
        token = self.field("csrf").encode("utf-8", "surrogatepass")
        if not hmac.compare_digest(token, self.signed_in.csrf.encode()):
            raise FormRefused(details="token")
        if self.request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            raise FormRefused(details="another site")
        parts = urlsplit(self.site_url)
        if self.request.headers.get("origin", "null") not in (
            "null",
            f"{parts.scheme}://{parts.netloc}",
        ):
            raise FormRefused(details="another origin")

    def _language(self) -> str:
        wished = self.query("lang")
        if wished in LANGUAGES:
            self.set_cookie(LANGUAGE, wished, lives_ms=LANGUAGE_LIVES_MS)
            return wished
        kept = self.cookie(LANGUAGE)
        if kept in LANGUAGES:
            return kept
        return preferred(self.request.headers.get("accept-language", ""))


def without_secrets(query: Mapping[str, str]) -> dict[str, str]:
    """The parameters but those with a secret in them, as one may be pasted into the search."""
    return {name: value for name, value in query.items() if SECRET_SIGN not in value}


def _form(body: bytes) -> dict[str, str]:
    if len(body) > FORM_BYTES_MAX:
        raise RequestTooLarge(f"A form may have {FORM_BYTES_MAX} bytes at most.")
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=FIELDS_MAX,
        )
    except ValueError as error:
        raise InvalidRequest("The form can't be read.", details="form") from error
    return dict(pairs)
