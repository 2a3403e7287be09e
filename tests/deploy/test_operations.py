"""docs/operations.md names all that the template gives an operator, and nothing else."""

from __future__ import annotations

import json
import re
import socket
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

from osiris import telemetry
from osiris.identity.session_keys import rotated

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs/operations.md").read_text()
CODE = re.compile(r"`([^`\n]+)`")


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return dict(yaml_parse((REPOSITORY / "template.yaml").read_text()))


def section(title: str) -> str:
    """The text below a heading, up to the next heading."""
    return re.split(r"^#+ ", PAGE.partition(f" {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def first_cells(title: str) -> Iterator[tuple[list[str], str]]:
    """(the names in the first cell, the rest of the row) of each row of a section's table."""
    for line in section(title).splitlines():
        if line.startswith("| `"):
            first, _, rest = line.removeprefix("| ").partition(" | ")
            yield CODE.findall(first), rest


def names_in_table(title: str) -> set[str]:
    return {name for names, _ in first_cells(title) for name in names}


def test_every_parameter_is_explained_with_its_default(template: dict[str, Any]) -> None:
    """The table of parameters is the template's, defaults included."""
    assert names_in_table("Parameters") == set(template["Parameters"])
    for names, rest in first_cells("Parameters"):
        told = [cell.strip("` ") for cell in rest.partition(" | ")[0].split(",")]
        for position, name in enumerate(names):
            default = str(template["Parameters"][name]["Default"])
            assert told[min(position, len(told) - 1)] == (default or "empty"), name


def test_every_alarm_is_explained(template: dict[str, Any]) -> None:
    """Each alarm has a row that says what it means and what to do."""
    alarms = {
        name
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }
    assert names_in_table("Alarms") == alarms


def test_every_metric_is_explained() -> None:
    """The table of metrics holds those that Osiris writes."""
    constants = {
        value
        for name, value in vars(telemetry).items()
        if name.isupper() and isinstance(value, str)  # TYPE_CHECKING is none
    }
    assert names_in_table("Metrics") == constants - {telemetry.NAMESPACE}
    assert f"namespace `{telemetry.NAMESPACE}`" in PAGE


def test_every_log_line_is_explained() -> None:
    """The table of events holds every event that the code logs."""
    logged = set()
    for path in (REPOSITORY / "layers/common/osiris").rglob("*.py"):
        logged |= set(re.findall(r"\.line\(\s*\"(\w+)\"", path.read_text()))
    assert names_in_table("Logs") == logged


def test_every_output_is_named(template: dict[str, Any]) -> None:
    """Whoever reads the stack's outputs finds each of them here."""
    for name in template["Outputs"]:
        assert f"`{name}`" in PAGE or f"OutputKey=='{name}'" in PAGE, name


EVENTS = [
    (names[0], *re.findall(r"`(\w+)` \| (\d+) `(\w+)`", f"{rest}`")[0])
    for names, rest in first_cells("Try a function in a container")
]


@pytest.mark.parametrize(
    ("event", "function", "status", "code"), EVENTS, ids=[event for event, *_ in EVENTS]
)
def test_the_events_get_the_answers_told(
    monkeypatch: pytest.MonkeyPatch, event: str, function: str, status: str, code: str
) -> None:
    """Each event of the table, given to its handler while no database can be reached."""
    answer = answered(monkeypatch, function, event)
    body = answer["body"] if isinstance(answer, dict) else b"".join(answer.body)
    told = answer["statusCode"] if isinstance(answer, dict) else answer.status
    assert (str(told), json.loads(body)["error"]["code"]) == (status, code)


def test_the_pages_events_get_the_answers_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that the text names, likewise: the start page, and the way to the sign-in."""
    told = section("Try a function in a container")
    start = answered(monkeypatch, "WebFunction", "web_start.json")
    assert "`web_start.json` has `WebFunction` answer 200 with the start page" in told
    assert (start.status, dict(start.headers)["Content-Type"]) == (200, "text/html; charset=utf-8")
    signed_out = answered(monkeypatch, "WebFunction", "web_keys_signed_out.json")
    assert "`web_keys_signed_out.json` 303 to the sign-in" in told
    location = dict(signed_out.headers)["Location"]
    assert (signed_out.status, location) == (303, "/live/sign-in?next=%2Flive%2Fkeys")


def test_after_a_leak_three_changes_of_the_session_keys_are_enough() -> None:
    """As the page says: none of the keys that stood is left then, and two would not do."""
    leaked = rotated(rotated(""))
    once = rotated(leaked)
    twice = rotated(once)
    assert "After a leak run the command three times in a row" in PAGE.replace("\n", " ")
    assert set(twice.split()) & set(leaked.split())
    assert not set(rotated(twice).split()) & set(leaked.split())


def answered(monkeypatch: pytest.MonkeyPatch, function: str, event: str) -> Any:
    """What the function's handler makes of an event while no database can be reached."""
    environment = {
        **{name: f"https://{name}.example" for name in ENVIRONMENT},
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": closed_endpoint(),
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return handler(function)(json.loads((REPOSITORY / "events" / event).read_text()), Context())


ENVIRONMENT = (
    "OSIRIS_KEYS_TABLE",
    "OSIRIS_LEDGER_TABLE",
    "OSIRIS_CATALOGUE_TABLE",
    "OSIRIS_ORDERS_TABLE",
    "OSIRIS_USAGE_TABLE",
    "OSIRIS_OIDC_ISSUER",
    "OSIRIS_OIDC_AUDIENCE",
    "OSIRIS_OIDC_JWKS_URL",
    "OSIRIS_OIDC_AUTHORIZE_URL",
    "OSIRIS_OIDC_TOKEN_URL",
)


class Context:
    """What the handlers ask of Lambda's context."""

    aws_request_id = "7b4e2f6a-1c3d-4e5f-8a9b-0c1d2e3f4a5b"
    function_name = "function"
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:function"
    memory_limit_in_mb = 512

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def handler(function: str) -> Any:
    """The function's handler, imported anew as at a cold start."""
    name = function.removesuffix("Function")
    folder = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    path = REPOSITORY / "functions" / folder / "handler.py"
    spec = spec_from_file_location(f"cold_{folder}", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.lambda_handler


def closed_endpoint() -> str:
    """An address where connections are refused."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}"
