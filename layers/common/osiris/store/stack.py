"""What a deployed stack tells its operator: the settings for the command, by one of its outputs."""

from __future__ import annotations

import shlex
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from osiris.errors import StoreUnavailable
from osiris.settings import SettingMissing

OUTPUT = "OperatorEnvironment"


def operator_environment(client: Any, stack_name: str) -> dict[str, str]:
    """The environment variables that a stack of template.yaml names, over CloudFormation's client.

    Raises SettingMissing when there is no such stack, or it is not one of Osiris.
    """
    try:
        answer = client.describe_stacks(StackName=stack_name)
    except ClientError as error:
        told = error.response.get("Error", {})
        if told.get("Code") == "ValidationError":
            raise SettingMissing(f"No stack here: {told.get('Message')}.") from error
        raise StoreUnavailable(details=f"DescribeStacks: {told.get('Code')}") from error
    except BotoCoreError as error:
        raise StoreUnavailable(details=f"DescribeStacks: {error}") from error
    outputs = {
        output["OutputKey"]: output["OutputValue"]
        for stack in answer["Stacks"]
        for output in stack.get("Outputs", [])
    }
    if OUTPUT not in outputs:
        raise SettingMissing(f"The stack {stack_name} has no output {OUTPUT}: is it Osiris?")
    words = shlex.split(outputs[OUTPUT])
    return dict(word.split("=", 1) for word in words if "=" in word)
