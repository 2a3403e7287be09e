"""The Lambda Runtime API of one environment (version 2018-06-01), on a port of its own.

The function process asks for an invocation, posts its answer, and asks again; that question is
what makes it idle. Source: Lambda Developer Guide, "Using the Lambda runtime API" and "Building a
custom runtime" (response streaming: chunked, with two trailers for an error in the middle).
"""

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import Callable

from local.http11 import Body, Head, RequestError, head_bytes, read_head
from local.invocations import FunctionError, Invocation
from local.limits import RESPONSE_BYTES_MAX, STREAM_BYTES_MAX

_PREFIX = "/2018-06-01/runtime"
# The runtime client sends an X-Ray error cause, with its traceback, in a header. The reader holds
# up to twice its limit, which a slow client's function can fill.
_HEADER_BYTES_MAX = 256 * 1024
_READER_LIMIT_BYTES = _HEADER_BYTES_MAX + 1024
_PIECE_BYTES = 64 * 1024
# A process can connect, send and end before its connection has been accepted here.
_ACCEPT_S = 0.02
_ERROR_BYTES_MAX = 6 * 1024 * 1024
_TYPE_HEADER = "lambda-runtime-function-error-type"
_BODY_HEADER = "lambda-runtime-function-error-body"

_Answer = tuple[int, list[tuple[str, str]], bytes]


class RuntimeApi:
    """Serves one function process. `on_idle` is called whenever it asks for an invocation."""

    def __init__(
        self,
        *,
        function_arn: str,
        timeout_s: float,
        on_idle: Callable[[], None],
        on_init_error: Callable[[FunctionError], None],
    ) -> None:
        self._function_arn = function_arn
        self._timeout_s = timeout_s
        self._on_idle = on_idle
        self._on_init_error = on_init_error
        self._next: asyncio.Future[Invocation] | None = None
        self._current: Invocation | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._process_ended = False
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(
            self._connected, "127.0.0.1", 0, limit=_READER_LIMIT_BYTES
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await self.drain()
        if self._server is not None:
            self._server.abort_clients()

    async def drain(self) -> None:
        """Wait until everything that the process sent has been read; it has ended by now."""
        self._process_ended = True
        await asyncio.sleep(_ACCEPT_S)
        if self._next is not None:
            self._next.cancel()
        while self._connections:
            await asyncio.wait(self._connections)

    def hand_out(self, invocation: Invocation) -> None:
        """Answer the waiting process with an invocation."""
        assert self._next is not None, "the environment is not idle"
        self._current = invocation
        self._next.set_result(invocation)
        self._next = None

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the process has gone, and its end is seen elsewhere
        finally:
            self._connections.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        try:
            head = await read_head(reader, header_bytes_max=_HEADER_BYTES_MAX)
            if head is None:
                return False
            body = Body(head, reader)
            status, headers, content = await self._answer(head, body)
            alive = head.keeps_alive
        except RequestError as exc:
            status, headers, content = _error(exc.status, "InvalidRequest", str(exc))
            alive = False
        headers.append(("Content-Length", str(len(content))))
        writer.write(head_bytes(status, headers) + content)
        await writer.drain()
        return alive

    async def _answer(self, head: Head, body: Body) -> _Answer:
        match (head.method, head.target.removeprefix(_PREFIX).split("/")):
            case ("GET", ["", "invocation", "next"]):
                return await self._take_next()
            case ("POST", ["", "invocation", request_id, "response"]):
                return await self._take_response(request_id, head, body)
            case ("POST", ["", "invocation", request_id, "error"]):
                return await self._take_error(request_id, head, body)
            case ("POST", ["", "init", "error"]):
                payload = await body.read(_ERROR_BYTES_MAX)
                self._on_init_error(FunctionError(_kind(head, payload), payload))
                return _accepted()
        await body.read(_ERROR_BYTES_MAX)
        return _error(404, "NotFound", "no such path")

    async def _take_next(self) -> _Answer:
        if self._process_ended:
            raise ConnectionError("the process asked just before its end")
        if self._next is not None:
            return _error(403, "InvalidStateTransition", "already waiting for an invocation")
        if self._current is not None and not self._current.reply.ended:
            message = "the function asked for the next invocation before it answered this one"
            self._current.reply.end(FunctionError.of("Runtime.NoResponse", message))
        self._current = None
        self._next = asyncio.get_running_loop().create_future()
        waiting = self._next
        self._on_idle()
        invocation = await waiting
        deadline_ms = int((time.time() + self._timeout_s) * 1000)
        headers = [
            ("Content-Type", "application/json"),
            ("Lambda-Runtime-Aws-Request-Id", invocation.id),
            ("Lambda-Runtime-Invocation-Id", invocation.token),
            ("Lambda-Runtime-Deadline-Ms", str(deadline_ms)),
            ("Lambda-Runtime-Invoked-Function-Arn", self._function_arn),
            ("Lambda-Runtime-Trace-Id", invocation.trace_id),
        ]
        return 200, headers, invocation.event

    async def _take_response(self, request_id: str, head: Head, body: Body) -> _Answer:
        invocation = self._answered(request_id, head)
        if invocation is None:
            await body.read(STREAM_BYTES_MAX)
            return _error(400, "InvalidRequestID", "no such invocation is open")
        if head.get("lambda-runtime-function-response-mode") == "streaming":
            return await _stream(invocation, body)
        try:
            payload = await body.read(RESPONSE_BYTES_MAX)
        except RequestError as exc:
            if exc.status != 413:
                raise
            message = f"Exceeded maximum allowed payload size ({RESPONSE_BYTES_MAX} bytes)."
            invocation.reply.end(FunctionError.of("Function.ResponseSizeTooLarge", message))
            return _error(413, "RequestEntityTooLarge", message)
        for start in range(0, len(payload), _PIECE_BYTES):
            await invocation.reply.write(payload[start : start + _PIECE_BYTES])
        invocation.reply.end()
        return _accepted()

    async def _take_error(self, request_id: str, head: Head, body: Body) -> _Answer:
        payload = await body.read(_ERROR_BYTES_MAX)
        invocation = self._answered(request_id, head)
        if invocation is None:
            return _error(400, "InvalidRequestID", "no such invocation is open")
        invocation.reply.end(FunctionError(_kind(head, payload), payload))
        return _accepted()

    def _answered(self, request_id: str, head: Head) -> Invocation | None:
        """The invocation that an answer belongs to; None when it is over or another one's."""
        current = self._current
        if current is None or current.id != request_id or current.reply.ended:
            return None
        return (
            current if head.get("lambda-runtime-invocation-id") in (None, current.token) else None
        )


async def _stream(invocation: Invocation, body: Body) -> _Answer:
    """Pass a streamed answer on as it arrives.

    What API Gateway does with error trailers is not documented; here they cut the client's stream,
    like every other failure in the middle, so that nobody takes half an answer for a whole one.
    """
    reply, size = invocation.reply, 0
    try:
        async for piece in body.pieces():
            size += len(piece)
            if size <= STREAM_BYTES_MAX:
                await reply.write(piece)
    except (RequestError, OSError, asyncio.IncompleteReadError):
        reply.end(FunctionError.of("Runtime.TruncatedResponse", "The response stream was cut."))
        raise
    if size > STREAM_BYTES_MAX:
        message = f"Exceeded maximum allowed payload size ({STREAM_BYTES_MAX} bytes)."
        reply.end(FunctionError.of("Function.ResponseSizeTooLarge", message))
        return _error(413, "RequestEntityTooLarge", message)
    kind = body.trailers.get(_TYPE_HEADER)
    if kind is not None:
        payload = base64.b64decode(body.trailers.get(_BODY_HEADER, ""))
        reply.end(FunctionError(kind, payload))
    reply.end()
    return _accepted()


def _kind(head: Head, payload: bytes) -> str:
    """Lambda's errorType: of the header, or of the payload as the stock runtime client has it."""
    kind = head.get(_TYPE_HEADER)
    if kind is None:
        with contextlib.suppress(ValueError, AttributeError):
            kind = json.loads(payload).get("errorType")
    return str(kind or "Runtime.Unknown")


def _accepted() -> _Answer:
    return 202, [("Content-Type", "application/json")], b'{"status":"OK"}\n'


def _error(status: int, kind: str, message: str) -> _Answer:
    content = json.dumps({"errorType": kind, "errorMessage": message}).encode()
    return status, [("Content-Type", "application/json")], content
