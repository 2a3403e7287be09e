"""The SAM CLI in its own environment (.venv-sam), kept away from anyone's AWS account."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

REPOSITORY = Path(__file__).parents[2]
SAM_BIN = REPOSITORY / ".venv-sam" / "bin"
# Downloads, a container's start and a busy machine all fit in: a limit against hanging, no promise.
COMMAND_TIMEOUT_S = 540
_KEPT = ("PATH", "HOME", "LANG", "DOCKER_HOST", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
_KEPT_PREFIXES = ("PIP_", "UV_", "HTTP_", "HTTPS_", "http_", "https_")


class Sam(NamedTuple):
    """The command, in a folder where it may write."""

    folder: Path

    def run(
        self, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end; a failure fails the test with everything it said."""
        done = subprocess.run(
            [str(SAM_BIN / "sam"), *arguments],
            cwd=self.folder,
            env=self._environment() | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, f"sam {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        return done

    def _environment(self) -> dict[str, str]:
        """The caller's, without their AWS account: nothing here may reach it."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if name in _KEPT or name.startswith(_KEPT_PREFIXES)
        }
        return kept | {
            # `sam build` wants a python3.13 with pip on PATH: the one it runs with itself.
            "PATH": f"{SAM_BIN}{os.pathsep}{kept['PATH']}",
            "SAM_CLI_TELEMETRY": "0",
            "__SAM_CLI_APP_DIR": str(self.folder / "sam"),
            "AWS_CONFIG_FILE": str(self.folder / "none"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.folder / "none"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "NO_PROXY": "127.0.0.1,localhost",
        }


def build(sam: Sam, folder: Path, *parameters: str) -> None:
    """`sam build` of the repository's template into `folder`."""
    sam.run(
        "build",
        *("--template-file", str(REPOSITORY / "template.yaml")),
        *("--build-dir", str(folder)),
        *(("--parameter-overrides", *parameters) if parameters else ()),
    )
