"""One request and its answer: read, record, then refuse, answer or end as was wished for."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from local.upstream import anthropic_wire, openai_wire, refusals
from local.upstream.answer import Answer, answer_to
from local.upstream.line import ClientLeft, Line
from local.upstream.recording import RecordedRequest
from local.upstream.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from http.server import BaseHTTPRequestHandler

    from local.upstream.steering import Steering

NATIVE_PATH = "/v1/messages"
_BODY_BYTES_MAX = 32 * 1024 * 1024  # Anthropic's limit for a request, the largest of the three


class Exchange:
    """One request on a connection. `number` counts the server's requests."""

    def __init__(self, handler: BaseHTTPRequestHandler, *, number: int, keep_alive_ms: int) -> None:
        self._handler = handler
        self._line = Line(handler.connection)
        self._keep_alive_ms = keep_alive_ms
        self._has_head = False
        self.request_id = f"req_sim{number:08}"
        self.path = handler.path.partition("?")[0]
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        is_listing = handler.command == "GET" and "anthropic-version" in self.headers
        self.is_native = self.path == NATIVE_PATH or is_listing
        self.flavour = "anthropic" if self.is_native else "openai"
        self.record = RecordedRequest(
            handler.command,
            handler.path,
            self.headers,
            b"",
            client_port=handler.client_address[1],
        )

    def serve(
        self, route: Callable[[Exchange], None], recorded: Callable[[RecordedRequest], None]
    ) -> None:
        """Read the request, have it recorded, and let `route` answer it."""
        try:
            refusal = self._read()
            recorded(self.record)
            refusal = refusal or refusals.refused_secret(self.headers)
            if refusal is None:
                route(self)
            else:
                self.refuse(refusal)
        except ClientLeft:
            self._handler.close_connection = True
            self.record.end("client_left")

    def _read(self) -> Refusal | None:
        length = self.headers.get("content-length", "0" if self._handler.command == "GET" else "")
        if not length.isdecimal():
            self._handler.close_connection = True
            return Refusal(411, "Content-Length is required")
        if int(length) > _BODY_BYTES_MAX:
            self._handler.close_connection = True
            return Refusal(413, "Request exceeds the maximum size")
        raw = self._handler.rfile.read(int(length))
        self.record.raw_body = raw
        with contextlib.suppress(ValueError):
            self.record.body = json.loads(raw)
        if not self.is_native and isinstance(self.record.body, dict):
            self.flavour = refusals.flavour_of(self.record.body.get("model"))
        return None

    def refuse(self, refusal: Refusal) -> None:
        """Send an error in the upstream's shape."""
        self.record.end("refused")
        self.send_json(
            refusal.status, self._error_body(refusal), extra=refusals.headers_of(refusal)
        )

    def _error_body(self, refusal: Refusal) -> dict[str, Any]:
        return refusals.body_of(
            refusal, flavour=self.flavour, request_id=self.request_id, is_native=self.is_native
        )

    def answer(self, steering: Steering) -> None:
        """Generate, and end in the way that was wished for."""
        if steering.status is not None and steering.cut_chunks is None:
            self._silence(steering.first_ms or 0)
            self.refuse(refusals.wished(steering.status))
            return
        if steering.cut_chunks == -1:
            self._cut()
            return
        if steering.stall and steering.first_ms is not None:
            self._line.wait(None)
        answer = answer_to(self.record.body, self.record.raw_body, steering, flavour=self.flavour)
        if self.record.body.get("stream") is True:
            self._stream(answer)
        else:
            self._whole(answer)

    def _stream(self, answer: Answer) -> None:
        wishes = answer.steering
        self._send_head(200, "text/event-stream; charset=utf-8", [("Transfer-Encoding", "chunked")])
        wire = anthropic_wire if self.is_native else openai_wire
        end_at = 0 if wishes.stall and wishes.cut_chunks is None else wishes.cut_chunks
        if end_at == 0:
            self._end_early(wishes)
            return
        self._silence(wishes.first_ms or 0, is_first=True)
        if self._relay(wire.events_of(answer), wishes.delay_ms, end_at):
            self.record.end("complete")
            self._line.send(b"0\r\n\r\n")
        else:
            self._end_early(wishes)

    def _relay(
        self, events: Iterator[openai_wire.Event], delay_ms: int, end_at: int | None
    ) -> bool:
        """Send the events; False when it is time to end early."""
        record = self.record
        for event in events:
            if record.pieces_sent == end_at:
                return False
            if event.is_piece:
                if delay_ms and record.pieces_sent:
                    self._silence(delay_ms)
                record.pieces_sent += 1
            self._line.send_chunk(event.data)
        return True

    def _end_early(self, wishes: Steering) -> None:
        if wishes.stall:
            self._line.wait(None)
        if wishes.status is None:
            self._cut()
            return
        error = json.dumps(self._error_body(refusals.wished(wishes.status)))
        head = "event: error\n" if self.is_native else ""
        self.record.end("failed")
        self._line.send_chunk(f"{head}data: {error}\n\n".encode())
        self._line.send(b"0\r\n\r\n")

    def _whole(self, answer: Answer) -> None:
        """An answer in one piece, which takes as long as its chunks would."""
        wishes = answer.steering
        wire = anthropic_wire if self.is_native else openai_wire
        body = json.dumps(wire.body_of(answer)).encode()
        chunks = -(-answer.tokens // wishes.chunk_tokens)
        wait_ms = (wishes.first_ms or 0) + wishes.delay_ms * max(0, chunks - 1)
        if answer.flavour == "deepseek":
            self._send_head(200, "application/json", [("Transfer-Encoding", "chunked")])
            self._silence(wait_ms, is_first=True)
            self._finish_whole(wishes, body, is_chunked=True)
            return
        if not wishes.stall:
            self._silence(wait_ms)
        self._send_head(200, "application/json", [("Content-Length", str(len(body)))])
        self._finish_whole(wishes, body, is_chunked=False)

    def _finish_whole(self, wishes: Steering, body: bytes, *, is_chunked: bool) -> None:
        send = self._line.send_chunk if is_chunked else self._line.send
        if wishes.cut_chunks is not None:
            if wishes.cut_chunks:
                send(body[: len(body) // 2])
            self._cut()
            return
        if wishes.stall:
            self._line.wait(None)
        self.record.end("complete")
        send(body)
        if is_chunked:
            self._line.send(b"0\r\n\r\n")

    def _silence(self, wait_ms: int, *, is_first: bool = False) -> None:
        """Wait; DeepSeek shows that it lives, at once and then every so often."""
        if self.flavour == "deepseek" and self._has_head:
            sign = b": keep-alive\n\n" if self.record.body.get("stream") is True else b"\n"
            if is_first and wait_ms:
                self._line.send_chunk(sign)
            while wait_ms > self._keep_alive_ms:
                self._line.wait(self._keep_alive_ms)
                self._line.send_chunk(sign)
                wait_ms -= self._keep_alive_ms
        self._line.wait(wait_ms)

    def _cut(self) -> None:
        self.record.end("cut")
        self._handler.close_connection = True
        self._line.cut()

    def send_json(
        self, status: int, value: dict[str, Any], *, extra: list[tuple[str, str]] | None = None
    ) -> None:
        """A whole answer, head and body."""
        body = json.dumps(value).encode()
        length = ("Content-Length", str(len(body)))
        self._send_head(status, "application/json", [length, *(extra or [])])
        self._line.send(body)

    def _send_head(self, status: int, content_type: str, extra: list[tuple[str, str]]) -> None:
        handler = self._handler
        handler.send_response(status)
        handler.send_header("Content-Type", content_type)
        id_name = "request-id" if self.flavour == "anthropic" else "x-request-id"
        handler.send_header(id_name, self.request_id)
        for name, value in extra:
            handler.send_header(name, value)
        if handler.close_connection:
            handler.send_header("Connection", "close")
        try:
            handler.end_headers()
        except OSError as exc:
            raise ClientLeft from exc
        self._has_head = True
