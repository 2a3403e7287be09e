"""What `template.yaml` says, as typed values: the one list of functions, routes and tables.

The template goes through AWS's own SAM transform first, so that the routes served here are those
that CloudFormation would make, silent traps of SAM included.

    template = Template.load(Path("template.yaml"), parameters={"Architecture": "x86_64"})
    template.properties("AWS::DynamoDB::Table")     # before anything exists
    functions = template.functions({"KeysTable": "osiris-keys", "UserPool.ProviderURL": "https://…"})
    api = template.api()
"""

import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import boto3
from samtranslator.parser.parser import Parser  # type: ignore[import-untyped]
from samtranslator.translator.translator import Translator  # type: ignore[import-untyped]
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

from local.intrinsics import Intrinsics, TemplateError

# SAM takes code from S3 only; the folder stands behind this bucket's name until we read it back.
_BUCKET = "local"
_FUNCTION_IN_URI = re.compile(
    r"/functions/\$\{(\w+)(?:\.Arn)?\}/(invocations|response-streaming-invocations)"
)
_METHODS = {"get", "put", "post", "delete", "options", "head", "patch"}
_ANY = "x-amazon-apigateway-any-method"
# What API Gateway takes for an integration that names no timeout (its OpenAPI extension page).
_INTEGRATION_TIMEOUT_MS = 29_000
_INTEGRATION_TIMEOUT_MS_MAX = 900_000


class Function(NamedTuple):
    """One `AWS::Lambda::Function`."""

    id: str
    code_dir: Path
    handler: str
    environment: dict[str, str]
    memory_mb: int
    timeout_s: int
    layer_dirs: tuple[Path, ...]
    concurrency_max: int | None


class Mock(NamedTuple):
    """The answer of a MOCK integration (SAM makes one for each CORS preflight)."""

    status: int
    headers: dict[str, str]
    body: str


class Throttle(NamedTuple):
    """A method's token bucket, from the stage's MethodSettings."""

    rate_per_s: float
    burst: int


class Route(NamedTuple):
    """One method of one resource of the REST API; `method` is `ANY` for all of them."""

    method: str
    path: str
    function: str | None
    mock: Mock | None
    streams: bool
    timeout_ms: int
    throttle: Throttle | None


class GatewayResponse(NamedTuple):
    """How the template wants one of API Gateway's own answers; `status` None leaves AWS's."""

    status: int | None
    headers: dict[str, str]
    bodies: dict[str, str]


class Api(NamedTuple):
    """The REST API of the template."""

    id: str
    stage: str
    routes: tuple[Route, ...]
    gateway_responses: dict[str, GatewayResponse]


class Schedule(NamedTuple):
    """A scheduled call of a function; `service` is `aws.events` or `aws.scheduler`."""

    id: str
    service: str
    expression: str
    function: str
    input: str | None
    enabled: bool


class Template:
    """The transformed template. Parameters are fixed; `values` come with each question."""

    def __init__(
        self, body: dict[str, Any], *, folder: Path, parameters: Mapping[str, str], region: str
    ) -> None:
        self._body = body
        self._folder = folder
        self._region = region
        defaults = {
            name: str(given["Default"])
            for name, given in body.get("Parameters", {}).items()
            if "Default" in given
        }
        unknown = sorted(set(parameters) - set(body.get("Parameters", {})))
        if unknown:
            raise TemplateError(f"the template has no parameter {', '.join(unknown)}")
        self._parameters = {**defaults, **parameters}

    @classmethod
    def load(
        cls, path: Path, *, parameters: Mapping[str, str] | None = None, region: str = "us-east-1"
    ) -> "Template":
        """Read and transform a SAM template. Errors: TemplateError, or SAM's own."""
        document = yaml_parse(path.read_text(encoding="utf-8"))
        _name_folders(document)
        return cls(
            _transformed(document, parameters or {}, region),
            folder=path.resolve().parent,
            parameters=parameters or {},
            region=region,
        )

    @property
    def resources(self) -> dict[str, Any]:
        """Every resource whose condition holds, as transformed and unevaluated."""
        test = self._intrinsics({})
        return {
            name: resource
            for name, resource in self._body["Resources"].items()
            if "Condition" not in resource or test.holds(resource["Condition"], where=name)
        }

    def properties(
        self, resource_type: str, values: Mapping[str, str] | None = None
    ) -> dict[str, dict[str, Any]]:
        """The evaluated properties of each resource of a type, by logical id."""
        evaluate = self._intrinsics(values or {})
        return {
            name: evaluate.value(resource.get("Properties", {}), where=name)
            for name, resource in self._of_type(resource_type)
        }

    def functions(self, values: Mapping[str, str] | None = None) -> dict[str, Function]:
        """The Lambda functions by logical id, their environment evaluated with `values`."""
        evaluate = self._intrinsics(values or {})
        return {
            name: self._function(name, resource["Properties"], evaluate)
            for name, resource in self._of_type("AWS::Lambda::Function")
        }

    def api(self, values: Mapping[str, str] | None = None) -> Api:
        """The REST API; a template with none or several is an error."""
        found = list(self._of_type("AWS::ApiGateway::RestApi"))
        if len(found) != 1:
            raise TemplateError(f"one REST API can be served, and the template has {len(found)}")
        (name, resource) = found[0]
        evaluate = self._intrinsics(values or {})
        body = resource["Properties"]["Body"]
        if resource["Properties"].get("BinaryMediaTypes") or body.get(
            "x-amazon-apigateway-binary-media-types"
        ):
            raise TemplateError(f"{name} has binary media types, which are not served here")
        stage = self._stage(name, evaluate)
        responses = body.get("x-amazon-apigateway-gateway-responses", {})
        return Api(
            id=name,
            stage=str(stage.get("StageName", "local")),
            routes=tuple(self._routes(body["paths"], stage.get("MethodSettings", []), evaluate)),
            gateway_responses={
                kind: _gateway_response(evaluate.value(given, where=f"{name}.{kind}"))
                for kind, given in responses.items()
            },
        )

    def schedules(self, values: Mapping[str, str] | None = None) -> dict[str, Schedule]:
        """The scheduled calls by logical id (EventBridge rules and Scheduler schedules)."""
        evaluate = self._intrinsics(values or {})
        found = {}
        for name, resource in self._of_type("AWS::Events::Rule"):
            given = resource["Properties"]
            if "ScheduleExpression" in given:
                (target,) = given["Targets"]
                found[name] = self._schedule(name, "aws.events", given, target, evaluate)
        for name, resource in self._of_type("AWS::Scheduler::Schedule"):
            given = resource["Properties"]
            found[name] = self._schedule(name, "aws.scheduler", given, given["Target"], evaluate)
        return found

    def _intrinsics(self, values: Mapping[str, str]) -> Intrinsics:
        return Intrinsics(
            parameters=self._parameters,
            conditions=self._body.get("Conditions", {}),
            values=values,
            region=self._region,
        )

    def _of_type(self, resource_type: str) -> Iterator[tuple[str, dict[str, Any]]]:
        return (
            (name, resource)
            for name, resource in self.resources.items()
            if resource["Type"] == resource_type
        )

    def _function(self, name: str, given: dict[str, Any], evaluate: Intrinsics) -> Function:
        variables = given.get("Environment", {}).get("Variables", {})
        reserved = given.get("ReservedConcurrentExecutions")
        return Function(
            id=name,
            code_dir=self._folder_of(name, given["Code"]),
            handler=given["Handler"],
            environment={
                variable: _text(evaluate.value(value, where=f"{name}'s variable {variable}"))
                for variable, value in variables.items()
            },
            # Lambda's own defaults: 128 MB and 3 s.
            memory_mb=int(evaluate.value(given.get("MemorySize", 128), where=name)),
            timeout_s=int(evaluate.value(given.get("Timeout", 3), where=name)),
            layer_dirs=tuple(self._layer_dir(name, layer) for layer in given.get("Layers", [])),
            concurrency_max=None
            if reserved is None
            else int(evaluate.value(reserved, where=f"{name}.ReservedConcurrentExecutions")),
        )

    def _layer_dir(self, function: str, layer: Any) -> Path:
        resource = self.resources.get(layer.get("Ref", "")) if isinstance(layer, dict) else None
        if resource is None:
            raise TemplateError(f"{function} has a layer that is not in the template: {layer}")
        return self._folder_of(function, resource["Properties"]["Content"])

    def _folder_of(self, name: str, code: dict[str, Any]) -> Path:
        if code.get("S3Bucket") != _BUCKET:
            raise TemplateError(f"{name}'s code is not a folder beside the template")
        return (self._folder / str(code["S3Key"])).resolve()

    def _stage(self, api: str, evaluate: Intrinsics) -> dict[str, Any]:
        for name, resource in self._of_type("AWS::ApiGateway::Stage"):
            given = resource["Properties"]
            if given["RestApiId"] == {"Ref": api}:
                wanted = {
                    key: given[key] for key in ("StageName", "MethodSettings") if key in given
                }
                return dict(evaluate.value(wanted, where=name))
        return {}

    def _routes(
        self, paths: dict[str, Any], settings: list[dict[str, Any]], evaluate: Intrinsics
    ) -> Iterator[Route]:
        for path, methods in paths.items():
            for name, operation in methods.items():
                if name not in _METHODS and name != _ANY:
                    continue
                method = "ANY" if name == _ANY else name.upper()
                where = f"{method} {path}"
                integration = operation["x-amazon-apigateway-integration"]
                yield self._route(method, path, integration, settings, evaluate, where=where)

    def _route(
        self,
        method: str,
        path: str,
        integration: dict[str, Any],
        settings: list[dict[str, Any]],
        evaluate: Intrinsics,
        *,
        where: str,
    ) -> Route:
        timeout_ms = int(
            evaluate.value(integration.get("timeoutInMillis", _INTEGRATION_TIMEOUT_MS), where=where)
        )
        if not 50 <= timeout_ms <= _INTEGRATION_TIMEOUT_MS_MAX:
            raise TemplateError(f"{where}: a timeout of {timeout_ms} ms is out of AWS's bounds")
        function, streams, mock = None, False, None
        if integration["type"].lower() == "mock":
            mock = _mock(evaluate.value(integration["responses"]["default"], where=where))
        else:
            function, streams = self._target(integration, where=where)
        throttle = _throttle(method, path, evaluate.value(settings, where="MethodSettings"))
        return Route(method, path, function, mock, streams, timeout_ms, throttle)

    def _target(self, integration: dict[str, Any], *, where: str) -> tuple[str, bool]:
        """The function an integration calls, and whether API Gateway streams its answer.

        Both the URI and the transfer mode must say so: SAM ignores a misspelled mode silently and
        makes an ordinary route, and then so must we.
        """
        uri = integration.get("uri", "")
        match = _FUNCTION_IN_URI.search(uri.get("Fn::Sub", "") if isinstance(uri, dict) else uri)
        if integration["type"].lower() != "aws_proxy" or match is None:
            raise TemplateError(f"{where} is neither a Lambda proxy nor a MOCK integration")
        name, action = match.groups()
        resource = self.resources.get(name, {})
        if resource.get("Type") == "AWS::Lambda::Alias":
            name = resource["Properties"]["FunctionName"]["Ref"]
        stream_mode = integration.get("responseTransferMode", "BUFFERED") == "STREAM"
        if stream_mode != (action == "response-streaming-invocations"):
            raise TemplateError(f"{where}: its transfer mode and its invocation URI disagree")
        return name, stream_mode

    def _schedule(
        self,
        name: str,
        service: str,
        given: dict[str, Any],
        target: dict[str, Any],
        evaluate: Intrinsics,
    ) -> Schedule:
        arn = target["Arn"]
        function = arn.get("Fn::GetAtt", [arn.get("Ref")])[0]
        resource = self.resources.get(function, {})
        if resource.get("Type") == "AWS::Lambda::Alias":
            function = resource["Properties"]["FunctionName"]["Ref"]
        return Schedule(
            id=name,
            service=service,
            expression=evaluate.value(given["ScheduleExpression"], where=name),
            function=function,
            input=evaluate.value(target.get("Input"), where=name),
            enabled=evaluate.value(given.get("State", "ENABLED"), where=name) == "ENABLED",
        )


def _name_folders(document: dict[str, Any]) -> None:
    """Write each local folder as `s3://local/<folder>`, the one form that SAM's transform takes."""
    sections = [resource.get("Properties", {}) for resource in document["Resources"].values()]
    sections += list(document.get("Globals", {}).values())
    for section in sections:
        for key in ("CodeUri", "ContentUri"):
            if isinstance(section.get(key), str) and not section[key].startswith("s3://"):
                section[key] = (
                    f"s3://{_BUCKET}/{section[key].removeprefix('./').rstrip('/') or '.'}"
                )


def _transformed(
    document: dict[str, Any], parameters: Mapping[str, str], region: str
) -> dict[str, Any]:
    # The region has to come in by a session: SAM asks boto3 for it even when it is a parameter.
    session = boto3.session.Session(region_name=region)
    # Its warnings are about feature switches of AWS's own deployment of SAM.
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    translator = Translator({}, Parser(), boto_session=session)
    body = translator.translate(document, parameter_values=dict(parameters))
    return dict(body)


def _gateway_response(given: dict[str, Any]) -> GatewayResponse:
    prefix = "gatewayresponse.header."
    return GatewayResponse(
        status=int(given["statusCode"]) if "statusCode" in given else None,
        headers={
            name.removeprefix(prefix): str(value)
            for name, value in given.get("responseParameters", {}).items()
            if name.startswith(prefix)
        },
        bodies={kind: str(text) for kind, text in given.get("responseTemplates", {}).items()},
    )


def _mock(given: dict[str, Any]) -> Mock:
    prefix = "method.response.header."
    return Mock(
        status=int(given.get("statusCode", 200)),
        headers={
            name.removeprefix(prefix): str(value).strip("'")
            for name, value in given.get("responseParameters", {}).items()
        },
        body=given.get("responseTemplates", {}).get("application/json", ""),
    )


def _throttle(method: str, path: str, settings: list[dict[str, Any]]) -> Throttle | None:
    """The most exact setting wins: path and method, then path, then method, then the stage's."""
    best: tuple[int, Throttle] | None = None
    for setting in settings:
        of_path, of_method = _setting_path(setting), setting.get("HttpMethod", "*")
        applies = of_path in (path, "/*") and of_method in (method, "*")
        if "ThrottlingRateLimit" not in setting or not applies:
            continue
        rank = 2 * (of_path == path) + (of_method == method)
        if best is None or rank >= best[0]:
            rate_per_s = float(setting["ThrottlingRateLimit"])
            best = rank, Throttle(rate_per_s, int(setting.get("ThrottlingBurstLimit", 0)))
    return None if best is None else best[1]


def _setting_path(setting: dict[str, Any]) -> str:
    """A setting's path; CloudFormation writes /a/b as /~1a~1b."""
    path = str(setting.get("ResourcePath", "/*"))
    return path.removeprefix("/").replace("~1", "/") if "~1" in path else path


def _text(value: Any) -> str:
    """An environment variable's value, as CloudFormation writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
