"""What happens before there is any Python environment: `make` alone, and finding Python 3.13."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
BASH = shutil.which("bash") or "/bin/bash"


def _find_python(path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BASH, str(REPOSITORY / "local" / "find_python.sh")],
        env={"PATH": str(path), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def _program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!{BASH}\n{text}\n")
    path.chmod(0o755)


def test_make_alone_prints_its_targets() -> None:
    """Each target that a person types has a line, and nothing is installed or started."""
    answer = subprocess.run(["make"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    targets = re.findall(r"^  make ([a-z]+) ", answer.stdout, flags=re.MULTILINE)
    assert {"run", "token", "test", "check", "bench", "deploy", "lock"} <= set(targets)


def test_a_missing_python_is_said_in_words(tmp_path: Path) -> None:
    """Without Python 3.13 the answer says how to get one; an older python3 is not taken for it."""
    _program(tmp_path, "python3", "exit 1")
    answer = _find_python(tmp_path)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert "needs Python 3.13" in answer.stderr
    assert "uv python install 3.13" in answer.stderr
    assert "pyenv install 3.13" in answer.stderr


def test_a_python_of_uv_is_found_and_never_downloaded(tmp_path: Path) -> None:
    """uv is asked for what it has, and told to download nothing."""
    _program(tmp_path, "uv", f'[ "$UV_PYTHON_DOWNLOADS" = never ] && echo {sys.executable}')
    answer = _find_python(tmp_path)
    assert (answer.returncode, answer.stdout.strip()) == (0, sys.executable)


def test_the_callers_python_comes_first(tmp_path: Path) -> None:
    """PYTHON= names one that is in none of the usual places."""
    answer = _find_python(tmp_path, PYTHON=sys.executable)
    assert (answer.returncode, answer.stdout.strip()) == (0, sys.executable)


@pytest.mark.parametrize(
    ("lock", "inputs"),
    [
        ("run", ["run"]),
        ("dev", ["run", "dev"]),
        ("ministack", ["ministack"]),
        ("sam", ["sam"]),
    ],
)
def test_the_locks_hold_what_was_asked_for(lock: str, inputs: list[str]) -> None:
    """Each package is in its lock, pinned as asked, with hashes, and no registry is named."""
    text = (REPOSITORY / "requirements" / f"{lock}.txt").read_text()
    locked = dict(re.findall(r"^([a-z0-9.-]+)==(\S+) .*\\\n    --hash=sha256:", text, re.MULTILINE))
    for line in _asked_for(inputs):
        name, _, version = line.partition("==")
        assert name in locked, f"{line}: run make lock"
        assert version in ("", locked[name]), f"{line}: run make lock"
    assert "://" not in text
    assert len(locked) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE))


def _asked_for(inputs: list[str]) -> list[str]:
    """The lines of the .in files, and what the layer itself depends on where it is installed."""
    folder = REPOSITORY / "requirements"
    lines = [line for name in inputs for line in (folder / f"{name}.in").read_text().splitlines()]
    if "run" in inputs:
        project = tomllib.loads((REPOSITORY / "layers/common/pyproject.toml").read_text())[
            "project"
        ]
        lines += [*project["dependencies"], *project["optional-dependencies"]["cli"]]
    asked = [re.sub(r"\[.*\]", "", line.partition("#")[0]).strip().lower() for line in lines]
    return [line for line in asked if line]
