"""Writes ``.local/env``: ``source .local/env`` is all that `osiris`, or another program, needs."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from local.state import StateDirectory

_NAME = "env"
_NO_PROXY = 'export NO_PROXY="127.0.0.1,localhost${NO_PROXY:+,$NO_PROXY}"'
# A profile or a session token of the user's own would send the AWS clients elsewhere.
_UNSET = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")


def write_environment(state: StateDirectory, variables: Mapping[str, str]) -> Path:
    """Write `variables` as a shell's export lines that only their owner can read."""
    lines = [f"unset {' '.join(_UNSET)}"]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    lines.append(_NO_PROXY)
    return state.write(_NAME, "\n".join(lines) + "\n")


def read_environment(state: StateDirectory) -> dict[str, str]:
    """The variables that were written last; none when there is no file."""
    variables = {}
    for line in (state.read(_NAME) or "").splitlines():
        if line.startswith("export ") and line != _NO_PROXY:
            name, _, value = shlex.split(line)[1].partition("=")
            variables[name] = value
    return variables
