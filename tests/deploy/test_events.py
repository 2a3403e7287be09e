"""events/*.json are what AWS would send to the functions of the template."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.template import Template
from osiris import secrets_text
from osiris.http.messages import Request

REPOSITORY = Path(__file__).parents[2]
FILES = sorted((REPOSITORY / "events").glob("*.json"))
REST = [path for path in FILES if not path.name.startswith("reconciler_")]
# The members of a REST proxy event, payload version 1.0 ("Lambda proxy integrations").
MEMBERS = {
    "resource",
    "path",
    "httpMethod",
    "headers",
    "multiValueHeaders",
    "queryStringParameters",
    "multiValueQueryStringParameters",
    "pathParameters",
    "stageVariables",
    "requestContext",
    "body",
    "isBase64Encoded",
}


def read(name: str) -> dict[str, Any]:
    return dict(json.loads((REPOSITORY / "events" / f"{name}.json").read_text()))


@pytest.mark.parametrize("path", REST, ids=lambda path: path.stem)
def test_a_request_names_a_route_of_its_function(path: Path) -> None:
    """The event's members are AWS's, and its method and resource are in the template."""
    event = json.loads(path.read_text())
    assert set(event) == MEMBERS
    function = f"{path.name.partition('_')[0].capitalize()}Function"
    routes = {
        (route.method, route.path, route.function)
        for route in Template.load(REPOSITORY / "template.yaml").api().routes
    }
    assert (event["httpMethod"], event["resource"], function) in routes
    assert event["multiValueHeaders"] == {name: [value] for name, value in event["headers"].items()}


def test_the_keys_in_events_are_what_their_names_say() -> None:
    """Only the mistyped one fails by its checksum; none belongs to anybody."""
    parsed = {}
    for path in REST:
        request = Request.from_event(json.loads(path.read_text()))
        authorization = request.headers.get("authorization", "")
        if authorization.startswith(f"Bearer {secrets_text.PREFIX}"):
            parsed[path.stem] = secrets_text.parse(authorization.removeprefix("Bearer "))
    assert parsed.pop("proxy_mistyped_key") is None
    assert {secret.key_id for secret in parsed.values() if secret} == {"ExampleKey00"}
    assert None not in parsed.values()


def test_the_schedules_event_is_the_schedulers() -> None:
    """EventBridge Scheduler sends an event of its own where a schedule has no input."""
    assert read("reconciler_hourly")["source"] == "aws.scheduler"
