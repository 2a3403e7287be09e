"""What each function may do: no more than its flows do, and no less.

No emulator refuses a call for want of a right, so a right that is missing would first be missed on
AWS. Here the flows of each function run over the in-memory DynamoDB, and what they called is
compared with what the template allows.
"""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

from osiris.catalogue import Model, prices_from_dollars
from osiris.flows import keys
from osiris.flows.credit import grant
from osiris.http.messages import Answer, Request
from osiris.http.v1 import serve
from tests.builders import World
from tests.deploy.rights import (
    FUNCTIONS,
    Recorder,
    actions,
    allowed,
    note_secrets,
    roles,
    statements,
    whole_template,
)

if TYPE_CHECKING:
    from local.template import Template

# Wildcards that stand in a policy, and why nothing narrower will do.
WILDCARDS_EXPLAINED = {
    "UpstreamSecrets": "the operator adds secrets below the stack's own path at any time",
    "DecryptUpstreamSecrets": "the id of SSM's own key is not known; the conditions pin its alias",
    "ProviderSecrets": "as UpstreamSecrets: another provider has secrets of other names",
    "DecryptProviderSecrets": "as DecryptUpstreamSecrets",
    "Secrets": "as ProviderSecrets; beside those the keys of sessions, and the issuer's secret",
    "DecryptSecrets": "as DecryptUpstreamSecrets",
    "Mails": "verified is the sender or its domain, in SES's sandbox the recipient, too; the"
    " condition pins the sender",
}
# Writing its own logs; what SAM gives every function.
MANAGED_POLICY = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


@pytest.fixture(scope="module")
def template() -> Template:
    return whole_template()


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
        tables = {what.partition("/")[0] for what, _ in allowed(template, name)}
        assert {table for table in tables if table.endswith("Table")} == told, name


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


def test_the_proxy_has_the_rights_that_it_uses(template: Template) -> None:
    """Every route, a chat admitted and settled among them, its upstream out of reach."""
    used = Recorder()
    world = World(transport=used)
    note_secrets(world.app, used)
    secret = used.pause(lambda: leave_a_hold(world))
    world.pass_ms(10_000_000)
    headers = {name.lower(): value for name, value in chat(world, secret).headers}
    call(world, secret, "GET", "/v1/models")
    call(world, secret, "GET", "/v1/key")
    call(world, secret, "GET", "/v1/requests/{id}", {"id": headers["x-request-id"]})
    assert used.rights == allowed(template, "ProxyFunction")


def leave_a_hold(world: World) -> str:
    """A funded key whose one request was admitted and then lost; its secret."""
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
