"""CloudFormation's intrinsic functions, evaluated with values that the caller gives.

What a reference stands for is known only where the resources are: on AWS to CloudFormation, here
to whoever made the tables. So `values` maps `"KeysTable"` (a `Ref`) and `"UserPool.ProviderURL"`
(an `Fn::GetAtt`) to text, and a missing one is an error that names it and who asked.
Source: AWS CloudFormation User Guide, "Intrinsic function reference".
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

_PSEUDO = {
    "AWS::AccountId": "000000000000",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "osiris",
}
_NO_VALUE = object()
_PLACEHOLDER = re.compile(r"\$\{(!?)([^}]+)\}")


class TemplateError(Exception):
    """The template asks for something that cannot be answered; the text says what and where."""


class MissingValueError(TemplateError):
    """The template refers to a resource whose physical name or attribute nobody gave."""

    def __init__(self, name: str, *, where: str) -> None:
        super().__init__(f"{where} refers to {name}, and no value was given for it")
        self.name = name


class Intrinsics:
    """Evaluates a template's expressions for one set of parameters and values."""

    def __init__(
        self,
        *,
        parameters: Mapping[str, str],
        conditions: Mapping[str, Any],
        values: Mapping[str, str],
        region: str,
    ) -> None:
        self._known = {**_PSEUDO, "AWS::Region": region, **parameters, **values}
        self._conditions = conditions
        self._functions: dict[str, Callable[[Any, str], Any]] = {
            "Ref": self._ref,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::If": self._if,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
        }
        self._tests: dict[str, Callable[[Any, str], bool]] = {
            "Condition": lambda name, where: self.holds(name, where=where),
            "Fn::Equals": lambda pair, where: (
                self.value(pair[0], where=where) == self.value(pair[1], where=where)
            ),
            "Fn::Not": lambda terms, where: not self._test(terms[0], where),
            "Fn::And": lambda terms, where: all(self._test(term, where) for term in terms),
            "Fn::Or": lambda terms, where: any(self._test(term, where) for term in terms),
        }

    def value(self, node: Any, *, where: str) -> Any:
        """`node` with every intrinsic in it evaluated; `where` is named in errors."""
        if isinstance(node, list):
            items = [self.value(item, where=where) for item in node]
            return [item for item in items if item is not _NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            (name, argument), *_ = node.items()
            if name in self._functions:
                return self._functions[name](argument, where)
            if name.startswith("Fn::"):
                raise TemplateError(f"{where} uses {name}, which is not evaluated here")
        pairs = {key: self.value(item, where=f"{where}.{key}") for key, item in node.items()}
        return {key: item for key, item in pairs.items() if item is not _NO_VALUE}

    def holds(self, condition: str, *, where: str) -> bool:
        """Whether a condition of the template holds."""
        if condition not in self._conditions:
            raise TemplateError(f"{where} names the condition {condition}, which does not exist")
        return self._test(self._conditions[condition], f"Conditions.{condition}")

    def _test(self, node: dict[str, Any], where: str) -> bool:
        (name, argument), *_ = node.items()
        if name not in self._tests:
            raise TemplateError(f"{where} uses {name}, which is not a condition")
        return self._tests[name](argument, where)

    def _look_up(self, name: str, where: str) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        if name not in self._known:
            raise MissingValueError(name, where=where)
        return self._known[name]

    def _ref(self, name: str, where: str) -> Any:
        return self._look_up(name, where)

    def _get_att(self, argument: str | list[str], where: str) -> Any:
        name = argument if isinstance(argument, str) else ".".join(argument)
        return self._look_up(name, where)

    def _sub(self, argument: str | list[Any], where: str) -> str:
        text, own = (argument, {}) if isinstance(argument, str) else argument

        def replaced(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:  # ${!x} stands for ${x} itself
                return f"${{{name}}}"
            if name in own:
                return str(self.value(own[name], where=where))
            return str(self._look_up(name, where))

        return _PLACEHOLDER.sub(replaced, text)

    def _join(self, argument: list[Any], where: str) -> str:
        separator, items = argument
        return str(separator).join(str(item) for item in self.value(items, where=where))

    def _if(self, argument: list[Any], where: str) -> Any:
        condition, then, otherwise = argument
        return self.value(then if self.holds(condition, where=where) else otherwise, where=where)

    def _select(self, argument: list[Any], where: str) -> Any:
        index, items = argument
        return self.value(items, where=where)[int(index)]

    def _split(self, argument: list[Any], where: str) -> list[str]:
        separator, text = argument
        return str(self.value(text, where=where)).split(separator)
