"""How a function's process is started: its command, and all of its environment.

Source: Lambda Developer Guide, "Defined runtime environment variables", and "Modifying the runtime
environment" for wrapper scripts.
"""

import math
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from local.template import Function

_INHERITED = ("PATH", "LANG", "SSL_CERT_FILE")
_DEFAULT_REGION = "us-east-1"


def region_of(environment: Mapping[str, str]) -> str:
    """The region that functions believe to be in."""
    return environment.get("AWS_REGION", _DEFAULT_REGION)


def command(function: Function) -> list[str]:
    """What starts the function's process: the wrapper it names, or the stock runtime client."""
    bootstrap = [sys.executable, "-m", "awslambdaric", function.handler]
    wrapper = function.environment.get("AWS_LAMBDA_EXEC_WRAPPER")
    return bootstrap if wrapper is None else [_on_this_machine(wrapper, function), *bootstrap]


def process_environment(function: Function, given: Mapping[str, str], port: int) -> dict[str, str]:
    """The process's whole environment; nothing else of ours leaks into it.

    `given` is what AWS would give (region, credentials) and where the local cloud is; the
    template's variables go before it, Lambda's own before both.
    """
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    own = {name: _on_this_machine(value, function) for name, value in function.environment.items()}
    folders = [function.code_dir, *function.layer_dirs]
    return {
        **inherited,
        "TZ": ":UTC",
        "PYTHONPATH": os.pathsep.join(str(folder) for folder in folders),
        "AWS_REGION": region_of(given),
        "AWS_DEFAULT_REGION": region_of(given),
        **given,
        **own,
        "_HANDLER": function.handler,
        "LAMBDA_TASK_ROOT": str(function.code_dir),
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
        "AWS_LAMBDA_FUNCTION_NAME": function.id,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.id}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"local/[$LATEST]{port}",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
    }


def _on_this_machine(value: str, function: Function) -> str:
    """A value with the layer's folder on AWS replaced by where the layer lies here."""
    if not function.layer_dirs:
        return value
    return value.replace("/opt/python/", f"{function.layer_dirs[0]}/")


def peak_memory_mb(pid: int) -> int | None:
    """The most memory a process has held resident, in MB; None where the system does not tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return math.ceil(int(line.split()[1]) / 1024)
    return None
