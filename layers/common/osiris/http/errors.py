"""Errors as answers, once: before the first byte as JSON, after it as an event of the stream."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from osiris import sse
from osiris.errors import InternalError, OsirisError, TooManyRequests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris.telemetry import Telemetry


def error_json(error: OsirisError) -> dict[str, Any]:
    """OpenAI's form of an error."""
    return {
        "error": {
            "message": error.message,
            "type": error.type,
            "param": error.param,
            "code": error.code,
        }
    }


def error_headers(error: OsirisError) -> list[tuple[str, str]]:
    """What tells a client when, and whether, to try again."""
    headers = []
    if isinstance(error, TooManyRequests):
        headers.append(("Retry-After", str(error.retry_after_s)))
    if error.should_retry is not None:
        headers.append(("X-Should-Retry", "true" if error.should_retry else "false"))
    return headers


def unexpected(error: Exception, telemetry: Telemetry, **facts: Any) -> InternalError:
    """A defect of ours, logged by kind and place: its text may hold what must not be logged."""
    traceback, places = error.__traceback__, []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        places.append(f"{code.co_filename.rpartition('/osiris/')[2]}:{traceback.tb_lineno}")
        traceback = traceback.tb_next
    telemetry.line("internal_error", error=type(error).__name__, places=places[-8:], **facts)
    return InternalError()


def with_errors_in_band(
    body: Iterator[bytes], telemetry: Telemetry, request_id: str
) -> Iterator[bytes]:
    """The stream, ended by an event of its own where an error ends it: its status is out."""
    try:
        yield from body
    except OsirisError as error:
        yield _error_event(error)
    except Exception as error:  # noqa: BLE001 - the edge
        yield _error_event(unexpected(error, telemetry, request_id=request_id))


def _error_event(error: OsirisError) -> bytes:
    return sse.event(json.dumps(error_json(error), separators=(",", ":")).encode())
