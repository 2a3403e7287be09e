"""What `template.yaml` says, as typed values: the one list of functions, routes and tables.

    template = Template.load(Path("template.yaml"), parameters={"Architecture": "x86_64"})
    template.properties("AWS::DynamoDB::Table")     # before anything exists
    functions = template.functions({"KeysTable": "osiris-keys", "UserPool.ProviderURL": "https://…"})
    api = template.api()

The template goes through AWS's own transform first (:mod:`local.sam`).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from local import sam
from local.intrinsics import Intrinsics, TemplateError
from local.rest_api import Api, ApiReader, function_of

__all__ = ["Api", "Function", "Schedule", "Template"]


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
        given = parameters or {}
        return cls(
            sam.transformed(path, parameters=given, region=region),
            folder=path.resolve().parent,
            parameters=given,
            region=region,
        )

    def given(self, parameters: Mapping[str, str]) -> "Template":
        """The same with these parameters on top. Errors: TemplateError."""
        return Template(
            self._body,
            folder=self._folder,
            parameters={**self._parameters, **parameters},
            region=self._region,
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
        return ApiReader(self.resources, self._intrinsics(values or {})).read()

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
        folder = sam.folder(code)
        if folder is None:
            raise TemplateError(f"{name}'s code is not a folder beside the template")
        return (self._folder / folder).resolve()

    def _schedule(
        self,
        name: str,
        service: str,
        given: dict[str, Any],
        target: dict[str, Any],
        evaluate: Intrinsics,
    ) -> Schedule:
        arn = target["Arn"]
        return Schedule(
            id=name,
            service=service,
            expression=evaluate.value(given["ScheduleExpression"], where=name),
            function=function_of(arn.get("Fn::GetAtt", [arn.get("Ref")])[0], self.resources),
            input=evaluate.value(target.get("Input"), where=name),
            enabled=evaluate.value(given.get("State", "ENABLED"), where=name) == "ENABLED",
        )


def _text(value: Any) -> str:
    """An environment variable's value, as CloudFormation writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
