"""What speed rests on, counted: a clock would tell more about the machine than about us."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench import certificate
from bench.subject import LAYER, ROOT
from bench.surroundings import PROXY, event, surroundings

pytestmark = pytest.mark.timeout(120)

SCRIPT = Path(__file__).with_name("proxied.py")
# None of these is loaded by the lean path; each costs a tenth of its start, or more.
HEAVY = (
    "asyncio",
    "aws_lambda_powertools",
    "boto3",
    "botocore",
    "dataclasses",
    "httpx",
    "inspect",
    "pathlib",
    "pydantic",
    "urllib3",
    "uuid",
)
TOKENS = 3


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What two requests through the proxy did, and loaded."""
    server, bundle = certificate.make(tmp_path_factory.mktemp("certificate"))
    with surroundings() as around:
        done = subprocess.run(
            [sys.executable, SCRIPT, server],
            env=around.environment
            | {"PYTHONPATH": f"{PROXY}:{ROOT}:{LAYER}", "SSL_CERT_FILE": str(bundle)},
            input=event(tokens=TOKENS),
            capture_output=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr.decode()
    yield json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("heavy", HEAVY)
def test_the_hot_path_loads_nothing_heavy(heavy: str, proxied: dict[str, Any]) -> None:
    """After a request, the proxy's process has none of these modules."""
    assert "osiris.store.transport_lean" in proxied["modules"]
    assert [name for name in proxied["modules"] if name.partition(".")[0] == heavy] == []


def test_a_request_is_three_writes_in_their_order(proxied: dict[str, Any]) -> None:
    """Admit is the one call before the upstream's; Record and Settle come before the usage."""
    said = ["text leaves"] * (TOKENS + 1)
    request = ["UpdateItem", "upstream", *said, "PutItem", "UpdateItem", "usage leaves"]
    assert proxied["journal"] == ["Query", "GetParameter", *request, *request]


@pytest.mark.parametrize(
    "command",
    ["call 3 1", "chunk 20 1", "imports 1", "request 1 1", "writes"],
    ids=lambda command: command.partition(" ")[0],
)
def test_each_bench_runs(command: str) -> None:
    """Each part of `make bench` prints its table; whether its aims are met is not asked here."""
    part, *arguments = command.split()
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{part}", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.count("| -") >= 1
    assert done.returncode in (0, 1)
