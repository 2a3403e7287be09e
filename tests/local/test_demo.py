"""The demo key: made once, kept, and always good for a request."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.cloud import LocalCloud
from local.demo import Demo, seed_demo
from local.problems import CannotStart
from local.resources import create_missing
from local.state import StateDirectory
from local.template import Template
from local.upstreams import Upstreams
from osiris import secrets_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPOSITORY = Path(__file__).parents[2]
ACCOUNT = "demo-account"
PAYMENT_SECRETS = {
    "midtrans-server-key": "SB-Mid-server-made-up",
    "nowpayments-api-key": "made-up",
    "nowpayments-ipn-secret": "made-up, too",
}


class Lab:
    """A local cloud with the template's tables, to be seeded any number of times."""

    def __init__(self, path: Path) -> None:
        self.state = StateDirectory(path)
        self.cloud = LocalCloud(self.state, repository=REPOSITORY)
        self.cloud.start(lock=self.state.lock(timeout_s=20))
        template = Template.load(REPOSITORY / "template.yaml")
        self.values = create_missing(self.cloud, template)
        self.environment = {
            "OSIRIS_KEYS_TABLE": self.values["KeysTable"],
            "OSIRIS_LEDGER_TABLE": self.values["LedgerTable"],
            "OSIRIS_CATALOGUE_TABLE": self.values["CatalogueTable"],
            "OSIRIS_ORDERS_TABLE": self.values["OrdersTable"],
            **self.cloud.environment,
        }

    def seed(self, **environ: str) -> Demo:
        upstreams = Upstreams(simulator_url="http://127.0.0.1:9/v1", environ=environ)
        return seed_demo(
            self.cloud,
            self.state,
            environment=self.environment,
            account_id=ACCOUNT,
            upstreams=upstreams,
            payment_secrets=PAYMENT_SECRETS,
        )

    def key(self, demo: Demo) -> dict[str, Any]:
        parsed = secrets_text.parse(demo.secret)
        assert parsed is not None
        answer = self.cloud.client("dynamodb").get_item(
            TableName=self.values["KeysTable"], Key={"pk": {"S": f"key#{parsed.key_id}"}}
        )
        return dict(answer["Item"])

    def set_number(self, demo: Demo, attribute: str, number: int) -> None:
        self.cloud.client("dynamodb").update_item(
            TableName=self.values["KeysTable"],
            Key={"pk": self.key(demo)["pk"]},
            UpdateExpression="SET #attribute = :number",
            ExpressionAttributeNames={"#attribute": attribute},
            ExpressionAttributeValues={":number": {"N": str(number)}},
        )

    def parameter(self, name: str) -> tuple[str, str]:
        """A secret's kind and text."""
        answer = self.cloud.client("ssm").get_parameter(Name=f"/osiris/{name}", WithDecryption=True)
        return answer["Parameter"]["Type"], answer["Parameter"]["Value"]

    def count(self, table: str) -> int:
        scan = self.cloud.client("dynamodb").scan(TableName=self.values[table], Select="COUNT")
        return int(scan["Count"])


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path)
    yield lab
    lab.cloud.stop()
    lab.state.unlock()


def test_seeding_again_changes_nothing(lab: Lab) -> None:
    """The same key with the same credit: one account, one key, one grant, the same models."""
    first = lab.seed()
    counts = {table: lab.count(table) for table in ("KeysTable", "LedgerTable", "CatalogueTable")}
    assert lab.seed() == first
    assert {table: lab.count(table) for table in counts} == counts
    assert counts["KeysTable"] == 2
    assert counts["LedgerTable"] == 1
    assert first.credit.startswith("$100 until ")


def _expire(lab: Lab, demo: Demo) -> None:
    lab.set_number(demo, "expires_at_ms", 1)


def _spend(lab: Lab, demo: Demo) -> None:
    lab.set_number(demo, "balance_nano", 0)
    lab.set_number(demo, "available_nano", 0)


@pytest.mark.parametrize("use_up", [_expire, _spend])
def test_credit_that_is_gone_is_renewed(lab: Lab, use_up: Callable[[Lab, Demo], None]) -> None:
    """Spent or expired, the next start gives the same key $100 again."""
    first = lab.seed()
    use_up(lab, first)
    again = lab.seed()
    assert again.secret == first.secret
    assert again.credit.startswith("$100 until ")


def test_a_lost_secret_is_replaced_on_the_same_key(lab: Lab) -> None:
    """Accounts have few keys: the demo key gets another secret, and no second key is made."""
    first = lab.seed()
    (lab.state.path / "demo-key").unlink()
    second = lab.seed()
    assert second.secret != first.secret
    assert lab.key(second)["pk"] == lab.key(first)["pk"]
    assert lab.count("KeysTable") == 2


def test_a_mistake_in_the_models_is_named(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever edits models.yaml is told what is wrong with it, and the stack does not start."""
    file = lab.state.path / "models.yaml"
    monkeypatch.setattr("local.demo._MODELS_FILE", file)
    for text in ("models: [{id: m}]", "models: ["):
        file.write_text(text)
        with pytest.raises(CannotStart, match=r"^models\.yaml: "):
            lab.seed()


def test_a_real_upstreams_key_is_kept_as_a_secret(lab: Lab) -> None:
    """The API key goes to a SecureString parameter, and is gone when it is no longer given."""
    lab.seed(DEEPSEEK_API_KEY="sk-real")
    assert lab.parameter("deepseek") == ("SecureString", "sk-real")
    lab.seed()
    assert lab.parameter("deepseek") == ("SecureString", "simulated")


def test_the_payment_providers_secrets_are_kept(lab: Lab) -> None:
    """Those that the simulators share with the product, each a SecureString under its name."""
    lab.seed()
    for name, text in PAYMENT_SECRETS.items():
        assert lab.parameter(name) == ("SecureString", text)
