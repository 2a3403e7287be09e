"""Cookies in and out (RFC 6265bis): host-only, hidden from scripts, kept from other sites.

Their names have the prefix `__Host-`, by which a browser refuses them from anybody else; over plain
http, on one's own machine, they can have neither that prefix nor `Secure`.
"""

from __future__ import annotations

# Above what API Gateway lets in.
COOKIES_LENGTH_MAX = 16_384


def read_cookies(header: str) -> dict[str, str]:
    """The cookies of a `Cookie` header by their names, as browsers write it (RFC 6265, 5.4).

    Each stands for itself: what another application of the domain has set, however odd, hides none
    (Python's SimpleCookie drops all for one). Only the spaces between are taken off: with any other
    blank before it a name is another name, or a subdomain could pass one off as `__Host-`. Of two
    with one name the first counts.
    """
    found: dict[str, str] = {}
    if len(header) > COOKIES_LENGTH_MAX:
        return found
    for pair in header.split(";"):
        name, equals, value = pair.strip(" \t").partition("=")
        if equals:
            found.setdefault(name, value)
    return found


def cookie_name(name: str, *, secure: bool) -> str:
    """The name by which the browser knows it."""
    return f"__Host-{name}" if secure else f"osiris-{name}"


def cookie(name: str, value: str, *, lives_ms: int, secure: bool) -> str:
    """A `Set-Cookie` header's value; a life of 0 takes the cookie away."""
    parts = [
        f"{cookie_name(name, secure=secure)}={value}",
        "Path=/",
        f"Max-Age={lives_ms // 1000}",
        "HttpOnly",
        "SameSite=Lax",
    ]
    return "; ".join([*parts, "Secure"] if secure else parts)
