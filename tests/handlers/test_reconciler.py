"""The reconciler's function, from the schedule's event to its answer."""

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from osiris.flows import credit
from osiris.flows.keys import create
from osiris.ledger.key import Key
from osiris.ledger.rollup import CLOSES_AFTER_MS
from osiris.money import NANO_PER_DOLLAR
from osiris.settings import SettingMissing
from osiris.times import HOUR_MS
from tests.builders import START_MS, World, admitted, unreachable

REPOSITORY = Path(__file__).parents[2]
EVENT: dict[str, Any] = json.loads((REPOSITORY / "events/reconciler_hourly.json").read_text())
TABLES = (
    "OSIRIS_KEYS_TABLE",
    "OSIRIS_LEDGER_TABLE",
    "OSIRIS_USAGE_TABLE",
    "OSIRIS_ORDERS_TABLE",
)
DOLLAR = NANO_PER_DOLLAR


def cold_started() -> ModuleType:
    """The handler's module, imported as at a cold start."""
    path = REPOSITORY / "functions/reconciler/handler.py"
    spec = spec_from_file_location("cold_reconciler", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """What Lambda gives the function."""
    for name in TABLES:
        monkeypatch.setenv(name, name.title())
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-east-1")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    return monkeypatch


@pytest.fixture
def world() -> World:
    """A day in which one request lapsed."""
    world = World()
    key = create(world.app, "ada", name="k").key
    credit.grant(world.app, key.id, amount_nano=10 * DOLLAR, days=30)
    admitted(world, key, DOLLAR)
    world.now_ms += HOUR_MS + CLOSES_AFTER_MS
    return world


@pytest.fixture
def handler(environment: pytest.MonkeyPatch, world: World) -> Any:
    """The function over the in-memory tables."""
    module = cold_started()
    environment.setattr(module, "APP", world.app)
    return module.lambda_handler


def only_key(world: World) -> Key:
    (key,) = [item for item in world.app.scans.keys_and_accounts() if isinstance(item, Key)]
    return key


def test_a_run_answers_what_it_did(handler: Any, world: World) -> None:
    """The counts are the answer and a line in the log; the answer is JSON."""
    answer = handler(json.loads(json.dumps(EVENT)), None)
    assert json.loads(json.dumps(answer)) == {
        "keys": 1,
        "finished": 1,
        "rollups": 0,
        "failed": 0,
        "rolled_until_ms": START_MS + HOUR_MS,
        "told_low": 0,
    }
    assert not only_key(world).holds
    assert world.lines[-1] == {"event": "reconciled", "at_ms": world.now_ms, **answer}


def test_keys_left_over_fail_the_invocation(handler: Any, world: World) -> None:
    """Lambda then counts an error, and the alarm goes off; the next run does them."""
    world.meet("UpdateItem", unreachable)
    with pytest.raises(Exception, match="1 of 1 keys are left for the next run"):
        handler(EVENT, None)
    assert only_key(world).holds
    assert handler(EVENT, None)["finished"] == 1


def test_an_event_twice_changes_nothing(handler: Any, world: World) -> None:
    """Schedules deliver at least once."""
    first = handler(EVENT, None)
    before = only_key(world)
    second = handler(EVENT, None)
    assert (first["finished"], second["finished"]) == (1, 0)
    assert only_key(world) == before


@pytest.mark.parametrize("name", TABLES)
def test_a_missing_table_is_named_at_the_start(environment: pytest.MonkeyPatch, name: str) -> None:
    """The function does not start without it."""
    environment.delenv(name)
    with pytest.raises(SettingMissing, match=name):
        cold_started()
