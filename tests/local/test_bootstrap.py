"""What happens before there is any Python environment: `make` alone, and finding Python 3.13."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

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
