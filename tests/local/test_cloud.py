"""The local cloud: loopback only, made from the template, and kept over restarts."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from local.children import answers
from local.cloud import LocalCloud
from local.resources import TemplateChanged, create_missing
from local.state import StateDirectory
from local.template import Template
from local.token import demo_password, ensure_demo_user, sign_in
from tests.local.processes import listening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPOSITORY = Path(__file__).parents[2]
TEMPLATE = Template.load(REPOSITORY / "template.yaml")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="uses Linux's own interfaces")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], LocalCloud]]:
    """Starts a cloud on one state directory; whatever runs at the end of the test is ended."""
    state = StateDirectory(tmp_path)
    running: list[LocalCloud] = []

    def start_cloud() -> LocalCloud:
        for earlier in running:
            earlier.stop()
        cloud = LocalCloud(state, repository=REPOSITORY)
        running.append(cloud)
        state.unlock()
        cloud.start(lock=state.lock(timeout_s=20))
        return cloud

    yield start_cloud
    for cloud in running:
        cloud.stop()
    state.unlock()


@linux_only
def test_it_listens_on_loopback_alone(start: Callable[[], LocalCloud]) -> None:
    """Not one of its sockets can be reached from another machine."""
    cloud = start()
    assert answers(cloud.port, "/_ministack/health")
    assert listening(cloud.pid) == {("127.0.0.1", cloud.port)}


def test_tables_are_those_of_the_template(start: Callable[[], LocalCloud]) -> None:
    """Each table has the template's keys and indexes, and its time to live is on."""
    cloud = start()
    values = create_missing(cloud, TEMPLATE)
    client = cloud.client("dynamodb")
    declared = TEMPLATE.properties("AWS::DynamoDB::Table", values)
    assert sorted(client.list_tables()["TableNames"]) == sorted(values[name] for name in declared)
    for name, properties in declared.items():
        table = client.describe_table(TableName=values[name])["Table"]
        assert table["KeySchema"] == properties["KeySchema"]
        assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        assert _indexes(table) == _indexes(properties)
        time_to_live = client.describe_time_to_live(TableName=values[name])
        attribute = time_to_live["TimeToLiveDescription"].get("AttributeName")
        assert attribute == properties.get("TimeToLiveSpecification", {}).get("AttributeName")


def test_everything_is_there_after_a_restart(start: Callable[[], LocalCloud]) -> None:
    """An orderly end keeps items, accounts and names, and nothing is created twice."""
    cloud = start()
    values = create_missing(cloud, TEMPLATE)
    _put(cloud, values["KeysTable"], "key#1")
    again = start()
    assert again.port == cloud.port
    assert create_missing(again, TEMPLATE) == values
    assert _holds(again, values["KeysTable"], "key#1")


@linux_only
def test_nothing_is_lost_when_the_stack_is_killed(
    tmp_path: Path, start: Callable[[], LocalCloud]
) -> None:
    """SIGKILL to whoever started the cloud ends it in order: what was written is still there."""
    code = (
        "import sys, time; from pathlib import Path; from tests.local import test_cloud\n"
        f"test_cloud.serve_for_ever(Path({str(tmp_path)!r}))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    ) as killed:
        assert killed.stdout is not None
        table = killed.stdout.readline().strip()
        killed.send_signal(signal.SIGKILL)
    cloud = start()  # waits for the lock that the dying cloud still holds
    assert _holds(cloud, table, "key#killed")


def test_a_table_with_other_keys_is_refused(
    start: Callable[[], LocalCloud], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kept table that the template has since given other keys is named, not quietly used."""
    cloud = start()
    create_missing(cloud, TEMPLATE)
    tables = TEMPLATE.properties("AWS::DynamoDB::Table")
    tables["KeysTable"]["KeySchema"] = [{"AttributeName": "expiry_day", "KeyType": "HASH"}]
    monkeypatch.setattr(TEMPLATE, "properties", lambda kind, values: tables)
    with pytest.raises(TemplateChanged, match="osiris-KeysTable has other keys"):
        create_missing(cloud, TEMPLATE)


def test_the_demo_account_signs_in(start: Callable[[], LocalCloud], tmp_path: Path) -> None:
    """Its ID token is signed by the pool's published key, and names issuer and audience."""
    cloud = start()
    values = create_missing(cloud, TEMPLATE)
    client, pool_id = cloud.client("cognito-idp"), values["UserPool"]
    password = demo_password(StateDirectory(tmp_path))
    subject = ensure_demo_user(client, pool_id=pool_id, password=password)
    assert ensure_demo_user(client, pool_id=pool_id, password=password) == subject
    token = sign_in(client, pool_id=pool_id, client_id=values["UserPoolClient"], password=password)
    claims = jwt.decode(
        token,
        jwt.PyJWKClient(cloud.jwks_url(pool_id)).get_signing_key_from_jwt(token),
        algorithms=["RS256"],
        issuer=values["UserPool.ProviderURL"],
        audience=values["UserPoolClient"],
    )
    assert (claims["sub"], claims["token_use"]) == (subject, "id")


def serve_for_ever(path: Path) -> None:
    """In a process of its own: start a cloud, write an item, say which table, and wait."""
    state = StateDirectory(path)
    cloud = LocalCloud(state, repository=REPOSITORY)
    cloud.start(lock=state.lock(timeout_s=0))
    table = create_missing(cloud, TEMPLATE)["KeysTable"]
    _put(cloud, table, "key#killed")
    sys.stdout.write(f"{table}\n")
    sys.stdout.flush()
    signal.pause()


def _put(cloud: LocalCloud, table: str, pk: str) -> None:
    cloud.client("dynamodb").put_item(TableName=table, Item={"pk": {"S": pk}})


def _holds(cloud: LocalCloud, table: str, pk: str) -> bool:
    answer = cloud.client("dynamodb").get_item(TableName=table, Key={"pk": {"S": pk}})
    return "Item" in answer


def _indexes(table: dict[str, Any]) -> list[str]:
    return [
        json.dumps([index["IndexName"], index["KeySchema"], index["Projection"]])
        for index in table.get("GlobalSecondaryIndexes", [])
    ]
