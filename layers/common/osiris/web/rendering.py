"""Pages from their templates: escaped, in the visitor's language, with strict headers."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from osiris.http.messages import Answer
from osiris.web import examples
from osiris.web.assets import assets
from osiris.web.problems import told
from osiris.web.words import LANGUAGES, translations

if TYPE_CHECKING:
    from collections.abc import Iterable

    from osiris.web.visit import Visit

TEMPLATES = Path(__file__).with_name("templates")
HTML = "text/html; charset=utf-8"
# A year: browsers come by https from then on.
_HSTS = "max-age=31536000"


def page(visit: Visit, template: str, *, status: int = 200, **content: Any) -> Answer:
    """A page of its template. What it shows of a person is kept by no cache.

    When it tells of a problem (`visit.problem`), its status is the problem's.
    """
    html = rendered(visit, template, **content)
    headers = [("Content-Type", HTML), ("Cache-Control", "no-store")]
    answered = status if visit.problem is None else visit.problem.status
    return Answer(answered, headers, (html.encode(errors="replace"),))


def public_page(visit: Visit, template: str, **content: Any) -> Answer:
    """A page that says the same to everybody of one language.

    Signed out it is sent compressed. Signed in it holds the session's token, whose text the length
    of a compressed page could give away (the attack named BREACH), and is kept by no cache.
    """
    vary = ("Vary", "Accept-Encoding, Cookie, Accept-Language")
    if visit.session is not None:
        answer = page(visit, template, **content)
        return answer._replace(headers=[*answer.headers, vary])
    html = rendered(visit, template, **content).encode()
    headers = [("Content-Type", HTML), ("Cache-Control", "no-cache"), vary]
    if takes_gzip(visit.request.headers.get("accept-encoding", "")):
        headers.append(("Content-Encoding", "gzip"))
        html = gzip.compress(html, mtime=0)
    return Answer(200, headers, (html,))


def takes_gzip(accept_encoding: str) -> bool:
    """Whether gzip is among the codings that a client names, and not with the weight 0."""
    for given in accept_encoding.lower().split(","):
        coding, _, weight = given.replace(" ", "").partition(";q=")
        if coding == "gzip":
            return weight.strip("0.") != "" or weight == ""
    return False


def rendered(visit: Visit, template: str, **content: Any) -> str:
    """A template filled in.

    In each there are `visit`, `words` (numbers, dates), `asset`, and `problem`: the visit's, told
    in its language, or None.
    """
    common = {
        "visit": visit,
        "words": visit.words,
        "languages": LANGUAGES,
        "now_ms": visit.app.now_ms(),
        "problem": None if visit.problem is None else told(visit.words, visit.problem),
    }
    return _environment(visit.words.language).get_template(template).render(common | content)


def redirect(location: str) -> Answer:
    """Go on by GET to a path of ours, or to the issuer's page."""
    return Answer(303, [("Location", location), ("Cache-Control", "no-store")], (b"",))


def security_headers(visit: Visit, form_targets: Iterable[str]) -> list[tuple[str, str]]:
    """What every answer carries; `form_targets` are pages that a form's answer may lead to."""
    origins = sorted({_origin(url) for url in form_targets})
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "form-action": " ".join(["'self'", *origins]),
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    headers = [
        ("Content-Security-Policy", "; ".join(f"{name} {value}" for name, value in policy.items())),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("X-Request-Id", visit.request_id),
    ]
    return [*headers, ("Strict-Transport-Security", _HSTS)] if visit.is_secure else headers


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


@cache
def _environment(language: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        extensions=["jinja2.ext.i18n"],
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    environment.globals["examples"] = examples
    environment.globals["asset"] = lambda name: assets()[name].public_name
    return environment
