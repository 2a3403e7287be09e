"""The local cloud: ministack stands in for DynamoDB, Cognito and SSM, on loopback only.

``LocalCloud(state, repository=…).start()`` runs it in its own environment (``.venv-ministack``),
so that what it pins meets nothing of ours. It keeps its state in memory and writes it at an orderly
end, therefore it is always ended by SIGTERM and waited for, even when its parent is killed.
What the template declares is created by :mod:`local.resources`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from local.children import Child, ChildFailed, bare_environment

if TYPE_CHECKING:
    from pathlib import Path

    from local.state import StateDirectory

REGION = "us-east-1"
# ministack takes any credentials; these are the ones its own documentation uses.
ACCESS_KEY_ID = "test"
SECRET_ACCESS_KEY = "test"  # noqa: S105  (no secret)

_READY_TIMEOUT_S = 30
_STARTS_MAX = 3  # another program can take a port between our look and ministack's bind


class LocalCloud:
    """One ministack process and the way to reach it."""

    def __init__(self, state: StateDirectory, *, repository: Path) -> None:
        self._state = state
        self._command = repository / ".venv-ministack" / "bin" / "ministack"
        self._child: Child | None = None
        self.port = 0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    @property
    def environment(self) -> dict[str, str]:
        """What an AWS client needs to reach this cloud and no other."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
        }

    def start(self, *, lock: int) -> None:
        """Start it with the state of last time; `lock` is held until it has ended."""
        if not self._command.exists():
            raise ChildFailed(f"{self._command} is missing; `make run` installs it")
        for attempt in range(1, _STARTS_MAX + 1):
            self.port = self._state.port("cloud")
            self._child = Child(
                "the local cloud (ministack)",
                [str(self._command)],
                log=self._state.log("ministack"),
                environment=self._ministack_environment(),
                inherit=[lock],
            )
            try:
                self._child.wait_until_answering(
                    self.port, "/_ministack/health", timeout_s=_READY_TIMEOUT_S
                )
            except ChildFailed:
                self.stop()
                if attempt == _STARTS_MAX:
                    raise
            else:
                return

    def stop(self) -> None:
        """End it in order, which is when it writes its state."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def failed(self) -> str | None:
        """That it has ended although it should run, in a sentence; None while it runs."""
        return None if self._child is None else self._child.failed()

    def client(self, service: str) -> Any:
        """A boto3 client of this cloud."""
        return client_of(service, self.endpoint)

    def jwks_url(self, pool_id: str) -> str:
        """Where the public keys of a user pool are; its issuer keeps AWS's name."""
        return f"{self.endpoint}/{pool_id}/.well-known/jwks.json"

    def _ministack_environment(self) -> dict[str, str]:
        return bare_environment() | {
            "BIND_HOST": "127.0.0.1",  # its default is every interface
            "IOT_MTLS_ENABLED": "0",  # or it opens an MQTT port on every interface
            "SFTP_ENABLED": "0",
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_REGION": REGION,
            "PERSIST_STATE": "1",
            "STATE_DIR": str(self._state.folder("cloud")),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(self._state.folder("cloud/s3")),
            "TMPDIR": str(self._state.folder("tmp")),  # its process id file goes there
            "DOCKER_HOST": f"unix://{self._state.path}/none.sock",  # leave the user's Docker alone
            "LOG_LEVEL": "WARNING",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            "AWS_DEFAULT_REGION": REGION,
        }


def forget_own_aws() -> None:
    """Take AWS's variables out of this process: the user's profile and region are not for here."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]


def client_of(service: str, endpoint: str) -> Any:
    """A boto3 client of a local cloud, whatever credentials or proxy the environment names."""
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET_ACCESS_KEY,
        config=Config(proxies={}, retries={"max_attempts": 3, "mode": "standard"}),
    )
