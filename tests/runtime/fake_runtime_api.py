"""Lambda's Runtime API on a real loopback socket, which tells a test what arrived and when.

Source: "Using the Lambda runtime API", AWS Lambda Developer Guide,
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import contextlib
import json
import queue
import socket
import threading
import time
from typing import Any, BinaryIO, Self

_PREFIX = "/2018-06-01/runtime/"
_WAIT_S = 30


class Invocation:
    """One invocation and what the runtime posts for it."""

    def __init__(self, number: int, event: object, deadline_at_ms: int, reply: int) -> None:
        self.id = f"invocation-{number}"
        self.token = f"token-{number}"
        self.body = json.dumps(event).encode()
        self.deadline_at_ms = deadline_at_ms
        self.reply = reply
        self.kind = ""
        self.headers: dict[str, str] = {}
        self.trailers: dict[str, str] = {}
        # What arrives: each chunk, or the one body; None at the proper end, "cut" at a cut.
        self.arrived: queue.Queue[bytes | str | None] = queue.Queue()
        # The reader takes nothing until this is set.
        self.reads = threading.Event()
        self.reads.set()

    def next(self) -> bytes | str | None:
        """The next thing to arrive."""
        return self.arrived.get(timeout=_WAIT_S)

    def all(self) -> bytes:
        """Everything up to the proper end."""
        whole = b""
        while (piece := self.next()) is not None:
            assert isinstance(piece, bytes), piece
            whole += piece
        return whole


class FakeRuntimeApi:
    """Serves one runtime process."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.init_errors: queue.Queue[tuple[dict[str, str], Any]] = queue.Queue()
        self._asked = threading.Semaphore(0)
        self._waiting: queue.Queue[Invocation | None] = queue.Queue()
        self._invocations: dict[str, Invocation] = {}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]

    @property
    def address(self) -> str:
        """As in AWS_LAMBDA_RUNTIME_API."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        for invocation in self._invocations.values():
            invocation.reads.set()
        self._waiting.put(None)
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def invoke(
        self, event: object, *, left_ms: int = 60_000, reply: int = 202, reads: bool = True
    ) -> Invocation:
        """Hand out an invocation once the runtime asks for one."""
        deadline_at_ms = time.time_ns() // 1_000_000 + left_ms
        invocation = Invocation(len(self._invocations), event, deadline_at_ms, reply)
        if not reads:
            invocation.reads.clear()
        self._invocations[invocation.id] = invocation
        self._waiting.put(invocation)
        return invocation

    def wait_until_asked(self) -> None:
        """Wait until the runtime asks for an invocation once more than this was called before."""
        assert self._asked.acquire(timeout=_WAIT_S)

    def _accept(self) -> None:
        while True:
            try:
                sock = self._listener.accept()[0]
            except OSError:
                return
            self._sockets.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        with sock, sock.makefile("rb") as stream, contextlib.suppress(OSError):
            while request_line := stream.readline().decode():
                method, target, _ = request_line.split(" ")
                self._answer(sock, stream, method, target.removeprefix(_PREFIX))

    def _answer(self, sock: socket.socket, stream: BinaryIO, method: str, target: str) -> None:
        headers = _headers(stream)
        self.calls.append(f"{method} {target}")
        match target.split("/"):
            case ["invocation", "next"]:
                self._asked.release()
                self._hand_out(sock)
            case ["invocation", invoke_id, ("response" | "error") as kind]:
                invocation = self._invocations[invoke_id]
                invocation.kind, invocation.headers = kind, headers
                invocation.reads.wait(_WAIT_S)
                if _read(stream, invocation):
                    _reply(sock, invocation.reply, {}, b'{"status":"OK"}')
                    invocation.arrived.put(None)
            case ["init", "error"]:
                body = stream.read(int(headers["content-length"]))
                _reply(sock, 202, {}, b"{}")
                self.init_errors.put((headers, json.loads(body)))

    def _hand_out(self, sock: socket.socket) -> None:
        invocation = self._waiting.get()
        if invocation is None:
            return
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": invocation.id,
            "Lambda-Runtime-Invocation-Id": invocation.token,
            "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_at_ms),
            "Lambda-Runtime-Trace-Id": f"Root=1-{invocation.id}",
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:x:1:function:f",
        }
        _reply(sock, 200, headers, invocation.body)


def _headers(stream: BinaryIO) -> dict[str, str]:
    headers = {}
    while (line := stream.readline().decode().rstrip("\r\n")) != "":
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return headers


def _read(stream: BinaryIO, invocation: Invocation) -> bool:
    """Put what arrives where the test takes it; False when it was cut."""
    if invocation.headers.get("transfer-encoding") != "chunked":
        invocation.arrived.put(stream.read(int(invocation.headers["content-length"])))
        return True
    try:
        while size := int(stream.readline(), 16):
            chunk = stream.read(size)
            if stream.read(2) != b"\r\n":
                break
            invocation.arrived.put(chunk)
        else:
            invocation.trailers = _headers(stream)
            return True
    except (ValueError, OSError):
        pass
    invocation.arrived.put("cut")
    return False


def _reply(sock: socket.socket, status: int, headers: dict[str, str], body: bytes) -> None:
    lines = [f"HTTP/1.1 {status} X", *[f"{name}: {value}" for name, value in headers.items()]]
    lines += [f"Content-Length: {len(body)}", "", ""]
    sock.sendall("\r\n".join(lines).encode() + body)
