"""The sign-up page, and the link to it on ministack's sign-in page; everything escaped."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from local.sign_in_pages.account import EMAIL_LENGTH_MAX, PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN

if TYPE_CHECKING:
    from collections.abc import Mapping

# What Cognito's /oauth2/authorize takes, but for the parameters that lead to other providers.
_PARAMETERS = (
    *("response_type", "client_id", "redirect_uri", "scope", "state", "nonce"),
    *("code_challenge", "code_challenge_method", "login_hint", "lang", "prompt", "resource"),
)

# The page that begins a sign-in names the client in its form. Those that go on with it, such as
# the one for a new password, know their session alone: from them no other page must be reached.
_BEGINS_SIGN_IN = re.compile(rb"<input\b[^>]*\bname=[\"']?client_id\b", re.IGNORECASE)
_LINK_PLACES = tuple(
    re.compile(place, re.IGNORECASE)
    for place in (rb"</form\s*>", rb"<\w+ class=[\"']?footer\b", rb"</body\s*>", rb"\Z")
)

# As ministack's own pages look.
_STYLE = """
* { margin: 0; padding: 0; box-sizing: border-box }
body { font-family: -apple-system, BlinkMacSystemFont, "Segoe UI", Roboto, Helvetica, Arial,
  sans-serif; background: #f0f2f5; display: flex; justify-content: center; align-items: center;
  min-height: 100vh }
.card { background: #fff; border-radius: 8px; box-shadow: 0 2px 8px rgba(0,0,0,.1); padding: 40px;
  width: 400px; max-width: 90vw }
h1 { font-size: 24px; font-weight: 600; color: #232f3e; margin-bottom: 24px; text-align: center }
label { display: block; font-size: 14px; font-weight: 500; color: #545b64; margin-bottom: 4px }
input { width: 100%; padding: 10px 12px; border: 1px solid #aab7b8; border-radius: 4px;
  font-size: 14px; margin-bottom: 16px }
button { width: 100%; padding: 10px; background: #0073bb; color: #fff; border: none;
  border-radius: 4px; font-size: 16px; font-weight: 500; cursor: pointer }
.error { background: #fce8e6; color: #d13212; border: 1px solid #d13212; border-radius: 4px;
  padding: 10px; margin-bottom: 16px; font-size: 13px; text-align: center }
.footer { text-align: center; margin-top: 20px; font-size: 12px; color: #879596 }
"""


def parameters_of(fields: Mapping[str, str]) -> dict[str, str]:
    """The sign-in's parameters among the fields of a query or a form: never a password."""
    return {name: fields[name] for name in _PARAMETERS if name in fields}


def begins_sign_in(page: bytes) -> bool:
    """Whether an HTML page is the one on which a sign-in begins."""
    return _BEGINS_SIGN_IN.search(page) is not None


def with_sign_up_link(page: bytes, parameters: Mapping[str, str]) -> bytes:
    """An HTML page with a link to the sign-up page at the end of its form, or near its own end."""
    address = escape(f"/signup?{urlencode(parameters)}")
    link = f'<p class="footer"><a href="{address}">Create an account</a></p>\n'.encode()
    found = next(filter(None, (place.search(page) for place in _LINK_PLACES)))
    return page[: found.start()] + link + page[found.start() :]


def sign_up_page(parameters: Mapping[str, str], *, email: str = "", problem: str = "") -> str:
    """The page with the sign-up form; `problem` says why the last try failed."""
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">\n'
        for name, value in parameters.items()
    )
    error = f'<div class="error" role="alert">{escape(problem)}</div>\n' if problem else ""
    sign_in = escape(f"/oauth2/authorize?{urlencode(parameters)}")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="UTF-8">
<meta name="viewport" content="width=device-width, initial-scale=1.0">
<title>Create an account</title>
<style>{_STYLE}</style>
</head>
<body>
<div class="card">
<h1>Create an account</h1>
{error}<form method="POST" action="/signup">
{hidden}<label for="email">E-mail</label>
<input type="email" id="email" name="email" value="{escape(email)}" maxlength="{EMAIL_LENGTH_MAX}"
  autocomplete="username" required autofocus>
<label for="password">Password, {PASSWORD_LENGTH_MIN} characters or more</label>
<input type="password" id="password" name="password" minlength="{PASSWORD_LENGTH_MIN}"
  maxlength="{PASSWORD_LENGTH_MAX}" autocomplete="new-password" required>
<button type="submit">Create account</button>
</form>
<div class="footer"><a href="{sign_in}">Sign in to an account you have</a></div>
</div>
</body>
</html>"""
