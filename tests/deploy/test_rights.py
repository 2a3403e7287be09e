"""What each function may do: no more than its flows do, and no less.

No emulator refuses a call for want of a right, so a right that is missing would first be missed on
AWS. Here the flows of each function run over the in-memory DynamoDB, and what they called is
compared with what the template allows.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.template import Template
from osiris.catalogue import Model, prices_from_dollars
from osiris.flows import keys
from osiris.flows.credit import grant
from osiris.flows.reconcile import reconcile
from osiris.http.messages import Answer, Request
from osiris.http.v1 import serve
from tests.builders import World
from tests.dynamodb.engine import MemoryDynamoDB
from tests.dynamodb.schemas import schemas

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from osiris.store.transport import Payload

REPOSITORY = Path(__file__).parents[2]
FUNCTIONS = ("KeysFunction", "ProxyFunction", "ReconcilerFunction")

# Wildcards that stand in a policy, and why nothing narrower will do.
WILDCARDS_EXPLAINED = {
    "UpstreamSecrets": "the operator adds secrets below the stack's own path at any time",
    "DecryptUpstreamSecrets": "the id of SSM's own key is not known; the conditions pin its alias",
}
# Writing its own logs; what SAM gives every function.
MANAGED_POLICY = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"

type Rights = set[tuple[str, str]]  # (table, action)


@pytest.fixture(scope="module")
def template() -> Template:
    return Template.load(REPOSITORY / "template.yaml")


def roles(template: Template) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, resource in template.resources.items():
        if resource["Type"] == "AWS::IAM::Role":
            yield name, resource["Properties"]


def statements(template: Template) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, role in roles(template):
        for policy in role.get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                yield name, statement


def actions(statement: dict[str, Any]) -> list[str]:
    given = statement["Action"]
    return [given] if isinstance(given, str) else list(given)


def allowed(template: Template, function: str) -> Rights:
    return {
        (statement["Resource"]["Fn::GetAtt"][0], action)
        for role, statement in statements(template)
        if role == f"{function}Role" and "Fn::GetAtt" in statement["Resource"]
        for action in actions(statement)
    }


def test_no_right_is_wider_than_it_must_be(template: Template) -> None:
    """Actions are named one by one; a wildcard in a resource is one of those explained above."""
    explained = set()
    for role, statement in statements(template):
        assert not [action for action in actions(statement) if "*" in action], role
        if "*" in json.dumps(statement["Resource"]):
            explained.add(statement["Sid"])
    assert explained == set(WILDCARDS_EXPLAINED)


def test_roles_hold_no_other_managed_policy(template: Template) -> None:
    """What a function may do stands in the template."""
    for name, role in roles(template):
        assert role.get("ManagedPolicyArns", [MANAGED_POLICY]) == [MANAGED_POLICY], name


def test_a_function_has_rights_on_the_tables_it_is_told_of(template: Template) -> None:
    """The tables whose names a function gets are those that it has rights on."""
    functions = {name: template.resources[name]["Properties"] for name in FUNCTIONS}
    for name, properties in functions.items():
        variables = properties["Environment"]["Variables"]
        told = {value["Ref"] for key, value in variables.items() if key.endswith("_TABLE")}
        assert {table for table, _ in allowed(template, name)} == told


def test_the_keys_function_has_the_rights_that_it_uses(template: Template) -> None:
    """Every flow of the dashboard's API, on a key with and without credit."""
    used = Recorder()
    world = World({"OSIRIS_TRIAL_AMOUNT": "1"}, transport=used)
    keys.create(world.app, "ada", name="trial", kind="trial")
    key_id = keys.create(world.app, "ada", name="laptop").key.id
    used.pause(lambda: grant(world.app, key_id, amount_nano=1_000_000_000, days=30))
    keys.list_keys(world.app, "ada")
    keys.read(world.app, "ada", key_id)
    keys.rename(world.app, "ada", key_id, "desk")
    keys.set_enabled(world.app, "ada", key_id, enabled=False)
    keys.rotate(world.app, "ada", key_id, overlap_hours=1)
    keys.delete(world.app, "ada", key_id, confirmed_name="desk")
    assert used.rights == allowed(template, "KeysFunction")


def test_the_reconciler_has_the_rights_that_it_uses(template: Template) -> None:
    """A run that finishes a lost hold and rolls a charge up, and the run after it."""
    used = Recorder()
    world = World(transport=used)
    used.pause(lambda: leave_a_hold(world))
    world.pass_ms(10_000_000)
    for _ in range(2):
        reconcile(world.app)
        world.pass_ms(3_600_000)
    assert used.rights == allowed(template, "ReconcilerFunction")


def test_the_proxy_has_the_rights_that_it_uses(template: Template) -> None:
    """Every route, a chat admitted and settled among them, its upstream out of reach."""
    used = Recorder()
    world = World(transport=used)
    secret = used.pause(lambda: leave_a_hold(world))
    world.pass_ms(10_000_000)
    headers = {name.lower(): value for name, value in chat(world, secret).headers}
    call(world, secret, "GET", "/v1/models")
    call(world, secret, "GET", "/v1/key")
    call(world, secret, "GET", "/v1/requests/{id}", {"id": headers["x-request-id"]})
    assert used.rights == allowed(template, "ProxyFunction")
    others = {
        action
        for role, statement in statements(template)
        if role == "ProxyFunctionRole" and "Fn::GetAtt" not in statement["Resource"]
        for action in actions(statement)
    }
    assert others == {"ssm:GetParameter", "kms:Decrypt"}


class Recorder:
    """The in-memory DynamoDB, noting which right each call needs."""

    def __init__(self) -> None:
        self.rights: Rights = set()
        self._inner = MemoryDynamoDB(schemas().values())
        self._paused = False

    def pause[T](self, act: Callable[[], T]) -> T:
        """What somebody else does, with rights of their own."""
        self._paused = True
        try:
            return act()
        finally:
            self._paused = False

    def call(self, operation: str, payload: Payload) -> Payload:
        if not self._paused:
            self.rights |= set(needed(operation, payload))
        return self._inner.call(operation, payload)


# TransactWriteItems has no right of its own: IAM asks for each part's ("Using IAM with
# transactions", DynamoDB Developer Guide).
PARTS = {
    "ConditionCheck": "ConditionCheckItem",
    "Delete": "DeleteItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
}


def needed(operation: str, payload: Payload) -> Iterator[tuple[str, str]]:
    if operation == "TransactWriteItems":
        for write in payload["TransactItems"]:
            for part, content in write.items():
                yield content["TableName"], f"dynamodb:{PARTS[part]}"
    elif operation.startswith("Batch"):
        for table in payload["RequestItems"]:
            yield table, f"dynamodb:{operation}"
    else:
        yield payload["TableName"], f"dynamodb:{operation}"


class Secrets:
    def read(self, _name: str, _now_ms: int) -> str:
        return "sk-upstream"


def leave_a_hold(world: World) -> str:
    """A funded key whose one request was admitted and then lost; its secret."""
    world.app.secrets = Secrets()  # type: ignore[assignment]
    world.app.models.put(unreachable_model())
    issued = keys.create(world.app, "ada", name="laptop")
    grant(world.app, issued.key.id, amount_nano=1_000_000_000, days=30)
    chat(world, issued.secret)
    world.app.keys.admit(
        issued.key.id,
        secret_hash=issued.key.secret_hash,
        request_id="req_" + "0" * 16,
        hold_nano=999_000_000,
        slot=39,
        open_requests_max=40,
        now_ms=world.now_ms,
    )
    return issued.secret


def unreachable_model() -> Model:
    """A model whose upstream refuses connections."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    return Model(
        id="model",
        name="Model",
        upstream="openai",
        base_url=f"http://127.0.0.1:{port}/v1",
        upstream_model="model",
        secret="MODEL_KEY",
        prices=prices_from_dollars(input="1", output="1"),
        context_tokens=100_000,
        output_tokens=1_000,
        image_tokens_max=0,
        created_at_s=0,
    )


def chat(world: World, secret: str) -> Answer:
    body = {"model": "model", "messages": [{"role": "user", "content": "Hello."}]}
    return call(world, secret, "POST", "/v1/chat/completions", body=json.dumps(body).encode())


def call(
    world: World,
    secret: str,
    method: str,
    route: str,
    path_parameters: dict[str, str] | None = None,
    body: bytes = b"",
) -> Answer:
    headers = {"authorization": f"Bearer {secret}"}
    request = Request(method, route, path_parameters or {}, {}, headers, body)
    return serve(world.app, request, remaining_ms=60_000)
