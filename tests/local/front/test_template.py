"""The template as typed values, and its intrinsic functions."""

from pathlib import Path
from typing import Any

import pytest

from local.intrinsics import Intrinsics, MissingValueError, TemplateError
from local.rest_api import Mock, Throttle
from local.template import Function, Schedule, Template
from tests.local.front.conftest import TOYS, VALUES

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def toys() -> Template:
    return Template.load(TOYS)


def written(folder: Path, text: str) -> Template:
    """A template of these resources, in SAM's YAML."""
    path = folder / "template.yaml"
    path.write_text(f"Transform: AWS::Serverless-2016-10-31\n{text}")
    return Template.load(path)


def test_functions_come_with_their_folders_and_environment(toys: Template) -> None:
    """Code, layer, memory, timeout and variables, evaluated with the caller's values."""
    assert toys.functions(VALUES)["BufferedFunction"] == Function(
        id="BufferedFunction",
        code_dir=TOYS.parent / "buffered",
        handler="handler.lambda_handler",
        environment={
            "THINGS_TABLE": VALUES["Things"],
            "THINGS_ARN": VALUES["Things.Arn"],
            "JOINED": "us-east-1-plain",
            "LAYER_FILE": "/opt/python/toy_runtime.py",
        },
        memory_mb=256,
        timeout_s=20,
        layer_dirs=(TOYS.parent / "layer",),
        concurrency_max=None,
    )


def test_a_missing_value_is_named_with_who_asks(toys: Template) -> None:
    """Nothing is guessed: the error says what is missing and where it is used."""
    with pytest.raises(MissingValueError, match=r"variable THINGS_TABLE refers to Things\b"):
        toys.functions({})
    with pytest.raises(MissingValueError, match=r"variable THINGS_ARN refers to Things\.Arn"):
        toys.functions({"Things": "things"})


def test_routes_come_from_the_transformed_api(toys: Template) -> None:
    """Path, method, function, mode, timeout and throttling, preflights included."""
    routes = {(route.method, route.path): route for route in toys.api().routes}
    stream = routes["POST", "/stream"]
    assert (stream.function, stream.streams) == ("StreamingFunction", True)
    buffered = routes["POST", "/buffered"]
    assert (buffered.function, buffered.streams) == ("BufferedFunction", False)
    assert buffered.timeout_ms == 29_000
    assert routes["ANY", "/files/{path+}"].function == "BufferedFunction"
    assert routes["GET", "/rare"].throttle == Throttle(rate_per_s=1.0, burst=2)
    assert buffered.throttle is None
    preflight = routes["OPTIONS", "/stream"].mock
    assert isinstance(preflight, Mock)
    assert preflight.headers["Access-Control-Allow-Origin"] == "*"


def test_parameters_and_conditions_decide(toys: Template) -> None:
    """A caller's parameter overrides its default; a condition removes what it guards."""
    assert set(toys.properties("AWS::DynamoDB::Table")) == {"Things"}
    fancy = Template.load(TOYS, parameters={"Fancy": "yes", "Timeout": "7"})
    assert set(fancy.properties("AWS::DynamoDB::Table")) == {"Things", "FancyThings"}
    function = fancy.functions(VALUES)["BufferedFunction"]
    assert (function.timeout_s, function.environment["JOINED"]) == (7, "us-east-1-fancy")


def test_an_unknown_parameter_is_refused() -> None:
    """A misspelled override would otherwise change nothing, silently."""
    with pytest.raises(TemplateError, match="no parameter Timeuot"):
        Template.load(TOYS, parameters={"Timeuot": "7"})


def test_schedules_of_both_kinds_are_read(toys: Template) -> None:
    """EventBridge rules and Scheduler schedules, with the function they call."""
    assert toys.schedules() == {
        "BufferedFunctionHourly": Schedule(
            *("BufferedFunctionHourly", "aws.scheduler", "rate(1 hour)", "BufferedFunction"),
            *(None, True),
        ),
        "BufferedFunctionOften": Schedule(
            *("BufferedFunctionOften", "aws.events", "rate(5 minutes)", "BufferedFunction"),
            *('{"call": "echo"}', True),
        ),
    }


def test_the_misspelled_transfer_mode_stays_buffered(tmp_path: Path) -> None:
    """SAM drops `STREAM` silently and AWS then buffers, so the local front must buffer too."""
    template = written(
        tmp_path,
        """
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: f
      Handler: h.h
      Runtime: python3.13
      Events:
        A: {Type: Api, Properties: {Path: /a, Method: get, ResponseTransferMode: STREAM}}
        B: {Type: Api, Properties: {Path: /b, Method: get, ResponseTransferMode: RESPONSE_STREAM}}
""",
    )
    assert {route.path: route.streams for route in template.api().routes} == {
        "/a": False,
        "/b": True,
    }


def test_aliases_reserved_concurrency_and_methods_settings_are_followed(tmp_path: Path) -> None:
    """A route of an alias runs its function; the most exact throttling applies."""
    template = written(
        tmp_path,
        """
Resources:
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: s
      MethodSettings:
        - {HttpMethod: GET, ResourcePath: /~1a, ThrottlingRateLimit: 3, ThrottlingBurstLimit: 4}
        - {HttpMethod: "*", ResourcePath: "/*", ThrottlingRateLimit: 1, ThrottlingBurstLimit: 2}
  F:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: ./f/
      Handler: h.h
      Runtime: python3.13
      AutoPublishAlias: live
      ReservedConcurrentExecutions: 5
      Events:
        A: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /a, Method: get}}
        B: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /b, Method: get}}
        S: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(1 day), State: DISABLED}}
""",
    )
    api = template.api()
    assert api.stage == "s"
    assert {route.path: (route.function, route.throttle) for route in api.routes} == {
        "/a": ("F", Throttle(3.0, 4)),
        "/b": ("F", Throttle(1.0, 2)),
    }
    function = template.functions()["F"]
    assert (function.code_dir, function.concurrency_max) == (tmp_path / "f", 5)
    (schedule,) = template.schedules().values()
    assert (schedule.function, schedule.enabled) == ("F", False)


def test_what_cannot_be_served_is_refused(tmp_path: Path) -> None:
    """No API, or one with binary media types, is an error and not a surprise."""
    with pytest.raises(TemplateError, match="one REST API can be served, and the template has 0"):
        written(tmp_path, "Resources: {T: {Type: AWS::SNS::Topic}}").api()
    text = """
Globals: {Api: {BinaryMediaTypes: ["*~1*"]}}
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: f
      Handler: h.h
      Runtime: python3.13
      Events: {A: {Type: Api, Properties: {Path: /a, Method: get}}}
"""
    with pytest.raises(TemplateError, match="binary media types"):
        written(tmp_path, text).api()


def test_the_products_template_is_served_whole() -> None:
    """Every route, function and schedule of template.yaml is understood."""
    template = Template.load(REPOSITORY / "template.yaml")
    tables = ["KeysTable", "LedgerTable", "OrdersTable", "UsageTable", "CatalogueTable"]
    sign_in = ["UserPool", "UserPoolClient", "UserPoolDomain"]
    functions = template.functions(dict.fromkeys([*tables, *sign_in], "x"))
    assert all(function.code_dir.is_dir() for function in functions.values())
    assert all(layer.is_dir() for f in functions.values() for layer in f.layer_dirs)
    assert {route.function for route in template.api().routes} - {None} <= set(functions)
    assert {schedule.function for schedule in template.schedules().values()} <= set(functions)


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ({"Ref": "P"}, "p"),
        ({"Fn::GetAtt": ["R", "A.B"]}, "attribute"),
        ({"Fn::GetAtt": "R.A.B"}, "attribute"),
        ({"Fn::Sub": "${P}-${R.A.B}-${!P}-${AWS::Region}"}, "p-attribute-${P}-eu-west-3"),
        ({"Fn::Sub": ["${X}/${P}", {"X": {"Ref": "P"}}]}, "p/p"),
        ({"Fn::Join": [",", ["a", {"Ref": "P"}]]}, "a,p"),
        ({"Fn::If": ["Yes", "a", "b"]}, "a"),
        ({"Fn::If": ["No", "a", {"Ref": "P"}]}, "p"),
        ({"Fn::Select": ["1", {"Fn::Split": ["-", "x-y"]}]}, "y"),
        ({"a": [{"Ref": "P"}, 1]}, {"a": ["p", 1]}),
        ({"kept": 1, "gone": {"Ref": "AWS::NoValue"}}, {"kept": 1}),
        ([1, {"Fn::If": ["No", 2, {"Ref": "AWS::NoValue"}]}], [1]),
    ],
)
def test_intrinsics_are_evaluated(node: Any, expected: object) -> None:
    """Each function gives what CloudFormation's reference says."""
    intrinsics = Intrinsics(
        parameters={"P": "p"},
        conditions={
            "Yes": {"Fn::Equals": [{"Ref": "P"}, "p"]},
            "No": {"Fn::And": [{"Condition": "Yes"}, {"Fn::Not": [{"Condition": "Yes"}]}]},
        },
        values={"R.A.B": "attribute"},
        region="eu-west-3",
    )
    assert intrinsics.value(node, where="a test") == expected


def test_an_unknown_function_or_condition_is_named() -> None:
    """What is not evaluated here is an error that says so."""
    intrinsics = Intrinsics(parameters={}, conditions={}, values={}, region="eu-west-3")
    with pytest.raises(TemplateError, match="a test uses Fn::ImportValue"):
        intrinsics.value({"Fn::ImportValue": "x"}, where="a test")
    with pytest.raises(TemplateError, match="a test names the condition Never"):
        intrinsics.value({"Fn::If": ["Never", 1, 2]}, where="a test")
