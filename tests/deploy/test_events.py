"""events/*.json are what AWS would send to the functions of the template."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.template import Template
from osiris import secrets_text
from osiris.flows import mail
from osiris.http.messages import Request
from osiris.payments import midtrans_notification, nowpayments_notification
from osiris.store.events import SOURCE

REPOSITORY = Path(__file__).parents[2]
FILES = sorted((REPOSITORY / "events").glob("*.json"))
REST = [path for path in FILES if "httpMethod" in json.loads(path.read_text())]
# Keys for tests, by which the webhooks here are signed.
SERVER_KEY = "SB-Mid-server-TESTKEY0000"
IPN_SECRET = "test_ipn_secret"
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


def function_of(path: Path) -> str:
    """The function whose folder's name the file's name begins with."""
    (folder,) = [
        folder.name
        for folder in (REPOSITORY / "functions").iterdir()
        if path.name.startswith(f"{folder.name}_")
    ]
    return "".join(word.capitalize() for word in folder.split("_")) + "Function"


def read(name: str) -> dict[str, Any]:
    return dict(json.loads((REPOSITORY / "events" / f"{name}.json").read_text()))


@pytest.mark.parametrize("path", REST, ids=lambda path: path.stem)
def test_a_request_names_a_route_of_its_function(path: Path) -> None:
    """The event's members are AWS's, and its method and resource are in the template."""
    event = json.loads(path.read_text())
    assert set(event) == MEMBERS
    routes = {
        (route.method, route.path, route.function)
        for route in Template.load(REPOSITORY / "template.yaml").api().routes
    }
    assert (event["httpMethod"], event["resource"], function_of(path)) in routes
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


def test_every_function_has_an_event() -> None:
    """Whoever wants to try one finds what AWS would send it."""
    template = Template.load(
        REPOSITORY / "template.yaml", parameters={"MailFrom": "credit@osiris.example"}
    )
    functions = template.functions({name: name for name in template.resources})
    assert {function_of(path) for path in FILES} == set(functions)


@pytest.mark.parametrize("name", ["reconciler_hourly", "expiry_sweeper_hourly"])
def test_a_schedule_without_input_sends_the_schedulers_event(name: str) -> None:
    """EventBridge Scheduler sends an event of its own where a schedule has no input."""
    event = read(name)
    assert event["source"] == "aws.scheduler"
    assert function_of(Path(f"{name}.json")) in event["resources"][0]


def test_the_orders_schedule_sends_its_input() -> None:
    """What the template has it send is the whole event."""
    schedules = Template.load(REPOSITORY / "template.yaml").schedules().values()
    (given,) = [schedule.input for schedule in schedules if schedule.input is not None]
    assert read("reconciler_orders") == json.loads(given)


def test_the_mailers_event_is_one_of_the_outboxs() -> None:
    """As EventBridge passes on what Osiris put on its bus."""
    event = read("mailer_balance_low")
    assert event["source"] == SOURCE
    subject, text = mail.written(event["detail-type"], event["detail"])
    assert event["detail"]["balance"] in text
    assert subject


def test_the_webhooks_are_genuine_but_for_their_keys() -> None:
    """Signed by keys for tests, they are read; their orders are nobody's."""
    event = read("topup_webhook_midtrans")
    hint = midtrans_notification.hint_of(event["body"].encode(), SERVER_KEY)
    assert (hint.payment_id, hint.told) == ("topup-000000000001", "settlement")
    event = read("topup_webhook_nowpayments")
    told = nowpayments_notification.hint_of(
        event["body"].encode(), event["headers"]["x-nowpayments-sig"], IPN_SECRET
    )
    assert told.payment_id
