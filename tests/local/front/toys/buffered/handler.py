"""Does what `call` says, in the event or in its body."""

import json
import os
import socket
import sys
import time
from typing import Any

Json = dict[str, Any]


def lambda_handler(event: Json, context: Any) -> Any:
    order = event
    if "httpMethod" in event:
        order = json.loads(event["body"] or "{}")
    return CALLS[order.get("call", "echo")](order, event, context)


def echo(_order: Json, event: Json, context: Any) -> Any:
    seen = {
        "event": event,
        "environment": dict(os.environ),
        "request_id": context.aws_request_id,
        "remaining_ms": context.get_remaining_time_in_millis(),
        "arn": context.invoked_function_arn,
        "pid": os.getpid(),
        "folder": str(os.getcwd()),  # noqa: PTH109  (no more imports than a function needs)
    }
    return {"statusCode": 200, "headers": {"X-Toy": "yes"}, "body": json.dumps(seen)}


def answer(order: Json, _event: Json, _context: Any) -> Any:
    return order["answer"]


def hold(order: Json, _event: Json, _context: Any) -> Any:
    """Tell the test that we are at work, and go on when it says so."""
    with socket.create_connection(("127.0.0.1", order["gate"])) as gate:
        gate.sendall(b"here\n")
        gate.recv(1)
        gate.sendall(b"done\n")
    return {"statusCode": 200, "body": str(os.getpid())}


def fail(_order: Json, _event: Json, _context: Any) -> Any:
    raise RuntimeError("told to fail")


def leave(_order: Json, _event: Json, _context: Any) -> Any:
    os._exit(7)


def sleep(order: Json, _event: Json, _context: Any) -> Any:
    time.sleep(order["seconds"])
    return {"statusCode": 200, "body": ""}


def say(order: Json, _event: Json, _context: Any) -> Any:
    sys.stdout.write(order["text"] + "\n")
    return {"statusCode": 200, "body": ""}


def large(order: Json, _event: Json, _context: Any) -> Any:
    return {"statusCode": 200, "body": "x" * order["bytes"]}


CALLS = {
    "echo": echo,
    "answer": answer,
    "hold": hold,
    "fail": fail,
    "leave": leave,
    "sleep": sleep,
    "say": say,
    "large": large,
}
