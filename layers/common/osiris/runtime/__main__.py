"""Serve a function's invocations: `python -m osiris.runtime`, as `exec_wrapper` starts it."""

import gc
import os
import sys

# What a start makes lives as long as the process, so there is no garbage to look for; the client
# turns the search on again before the first invocation.
gc.disable()

from awslambdaric import bootstrap  # type: ignore[import-untyped]  # noqa: E402

from osiris.runtime.client import StreamingRuntimeClient  # noqa: E402
from osiris.settings import from_environ  # noqa: E402


def main() -> None:
    """Run the handler that Lambda names until Lambda ends the process."""
    _search_as_lambda_does()
    # On 3.12 and later AWS's bootstrap waits for invocations in a thread of its own, so that
    # Python's signal handlers run meanwhile. We have none: that saves the thread pool's import
    # and a thread for each invocation.
    client = StreamingRuntimeClient(
        os.environ["AWS_LAMBDA_RUNTIME_API"],
        deadline_margin_ms=from_environ(os.environ, needs=()).deadline_margin_ms,
    )
    bootstrap.run(os.environ["_HANDLER"], client)


def _search_as_lambda_does() -> None:
    """Put the function's code first, then a layer's site-packages, as AWS's bootstrap.py does."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    first = [os.environ["LAMBDA_TASK_ROOT"], f"/opt/python/lib/{version}/site-packages"]
    sys.path[:] = first + [folder for folder in sys.path if folder not in first]


if __name__ == "__main__":
    main()
