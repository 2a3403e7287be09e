"""The local sign-in pages: a person signs up and in with nothing but the pages' own forms."""

from __future__ import annotations

import base64
import hashlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import jwt
import pytest

from local.cloud import LocalCloud, client_of
from local.resources import create_missing
from local.sign_in_pages import SignInPages
from local.sign_in_pages.account import PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN
from local.sign_in_pages.page import begins_sign_in, with_sign_up_link
from local.state import StateDirectory, is_free
from local.template import Template
from local.token import ensure_demo_user
from tests.local.html_form import Page

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parents[2]
TEMPLATE = Template.load(REPOSITORY / "template.yaml")
PASSWORD = "correct horse & battery"
VERIFIER = "v" * 43
MARKUP = "\"'><script>alert(1)</script>&amp;"


class Domain:
    """The pages before a real local cloud, and a browser that follows no redirect by itself."""

    def __init__(self, cloud: LocalCloud, values: dict[str, str], pages: SignInPages) -> None:
        self.cloud, self.values, self.pages = cloud, values, pages
        self.cognito = cloud.client("cognito-idp")
        self.browser = httpx.Client(base_url=pages.url, trust_env=False, follow_redirects=False)
        client = self.cognito.describe_user_pool_client(
            UserPoolId=values["UserPool"], ClientId=values["UserPoolClient"]
        )["UserPoolClient"]
        self.redirect_uri: str = client["CallbackURLs"][0]
        self.logout_uri: str = client["LogoutURLs"][0]

    def query(self, **changes: str) -> dict[str, str]:
        """The parameters of a sign-in with PKCE."""
        digest = hashlib.sha256(VERIFIER.encode()).digest()
        return {
            "response_type": "code",
            "client_id": self.values["UserPoolClient"],
            "redirect_uri": self.redirect_uri,
            "scope": "openid email",
            "state": "st/a te&1",
            "nonce": "nonce-1",
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
            **changes,
        }

    def sign_up(self, *, email: str, password: str = PASSWORD, **changes: str) -> httpx.Response:
        """Fill the sign-up page's form, reached by the link of the sign-in page."""
        sign_in = self.browser.get("/oauth2/authorize", params=self.query(**changes))
        return self.submit(
            self.browser.get(Page(sign_in).sign_up_link), email=email, password=password
        )

    def submit(self, response: httpx.Response, **fields: str) -> httpx.Response:
        """Send a page's form with its hidden fields and these."""
        page = Page(response)
        assert set(fields) == page.visible
        return self.browser.post(page.action, data={**page.hidden, **fields})

    def code(self, email: str, password: str = PASSWORD) -> str:
        """Sign in; return the code that comes back to the redirect URI."""
        sign_in = self.browser.get("/oauth2/authorize", params=self.query())
        answer = self.submit(sign_in, username=email, password=password)
        assert answer.status_code == 302
        location = answer.headers["location"]
        assert location.startswith(f"{self.redirect_uri}?")
        query = parse_qs(urlsplit(location).query)
        assert query["state"] == [self.query()["state"]]
        return query["code"][0]

    def exchange(self, code: str, verifier: str) -> httpx.Response:
        """Ask for the tokens of a code."""
        return self.browser.post(
            "/oauth2/token",
            data={
                "grant_type": "authorization_code",
                "client_id": self.values["UserPoolClient"],
                "code": code,
                "redirect_uri": self.redirect_uri,
                "code_verifier": verifier,
            },
        )

    def users(self, email: str) -> list[Any]:
        """The pool's accounts with this address."""
        users = self.cognito.list_users(UserPoolId=self.values["UserPool"])["Users"]
        return [u for u in users if {"Name": "email", "Value": email} in u["Attributes"]]


@pytest.fixture(scope="module")
def domain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Domain]:
    """One cloud for all tests; each has accounts of its own."""
    state = StateDirectory(tmp_path_factory.mktemp("state"))
    cloud = LocalCloud(state, repository=REPOSITORY)
    try:
        cloud.start(lock=state.lock(timeout_s=20))
        values = create_missing(cloud, TEMPLATE)
        with SignInPages(
            cloud_endpoint=cloud.endpoint, pool_id=values["UserPool"], client_factory=cloud.client
        ) as pages:
            domain = Domain(cloud, values, pages)
            with domain.browser:
                yield domain
    finally:
        cloud.stop()
        state.unlock()


def test_whoever_signs_up_can_sign_in(domain: Domain) -> None:
    """Through the forms alone one gets a code, and for it an ID token with a verified address."""
    signed_up = domain.sign_up(email="ani@example.com")
    assert signed_up.status_code == 303
    sign_in = domain.browser.get(signed_up.headers["location"])
    assert Page(sign_in).hidden == domain.query()
    answer = domain.exchange(domain.code("ani@example.com"), VERIFIER)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    token = answer.json()["id_token"]
    claims = jwt.decode(
        token,
        jwt.PyJWKClient(domain.cloud.jwks_url(domain.values["UserPool"]))
        .get_signing_key_from_jwt(token)
        .key,
        algorithms=["RS256"],
        issuer=domain.values["UserPool.ProviderURL"],
        audience=domain.values["UserPoolClient"],
    )
    assert (claims["email"], claims["nonce"]) == ("ani@example.com", "nonce-1")
    assert str(claims["email_verified"]).lower() == "true"


def test_a_code_needs_its_verifier(domain: Domain) -> None:
    """A wrong verifier gets the cloud's own refusal, and a code is good for one exchange."""
    domain.sign_up(email="budi@example.com")
    code = domain.code("budi@example.com")
    refused = domain.exchange(code, "w" * 43)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert domain.exchange(code, VERIFIER).status_code == 200
    assert domain.exchange(code, VERIFIER).json()["error"] == "invalid_grant"


def test_an_address_signs_up_once(domain: Domain) -> None:
    """A second sign-up is refused in words, keeps the query, and leaves the password as it was."""
    domain.sign_up(email="citra@example.com")
    again = domain.sign_up(email=" citra@example.com ", password="another password")
    page = Page(again)
    assert (again.status_code, page.hidden) == (400, domain.query())
    assert page.problem == "There is an account with this e-mail address already."
    assert len(domain.users("citra@example.com")) == 1
    assert domain.code("citra@example.com")


@pytest.mark.parametrize(
    ("email", "password", "problem"),
    [
        ("dewi@example.com", "x" * (PASSWORD_LENGTH_MIN - 1), "needs at least 12 characters"),
        ("dewi@example.com", "x" * (PASSWORD_LENGTH_MAX + 1), "256 characters at most"),
        ("dewi@example.com", "", "needs at least 12 characters"),
        ("dewi", PASSWORD, "not an e-mail address"),
        ("", PASSWORD, "not an e-mail address"),
        (f"{'d' * 128}@example.com", PASSWORD, "not an e-mail address"),
    ],
)
def test_a_refusal_says_why_and_lets_one_try_again(
    domain: Domain, email: str, password: str, problem: str
) -> None:
    """The page comes again with its parameters and the address, and its form works."""
    refused = domain.sign_up(email=email, password=password)
    page = Page(refused)
    assert (refused.status_code, page.hidden) == (400, domain.query())
    assert problem in page.problem
    assert page.inputs["email"]["value"] == email
    assert "value" not in page.inputs["password"]
    other = f"{len(email)}-{len(password)}@example.com"
    assert domain.submit(refused, email=other, password=PASSWORD).status_code == 303
    assert not domain.users(email)


@pytest.mark.parametrize("client_id", ["", "unknown"])
def test_an_unknown_application_is_refused(domain: Domain, client_id: str) -> None:
    """No account is made for a client that the pool does not have."""
    page = domain.browser.get("/signup", params=domain.query(client_id=client_id))
    refused = domain.submit(page, email="eka@example.com", password=PASSWORD)
    assert refused.status_code == 400
    assert "application that sent you here is not known" in Page(refused).problem
    assert not domain.users("eka@example.com")


def test_a_failed_sign_in_still_leads_to_the_sign_up(domain: Domain) -> None:
    """The page after a wrong password has the link with the same query, and no password in it."""
    sign_in = domain.browser.get("/oauth2/authorize", params=domain.query())
    failed = domain.submit(sign_in, username="nobody@example.com", password=PASSWORD)
    page = Page(failed)
    assert (failed.status_code, page.problem) == (200, "Incorrect username or password.")
    assert page.sign_up_link == f"/signup?{urlencode(domain.query())}"
    assert Page(domain.browser.get(page.sign_up_link)).hidden == domain.query()


def test_the_sign_in_page_is_the_clouds_own_but_for_the_link(domain: Domain) -> None:
    """What comes besides the link is what the cloud sent; the sign-up page leads back to it."""
    params = domain.query()
    direct = httpx.get(f"{domain.cloud.endpoint}/oauth2/authorize", params=params, trust_env=False)
    ours = domain.browser.get("/oauth2/authorize", params=params)
    before, _, rest = ours.text.partition('<p class="footer"><a href="/signup?')
    link, _, after = rest.partition("</a></p>\n")
    assert link.endswith(">Create an account")
    assert before + after == direct.text
    assert after.startswith("</form>")
    sign_up = Page(domain.browser.get(Page(ours).sign_up_link))
    assert sign_up.links == [f"/oauth2/authorize?{urlencode(params)}"]


def test_a_new_password_is_asked_for_without_a_link(domain: Domain) -> None:
    """An account of an operator's making gets the cloud's own page for its first password."""
    domain.cognito.admin_create_user(
        UserPoolId=domain.values["UserPool"],
        Username="fitri@example.com",
        TemporaryPassword=PASSWORD,
        MessageAction="SUPPRESS",
    )
    sign_in = domain.browser.get("/oauth2/authorize", params=domain.query())
    page = domain.submit(sign_in, username="fitri@example.com", password=PASSWORD)
    assert Page(page).links == []
    new = "another password"
    done = domain.submit(page, new_password=new, confirm_password=new)
    assert done.headers["location"].startswith(f"{domain.redirect_uri}?code=")


def test_the_demo_account_is_a_taken_address(domain: Domain) -> None:
    """Who signs up under the demo account's address does not take it over."""
    ensure_demo_user(domain.cognito, pool_id=domain.values["UserPool"], password=PASSWORD)
    refused = domain.sign_up(email="demo@osiris.local", password="another password")
    assert "already" in Page(refused).problem
    assert domain.code("demo@osiris.local")


def test_signing_out_and_errors_are_the_clouds_own(domain: Domain) -> None:
    """Redirects are passed on and not followed; so are refusals, with status and type."""
    client_id = domain.values["UserPoolClient"]
    out = domain.browser.get(
        "/logout", params={"client_id": client_id, "logout_uri": domain.logout_uri}
    )
    assert (out.status_code, out.headers["location"]) == (302, domain.logout_uri)
    for changes in ({"redirect_uri": "https://evil.example/"}, {"client_id": "unknown"}):
        params = domain.query(**changes)
        ours = domain.browser.get("/oauth2/authorize", params=params)
        direct = httpx.get(
            f"{domain.cloud.endpoint}/oauth2/authorize", params=params, trust_env=False
        )
        assert (ours.status_code, ours.content) == (direct.status_code, direct.content)
        assert ours.status_code == 400
        assert ours.headers["content-type"] == direct.headers["content-type"]


def test_markup_is_escaped(domain: Domain) -> None:
    """A browser finds no element that came from the query or from the form."""
    query = domain.query(state=MARKUP, nonce=MARKUP)
    sign_in = Page(domain.browser.get("/oauth2/authorize", params=query))
    response = domain.browser.get(sign_in.sign_up_link)
    refused = domain.submit(response, email=MARKUP, password="short")
    assert Page(refused).inputs["email"]["value"] == MARKUP
    for page in (sign_in, Page(response), Page(refused)):
        assert page.hidden == query
        assert "script" not in page.tags
    assert "script" not in Page(domain.browser.get("/signup", params={MARKUP: "1"})).tags


def test_only_the_parameters_of_a_sign_in_are_kept(domain: Domain) -> None:
    """What else stands in a query neither fills the form nor is carried on."""
    query = domain.query(lang="id")
    strange = {"email": "gita@example.com", "password": PASSWORD, "action": "/elsewhere"}
    page = Page(domain.browser.get("/signup", params={**query, **strange}))
    assert page.hidden == query
    assert (page.action, page.inputs["email"]["value"]) == ("/signup", "")


def test_a_password_is_neither_told_nor_logged(
    domain: Domain, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither a page, a header, our output nor our log has it, taken or refused."""
    caplog.set_level(logging.INFO)
    domain.sign_up(email="hadi@example.com")
    for answer in (
        domain.sign_up(email="hadi@example.com"),
        domain.sign_up(email="not an address"),
        domain.sign_up(email="indah@example.com"),
    ):
        assert PASSWORD not in answer.text
        assert urlencode({"": PASSWORD})[1:] not in str(answer.headers)
    output = capfd.readouterr()
    assert PASSWORD not in output.out + output.err + caplog.text


def test_requests_are_bounded(domain: Domain) -> None:
    """A form above 64 KB, an address above 8 KB and an unknown page are refused."""
    large = domain.browser.post("/signup", data={**domain.query(), "email": "x" * 64 * 1024})
    assert large.status_code == 413
    long = domain.browser.get("/signup", params=domain.query(state="x" * 8 * 1024))
    assert long.status_code == 414
    for method, path in (
        ("GET", "/"),
        ("POST", "/oauth2/authorize"),
        ("GET", "/_ministack/health"),
    ):
        assert domain.browser.request(method, path).status_code == 404


def test_own_pages_run_and_load_nothing(domain: Domain) -> None:
    """The sign-up page is kept by no cache, and its policy allows styles and its own form alone."""
    headers = domain.browser.get("/signup", params=domain.query()).headers
    assert headers["cache-control"] == "no-store"
    assert headers["content-security-policy"].startswith("default-src 'none'; ")


def test_a_cloud_that_is_away_is_told_of() -> None:
    """Each page answers 502 in words; the form's parameters stay."""
    # Port 9 is "discard" (RFC 863): nothing listens there.
    away = "http://127.0.0.1:9"
    assert is_free(9)
    with (
        SignInPages(
            cloud_endpoint=away, pool_id="p", client_factory=lambda name: client_of(name, away)
        ) as pages,
        httpx.Client(base_url=pages.url, trust_env=False) as browser,
    ):
        sign_in = browser.get("/oauth2/authorize", params={"client_id": "c"})
        form = {"client_id": "c", "email": "joko@example.com", "password": PASSWORD}
        sign_up = browser.post("/signup", data=form)
    assert (sign_in.status_code, sign_up.status_code) == (502, 502)
    assert "does not answer" in sign_in.text
    assert "does not answer" in Page(sign_up).problem
    assert Page(sign_up).hidden == {"client_id": "c"}


def test_the_shortest_password_is_the_templates() -> None:
    """The page asks for what the pool will ask for."""
    (pool,) = TEMPLATE.properties("AWS::Cognito::UserPool").values()
    policy = pool["Policies"]["PasswordPolicy"]
    assert policy["MinimumLength"] == PASSWORD_LENGTH_MIN
    assert [name for name, value in policy.items() if value is True] == []


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (b"<FORM><input></FORM ><body></body>", b"<FORM><input>LINK</FORM ><body></body>"),
        (b"<p>x</p><div class='footer'></div>", b"<p>x</p>LINK<div class='footer'></div>"),
        (b"<body><p>x</p></body>", b"<body><p>x</p>LINK</body>"),
        (b"<p>x", b"<p>xLINK"),
    ],
)
def test_the_link_finds_a_place_in_any_page(page: bytes, expected: bytes) -> None:
    """In the form, else before the foot, else at the end."""
    link = b'<p class="footer"><a href="/signup?a=%3C&amp;b=2">Create an account</a></p>\n'
    assert with_sign_up_link(page, {"a": "<", "b": "2"}) == expected.replace(b"LINK", link)


def test_a_page_of_other_quoting_begins_a_sign_in() -> None:
    """What marks the sign-in page is the client's field, however it is written."""
    assert begins_sign_in(b"<INPUT type=hidden name=client_id value=x>")
    assert begins_sign_in(b"<input name='client_id'>")
    assert not begins_sign_in(b'<input name="np_token" value="client_id">')
