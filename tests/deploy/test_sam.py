"""`sam validate`, `sam build` and `sam deploy` of the template, the last one to ministack."""

from __future__ import annotations

import http.client
import json
import os
import shlex
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.cloud import LocalCloud
from local.state import StateDirectory
from local.template import Template
from osiris.settings import SETTINGS
from tests.deploy.rights import FUNCTIONS
from tests.deploy.sam_cli import REPOSITORY, Sam, build

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.sam, pytest.mark.timeout(900)]

STACK = "osiris"  # samconfig.toml's
# The machine of an ELF file, two bytes at offset 18 ("ELF header", man 5 elf).
AARCH64 = 183


def test_the_template_is_valid(sam: Sam) -> None:
    """`sam validate --lint` has nothing to say against it."""
    done = sam.run("validate", "--lint", "--template-file", str(REPOSITORY / "template.yaml"))
    assert "is a valid SAM Template" in done.stdout


def test_the_default_build_is_for_arm64(sam: Sam, tmp_path: Path) -> None:
    """On any machine, without a container, every compiled module in the layer is arm64's."""
    build(sam, tmp_path / "build")
    layer = tmp_path / "build/CommonLayer/python"
    compiled = sorted(layer.rglob("*.so"))
    assert {path.name.partition(".")[0] for path in compiled} >= {"_pydantic_core", "_rust"}
    for path in compiled:
        with path.open("rb") as file:
            assert int.from_bytes(file.read(20)[18:], "little") == AARCH64, path.name


def test_the_build_holds_what_lambda_starts(built_for_this_machine: Path) -> None:
    """Handlers, the package and the executable wrapper are where Lambda looks for them."""
    for function in FUNCTIONS:
        assert (built_for_this_machine / function / "handler.py").exists()
    layer = built_for_this_machine / "CommonLayer/python"
    assert (layer / "osiris/__init__.py").exists()
    assert os.access(layer / "osiris/runtime/exec_wrapper", os.X_OK)


@pytest.mark.parametrize("language", ["en", "id"])
def test_the_built_pages_are_whole(built_for_this_machine: Path, language: str) -> None:
    """The handler answers a visitor of either language, given nothing but what was built.

    It stands in for the deployed pages: ministack streams no route, and answers 500 on theirs. A
    template, a style sheet, a translation or a package that the build left out is missed here.
    """
    event = json.loads((REPOSITORY / "events/web_start.json").read_text())
    event["multiValueHeaders"]["Accept-Language"] = [language]
    done = subprocess.run(
        # -I and -S: not from this repository, nor from what is installed beside it.
        [sys.executable, "-I", "-S", "-c", ANSWER, *PATHS_OF_LAMBDA],
        cwd=built_for_this_machine,
        env=PAGES_ENVIRONMENT,
        input=json.dumps(event),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    status, headers, body = json.loads(done.stdout.splitlines()[-1])
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert f'<html lang="{language}">' in body
    assert body.rstrip().endswith("</html>")


# Where Lambda looks for modules, in its order, as seen from the build's folder.
PATHS_OF_LAMBDA = ("WebFunction", "CommonLayer/python")
# Prints what the handler makes of the event on standard input, on the last line.
ANSWER = """
import json, sys
sys.path[:0] = sys.argv[1:]
from handler import lambda_handler
answer = lambda_handler(json.load(sys.stdin), None)
body = b"".join(answer.body).decode()
print(json.dumps([answer.status, dict(answer.headers), body]))
"""
PAGES_ENVIRONMENT = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",  # the discard port: nobody answers
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    **{
        setting.variable: f"https://{setting.variable}.example"
        for setting in SETTINGS.values()
        if setting.default is None and setting.variable.startswith("OSIRIS_")
    },
}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    state = StateDirectory(tmp_path_factory.mktemp("cloud"))
    lock = state.lock(timeout_s=1)
    running = LocalCloud(state, repository=REPOSITORY)
    running.start(lock=lock)
    yield running
    running.stop()
    state.unlock()


@pytest.fixture(scope="module")
def stack(sam: Sam, cloud: LocalCloud, built_for_this_machine: Path) -> dict[str, Any]:
    """The stack as CloudFormation describes it, deployed with samconfig.toml's options."""
    sam.run(
        "deploy",
        *("--template-file", str(built_for_this_machine / "template.yaml")),
        *("--config-file", str(REPOSITORY / "samconfig.toml")),
        *("--parameter-overrides", "Architecture=x86_64"),
        "--no-confirm-changeset",
        environment=cloud.environment,
    )
    with closing(cloud.client("cloudformation")) as client:
        (described,) = client.describe_stacks(StackName=STACK)["Stacks"]
    return dict(described)


def outputs(stack: dict[str, Any]) -> dict[str, str]:
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def test_the_stack_deploys_with_its_five_tables(stack: dict[str, Any], cloud: LocalCloud) -> None:
    """The defaults deploy, and the tables named in the outputs have the template's keys."""
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    declared = Template.load(REPOSITORY / "template.yaml").properties("AWS::DynamoDB::Table")
    assert len(declared) == 5
    names = outputs(stack)
    with closing(cloud.client("dynamodb")) as client:
        for logical_id, properties in declared.items():
            table = client.describe_table(TableName=names[f"{logical_id}Name"])["Table"]
            assert table["KeySchema"] == properties["KeySchema"]


def test_the_outputs_say_all_that_an_operator_needs(stack: dict[str, Any]) -> None:
    """Where clients go, where people sign in, and what the operator's command works on."""
    assert set(outputs(stack)) == {
        "BaseUrl",
        "CatalogueTableName",
        "KeysTableName",
        "KeysUrl",
        "LedgerTableName",
        "OperatorEnvironment",
        "OrdersTableName",
        "PagesUrl",
        "SecretsPath",
        "SignInUrl",
        "TopupsUrl",
        "UsageTableName",
        "UserPoolClientId",
        "UserPoolId",
        "WebhooksUrl",
    }


@pytest.mark.parametrize(
    ("method", "output", "below", "answer"),
    [
        ("GET", "KeysUrl", "", (401, "invalid_token")),
        ("GET", "TopupsUrl", "", (401, "invalid_token")),
        ("POST", "WebhooksUrl", "/nobody", (404, "route_not_found")),
    ],
)
def test_the_deployed_functions_refuse_strangers(
    stack: dict[str, Any],
    cloud: LocalCloud,
    method: str,
    output: str,
    below: str,
    answer: tuple[int, str],
) -> None:
    """Through the deployed API, layer and all, in our error shape: no token, and no provider."""
    url = f"{outputs(stack)[output]}{below}".removeprefix("https://")
    host, _, path = url.partition("/")
    with closing(http.client.HTTPConnection("127.0.0.1", cloud.port, timeout=60)) as connection:
        # ministack's path for a deployed API, where a host name of its own can't be resolved
        connection.request(method, f"/_aws/execute-api/{host.partition('.')[0]}/{path}", body="{}")
        response = connection.getresponse()
        body = response.read().decode()
    assert (response.status, json.loads(body)["error"]["code"]) == answer, body


def test_one_line_of_the_outputs_sets_the_operators_command_up(stack: dict[str, Any]) -> None:
    """A shell that evaluates it has every variable that has no default, sign-in's apart."""
    told = outputs(stack)
    command, *assignments = shlex.split(told["OperatorEnvironment"])
    assert command == "export"
    environment = dict(assignment.split("=", 1) for assignment in assignments)
    assert environment["OSIRIS_KEYS_TABLE"] == told["KeysTableName"]
    assert environment["OSIRIS_ORDERS_TABLE"] == told["OrdersTableName"]
    assert environment["OSIRIS_SECRETS_PATH"] == told["SecretsPath"]
    required = {setting.variable for setting in SETTINGS.values() if setting.default is None}
    assert {name for name in required if "OIDC" not in name} <= set(environment)


@pytest.mark.parametrize(
    ("function", "event"),
    [
        ("ReconcilerFunction", "reconciler_hourly"),
        ("ReconcilerFunction", "reconciler_orders"),
        ("ExpirySweeperFunction", "expiry_sweeper_hourly"),
    ],
)
def test_what_is_scheduled_runs(
    stack: dict[str, Any], cloud: LocalCloud, function: str, event: str
) -> None:
    """On the schedule's own event, over the stack's own tables, and without an error."""
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    payload = (REPOSITORY / f"events/{event}.json").read_bytes()
    with closing(cloud.client("cloudformation")) as client:
        resource = client.describe_stack_resource(StackName=STACK, LogicalResourceId=function)
    name = resource["StackResourceDetail"]["PhysicalResourceId"]
    with closing(cloud.client("lambda")) as client:
        answer = client.invoke(FunctionName=name, Payload=payload)
        said = answer["Payload"].read().decode()
    assert "FunctionError" not in answer, said


def test_the_operators_first_steps_work_on_the_stack(
    stack: dict[str, Any], cloud: LocalCloud
) -> None:
    """docs/operations.md's way to the first key: a secret, the models, a key, its credit."""
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    osiris(cloud, "secrets", "set", "anthropic", said="sk-ant-made-up")
    osiris(cloud, "models", "apply", str(REPOSITORY / "models.yaml"), "--yes")
    key = osiris(cloud, "keys", "create", "--account", "me", "--name", "first")
    granted = osiris(cloud, "grant", key["id"], "5", "--days", "30")
    assert granted["balance"] == "5"
    osiris(cloud, "audit")
    with closing(cloud.client("ssm")) as client:
        secret = client.get_parameter(Name=f"/{STACK}/anthropic", WithDecryption=True)["Parameter"]
    assert (secret["Type"], secret["Value"]) == ("SecureString", "sk-ant-made-up")


def osiris(cloud: LocalCloud, *arguments: str, said: str = "") -> dict[str, Any]:
    """The operator's command on the stack; what it answered."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("osiris")), "--stack", STACK, *arguments, "--json"],
        env={**cloud.environment, "PATH": os.environ["PATH"]},
        input=said,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))
