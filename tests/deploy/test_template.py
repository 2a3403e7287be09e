"""The template as CloudFormation would get it: routes, answers, rights, variables, tables."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.template import Api, Template
from osiris import errors
from osiris.settings import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parents[2]
FUNCTIONS = (
    "ExpirySweeperFunction",
    "KeysFunction",
    "ProxyFunction",
    "ReconcilerFunction",
    "TopupWebhookFunction",
    "TopupsFunction",
    "WebFunction",
)

Properties = dict[str, Any]


@pytest.fixture(scope="module")
def template() -> Template:
    return Template.load(REPOSITORY / "template.yaml")


@pytest.fixture(scope="module")
def api(template: Template) -> Api:
    return template.api()


def of_type(template: Template, resource_type: str) -> dict[str, Properties]:
    return {
        name: resource["Properties"]
        for name, resource in template.resources.items()
        if resource["Type"] == resource_type
    }


def physical_names(template: Template) -> dict[str, str]:
    """A name for whatever the template may refer to."""
    return {name: f"the-{name}" for name in template.resources}


def variables(template: Template) -> Iterator[tuple[str, str, Any]]:
    """(function, variable, its unevaluated value), Lambda's own switches left out."""
    for function, properties in of_type(template, "AWS::Lambda::Function").items():
        for variable, value in properties["Environment"]["Variables"].items():
            if variable != "AWS_LAMBDA_EXEC_WRAPPER":
                yield function, variable, value


# ---------------------------------------------------------------------------------- the front door


def test_every_answer_of_v1_is_streamed(template: Template) -> None:
    """SAM ignores a misspelt transfer mode silently: URI, mode and timeout of /v1 say STREAM."""
    (properties,) = of_type(template, "AWS::ApiGateway::RestApi").values()
    integrations = [
        operation["x-amazon-apigateway-integration"]
        for path, methods in properties["Body"]["paths"].items()
        for method, operation in methods.items()
        if path.startswith("/v1/") and method != "options"
    ]
    assert len(integrations) == 5
    for integration in integrations:
        uri = integration["uri"]["Fn::Sub"]
        assert "2021-11-15/functions/${ProxyFunction.Arn}/response-streaming-invocations" in uri
        assert integration["responseTransferMode"] == "STREAM"
        assert integration["timeoutInMillis"] == 900_000


def test_the_dashboards_api_is_buffered(api: Api) -> None:
    """/api and the webhooks are served by functions with ordinary handlers."""
    served: dict[str | None, list[str]] = {}
    for route in api.routes:
        if route.function not in (None, "ProxyFunction", "WebFunction"):
            assert not route.streams
            served.setdefault(route.function, []).append(f"{route.method} {route.path}")
    assert {function: sorted(routes) for function, routes in served.items()} == {
        "KeysFunction": [
            "DELETE /api/keys/{id}",
            "GET /api/keys",
            "GET /api/keys/{id}",
            "PATCH /api/keys/{id}",
            "POST /api/keys",
            "POST /api/keys/{id}/rotate",
        ],
        "TopupWebhookFunction": ["POST /webhooks/{provider}"],
        "TopupsFunction": [
            "GET /api/topups",
            "GET /api/topups/coins",
            "GET /api/topups/packages",
            "GET /api/topups/{id}",
            "POST /api/topups",
            "POST /api/topups/{id}/cancel",
        ],
    }


def test_no_route_has_an_authorizer(template: Template) -> None:
    """Keys, tokens and signatures are looked at by the functions: a provider has none of ours."""
    (properties,) = of_type(template, "AWS::ApiGateway::RestApi").values()
    assert "securityDefinitions" not in json.dumps(properties["Body"])
    assert "securitySchemes" not in json.dumps(properties["Body"])
    for methods in properties["Body"]["paths"].values():
        assert not [name for name, operation in methods.items() if "security" in operation]


def test_the_front_door_is_regional(template: Template) -> None:
    """An edge-optimised endpoint would end a stream that is silent for 30 s."""
    (properties,) = of_type(template, "AWS::ApiGateway::RestApi").values()
    assert properties["EndpointConfiguration"]["Types"] == ["REGIONAL"]


def test_a_function_outlives_no_integration(template: Template, api: Api) -> None:
    """The gateway waits at least as long as the function may take."""
    functions = of_type(template, "AWS::Lambda::Function")
    for route in api.routes:
        if route.function is not None:
            assert functions[route.function]["Timeout"] * 1000 <= route.timeout_ms


def test_browsers_may_send_a_key_from_anywhere(api: Api) -> None:
    """Preflight answers of /v1 name Authorization, which "*" does not stand for."""
    preflights = [
        route.mock.headers
        for route in api.routes
        if route.path.startswith("/v1/") and route.method == "OPTIONS" and route.mock is not None
    ]
    assert len(preflights) == 5
    for headers in preflights:
        allowed = headers["Access-Control-Allow-Headers"].split(",")
        assert {"Authorization", "*"} <= set(allowed)
        assert headers["Access-Control-Allow-Origin"] == "*"


def test_every_route_is_throttled(api: Api) -> None:
    """No route, preflights included, takes more than RequestsPerSecond."""
    assert {route.throttle for route in api.routes} == {(100.0, 100)}


def test_the_access_log_is_one_json_object_a_request() -> None:
    """Off by default; switched on, each line can be read by a program."""
    plain = Template.load(REPOSITORY / "template.yaml")
    names = physical_names(plain) | {"AccessLogGroup.Arn": "arn"}
    (stage,) = plain.properties("AWS::ApiGateway::Stage", names).values()
    assert "AccessLogSetting" not in stage
    logging = Template.load(REPOSITORY / "template.yaml", parameters={"AccessLogs": "on"})
    (stage,) = logging.properties("AWS::ApiGateway::Stage", names).values()
    line = re.sub(r"\$context[.\w]+", "0", stage["AccessLogSetting"]["Format"])
    assert "\n" not in line
    assert {"request_id", "status", "gateway_error"} <= set(json.loads(line))


# ----------------------------------------------------------------------- the gateway's own answers


def leaves(root: type[errors.OsirisError]) -> Iterator[type[errors.OsirisError]]:
    for child in root.__subclasses__():
        yield child
        yield from leaves(child)


def test_the_gateways_own_answers_have_our_shape(api: Api) -> None:
    """Each is JSON of our error object, with a code, type and status of the one error tree."""
    by_code = {error.code: error for error in leaves(errors.OsirisError)}
    assert len(api.gateway_responses) == 9
    for kind, response in api.gateway_responses.items():
        error = json.loads(response.bodies["application/json"])["error"]
        assert list(error) == ["message", "type", "param", "code"]
        known = by_code[error["code"]]
        assert (error["type"], error["param"]) == (known.type, None)
        if not kind.startswith("DEFAULT_"):  # those keep whatever status API Gateway gives
            assert response.status == known.status


def test_the_gateways_own_answers_can_be_traced_and_read(api: Api) -> None:
    """Each carries X-Request-Id, and may be read by a page of any origin."""
    for response in api.gateway_responses.values():
        assert response.headers["X-Request-Id"] == "context.requestId"
        assert response.headers["Access-Control-Allow-Origin"] == "'*'"
        assert "X-Request-Id" in response.headers["Access-Control-Expose-Headers"]


def test_an_unknown_route_is_a_404(api: Api) -> None:
    """API Gateway itself would say 403, about a token that nobody asked for."""
    for kind in ("MISSING_AUTHENTICATION_TOKEN", "INVALID_SIGNATURE", "ACCESS_DENIED"):
        assert api.gateway_responses[kind].status == 404


def test_waiting_and_repeating_are_said_in_headers(api: Api) -> None:
    """A throttled client hears when to come back; one that may be charged, not to."""
    assert api.gateway_responses["THROTTLED"].headers["Retry-After"] == "'1'"
    assert api.gateway_responses["INTEGRATION_TIMEOUT"].headers["X-Should-Retry"] == "'false'"


# ------------------------------------------------------------------------------------ the functions


def test_there_are_these_functions(template: Template) -> None:
    """The functions of this template; each has a folder with its handler."""
    functions = of_type(template, "AWS::Lambda::Function")
    assert sorted(functions) == sorted(FUNCTIONS)
    for name, function in template.functions(physical_names(template)).items():
        module, handler = function.handler.split(".")
        source = function.code_dir / f"{module}.py"
        assert source.exists(), f"{name} has no {source.relative_to(REPOSITORY)}"
        assert f"def {handler}(" in source.read_text() or f"{handler} =" in source.read_text()


def test_the_wrapper_is_in_the_layer_and_can_be_run(template: Template) -> None:
    """AWS_LAMBDA_EXEC_WRAPPER names an executable file of the layer: else Lambda ends with 126.

    The functions that stream are started by it, and no other.
    """
    started_by = {
        name: properties["Environment"]["Variables"].get("AWS_LAMBDA_EXEC_WRAPPER")
        for name, properties in of_type(template, "AWS::Lambda::Function").items()
    }
    wrapper = "/opt/python/osiris/runtime/exec_wrapper"
    assert {name: path for name, path in started_by.items() if path is not None} == {
        "ProxyFunction": wrapper,
        "WebFunction": wrapper,
    }
    file = REPOSITORY / "layers/common" / wrapper.removeprefix("/opt/python/")
    assert os.access(file, os.X_OK)


def test_each_variable_is_a_setting_and_each_setting_a_variable(template: Template) -> None:
    """The template sets no variable that nobody reads, and leaves none of Osiris's out.

    Nor any of Python's: PYTHONOPTIMIZE would take out the asserts, which are our invariants.
    """
    declared = {setting.variable for setting in SETTINGS.values()}
    set_here = {variable for _, variable, _ in variables(template)}
    assert set_here == {variable for variable in declared if variable.startswith("OSIRIS_")}


def test_the_templates_defaults_are_the_settings_defaults(template: Template) -> None:
    """Whoever reads docs/settings.md reads what a stack with default parameters has.

    Sign-in's apart: by default those name the stack's own user pool.
    """
    defaults = {
        setting.variable: setting.default
        for setting in SETTINGS.values()
        if not setting.variable.startswith("OSIRIS_OIDC_")
    }
    for function in template.functions(physical_names(template)).values():
        for variable, value in function.environment.items():
            if defaults.get(variable) is not None:
                assert value == str(defaults[variable]), variable


def test_the_functions_agree_on_what_they_share(template: Template) -> None:
    """One variable has one value in all functions."""
    seen: dict[str, Any] = {}
    for _, variable, value in variables(template):
        assert seen.setdefault(variable, value) == value


def test_each_functions_log_is_kept_for_a_limited_time(template: Template) -> None:
    """Each function writes to a log group of the template, which has a retention."""
    groups = of_type(template, "AWS::Logs::LogGroup")
    used = [
        function["LoggingConfig"]["LogGroup"]["Ref"]
        for function in of_type(template, "AWS::Lambda::Function").values()
    ]
    assert len(used) == len(set(used)) == len(FUNCTIONS)
    for name in used:
        assert groups[name]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_what_runs_by_itself_runs_by_these_schedules(template: Template) -> None:
    """Sweeps and all keys by the hour; orders and events, which somebody waits for, oftener."""
    schedules = template.schedules(physical_names(template)).values()
    assert sorted((each.function, each.expression, each.input or "") for each in schedules) == [
        ("ExpirySweeperFunction", "rate(1 hour)", ""),
        ("ReconcilerFunction", "rate(1 hour)", ""),
        ("ReconcilerFunction", "rate(5 minutes)", '{"task": "orders"}'),
    ]
    assert all(each.enabled and each.service == "aws.scheduler" for each in schedules)


def test_a_schedules_failed_call_is_not_repeated(template: Template) -> None:
    """The next run does what a failed one left: a repeat would only cost."""
    configured = of_type(template, "AWS::Lambda::EventInvokeConfig").values()
    assert {config["FunctionName"]["Ref"] for config in configured} == {
        schedule.function for schedule in template.schedules(physical_names(template)).values()
    }
    assert {config["MaximumRetryAttempts"] for config in configured} == {0}


# ------------------------------------------------------------------------- the tables and accounts


@pytest.mark.parametrize("name", ["KeysTable", "LedgerTable", "OrdersTable"])
def test_money_outlives_its_stack(template: Template, name: str) -> None:
    """Such tables are kept when the stack is deleted, and can be put back to any second."""
    table = template.resources[name]
    assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain"
    recovery = table["Properties"]["PointInTimeRecoverySpecification"]
    assert recovery == {"PointInTimeRecoveryEnabled": True}


def test_accounts_outlive_their_stack(template: Template) -> None:
    """Keys belong to a user's `sub`, which no other pool could give again."""
    pool = template.resources["UserPool"]
    assert pool["DeletionPolicy"] == pool["UpdateReplacePolicy"] == "Retain"


def test_nothing_costs_by_the_hour(template: Template) -> None:
    """Every table is billed by the request, and no function keeps environments warm."""
    for table in of_type(template, "AWS::DynamoDB::Table").values():
        assert table["BillingMode"] == "PAY_PER_REQUEST"
    kinds = {resource["Type"] for resource in template.resources.values()}
    assert not {kind for kind in kinds if kind.startswith(("AWS::EC2::", "AWS::ECS::"))}
    for function in of_type(template, "AWS::Lambda::Function").values():
        assert "SnapStart" not in function
