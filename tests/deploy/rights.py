"""Rights on both sides: those that the template gives a function, and those that calls need."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from local.template import Template
from tests.dynamodb.engine import MemoryDynamoDB
from tests.dynamodb.schemas import schemas

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from osiris.app.full import FullApp
    from osiris.app.providers import Providers
    from osiris.store.events import EventBus
    from osiris.store.mail import Mails
    from osiris.store.outbox import Event
    from osiris.store.secrets import Secrets
    from osiris.store.transport import Payload
    from tests.scripted_provider import Money, ScriptedProvider

REPOSITORY = Path(__file__).parents[2]
FUNCTIONS = (
    "ExpirySweeperFunction",
    "KeysFunction",
    "MailerFunction",
    "ProxyFunction",
    "ReconcilerFunction",
    "TopupWebhookFunction",
    "TopupsFunction",
    "WebFunction",
)
SENDER = "credit@osiris.example"
READS_SECRETS = {("ssm", "ssm:GetParameter"), ("kms", "kms:Decrypt")}
SENDS_EVENTS = ("events", "events:PutEvents")
SENDS_MAILS = ("ses", "ses:SendEmail")

# (what: a table, "Table/index/name" or a service; the action)
type Rights = set[tuple[str, str]]

_INDEX = re.compile(r"\$\{(\w+)\.Arn\}(/index/\w+)")


def whole_template() -> Template:
    """The template with all that is optional in it."""
    return Template.load(REPOSITORY / "template.yaml", parameters={"MailFrom": SENDER})


def roles(template: Template) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, resource in template.resources.items():
        if resource["Type"] == "AWS::IAM::Role":
            yield name, resource["Properties"]


def statements(template: Template) -> Iterator[tuple[str, dict[str, Any]]]:
    """(role, statement) of every policy."""
    for name, role in roles(template):
        for policy in role.get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                yield name, statement


def actions(statement: dict[str, Any]) -> list[str]:
    given = statement["Action"]
    return [given] if isinstance(given, str) else list(given)


def allowed(template: Template, function: str) -> Rights:
    """All that the function's role may do."""
    return {
        (_resource(statement["Resource"]) or action.partition(":")[0], action)
        for role, statement in statements(template)
        if role == f"{function}Role"
        for action in actions(statement)
    }


def _resource(node: dict[str, Any]) -> str:
    """The table or index that a resource names; empty when it is of another service."""
    if "Fn::GetAtt" in node:
        return str(node["Fn::GetAtt"][0])
    text = node["Fn::Sub"]
    index = _INDEX.fullmatch(text) if isinstance(text, str) else None
    return "" if index is None else f"{index[1]}{index[2]}"


class Recorder:
    """The in-memory DynamoDB, noting which right each call needs; other services note theirs."""

    def __init__(self) -> None:
        self.rights: Rights = set()
        self._inner = MemoryDynamoDB(schemas().values())
        self._notes = True

    def pause[T](self, act: Callable[[], T]) -> T:
        """What somebody else does, with rights of their own."""
        return self._with(False, act)

    def note[T](self, act: Callable[[], T]) -> T:
        """What the function does, in the midst of what others do."""
        return self._with(True, act)

    def use(self, *rights: tuple[str, str]) -> None:
        """Rights that a call beside DynamoDB needs."""
        if self._notes:
            self.rights |= set(rights)

    def call(self, operation: str, payload: Payload) -> Payload:
        self.use(*_needed(operation, payload))
        return self._inner.call(operation, payload)

    def _with[T](self, notes: bool, act: Callable[[], T]) -> T:
        before, self._notes = self._notes, notes
        try:
            return act()
        finally:
            self._notes = before


# TransactWriteItems has no right of its own: IAM asks for each part's ("Using IAM with
# transactions", DynamoDB Developer Guide).
PARTS = {
    "ConditionCheck": "ConditionCheckItem",
    "Delete": "DeleteItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
}


def _needed(operation: str, payload: Payload) -> Iterator[tuple[str, str]]:
    if operation == "TransactWriteItems":
        for write in payload["TransactItems"]:
            for part, content in write.items():
                yield content["TableName"], f"dynamodb:{PARTS[part]}"
    elif operation.startswith("Batch"):
        for table in payload["RequestItems"]:
            yield table, f"dynamodb:{operation}"
    else:
        index = f"/index/{payload['IndexName']}" if "IndexName" in payload else ""
        yield f"{payload['TableName']}{index}", f"dynamodb:{operation}"


class _Secrets:
    def __init__(self, used: Recorder, text: str) -> None:
        self._used = used
        self._text = text

    def read(self, _name: str, _now_ms: int) -> str:
        self._used.use(*READS_SECRETS)
        return self._text


class _Providers:
    """Scripted providers; whoever has one in hand needs its secret for any call of it."""

    def __init__(self, used: Recorder, money: Money) -> None:
        self._used = used
        self._inner = money.providers

    def name_for(self, method: str) -> str:
        return self._inner.name_for(method)

    def of(self, name: str) -> ScriptedProvider:
        self._used.use(*READS_SECRETS)
        return self._inner.of(name)

    def check(self, name: str) -> None:
        self.of(name)


class _Bus:
    def __init__(self, used: Recorder) -> None:
        self._used = used

    def send(self, events: Sequence[Event]) -> list[Event]:
        self._used.use(SENDS_EVENTS)
        return list(events)


class _Mails:
    def __init__(self, used: Recorder) -> None:
        self._used = used

    def send(self, _to: str, *, subject: str, text: str) -> None:
        assert subject
        assert text
        self._used.use(SENDS_MAILS)


def note_secrets(app: FullApp, used: Recorder, text: str = "sk-upstream") -> None:
    """Let the app's reading of secrets be noted; each of them is this text."""
    app.secrets = cast("Secrets", _Secrets(used, text))


def note_money(app: FullApp, used: Recorder, money: Money) -> None:
    """Let the app's providers, events and mails be noted."""
    app.providers = cast("Providers", _Providers(used, money))
    app.event_bus = cast("EventBus", _Bus(used))
    app.mails = cast("Mails", _Mails(used))
