"""The installed command, as a process: its environment, a terminal, and AWS's clients beneath."""

import json
import os
import pty
import select
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest

from local.cloud import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY
from osiris.store.stack import OUTPUT
from tests.dynamodb.plugin import ministack, new_prefix
from tests.dynamodb.schemas import REPOSITORY, schemas

__all__ = ["ministack"]

COMMAND = str(Path(sys.executable).with_name("osiris"))
TIMEOUT_S = 60
# Nothing of the caller's own: neither credentials nor a profile, and no search for them on a host.
BARE = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1",
    "TERM": "xterm",
    "COLUMNS": "140",
}
TABLES = {
    "OSIRIS_KEYS_TABLE": "keys",
    "OSIRIS_LEDGER_TABLE": "ledger",
    "OSIRIS_ORDERS_TABLE": "orders",
}


def run(
    environment: Mapping[str, str], *arguments: str, given: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, with pipes."""
    return subprocess.run(
        [COMMAND, *arguments],
        env={**BARE, **environment},
        input=given,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def run_on_terminal(
    environment: Mapping[str, str], *arguments: str, asked: str = "", typed: str = ""
) -> str:
    """Run the command to its end on a terminal, typing when it has asked; all that it showed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [COMMAND, *arguments],
        env={**BARE, **environment},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown, waiting = b"", bool(asked)
    try:
        while piece := piece_of(ours):
            shown += piece
            if waiting and asked.encode() in shown:
                os.write(ours, typed.encode())
                waiting = False
    finally:
        process.kill()
        os.close(ours)
    assert process.wait(timeout=TIMEOUT_S) == 0, shown
    return shown.decode()


def piece_of(terminal: int) -> bytes:
    """What comes next; nothing at the end, or when nothing comes."""
    ready, _, _ = select.select([terminal], [], [], TIMEOUT_S)
    try:
        return os.read(terminal, 4096) if ready else b""
    except OSError:  # the other end is closed
        return b""


@pytest.fixture(scope="module")
def cloud(ministack: str, worker_id: str) -> dict[str, str]:
    """The environment of an operator of tables on the local cloud."""
    client = client_of("dynamodb", ministack)
    for schema in (found := schemas(new_prefix(worker_id))).values():
        client.create_table(**schema)
    return {
        "AWS_ENDPOINT_URL": ministack,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "OSIRIS_SECRETS_PATH": f"/{new_prefix(worker_id)}",
        **{
            f"OSIRIS_{table.removesuffix('Table').upper()}_TABLE": schema["TableName"]
            for table, schema in found.items()
        },
    }


def client_of(service: str, endpoint: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET_ACCESS_KEY,
    )


# -------------------------------------------------------------------------------- environment


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({}, "OSIRIS_KEYS_TABLE is not set."),
        ({"OSIRIS_KEYS_TABLE": "keys"}, "OSIRIS_LEDGER_TABLE is not set."),
        (TABLES, "You must specify a region."),
        ({**TABLES, "AWS_DEFAULT_REGION": REGION}, "Unable to locate credentials"),
        ({**TABLES, "AWS_PROFILE": "nobody"}, "The config profile (nobody) could not be found"),
        ({**TABLES, "OSIRIS_RATE_LIMIT": "x"}, "OSIRIS_RATE_LIMIT must be a whole number"),
    ],
)
def test_what_is_missing_is_named_in_one_line(environment: dict[str, str], told: str) -> None:
    """Exit code 1, nothing on standard output, no traceback."""
    ran = run(environment, "audit")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert told in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [("--help",), ("keys", "create", "--help")])
def test_help_needs_nothing(arguments: tuple[str, ...]) -> None:
    """Neither settings nor AWS's library, which takes long to import."""
    ran = run({"PYTHONPROFILEIMPORTTIME": "1"}, *arguments)
    assert (ran.returncode, ran.stdout.startswith("Usage: osiris")) == (0, True)
    assert "osiris.cli.root" in ran.stderr
    assert "boto3" not in ran.stderr


# ----------------------------------------------------------------------------------- on a cloud


def test_a_key_from_its_creation_to_the_audit(cloud: dict[str, str]) -> None:
    """Created, funded, shown in the ledger; the books are right and closed."""
    created = json.loads(run(cloud, "keys", "create", "--account=me", "--name=n", "--json").stdout)
    assert run(cloud, "grant", created["id"], "5").returncode == 0
    ledger = json.loads(run(cloud, "ledger", created["id"], "--json").stdout)
    assert [(line["type"], line["balance_after"]) for line in ledger["data"]] == [("grant", "5")]
    audit = run(cloud, "audit")
    assert (audit.returncode, audit.stderr) == (0, "")
    assert audit.stdout.startswith("All invariants hold: keys ")
    assert json.loads(run(cloud, "reconcile", "--json").stdout)["failed"] == 0


def test_a_secret_is_stored_encrypted_and_seen_nowhere(cloud: dict[str, str]) -> None:
    """Read from a pipe, kept as a SecureString, and not in any output."""
    ran = run(cloud, "secrets", "set", "openai", given="sk-piped\n")
    assert (ran.returncode, "sk-piped" in ran.stdout + ran.stderr) == (0, False)
    assert stored_secret(cloud, "openai") == ("SecureString", "sk-piped")


def stored_secret(cloud: dict[str, str], name: str) -> tuple[str, str]:
    answer = client_of("ssm", cloud["AWS_ENDPOINT_URL"]).get_parameter(
        Name=f"{cloud['OSIRIS_SECRETS_PATH']}/{name}", WithDecryption=True
    )
    return answer["Parameter"]["Type"], answer["Parameter"]["Value"]


def test_a_typed_secret_is_not_shown(cloud: dict[str, str]) -> None:
    """On a terminal it is asked for, and not echoed."""
    shown = run_on_terminal(
        cloud, "secrets", "set", "anthropic", asked="Secret: ", typed="sk-typed\n"
    )
    assert "Secret: " in shown
    assert "sk-typed" not in shown
    assert stored_secret(cloud, "anthropic") == ("SecureString", "sk-typed")


def test_models_are_applied_after_a_question(cloud: dict[str, str]) -> None:
    """On a terminal: the difference, a question, a table."""
    models = str(REPOSITORY / "models.yaml")
    apply = partial(run_on_terminal, cloud, "models", "apply", models, asked="Apply this? [y/N]: ")
    assert "Nothing was changed." in apply(typed="n\n")
    shown = apply(typed="y\n")
    assert "Applied." in shown
    table = run_on_terminal(cloud, "models", "list")
    assert "─" in table
    assert "\t" not in table


def test_a_stack_names_the_tables(cloud: dict[str, str]) -> None:
    """By its output, whatever the environment says beside it; an unknown stack is one line."""
    stack = f"osiris-{new_prefix('cli')}"[:-1]
    variables = {name: cloud[name] for name in cloud if name.startswith("OSIRIS_")}
    line = "export " + " ".join(f"{name}={value}" for name, value in variables.items())
    template = {
        "Resources": {"Nothing": {"Type": "AWS::CloudFormation::WaitConditionHandle"}},
        "Outputs": {OUTPUT: {"Value": line}},
    }
    cloudformation = client_of("cloudformation", cloud["AWS_ENDPOINT_URL"])
    cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=stack, WaiterConfig={"Delay": 1}
    )
    aws = {name: cloud[name] for name in cloud if name.startswith("AWS_")}
    elsewhere = {**aws, "OSIRIS_KEYS_TABLE": "nowhere"}
    assert run(elsewhere, "--stack", stack, "audit").returncode == 0
    assert run({**elsewhere, "OSIRIS_STACK": stack}, "audit").returncode == 0
    unknown = run(aws, "--stack", "nobody", "audit")
    assert unknown.returncode == 1
    assert unknown.stderr == "Error: No stack here: Stack with id nobody does not exist.\n"
