"""Does what the event's `call`, or its body's, says."""

import json
import os
import socket
import time


def lambda_handler(event, context):
    order = event
    if "httpMethod" in event:
        order = json.loads(event["body"] or '{"call": "echo"}')
    return globals()["do_" + order.get("call", "echo")](order, event, context)


def do_echo(order, event, context):
    seen = {
        "event": event,
        "environment": dict(os.environ),
        "request_id": context.aws_request_id,
        "remaining_ms": context.get_remaining_time_in_millis(),
        "arn": context.invoked_function_arn,
        "pid": os.getpid(),
        "folder": os.getcwd(),
    }
    return {"statusCode": 200, "headers": {"X-Toy": "yes"}, "body": json.dumps(seen)}


def do_answer(order, event, context):
    return order["answer"]


def do_hold(order, event, context):
    """Tell the test that we are at work, and go on when it says so."""
    with socket.create_connection(("127.0.0.1", order["gate"])) as gate:
        gate.sendall(b"here\n")
        gate.recv(1)
        gate.sendall(b"done\n")
    return {"statusCode": 200, "body": str(os.getpid())}


def do_raise(order, event, context):
    raise RuntimeError("told to fail")


def do_exit(order, event, context):
    os._exit(7)


def do_sleep(order, event, context):
    time.sleep(order["seconds"])
    return {"statusCode": 200, "body": ""}


def do_print(order, event, context):
    print("printed by the function")
    return {"statusCode": 200, "body": ""}


def do_large(order, event, context):
    return {"statusCode": 200, "body": "x" * order["bytes"]}
