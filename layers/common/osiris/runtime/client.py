"""AWS's runtime client, taught to stream.

A handler that returns an `Answer` has it posted piece by piece; every other result, every error
before the first piece, logging, X-Ray and snapshots stay with AWS's code. The next invocation is
asked for only when the answer is wholly written, so the environment is not frozen before.
"""

import gc
import logging
from contextlib import closing
from typing import Any

from awslambdaric.lambda_runtime_client import LambdaRuntimeClient  # type: ignore[import-untyped]
from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller  # type: ignore[import-untyped]

from osiris.http.messages import Answer
from osiris.runtime.post import NotTaken, StreamPost
from osiris.runtime.stream import CONTENT_TYPE, Stream, stream_of

_log = logging.getLogger("osiris.runtime")


class AnswerMarshaller(LambdaMarshaller):  # type: ignore[misc]
    """AWS's marshaller, for which an `Answer` is a stream."""

    def marshal_response(self, response: object) -> tuple[Any, str]:
        """Begin an answer's stream; what fails here becomes AWS's own report of an error."""
        if isinstance(response, Answer):
            return stream_of(response), CONTENT_TYPE
        marshalled: tuple[Any, str] = super().marshal_response(response)
        return marshalled


class StreamingRuntimeClient(LambdaRuntimeClient):  # type: ignore[misc]
    """AWS's client, which posts a stream as one."""

    marshaller = AnswerMarshaller()

    def __init__(self, address: str, *, deadline_margin_ms: int) -> None:
        """Speak to the Runtime API at `address`, "host:port".

        A reader who is slower than the function's deadline is dropped `deadline_margin_ms` before
        it, while there is still time to charge for what was read.
        """
        super().__init__(address)
        self._deadline_margin_ms = deadline_margin_ms
        self._deadline_at_ms = 0

    def wait_next_invocation(self) -> Any:
        """Wait for an invocation, and remember when it has to be done."""
        if not gc.isenabled():
            # The start is over; what it made is never searched for garbage.
            gc.freeze()
            gc.enable()
        invocation = super().wait_next_invocation()
        self._deadline_at_ms = int(invocation.deadline_time_in_ms)
        return invocation

    def post_invocation_result(
        self,
        invoke_id: str,
        result_data: Any,
        content_type: str = "application/json",
        invocation_id: str | None = None,
    ) -> None:
        """Post a stream in streaming mode, anything else as AWS does."""
        if not isinstance(result_data, Stream):
            super().post_invocation_result(invoke_id, result_data, content_type, invocation_id)
            return
        head = [
            f"POST /2018-06-01/runtime/invocation/{invoke_id}/response HTTP/1.1",
            f"Content-Type: {content_type}",
        ]
        if invocation_id:
            head.append(f"Lambda-Runtime-Invocation-Id: {invocation_id}")
        post = StreamPost(
            self.lambda_runtime_address,
            head,
            give_up_at_ms=self._deadline_at_ms - self._deadline_margin_ms,
        )
        # The body is closed first: once the connection is dropped Lambda may freeze us.
        with post, closing(result_data):
            _relay(result_data, post)


def _relay(stream: Stream, post: StreamPost) -> None:
    try:
        status, reply = _pass_on(stream, post)
    except NotTaken as exc:
        _log.error("an answer was not taken to its end: %s", exc)
    else:
        if not 200 <= status < 300:
            _log.error("the Runtime API refused an answer: %d %r", status, reply)


def _pass_on(stream: Stream, post: StreamPost) -> tuple[int, bytes]:
    """Send each piece as it comes; an exception in the middle ends the answer with trailers."""
    post.send(stream.prelude, stream.first)
    while True:
        try:
            piece = next(stream.pieces, None)
        except MemoryError:
            raise
        except Exception as exc:  # noqa: BLE001 - the edge; the status has already been sent
            _log.exception("an answer broke off")
            return post.fail(type(exc).__name__)
        if piece is None:
            return post.finish()
        post.send(piece)
