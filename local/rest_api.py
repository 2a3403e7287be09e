"""A template's REST API, read from the OpenAPI body that SAM makes of it.

Source: API Gateway Developer Guide, "API Gateway extensions to OpenAPI"; CloudFormation's
AWS::ApiGateway::Stage for the throttling of methods.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from local.intrinsics import Intrinsics, TemplateError

_FUNCTION_IN_URI = re.compile(
    r"/functions/\$\{(\w+)(?:\.Arn)?\}/(invocations|response-streaming-invocations)"
)
_METHODS = {"get", "put", "post", "delete", "options", "head", "patch"}
_ANY = "x-amazon-apigateway-any-method"
# What API Gateway takes for an integration that names no timeout, and the most with streaming.
_TIMEOUT_MS = 29_000
_TIMEOUT_MS_MAX = 900_000


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


def function_of(reference: str, resources: Mapping[str, Any]) -> str:
    """The logical id of the function behind a reference to it or to an alias of it."""
    resource = resources.get(reference, {})
    if resource.get("Type") == "AWS::Lambda::Alias":
        return str(resource["Properties"]["FunctionName"]["Ref"])
    return reference


class ApiReader:
    """Reads the one REST API among a template's resources."""

    def __init__(self, resources: Mapping[str, Any], evaluate: Intrinsics) -> None:
        self._resources = resources
        self._evaluate = evaluate
        found = [name for name in resources if self._is(name, "AWS::ApiGateway::RestApi")]
        if len(found) != 1:
            raise TemplateError(f"one REST API can be served, and the template has {len(found)}")
        (self._id,) = found
        properties = resources[self._id]["Properties"]
        self._body = properties["Body"]
        if properties.get("BinaryMediaTypes") or self._body.get(
            "x-amazon-apigateway-binary-media-types"
        ):
            raise TemplateError(f"{self._id} has binary media types, which are not served here")

    def read(self) -> Api:
        """The API with its routes and gateway responses. Errors: TemplateError."""
        stage = self._stage()
        responses = self._body.get("x-amazon-apigateway-gateway-responses", {})
        return Api(
            id=self._id,
            stage=str(stage.get("StageName", "local")),
            routes=tuple(self._routes(stage.get("MethodSettings", []))),
            gateway_responses={
                kind: _gateway_response(self._evaluate.value(given, where=f"{self._id}.{kind}"))
                for kind, given in responses.items()
            },
        )

    def _is(self, name: str, resource_type: str) -> bool:
        return bool(self._resources[name]["Type"] == resource_type)

    def _stage(self) -> dict[str, Any]:
        for name in self._resources:
            if self._is(name, "AWS::ApiGateway::Stage"):
                given = self._resources[name]["Properties"]
                if given["RestApiId"] == {"Ref": self._id}:
                    wanted = {"StageName", "MethodSettings"} & set(given)
                    return {
                        key: self._evaluate.value(given[key], where=f"{name}.{key}")
                        for key in wanted
                    }
        return {}

    def _routes(self, settings: list[dict[str, Any]]) -> Iterator[Route]:
        for path, methods in self._body["paths"].items():
            for name, operation in methods.items():
                if name in _METHODS or name == _ANY:
                    method = "ANY" if name == _ANY else name.upper()
                    integration = operation["x-amazon-apigateway-integration"]
                    yield self._route(method, path, integration, settings)

    def _route(
        self,
        method: str,
        path: str,
        integration: dict[str, Any],
        settings: list[dict[str, Any]],
    ) -> Route:
        where = f"{method} {path}"
        given = integration.get("timeoutInMillis", _TIMEOUT_MS)
        timeout_ms = int(self._evaluate.value(given, where=where))
        if not 50 <= timeout_ms <= _TIMEOUT_MS_MAX:
            raise TemplateError(f"{where}: a timeout of {timeout_ms} ms is out of AWS's bounds")
        function, streams, mock = None, False, None
        if integration["type"].lower() == "mock":
            mock = _mock(self._evaluate.value(integration["responses"]["default"], where=where))
        else:
            function, streams = self._target(integration, where=where)
        throttle = _throttle(method, path, settings)
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
        streams = integration.get("responseTransferMode", "BUFFERED") == "STREAM"
        if streams != (action == "response-streaming-invocations"):
            raise TemplateError(f"{where}: its transfer mode and its invocation URI disagree")
        return function_of(name, self._resources), streams


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
