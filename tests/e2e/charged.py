"""What tests ask of an answer and of its charge."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osiris.money import nano_from_dollars

if TYPE_CHECKING:
    import httpx

    from osiris.ledger.entry import Charge, Entry
    from tests.e2e.conftest import Harness

OPUS, DEEPSEEK, GPT = "claude-opus-4.6", "deepseek-v3", "gpt-5.4-mini"
FUNDED_NANO = nano_from_dollars("100")
MINIMUM = "0.001"
TRIES_MAX = 200
BOTH = (False, True)


def told_cost(content: bytes) -> list[str]:
    """The text of each `cost` in an answer, digit by digit."""
    return [found.decode() for found in re.findall(rb'"cost":([^,}]*)', content)]


def settled(harness: Harness, secret: str) -> Entry:
    """The key's one charge, once nothing is held any more."""
    for _ in range(TRIES_MAX):
        charges = harness.charges(secret)
        if charges and not harness.key(secret).holds:
            assert len(charges) == 1
            return charges[0]
        time.sleep(0.05)
    raise AssertionError("the request was never settled")


def facts(entry: Entry) -> Charge:
    """What a charge says of its request."""
    assert entry.charge is not None
    return entry.charge


def metrics(harness: Harness, request_id: str) -> set[str]:
    """The metrics that the request's own log line counts."""
    lines = [line for line in harness.log().splitlines() if request_id in line]
    (line,) = [found for found in lines if '"event":"request"' in found]
    told = json.loads(line[line.index("{") :])
    counted = told.get("_aws", {"CloudWatchMetrics": []})["CloudWatchMetrics"]
    return {metric["Name"] for group in counted for metric in group["Metrics"]}


def error_in(answer: httpx.Response) -> str | None:
    """The code of the answer's error, in its body or in its stream."""
    if answer.status_code != 200:
        return str(answer.json()["error"]["code"])
    found = re.findall(rb'^data: (\{"error":.*)$', answer.content, re.MULTILINE)
    return str(json.loads(found[0])["error"]["code"]) if found else None


def osiris(harness: Harness, *words: str) -> Any:
    """What the operator's command answers for programs, by the environment of `.local/env`."""
    command = [str(Path(sys.executable).with_name("osiris")), *words, "--json"]
    environment = {"PATH": os.environ["PATH"], **harness.stack.environment}
    done = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def text_of(answer: httpx.Response, *, stream: bool) -> bytes:
    """The text of an answer's one choice."""
    if not stream:
        return str(answer.json()["choices"][0]["message"]["content"]).encode()
    texts = re.findall(rb'"content":"([^"]*)"', answer.content)
    return b"".join(texts)
