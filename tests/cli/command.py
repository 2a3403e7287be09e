"""The operator's command over a world in memory."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from botocore.exceptions import ClientError
from click.testing import CliRunner

from osiris.app.full import FullApp
from osiris.cli.operator import Operator
from osiris.cli.root import osiris
from osiris.store.secret_writes import SecretWrites
from osiris.telemetry import Telemetry
from tests.builders import World


class Ssm:
    """Parameters, as boto3's client takes them."""

    def __init__(self) -> None:
        self.put: list[dict[str, Any]] = []

    def get_parameter(self, **asked: Any) -> dict[str, Any]:
        values = [one["Value"] for one in self.put if one["Name"] == asked["Name"]]
        if not values:
            raise ClientError({"Error": {"Code": "ParameterNotFound"}}, "GetParameter")
        return {"Parameter": {"Value": values[-1]}}

    def put_parameter(self, **parameter: Any) -> dict[str, Any]:
        self.put.append(parameter)
        return {"Version": len(self.put)}


class WorldOperator(Operator):
    """An operator of the world, whatever the environment."""

    def __init__(self, world: World) -> None:
        super().__init__({})
        self._world = world
        self.ssm = Ssm()

    def app(self, *needs: str, write: Callable[[str], object] | None = None) -> FullApp:
        app = self._world.app
        if write is not None:
            app.telemetry = Telemetry(write, app.now_ms)
        return app

    def secret_writes(self) -> SecretWrites:
        return SecretWrites(self.ssm, self._world.app.settings)


class Ran(NamedTuple):
    """What a command answered."""

    exit_code: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        """The one document on standard output."""
        return json.loads(self.stdout)


type Run = Callable[..., Ran]


def run_as(operator: WorldOperator, *arguments: str, given: str = "") -> Ran:
    """Run the command with these arguments and this standard input."""
    operator.wants_json = False
    result = CliRunner().invoke(osiris, arguments, obj=operator, input=given)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)
