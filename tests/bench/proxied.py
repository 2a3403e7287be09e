"""One streamed request through the proxy's handler, in a process of its own.

`python proxied.py CERTIFICATE` takes the event from standard input, and prints what happened in
order, and the modules that are then loaded, as JSON.
"""

import json
import os
import sys

import osiris.runtime.__main__  # noqa: F401 - what the function's process loads
from bench.stand_in import HOST, StandIn

MARGIN_MS = 60_000


class Context:
    """What the handler asks of Lambda's context."""

    def get_remaining_time_in_millis(self) -> int:
        """Time enough."""
        return MARGIN_MS


def main() -> None:
    """Serve the event; what the client gets is noted among what the stand-in was asked."""
    event = json.load(sys.stdin)
    stand_in = StandIn(sys.argv[1])
    stand_in.start()
    os.environ["AWS_ENDPOINT_URL"] = f"https://{HOST}:{stand_in.tls_port}"
    import handler  # type: ignore[import-not-found]

    for _ in range(2):
        answer = handler.lambda_handler(event, Context())
        for piece in answer.body:
            stand_in.journal.append("usage leaves" if b'"usage":{' in piece else "text leaves")
    found = {"journal": stand_in.journal, "modules": sorted(sys.modules)}
    sys.stdout.write(json.dumps(found))


main()
