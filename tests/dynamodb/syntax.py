"""The grammar of DynamoDB's expressions: text to a tree, once for each text.

    condition   := and_part (OR and_part)*            and_part := not_part (AND not_part)*
    not_part    := NOT not_part | "(" condition ")" | function | operand test
    test        := comparator operand | BETWEEN operand AND operand | IN "(" operand, … ")"
    update      := (SET path = value [(+|-) value], … | REMOVE path, … | ADD path :v, … |
                    DELETE path :v, …)+               each clause at most once
    operand     := path | :value | function "(" operand, … ")"
    path        := name ("." name | "[" digits "]")*  name := word | #placeholder

Words that AWS reserves are refused as names, as are double parentheses; a second `+` or `-` in
one action is a syntax error, as on AWS (several emulators let it pass).
"""

import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path as FilePath
from typing import NamedTuple

from tests.dynamodb.values import ValidationException

RESERVED_WORDS = frozenset(
    (FilePath(__file__).parent / "reserved_words.txt").read_text(encoding="ascii").split()
)
EXPRESSION_BYTES_MAX = 4096
IN_OPERANDS_MAX = 100
COMPARATORS = frozenset(("=", "<>", "<", "<=", ">", ">="))
_TOKEN = re.compile(r"\s*(<>|<=|>=|[=<>()\[\],.+\-]|[#:]?[A-Za-z0-9_]+)")
_CLAUSES = ("SET", "REMOVE", "ADD", "DELETE")
_BOOLEAN_FUNCTIONS = {
    "attribute_exists": 1,
    "attribute_not_exists": 1,
    "attribute_type": 2,
    "begins_with": 2,
    "contains": 2,
}
_UPDATE_FUNCTIONS = {"if_not_exists": 2, "list_append": 2}


class Path(NamedTuple):
    """A document path; a text step may be a #placeholder, a number is a list's index."""

    steps: tuple[str | int, ...]


class Placeholder(NamedTuple):
    """A :value of ExpressionAttributeValues."""

    name: str


class Function(NamedTuple):
    name: str
    operands: tuple["Operand", ...]


class Test(NamedTuple):
    """A comparator, BETWEEN, IN or a boolean function with its operands."""

    name: str
    operands: tuple["Operand", ...]


class Logic(NamedTuple):
    """AND, OR or NOT."""

    name: str
    parts: tuple["Condition", ...]


class Action(NamedTuple):
    """One action of an update: `sign` is "+" or "-" where `second` is added or taken off."""

    clause: str
    path: Path
    value: "Operand | None" = None
    sign: str = ""
    second: "Operand | None" = None


type Operand = Path | Placeholder | Function
type Condition = Test | Logic


@lru_cache(maxsize=4096)
def parse_condition(text: str) -> Condition:
    parser = _Parser(text)
    tree = parser.condition()
    parser.expect_end()
    return tree


@lru_cache(maxsize=4096)
def parse_update(text: str) -> tuple[Action, ...]:
    return _Parser(text).update()


@lru_cache(maxsize=4096)
def parse_projection(text: str) -> tuple[Path, ...]:
    parser = _Parser(text)
    paths = parser.separated(parser.path)
    parser.expect_end()
    return paths


def tokens(text: str) -> list[str]:
    """The tokens and an empty text as the end."""
    if len(text.encode()) > EXPRESSION_BYTES_MAX:
        raise ValidationException("Expression size has exceeded the maximum allowed size")
    found, position, end = [], 0, len(text.rstrip())
    if not end:
        raise ValidationException("The expression can not be empty")
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValidationException(f"Syntax error; token near {text[position:]!r} in {text!r}")
        found.append(match.group(1))
        position = match.end()
    return [*found, ""]


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._at = 0
        self._closed: dict[int, int] = {}  # where each condition in parentheses begins and ends

    # -- tokens

    def _next(self) -> str:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _take(self, *wanted: str) -> str:
        """The next token if it is one of those (words in any case), else nothing."""
        token = self._tokens[self._at].upper()
        if token and token in wanted:
            self._at += 1
            return token
        return ""

    def _expect(self, wanted: str) -> None:
        if not self._take(wanted):
            raise self._error()

    def expect_end(self) -> None:
        if self._tokens[self._at]:
            raise self._error()

    def _error(self) -> ValidationException:
        token = self._tokens[self._at] or "<EOF>"
        return ValidationException(f"Syntax error; token: {token!r} in {self._text!r}")

    def separated[T](self, part: Callable[[], T]) -> tuple[T, ...]:
        parts = [part()]
        while self._take(","):
            parts.append(part())
        return tuple(parts)

    # -- conditions

    def condition(self) -> Condition:
        return self._joined("OR", lambda: self._joined("AND", self._not_part))

    def _joined(self, word: str, part: Callable[[], Condition]) -> Condition:
        parts = [part()]
        while self._take(word):
            parts.append(part())
        return Logic(word, tuple(parts)) if len(parts) > 1 else parts[0]

    def _not_part(self) -> Condition:
        if self._take("NOT"):
            return Logic("NOT", (self._not_part(),))
        if self._tokens[self._at] == "(":
            return self._parenthesised()
        operand = self.operand()
        if isinstance(operand, Function) and operand.name in _BOOLEAN_FUNCTIONS:
            self._no_comparator()
            for part in self._counted(operand, _BOOLEAN_FUNCTIONS):
                self._comparable(part)
            return Test(operand.name, operand.operands)
        return self._test(operand)

    def _parenthesised(self) -> Condition:
        start = self._at
        self._expect("(")
        tree = self.condition()
        if self._closed.get(start + 1) == self._at - 1:
            raise ValidationException(f"The expression has redundant parentheses: {self._text!r}")
        self._closed[start] = self._at
        self._expect(")")
        return tree

    def _no_comparator(self) -> None:
        if self._tokens[self._at] in COMPARATORS:
            raise ValidationException(
                f"The function is not allowed to be used this way in an expression: {self._text!r}"
            )

    def _test(self, first: Operand) -> Condition:
        if self._take("BETWEEN"):
            low = self._compared()
            self._expect("AND")
            return Test("BETWEEN", (self._comparable(first), low, self._compared()))
        if self._take("IN"):
            self._expect("(")
            among = self.separated(self._compared)
            self._expect(")")
            if len(among) > IN_OPERANDS_MAX:
                raise ValidationException("IN takes 100 operands at most")
            return Test("IN", (self._comparable(first), *among))
        comparator = self._take(*COMPARATORS)
        if not comparator:
            raise self._error()
        operands = (self._comparable(first), self._compared())
        if isinstance(first, Path) and operands[0] == operands[1]:
            raise ValidationException(f"both operands are the same: {self._text!r}")
        return Test(comparator, operands)

    def _compared(self) -> Operand:
        return self._comparable(self.operand())

    def _comparable(self, operand: Operand) -> Operand:
        """Of the functions only size() gives something to compare."""
        if isinstance(operand, Function):
            if operand.name != "size":
                raise ValidationException(
                    f"The function is not allowed to be used this way: {operand.name}"
                )
            (measured,) = self._counted(operand, {"size": 1})
            if not isinstance(measured, Path):
                raise ValidationException("size requires a document path")
        return operand

    def _counted(self, function: Function, counts: dict[str, int]) -> tuple[Operand, ...]:
        if len(function.operands) != counts[function.name]:
            raise ValidationException(f"Incorrect number of operands for {function.name}")
        return function.operands

    # -- operands

    def operand(self) -> Operand:
        token = self._tokens[self._at]
        if token.startswith(":"):
            self._at += 1
            return Placeholder(token)
        if self._tokens[self._at + 1 : self._at + 2] == ["("] and token[0].isalpha():
            self._at += 2
            operands = self.separated(self.operand)
            self._expect(")")
            return Function(token, operands)
        return self.path()

    def path(self) -> Path:
        steps: list[str | int] = [self._name()]
        while separator := self._take(".", "["):
            if separator == ".":
                steps.append(self._name())
                continue
            if not self._tokens[self._at].isdecimal():
                raise self._error()
            steps.append(int(self._next()))
            self._expect("]")
        return Path(tuple(steps))

    def _name(self) -> str:
        token = self._tokens[self._at]
        if not (token.startswith("#") or token[:1].isalpha()):
            raise self._error()
        if token.upper() in RESERVED_WORDS:
            raise ValidationException(
                f"Attribute name is a reserved keyword; reserved keyword: {token}"
            )
        return self._next()

    # -- updates

    def update(self) -> tuple[Action, ...]:
        actions: list[Action] = []
        seen: set[str] = set()
        while self._tokens[self._at]:
            clause = self._take(*_CLAUSES)
            if not clause:
                raise self._error()
            if clause in seen:
                raise ValidationException(f'The "{clause}" section can only be used once')
            seen.add(clause)
            actions += self.separated(lambda clause=clause: self._action(clause))  # type: ignore[misc]
        return tuple(actions)

    def _action(self, clause: str) -> Action:
        path = self.path()
        if clause == "REMOVE":
            return Action(clause, path)
        if clause == "SET":
            return self._set_action(path)
        operand = self.operand()
        if not isinstance(operand, Placeholder):
            raise ValidationException(f"{clause} takes a value: {self._text!r}")
        return Action(clause, path, operand)

    def _set_action(self, path: Path) -> Action:
        self._expect("=")
        value = self._set_value()
        sign = self._take("+", "-")
        if not sign:
            return Action("SET", path, value)
        return Action("SET", path, value, sign, self._set_value())

    def _set_value(self) -> Operand:
        operand = self.operand()
        if isinstance(operand, Function):
            self._check_update_function(operand)
        return operand

    def _check_update_function(self, function: Function) -> None:
        if function.name not in _UPDATE_FUNCTIONS:
            raise ValidationException(f"Invalid function name; function: {function.name}")
        first, second = self._counted(function, _UPDATE_FUNCTIONS)
        if function.name == "if_not_exists" and not isinstance(first, Path):
            raise ValidationException("if_not_exists requires a document path")
        for operand in (first, second):
            if isinstance(operand, Function):
                if operand.name == "list_append":
                    raise ValidationException("list_append can not be nested")
                self._check_update_function(operand)
