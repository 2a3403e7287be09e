"""Speaks the streaming Runtime API by hand, so that a test can say every byte of it.

The event's body is JSON: `steps`, done one after another, and `gate`, a port of the test.
Each step is an object of one pair:

    write    text     one chunk                     nuls     n      a chunk of n NUL bytes
    fill     n        a chunk of n letters          wait     1      until the test opens the gate
    tell     text     to the test                   sleep_s  n
    print    text     to stdout                     exit     code   end the process at once
    drop     1        close the connection          trailers [errorType, text]
    buffered text     a whole answer instead        error    errorType, before any answer
"""

import base64
import json
import os
import socket
import sys
import time
from typing import Any

API = os.environ["AWS_LAMBDA_RUNTIME_API"]
PREFIX = "/2018-06-01/runtime"
STREAMING = (
    "Lambda-Runtime-Function-Response-Mode: streaming\r\n"
    "Content-Type: application/vnd.awslambda.http-integration-response\r\n"
    "Transfer-Encoding: chunked\r\n"
    "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n"
)


def connect() -> socket.socket:
    host, _, port = API.partition(":")
    return socket.create_connection((host, int(port)))


def read_answer(sock: socket.socket) -> tuple[dict[str, str], bytes]:
    file = sock.makefile("rb")
    file.readline()
    headers = {}
    while line := file.readline().strip():
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    return headers, file.read(int(headers["content-length"]))


def next_invocation() -> tuple[str, dict[str, Any]]:
    with connect() as sock:
        sock.sendall(f"GET {PREFIX}/invocation/next HTTP/1.1\r\nHost: {API}\r\n\r\n".encode())
        headers, body = read_answer(sock)
    return headers["lambda-runtime-aws-request-id"], json.loads(body)


class Run:
    """One invocation: the streamed answer's head goes out with the first chunk."""

    def __init__(self, request_id: str, gate_port: int | None) -> None:
        self._path = f"{PREFIX}/invocation/{request_id}"
        self._stream: socket.socket | None = None
        self._trailers = ""
        self._gate = (
            None if gate_port is None else socket.create_connection(("127.0.0.1", gate_port))
        )

    def end(self) -> None:
        if self._stream is not None:
            self._stream.sendall(f"0\r\n{self._trailers}\r\n".encode())
            read_answer(self._stream)
            self._stream.close()
        if self._gate is not None:
            self._gate.close()

    def write(self, text: str) -> None:
        self._chunk(text.encode())

    def nuls(self, count: int) -> None:
        self._chunk(b"\0" * count)

    def fill(self, count: int) -> None:
        self._chunk(b"x" * count)

    def wait(self, _: int) -> None:
        assert self._gate is not None
        if self._gate.recv(1) != b"g":
            os._exit(3)

    def tell(self, text: str) -> None:
        assert self._gate is not None
        self._gate.sendall(text.encode() + b"\n")

    def sleep_s(self, seconds: float) -> None:
        time.sleep(seconds)

    def print(self, text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def exit(self, code: int) -> None:
        os._exit(code)

    def drop(self, _: int) -> None:
        assert self._stream is not None
        self._stream.close()
        self._stream = None

    def trailers(self, error: list[str]) -> None:
        kind, text = error
        self._trailers = (
            f"Lambda-Runtime-Function-Error-Type: {kind}\r\n"
            f"Lambda-Runtime-Function-Error-Body: {base64.b64encode(text.encode()).decode()}\r\n"
        )

    def buffered(self, text: str) -> None:
        self._post("/response", text.encode())

    def error(self, kind: str) -> None:
        body = json.dumps({"errorType": kind, "errorMessage": "told to fail"})
        self._post("/error", body.encode(), f"Lambda-Runtime-Function-Error-Type: {kind}\r\n")

    def _chunk(self, data: bytes) -> None:
        if self._stream is None:
            self._stream = connect()
            head = f"POST {self._path}/response HTTP/1.1\r\nHost: {API}\r\n{STREAMING}\r\n"
            self._stream.sendall(head.encode())
        self._stream.sendall(b"%x\r\n%b\r\n" % (len(data), data))

    def _post(self, action: str, body: bytes, extra: str = "") -> None:
        with connect() as sock:
            head = f"POST {self._path}{action} HTTP/1.1\r\nHost: {API}\r\n{extra}"
            sock.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            read_answer(sock)


def main() -> None:
    while True:
        request_id, event = next_invocation()
        order = json.loads(event["body"])
        run = Run(request_id, order.get("gate"))
        for step in order["steps"]:
            ((name, value),) = step.items()
            getattr(run, name)(value)
        run.end()


if __name__ == "__main__":
    main()
