"""Signing in and out.

The way there is kept in a sealed cookie for ten minutes: the state and the nonce that must come
back, the verifier of PKCE, and where the person wanted to go.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from osiris.errors import SignInFailed
from osiris.web.rendering import redirect
from osiris.web.session import new_session
from osiris.web.visit import NEXT_LENGTH_MAX, SESSION

if TYPE_CHECKING:
    from osiris.http.messages import Answer
    from osiris.identity import IdTokens
    from osiris.identity.sign_in import SignIn
    from osiris.web.visit import Visit

_UNDER_WAY = "sign-in"
_TAKES_MS_MAX = 600_000
# Where one goes who wanted nothing else.
HOME = "/keys"


class SignInPages:
    """Sign-in at one issuer."""

    def __init__(self, sign_in: SignIn, tokens: IdTokens) -> None:
        self._sign_in = sign_in
        self._tokens = tokens

    def begin(self, visit: Visit) -> Answer:
        """Go to the issuer's page."""
        begun = self._sign_in.begin(visit.url("/signed-in"))
        content = {
            "state": begun.state,
            "nonce": begun.nonce,
            "code_verifier": begun.code_verifier,
            "next": _own_path(visit, visit.query("next")),
        }
        visit.set_cookie(_UNDER_WAY, visit.seal.close(_UNDER_WAY, content), lives_ms=_TAKES_MS_MAX)
        return redirect(begun.url)

    def finish(self, visit: Visit) -> Answer:
        """Come back from it. Raises SignInFailed, InvalidToken or IdentityUnavailable."""
        begun = visit.seal.open(_UNDER_WAY, visit.cookie(_UNDER_WAY), lives_ms=_TAKES_MS_MAX)
        visit.drop_cookie(_UNDER_WAY)
        if begun is None:
            raise SignInFailed(details="none is under way in this browser")
        state = visit.query("state").encode("utf-8", "surrogatepass")
        if not hmac.compare_digest(state, begun["state"].encode()):
            raise SignInFailed(details="another state")
        if visit.query("error"):
            raise SignInFailed(details="the issuer refused")
        id_token = self._sign_in.id_token(
            visit.query("code"),
            code_verifier=begun["code_verifier"],
            redirect_uri=visit.url("/signed-in"),
        )
        person = self._tokens.person(id_token, nonce=begun["nonce"])
        app = visit.app
        visit.begin_session(
            new_session(
                person.account_id, person.email, now_ms=app.now_ms(), entropy=app.entropy(32)
            )
        )
        return redirect(begun["next"])

    def sign_out(self, visit: Visit) -> Answer:
        """End the session here, for every copy of its cookie, and at the issuer."""
        session = visit.signed_in
        visit.app.sessions.revoke(session.id, until_ms=session.ends_at_ms)
        visit.drop_cookie(SESSION)
        after_url = visit.url("/")
        return redirect(self._sign_in.logout_url(after_url) or after_url)


def _own_path(visit: Visit, path: str) -> str:
    """The path when it is one of ours, else home: a sign-in leads nowhere else.

    With one slash at its start it names no scheme and no host. Browsers take a backslash for a
    slash, and leave out tabs and line breaks.
    """
    is_ours = (
        len(path) <= NEXT_LENGTH_MAX
        and path.isascii()
        and path.isprintable()
        and path.startswith(visit.path("/"))
        and not path.startswith("//")
        and "\\" not in path
    )
    return path if is_ours else visit.path(HOME)
