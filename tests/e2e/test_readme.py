"""The README's top-up, line by line as a person pastes it."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.e2e.conftest import Harness

REPOSITORY = Path(__file__).parents[2]


def test_the_readmes_top_up_does_what_it_says(harness: Harness) -> None:
    """It prints what the README promises: paid, credited, the cost, and the balance less it."""
    readme = (REPOSITORY / "README.md").read_text()
    found = re.search(r"### Top a key up.*?```sh\n(.*?)```", readme, re.S)
    assert found
    environment_file = harness.stack.state.path / "env"
    script = found[1].replace(".local/env", shlex.quote(str(environment_file)))
    script = script.replace("$(make -s token)", shlex.quote(harness.stack.token()))
    before_nano = harness.key(harness.stack.api_key).balance_nano
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    paid, state, usage, balance = done.stdout.splitlines()
    assert (paid, state) == ("settlement", "credited")
    assert "'cost': 0.1" in usage
    assert float(balance) == before_nano / 10**9 + 99.9
