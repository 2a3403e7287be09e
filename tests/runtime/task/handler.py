"""The function that the runtime's tests run: each event says what to do."""

import os
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

import osiris
from osiris.http.messages import Answer


def lambda_handler(event: dict[str, Any], context: Any) -> object:
    """Do what the event names."""
    return globals()[event["do"]](event, context)


def plain(event: dict[str, Any], context: Any) -> object:
    """A result that is no `Answer`."""
    return {"event": event, "id": context.aws_request_id}


def process(_event: dict[str, Any], _context: Any) -> object:
    """What the process looks like from inside."""
    return {
        "pid": os.getpid(),
        "path": sys.path,
        "osiris": osiris.__file__,
        "argv": sys.argv,
        "trace": os.environ["_X_AMZN_TRACE_ID"],
        "client": "boto3" in sys.modules,
    }


def pieces(event: dict[str, Any], _context: Any) -> object:
    """The pieces of the event, as a tuple."""
    headers = [(name, value) for name, value in event.get("headers", [])]
    return Answer(event.get("status", 200), headers, tuple(p.encode() for p in event["pieces"]))


def fails(_event: dict[str, Any], _context: Any) -> object:
    """An exception in the handler itself."""
    raise LookupError("not in the handler")


def exits(_event: dict[str, Any], _context: Any) -> object:
    """The end of the process, asked for in the handler."""
    sys.exit(3)


class Body:
    """Pieces that the test lets out one by one, over a socket; it also hears of the close."""

    def __init__(self, event: dict[str, Any], make: Callable[["Body"], Iterator[bytes]]) -> None:
        self.gate = socket.create_connection(("127.0.0.1", event["gate"]))
        self._pieces = make(self)

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def wait(self) -> None:
        """Wait for the test's word."""
        assert self.gate.recv(1)

    def close(self) -> None:
        """Tell the test, and wait for its word."""
        self.gate.sendall(b"closed\n")
        self.gate.recv(1)
        self.gate.close()


def gated(event: dict[str, Any], _context: Any) -> object:
    """Three pieces, each at the test's word."""

    def make(body: Body) -> Iterator[bytes]:
        for piece in (b"one", b"", b"two", b"three"):
            body.wait()
            yield piece

    return Answer(200, [], Body(event, make))


def breaks(event: dict[str, Any], _context: Any) -> object:
    """An exception after as many pieces as the event says."""

    def make(_body: Body) -> Iterator[bytes]:
        for _ in range(event["after"]):
            yield b"piece"
        raise {"value": ValueError, "os": OSError, "memory": MemoryError}[event["with"]]("secret")

    return Answer(200, event.get("headers", []), Body(event, make))


def floods(event: dict[str, Any], _context: Any) -> object:
    """More than anyone reads."""

    def make(_body: Body) -> Iterator[bytes]:
        while True:
            yield bytes(64 * 1024)

    return Answer(200, event.get("headers", []), Body(event, make))


def stubborn(_event: dict[str, Any], _context: Any) -> object:
    """A generator that fails when it is closed."""

    class Failing:
        def __iter__(self) -> Iterator[bytes]:
            return iter((b"fine",))

        def close(self) -> None:
            raise RuntimeError("cannot close")

    return Answer(200, [], Failing())
