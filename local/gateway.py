"""API Gateway on loopback: HTTP in, REST proxy events to functions, their answers out.

A buffered method answers when its function has answered. A streaming one sends each piece as the
function writes it. What goes wrong is answered as API Gateway answers it (see
:mod:`local.gateway_responses`), in the template's words where it has some.

The front as a whole, with functions and schedules, is :class:`local.front.Front`.
"""

import asyncio
import contextlib
import re
import uuid
from collections.abc import Mapping
from email.utils import formatdate

from local import events
from local import gateway_responses as refusals
from local.exchange import NO_BODY, Exchange, Refused, Relay, head_or_refusal, read_prelude
from local.gateway_responses import Refusal
from local.http11 import READER_LIMIT_BYTES, Body, Head, RequestError, read_head
from local.invocations import (
    EventTooLarge,
    FunctionError,
    Invocation,
    Reply,
    Throttled,
    new_trace_id,
)
from local.limits import (
    BODY_BYTES_MAX,
    HEADER_BYTES_MAX,
    RESPONSE_BYTES_MAX,
    URL_CHARACTERS_MAX,
    Patience,
)
from local.pools import Pool
from local.rest_api import Api
from local.routes import Routes, Throttles

# What a refused client may still send before its connection is closed: closing with unread bytes
# would reset the connection, and the client might never see why it was refused.
_LINGER_BYTES_MAX = 16 * 1024 * 1024
_LINGER_S = 2
_TARGET = re.compile(r"/[\x21-\x7e]*")
# A process has 1,024 file descriptors by default, and environments need some of them.
_CONNECTIONS_MAX = 500


class Gateway:
    """Serves one API; `pools` has the environments of each function by its logical id."""

    def __init__(self, api: Api, pools: Mapping[str, Pool], patience: Patience) -> None:
        self._api = api
        self._pools = pools
        self._patience = patience
        self._routes = Routes(api.routes)
        self._throttles = Throttles()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self, port: int) -> None:
        """Listen on 127.0.0.1; port 0 takes a free one. Errors: OSError."""
        self._server = await asyncio.start_server(
            self._connected, "127.0.0.1", port, limit=READER_LIMIT_BYTES, backlog=512
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and every connection; what functions still answer is thrown away."""
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        if self._connections:
            await asyncio.wait(self._connections)
        if self._server is not None:
            self._server.abort_clients()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._connections) >= _CONNECTIONS_MAX:
            writer.close()
            return
        self._connections.add(task)
        try:
            while await self._serve_next(reader, writer):
                pass
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has gone or is too slow, or the front stops
        finally:
            self._connections.discard(task)
            writer.close()

    async def _serve_next(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one request; False when the connection is to be closed."""
        # A client that has gone at once has no name any more; it was on this machine.
        source_ip = (writer.get_extra_info("peername") or ("127.0.0.1",))[0]
        unread = Head("GET", "/", "HTTP/1.1", [])
        exchange = Exchange(unread, str(uuid.uuid4()), new_trace_id(), source_ip, writer)
        try:
            head = await self._read_head(reader)
            if head is None:
                return False
            exchange = exchange._replace(head=head, trace_id=_trace_id(head, exchange.trace_id))
            body = await self._read_body(head, reader, writer)
        except RequestError as exc:
            refusal = refusals.unreadable(exc.status, str(exc))
            if exc.status == 413:
                refusal = refusals.body_too_large(str(exc))
            await self._refuse(exchange, refusal, closes=True)
            await _linger(reader, writer)
            return False
        try:
            return await self._answer(exchange, body)
        except Refused as exc:
            await self._refuse(exchange, exc.refusal)
            return head.keeps_alive

    async def _read_head(self, reader: asyncio.StreamReader) -> Head | None:
        async with asyncio.timeout(self._patience.keep_alive_s):
            first = await reader.read(1)
        if not first:
            return None
        async with asyncio.timeout(self._patience.receive_s):
            head = await read_head(reader, header_bytes_max=HEADER_BYTES_MAX, first=first)
        if head is None:
            return None
        if head.version == "HTTP/1.1" and head.get("host") is None:
            raise RequestError(400, "A Host header is missing.")
        if not _TARGET.fullmatch(head.target):
            raise RequestError(400, "Bad request target.")
        if len(head.target) > URL_CHARACTERS_MAX:
            raise RequestError(414, "Request URI too long.")
        return head

    async def _read_body(
        self, head: Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bytes:
        body = Body(head, reader, receive_timeout_s=self._patience.receive_s)
        too_large = body.length is not None and body.length > BODY_BYTES_MAX
        if (head.get("expect") or "").lower() == "100-continue" and not too_large:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return await body.read(BODY_BYTES_MAX)

    async def _answer(self, exchange: Exchange, body: bytes) -> bool:
        head = exchange.head
        match = self._routes.find(head.method, exchange.path)
        if match is None:
            signed = head.get("authorization") is not None
            raise Refused(refusals.UNSIGNED if signed else refusals.UNKNOWN_ROUTE)
        route = match.route
        if not self._throttles.admits(route):
            raise Refused(refusals.THROTTLED)
        if route.mock is not None:
            headers = [("Content-Type", "application/json"), *route.mock.headers.items()]
            await self._send(exchange, route.mock.status, headers, route.mock.body.encode())
            return head.keeps_alive
        assert route.function is not None
        call = events.Call(
            request_id=exchange.request_id,
            trace_id=exchange.trace_id,
            head=head,
            path=exchange.path,
            query=head.target.partition("?")[2],
            route=route,
            path_parameters=match.path_parameters,
            body=body,
            source_ip=exchange.source_ip,
            stage=self._api.stage,
            api_id=self._api.id,
        )
        invocation = Invocation(events.event(call), trace_id=exchange.trace_id)
        answer = self._stream if route.streams else self._buffer
        try:
            await self._pools[route.function].invoke(invocation)
            return await answer(exchange, invocation.reply, route.timeout_ms / 1000)
        except Throttled as exc:
            raise Refused(refusals.FUNCTION_THROTTLED) from exc
        except EventTooLarge as exc:
            raise Refused(refusals.EVENT_TOO_LARGE) from exc
        finally:
            invocation.reply.abandon()  # the function goes on, whoever still listens

    async def _buffer(self, exchange: Exchange, reply: Reply, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                payload = await reply.read_all()
            if len(payload) > RESPONSE_BYTES_MAX:
                raise events.MalformedAnswer("too large")
            answer, body = events.buffered_answer(payload)
        except TimeoutError as exc:
            raise Refused(refusals.TIMED_OUT) from exc
        except (FunctionError, events.MalformedAnswer) as exc:
            raise Refused(refusals.FUNCTION_FAILED) from exc
        headers = events.client_headers(answer.headers)
        headers = [pair for pair in headers if pair[0].lower() != "content-length"]
        headers.append(("X-Amzn-Trace-Id", exchange.trace_id))
        await self._send(exchange, answer.status, headers, body)
        return exchange.head.keeps_alive

    async def _stream(self, exchange: Exchange, reply: Reply, timeout_s: float) -> bool:
        deadline_s = asyncio.get_running_loop().time() + timeout_s
        try:
            async with asyncio.timeout_at(deadline_s):
                metadata, first = await read_prelude(reply, idle_s=self._patience.stream_idle_s)
            answer = events.prelude(metadata)
        except TimeoutError as exc:
            raise Refused(refusals.TIMED_OUT) from exc
        except FunctionError as exc:
            raise Refused(refusals.FUNCTION_FAILED) from exc
        except events.MalformedAnswer as exc:
            raise Refused(refusals.STREAM_MALFORMED) from exc
        relay = Relay(exchange, answer, self._patience.stream_idle_s)
        relay.begin(self._own_headers(exchange))
        try:
            async with asyncio.timeout_at(deadline_s):
                return await relay.run(first, reply)
        except (FunctionError, TimeoutError):
            # The status has gone out; a body without its proper end is all that can be said now.
            return False

    async def _refuse(self, exchange: Exchange, refusal: Refusal, *, closes: bool = False) -> None:
        context = {
            "requestId": exchange.request_id,
            "extendedRequestId": exchange.request_id,
            "httpMethod": exchange.head.method,
            "path": exchange.path,
            "resourcePath": exchange.path,
            "stage": self._api.stage,
            "apiId": self._api.id,
            "identity.sourceIp": exchange.source_ip,
        }
        status, headers, body = refusals.render(refusal, self._api.gateway_responses, context)
        if closes:
            headers.append(("Connection", "close"))
        await self._send(exchange, status, headers, body)

    async def _send(
        self, exchange: Exchange, status: int, headers: list[tuple[str, str]], body: bytes
    ) -> None:
        headers = [*self._own_headers(exchange), *headers]
        if status in NO_BODY:
            body = b""
        else:
            headers.append(("Content-Length", str(len(body))))
        if exchange.head.method == "HEAD":
            body = b""
        exchange.writer.write(head_or_refusal(status, headers) + body)
        async with asyncio.timeout(self._patience.stream_idle_s):
            await exchange.writer.drain()

    def _own_headers(self, exchange: Exchange) -> list[tuple[str, str]]:
        """What API Gateway puts on every answer."""
        headers = [
            ("Date", formatdate(usegmt=True)),
            ("x-amzn-RequestId", exchange.request_id),
            ("x-amz-apigw-id", exchange.request_id),
        ]
        if not exchange.head.keeps_alive:
            headers.append(("Connection", "close"))
        return headers


def _trace_id(head: Head, fresh: str) -> str:
    given = head.get("x-amzn-trace-id") or ""
    return given if "Root=" in given else fresh


async def _linger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Let a refused client finish sending, within bounds, so that it reads why."""
    with contextlib.suppress(OSError, TimeoutError):
        writer.write_eof()
        left = _LINGER_BYTES_MAX
        async with asyncio.timeout(_LINGER_S):
            while left > 0 and (piece := await reader.read(READER_LIMIT_BYTES)):
                left -= len(piece)
