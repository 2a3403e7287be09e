"""The pages' part of the template: their routes, and the issuer at which people sign in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

from local.template import Template
from osiris.settings import SETTINGS

REPOSITORY = Path(__file__).parents[2]
SITE = "https://osiris.example"
OTHER_ISSUER = {
    "OidcIssuer": "https://id.example",
    "OidcAudience": "osiris",
    "OidcJwksUrl": "https://id.example/keys",
    "OidcAuthorizeUrl": "https://id.example/authorize",
    "OidcTokenUrl": "https://id.example/token",
    "OidcLogoutUrl": "https://id.example/logout",
    "OidcClientSecret": "issuer-secret",
}
COGNITO = "https://the-UserPoolDomain.auth.us-east-1.amazoncognito.com"


def of(parameters: dict[str, str] | None = None) -> Template:
    return Template.load(REPOSITORY / "template.yaml", parameters=parameters)


@pytest.fixture(scope="module")
def template() -> Template:
    return of()


@pytest.fixture(scope="module")
def declared() -> dict[str, Any]:
    """The template as it is written."""
    return dict(yaml_parse((REPOSITORY / "template.yaml").read_text()))


def names(template: Template) -> dict[str, str]:
    """A name for whatever the template may refer to."""
    return {name: f"the-{name}" for name in template.resources}


def sign_in_variables(template: Template, function: str) -> dict[str, str]:
    environment = template.functions(names(template))[function].environment
    return {name: value for name, value in environment.items() if "OIDC" in name}


# --------------------------------------------------------------------------------------- the routes


def test_the_pages_are_streamed(template: Template) -> None:
    """Exports may be long, and bytes that are compressed already pass as they are."""
    served = [route for route in template.api().routes if route.function == "WebFunction"]
    assert all(route.streams and route.timeout_ms == 120_000 for route in served)
    assert sorted(f"{route.method} {route.path}" for route in served) == [
        "GET /",
        "GET /assets/{name}",
        "GET /find",
        "GET /keys",
        "GET /keys/{key_id}",
        "GET /keys/{key_id}/ledger",
        "GET /keys/{key_id}/ledger.csv",
        "GET /keys/{key_id}/meter",
        "GET /keys/{key_id}/requests",
        "GET /keys/{key_id}/requests.csv",
        "GET /keys/{key_id}/secret",
        "GET /orders",
        "GET /orders/{order_id}",
        "GET /orders/{order_id}/receipt",
        "GET /orders/{order_id}/state",
        "GET /requests/{request_id}",
        "GET /sign-in",
        "GET /signed-in",
        "GET /topup",
        "GET /usage",
        "GET /{path+}",
        "POST /keys",
        "POST /keys/{key_id}",
        "POST /orders",
        "POST /orders/{order_id}",
        "POST /sign-out",
    ]


def test_the_address_of_the_pages_is_told(declared: dict[str, Any]) -> None:
    """PagesUrl is what SiteUrl takes: the API's own address with its stage, and no slash after."""
    told = declared["Outputs"]["PagesUrl"]["Value"]["Fn::Sub"]
    address = told.replace("${Api}", "a1b2c3").replace("${AWS::Region}", "us-east-1")
    address = address.replace("${AWS::URLSuffix}", "amazonaws.com").replace("${StageName}", "live")
    assert address == "https://a1b2c3.execute-api.us-east-1.amazonaws.com/live"
    pattern = re.compile(declared["Parameters"]["SiteUrl"]["AllowedPattern"])
    for good in ("", SITE, address, "http://localhost:8080"):
        assert pattern.fullmatch(good), good
    for bad in (f"{SITE}/", f"{address}/", "osiris.example", "http://osiris.example", f"{SITE} "):
        assert not pattern.fullmatch(bad), bad


def test_the_pages_are_told_what_they_tell(template: Template) -> None:
    """Each setting that a page shows is the stack's, not a default that a parameter has changed."""
    shown = set()
    for module in (REPOSITORY / "layers/common/osiris/web").rglob("*.py"):
        shown |= set(re.findall(r"\bsettings\.(\w+)", module.read_text()))
    assert shown
    environment = template.functions(names(template))["WebFunction"].environment
    assert {SETTINGS[name].variable for name in shown} - set(environment) == set()


# -------------------------------------------------------------------------------------- the sign-in


def test_people_sign_in_at_the_stacks_own_pool(template: Template) -> None:
    """By default every function checks its tokens, and the pages send people to its domain."""
    issuer = "https://cognito-idp.us-east-1.amazonaws.com/the-UserPool"
    checking = {
        "OSIRIS_OIDC_ISSUER": issuer,
        "OSIRIS_OIDC_AUDIENCE": "the-UserPoolClient",
        "OSIRIS_OIDC_JWKS_URL": f"{issuer}/.well-known/jwks.json",
    }
    assert sign_in_variables(template, "KeysFunction") == checking
    assert sign_in_variables(template, "TopupsFunction") == checking
    assert sign_in_variables(template, "WebFunction") == {
        **checking,
        "OSIRIS_OIDC_AUTHORIZE_URL": f"{COGNITO}/oauth2/authorize",
        "OSIRIS_OIDC_TOKEN_URL": f"{COGNITO}/oauth2/token",
        "OSIRIS_OIDC_LOGOUT_URL": f"{COGNITO}/logout",
        "OSIRIS_OIDC_CLIENT_SECRET": "",
    }


@pytest.mark.parametrize(
    ("parameters", "came_from"),
    [({"SiteUrl": SITE}, SITE), ({"SiteUrl": f"{SITE}/live"}, f"{SITE}/live")],
)
def test_cognito_sends_people_back_to_the_site(parameters: dict[str, str], came_from: str) -> None:
    """After a sign-in to /signed-in, after a sign-out to the start page, and nowhere else."""
    (client,) = (
        of(parameters).properties("AWS::Cognito::UserPoolClient", {"UserPool": "p"}).values()
    )
    assert client["CallbackURLs"] == [f"{came_from}/signed-in"]
    assert client["LogoutURLs"] == [f"{came_from}/"]


def test_without_an_address_cognito_sends_people_to_their_own_machine(template: Template) -> None:
    """Cognito wants an address from the start, before the API has one: nobody else's."""
    (client,) = template.properties("AWS::Cognito::UserPoolClient", {"UserPool": "p"}).values()
    assert client["CallbackURLs"] == ["http://localhost:8080/signed-in"]
    assert client["LogoutURLs"] == ["http://localhost:8080/"]


def test_the_client_is_public_and_signs_in_by_code_alone(template: Template) -> None:
    """No token ever stands in a URL, and a code is worth nothing without PKCE's verifier."""
    (client,) = template.properties("AWS::Cognito::UserPoolClient", {"UserPool": "p"}).values()
    assert client["AllowedOAuthFlows"] == ["code"]
    assert client["AllowedOAuthScopes"] == ["openid", "email"]
    assert client["GenerateSecret"] is False


def test_another_issuer_takes_the_place_of_the_user_pool() -> None:
    """With OidcIssuer there is no user pool: people sign in there, and its tokens are checked."""
    template = of(OTHER_ISSUER)
    kinds = {resource["Type"] for resource in template.resources.values()}
    assert not {kind for kind in kinds if kind.startswith("AWS::Cognito::")}
    checking = {
        "OSIRIS_OIDC_ISSUER": "https://id.example",
        "OSIRIS_OIDC_AUDIENCE": "osiris",
        "OSIRIS_OIDC_JWKS_URL": "https://id.example/keys",
    }
    assert sign_in_variables(template, "KeysFunction") == checking
    assert sign_in_variables(template, "TopupsFunction") == checking
    assert sign_in_variables(template, "WebFunction") == {
        **checking,
        "OSIRIS_OIDC_AUTHORIZE_URL": "https://id.example/authorize",
        "OSIRIS_OIDC_TOKEN_URL": "https://id.example/token",
        "OSIRIS_OIDC_LOGOUT_URL": "https://id.example/logout",
        "OSIRIS_OIDC_CLIENT_SECRET": "issuer-secret",
    }


def test_half_an_issuer_is_refused_before_anything_is_changed(declared: dict[str, Any]) -> None:
    """CloudFormation refuses an issuer without all that sign-in needs; what may be empty may."""
    rule = declared["Rules"]["IssuerIsWhole"]
    assert rule["RuleCondition"] == not_empty("OidcIssuer")
    asserted = [assertion["Assert"] for assertion in rule["Assertions"]]
    optional = {"OidcIssuer", "OidcLogoutUrl", "OidcClientSecret"}
    needed = [name for name in declared["Parameters"] if name.startswith("Oidc")]
    assert asserted == [not_empty(name) for name in needed if name not in optional]


def not_empty(parameter: str) -> dict[str, Any]:
    return {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, ""]}]}
