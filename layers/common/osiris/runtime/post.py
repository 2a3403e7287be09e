"""The POST of one streamed answer to Lambda's Runtime API, on a socket of its own.

http.client can't send trailers, and trailers are how an error after the first byte is told.
Source: "Building a custom runtime", section "Response streaming", AWS Lambda Developer Guide,
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html
"""

import json
import socket
from binascii import b2a_base64
from time import time_ns
from typing import Self

# After the give-up time an end that is short and ready must still reach a reader who reads.
_GRACE_MS = 1000
# The Runtime API's answer is a few words of JSON; more of it is not read.
_REPLY_BYTES_MAX = 4096


class NotTaken(Exception):
    """The Runtime API did not take what was sent: too slow a reader, or a broken connection."""


class StreamPost:
    """One chunked POST, from its headers to the Runtime API's answer."""

    def __init__(self, address: str, head: list[str], *, give_up_at_ms: int) -> None:
        """Prepare a POST to `address`, "host:port", whose request line and headers are `head`.

        The connection is made by the first `send`. A send that is not through by `give_up_at_ms`
        (epoch) is given up. There is no other timeout: AWS wants none on the Runtime API.
        """
        self._address = address
        self._head = "\r\n".join([*head, f"Host: {address}", *_STREAMING, "", ""]).encode("ascii")
        self._give_up_at_ms = give_up_at_ms
        self._sock: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._sock:
            self._sock.close()

    def send(self, *pieces: bytes) -> None:
        """Send the pieces, each a chunk, at once; NotTaken when they don't get through."""
        self._send(b"".join([b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece]))

    def finish(self) -> tuple[int, bytes]:
        """End the answer and return the Runtime API's status and words; NotTaken without any."""
        self._send(b"0\r\n\r\n")
        return self._reply()

    def fail(self, error_type: str) -> tuple[int, bytes]:
        """End the answer as one that broke off, and return as `finish` does.

        The trailers carry the error's type alone: nobody outside needs to know more than the log.
        """
        error = {"errorType": error_type, "errorMessage": "The answer broke off; see the log."}
        self._send(
            b"0\r\n"
            b"Lambda-Runtime-Function-Error-Type: %b\r\n"
            b"Lambda-Runtime-Function-Error-Body: %b\r\n\r\n"
            % (
                error_type.encode("ascii", "replace"),
                b2a_base64(json.dumps(error).encode(), newline=False),
            )
        )
        return self._reply()

    def _send(self, data: bytes) -> None:
        try:
            sock = self._sock or self._connect()
            data, self._head = self._head + data, b""
            # As a rule there is room, and then one call without a timeout's bookkeeping does it.
            sent = _send_now(sock, data)
            if sent < len(data):
                left_ms = self._give_up_at_ms - time_ns() // 1_000_000
                sock.settimeout(max(left_ms, _GRACE_MS) / 1000)
                sock.sendall(memoryview(data)[sent:])
                sock.settimeout(None)
        except TimeoutError as exc:
            raise NotTaken("the reader is too slow") from exc
        except OSError as exc:
            raise NotTaken(f"the connection broke: {exc}") from exc

    def _connect(self) -> socket.socket:
        host, _, port = self._address.rpartition(":")
        self._sock = socket.create_connection((host, int(port)))
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._sock

    def _reply(self) -> tuple[int, bytes]:
        """The answer's status and what else came with it; the connection is not used again."""
        assert self._sock
        reply = b""
        try:
            while b"\r\n\r\n" not in reply and len(reply) < _REPLY_BYTES_MAX:
                piece = self._sock.recv(_REPLY_BYTES_MAX)
                if not piece:
                    break
                reply += piece
        except OSError as exc:
            raise NotTaken(f"the connection broke: {exc}") from exc
        _, _, status = reply[: len("HTTP/1.1 202")].partition(b" ")
        if not status.isdigit():
            raise NotTaken("the connection ended without an answer")
        return int(status), reply


_STREAMING = (
    "Lambda-Runtime-Function-Response-Mode: streaming",
    "Transfer-Encoding: chunked",
    "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
)


def _send_now(sock: socket.socket, data: bytes) -> int:
    """Send what the socket has room for."""
    try:
        return sock.send(data, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return 0
