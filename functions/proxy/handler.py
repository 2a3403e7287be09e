"""`/v1`: streams answers, so it runs under osiris.runtime (see template.yaml)."""

import os
from typing import Any

from osiris.app.lean import lean_app
from osiris.http.messages import Answer, Request
from osiris.http.v1 import serve

APP = lean_app(os.environ)


def lambda_handler(event: dict[str, Any], context: Any) -> Answer:
    """Answer one REST proxy event."""
    remaining_ms = context.get_remaining_time_in_millis()
    return serve(APP, Request.from_event(event), remaining_ms=remaining_ms)
