"""DynamoDB, SSM and an upstream in one server: `python -m bench.stand_in CERTIFICATE`.

It prints its two ports (TLS, plain) and serves until its standard input ends. Each connection has
a thread; each event of a stream is sent by itself, so it is a TLS record of its own, and as fast as
the reader takes it.
"""

import contextlib
import json
import socket
import ssl
import sys
import threading
from typing import Any
from zlib import crc32

from bench import answers

HOST = "127.0.0.1"

_READ_BYTES = 256 * 1024
_DYNAMODB_HEAD = (
    "HTTP/1.1 200 OK\r\nServer: Server\r\nDate: Tue, 24 Nov 2026 10:00:00 GMT\r\n"
    "Content-Type: application/x-amz-json-1.0\r\nContent-Length: {length}\r\n"
    "Connection: keep-alive\r\n"
    "x-amzn-RequestId: QK3VSJ2L8C5F9N1H7D4G6T0RBVVV4KQNSO5AEMVJF66Q9ASUAAJG\r\n"
    "x-amz-crc32: {crc}\r\n\r\n"
)
_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nDate: Tue, 24 Nov 2026 10:00:00 GMT\r\n"
    b"Content-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n"
    b"Connection: keep-alive\r\nopenai-organization: an-organization\r\n"
    b"openai-processing-ms: 312\r\nopenai-version: 2020-10-01\r\n"
    b"x-ratelimit-limit-requests: 10000\r\nx-ratelimit-limit-tokens: 2000000\r\n"
    b"x-ratelimit-remaining-requests: 9999\r\nx-ratelimit-remaining-tokens: 1999500\r\n"
    b"x-request-id: req_0123456789abcdef0123456789abcdef\r\n"
    b"strict-transport-security: max-age=31536000; includeSubDomains; preload\r\n"
    b"cf-cache-status: DYNAMIC\r\nServer: cloudflare\r\nX-Content-Type-Options: nosniff\r\n\r\n"
)


class StandIn:
    """Both listeners and what came in, in order: operations of AWS, and "upstream"."""

    def __init__(self, certificate: str | None) -> None:
        """Without a certificate the TLS port speaks to nobody."""
        self.journal: list[str] = []
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if certificate:
            self._tls.load_cert_chain(certificate)
        self._listeners = [socket.create_server((HOST, 0)) for _ in range(2)]
        self.tls_port, self.plain_port = [sock.getsockname()[1] for sock in self._listeners]
        self._base_urls = {
            answers.MODELS[0]: f"https://{HOST}:{self.tls_port}/v1",
            answers.MODELS[1]: f"http://{HOST}:{self.plain_port}/v1",
        }

    def start(self) -> None:
        """Accept connections from now on, in threads that end with the process."""
        for listener, tls in zip(self._listeners, (self._tls, None), strict=True):
            threading.Thread(target=self._accept, args=(listener, tls), daemon=True).start()

    def close(self) -> None:
        """Accept no more."""
        for listener in self._listeners:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _accept(self, listener: socket.socket, tls: ssl.SSLContext | None) -> None:
        while True:
            try:
                sock = listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock, tls), daemon=True).start()

    def _serve(self, sock: socket.socket, tls: ssl.SSLContext | None) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError), sock:
            if tls:
                sock = tls.wrap_socket(sock, server_side=True)
            with sock:
                while request := _request(sock):
                    self._answer(sock, *request)

    def _answer(self, sock: socket.socket, headers: dict[str, str], body: bytes) -> None:
        payload = json.loads(body)
        _, _, operation = headers.get("x-amz-target", "").partition(".")
        self.journal.append(operation or "upstream")
        if not operation:
            _stream(sock, payload["max_tokens"])
            return
        if operation == "GetParameter":
            value = {"Name": payload["Name"], "Type": "SecureString", "Value": "sk-upstream"}
            answer: dict[str, Any] = {"Parameter": value}
        else:
            answer = answers.dynamodb(operation, payload, self._base_urls)
        text = json.dumps(answer, separators=(",", ":")).encode()
        head = _DYNAMODB_HEAD.format(length=len(text), crc=crc32(text))
        sock.sendall(head.encode() + text)


def _request(sock: socket.socket) -> tuple[dict[str, str], bytes] | None:
    """The next request's headers and body; None when the client has gone."""
    held = b""
    while (end := held.find(b"\r\n\r\n")) < 0:
        piece = sock.recv(_READ_BYTES)
        if not piece:
            return None
        held += piece
    lines = held[:end].decode("latin-1").split("\r\n")[1:]
    headers = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    body = held[end + 4 :]
    while len(body) < int(headers.get("content-length", 0)):
        body += sock.recv(_READ_BYTES)
    return headers, body


def _stream(sock: socket.socket, tokens: int) -> None:
    chunks = [b"%x\r\n%b\r\n" % (len(event), event) for event in answers.events(tokens)]
    sock.sendall(_STREAM_HEAD)
    for chunk in chunks:
        sock.sendall(chunk)
    sock.sendall(b"0\r\n\r\n")


def main() -> None:
    """Serve until standard input ends."""
    stand_in = StandIn(sys.argv[1])
    stand_in.start()
    print(stand_in.tls_port, stand_in.plain_port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
