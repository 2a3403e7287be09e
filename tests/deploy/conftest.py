"""One SAM CLI, and one build of the template, for all tests here."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

import pytest

from tests.deploy.sam_cli import SAM_BIN, Sam, build

if TYPE_CHECKING:
    from pathlib import Path


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", 'sam: runs the SAM CLI, slowly; -m "not sam" leaves it out')


@pytest.fixture(scope="session")
def sam(tmp_path_factory: pytest.TempPathFactory) -> Sam:
    """The SAM CLI. Without it tests are skipped, but fail in CI."""
    if not (SAM_BIN / "sam").exists():
        reason = "the SAM CLI is not in .venv-sam; `make test` installs it"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("sam-cli")
    (folder / "sam").mkdir()
    return Sam(folder)


@pytest.fixture(scope="session")
def built_for_this_machine(sam: Sam, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one x86_64 build, made once however many processes run the tests."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    with (shared / "sam-build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = shared / "sam-build" / "build"
        if not (folder / "template.yaml").exists():
            build(sam, folder, "Architecture=x86_64")
        return folder
