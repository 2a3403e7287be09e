"""The examples of the page "Getting started", as it is served, pasted and run by a new customer."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from decimal import Decimal
from html import unescape
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from osiris.ledger.entry import Entry
    from tests.e2e.conftest import Harness

VARIABLE = "OSIRIS_API_KEY"
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="Node.js is not installed")


@pytest.fixture(scope="module")
def examples(harness: Harness) -> dict[str, str]:
    """The page's examples by their labels, as a browser shows them."""
    html = httpx.get(f"{harness.stack.url}/getting-started").text
    pattern = r'<div class="code"[^>]* aria-label="([^"]+)">.*?<pre><code>(.*?)</code></pre>'
    return {label: unescape(text) for label, text in re.findall(pattern, html, re.S)}


def run(command: Sequence[str], secret: str) -> str:
    """What the command prints, with the secret in its environment alone."""
    done = subprocess.run(
        command,
        env={"PATH": os.environ["PATH"], VARIABLE: secret},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def charged(harness: Harness, secret: str) -> Entry:
    """The one charge of the key."""
    (entry,) = harness.charges(secret)
    return entry


def cost(harness: Harness, secret: str) -> Decimal:
    """What the one request of the key cost, in dollars."""
    return Decimal(charged(harness, secret).cost_nano).scaleb(-9)


def test_each_step_has_its_example(harness: Harness, examples: dict[str, str]) -> None:
    """The page names this very gateway, and takes the secret from the environment."""
    assert list(examples)[:2] == ["Base URL", "Environment"]
    assert examples["Base URL"] == harness.stack.base_url
    assert examples["Environment"].startswith(f"export {VARIABLE}=")
    for label in ("curl", "Python", "JavaScript", "curl, streaming", "Python, streaming"):
        assert harness.stack.base_url in examples[label]
        assert VARIABLE in examples[label]


def test_curl(harness: Harness, examples: dict[str, str]) -> None:
    """An answer in one piece, with its cost."""
    secret = harness.new_key()
    answer = json.loads(run(["bash", "-euc", examples["curl"]], secret), parse_float=Decimal)
    assert answer["choices"][0]["message"]["content"]
    assert answer["usage"]["cost"] == cost(harness, secret)


def test_curl_streaming(harness: Harness, examples: dict[str, str]) -> None:
    """Events to the proper end, the cost in the last but one."""
    secret = harness.new_key()
    printed = run(["bash", "-euc", examples["curl, streaming"]], secret)
    events = [line.removeprefix("data: ") for line in printed.splitlines() if line[:5] == "data:"]
    assert events[-1] == "[DONE]"
    last = json.loads(events[-2], parse_float=Decimal)
    assert last["usage"]["cost"] == cost(harness, secret)


def test_the_cost_by_the_requests_id(harness: Harness, examples: dict[str, str]) -> None:
    """The id is found in the headers, and the record has the ledger's figure."""
    secret = harness.new_key()
    record = json.loads(run(["bash", "-euc", examples["curl, cost"]], secret))
    assert record["id"] == charged(harness, secret).id
    assert Decimal(record["cost"]) == cost(harness, secret)


@pytest.mark.parametrize("label", ["Python", "Python, streaming"])
def test_python(harness: Harness, examples: dict[str, str], label: str) -> None:
    """OpenAI's package, in one piece and streamed: the answer, then the usage with its cost."""
    secret = harness.new_key()
    printed = run([sys.executable, "-c", examples[label]], secret).splitlines()
    assert printed[0]
    found = re.search(r"cost=([0-9.e-]+)", printed[-1])
    assert found
    assert Decimal(found[1]) == cost(harness, secret)


@needs_node
def test_javascript_without_a_package(
    harness: Harness, examples: dict[str, str], tmp_path: Path
) -> None:
    """Plain fetch: the answer, the usage, and the header's exact cost."""
    secret = harness.new_key()
    path = saved(tmp_path, examples["JavaScript, fetch"])
    printed = run([str(NODE), str(path)], secret)
    assert printed.splitlines()[0]
    shown = printed.rstrip().rpartition(" ")[2]
    assert Decimal(shown) == cost(harness, secret)


@needs_node
def test_javascript_with_openais_package_is_well_formed(
    examples: dict[str, str], tmp_path: Path
) -> None:
    """It parses as the module that the page says it is; the package is not at hand here."""
    path = saved(tmp_path, examples["JavaScript"])
    run([str(NODE), "--check", str(path)], "")


def saved(folder: Path, text: str) -> Path:
    """The example as the page says to save it."""
    path = folder / "example.mjs"
    path.write_text(text)
    return path
