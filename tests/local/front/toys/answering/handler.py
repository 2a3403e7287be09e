"""Answers as a handler of Osiris does, with what the test tells it."""

import json
import socket
from collections.abc import Iterator
from typing import Any

from osiris.http.messages import Answer, Request


def lambda_handler(event: dict[str, Any], _context: object) -> Answer:
    order = json.loads(Request.from_event(event).body)
    if order.get("fails"):
        raise RuntimeError("told to fail")
    gate = socket.create_connection(("127.0.0.1", order["gate"]))
    return Answer(200, [("Content-Type", "text/event-stream")], pieces(order, gate))


def pieces(order: dict[str, Any], gate: socket.socket) -> Iterator[bytes]:
    """Each piece when the gate opens; what becomes of the generator is told to the test."""
    try:
        for piece in order["pieces"]:
            if order.get("waits"):
                gate.recv(1)
            if piece == "raise":
                raise RuntimeError("told to fail in the middle")
            yield piece.encode() * order.get("times", 1)
        gate.sendall(b"ended\n")
    except GeneratorExit:
        gate.sendall(b"closed\n")
        raise
    finally:
        gate.close()
