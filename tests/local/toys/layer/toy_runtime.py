"""Speaks the streaming Runtime API by hand, so that a test can say every byte of it.

The event's body is JSON: `steps`, done one after another, and `gate`, a port of the test. Steps:
{"write": text} one chunk; {"nuls": n}; {"wait": true} until the test opens the gate once;
{"exit": code}; {"sleep_s": n}; {"drop": true} close the connection; {"trailers": [type, text]};
{"buffered": text} a whole answer instead; {"error": type}; {"print": text}; {"fill": bytes}.
"""

import base64
import json
import os
import socket
import sys
import time

API = os.environ["AWS_LAMBDA_RUNTIME_API"]
PREFIX = "/2018-06-01/runtime"
CHUNKED = (
    "Lambda-Runtime-Function-Response-Mode: streaming\r\n"
    "Content-Type: application/vnd.awslambda.http-integration-response\r\n"
    "Transfer-Encoding: chunked\r\n"
    "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n"
)


def connect():
    host, _, port = API.partition(":")
    return socket.create_connection((host, int(port)))


def read_answer(sock):
    file = sock.makefile("rb")
    status = int(file.readline().split()[1])
    headers = {}
    while line := file.readline().strip():
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    return status, headers, file.read(int(headers["content-length"]))


def next_invocation():
    with connect() as sock:
        sock.sendall(f"GET {PREFIX}/invocation/next HTTP/1.1\r\nHost: {API}\r\n\r\n".encode())
        _, headers, body = read_answer(sock)
    return headers["lambda-runtime-aws-request-id"], json.loads(body)


def post(path, body, extra=""):
    with connect() as sock:
        head = f"POST {PREFIX}{path} HTTP/1.1\r\nHost: {API}\r\n{extra}"
        sock.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        return read_answer(sock)


class Stream:
    """A streamed answer; its head goes out with the first write."""

    def __init__(self, request_id):
        self.request_id = request_id
        self.sock = None

    def write(self, data):
        if self.sock is None:
            self.sock = connect()
            head = (
                f"POST {PREFIX}/invocation/{self.request_id}/response HTTP/1.1\r\nHost: {API}\r\n"
            )
            self.sock.sendall((head + CHUNKED + "\r\n").encode())
        self.sock.sendall(b"%x\r\n%b\r\n" % (len(data), data))

    def end(self, trailers=""):
        if self.sock is not None:
            self.sock.sendall(f"0\r\n{trailers}\r\n".encode())
            read_answer(self.sock)
            self.sock.close()


def run(request_id, event):
    order = json.loads(event["body"])
    gate = None
    if "gate" in order:
        gate = socket.create_connection(("127.0.0.1", order["gate"]))
    stream = Stream(request_id)
    trailers = ""
    for step in order["steps"]:
        ((name, value),) = step.items()
        if name == "write":
            stream.write(value.encode())
        elif name == "nuls":
            stream.write(b"\0" * value)
        elif name == "fill":
            stream.write(b"x" * value)
        elif name == "wait":
            if gate.recv(1) != b"g":
                os._exit(3)
        elif name == "tell":
            gate.sendall(value.encode())
        elif name == "exit":
            os._exit(value)
        elif name == "sleep_s":
            time.sleep(value)
        elif name == "print":
            print(value, flush=True)
        elif name == "drop":
            stream.sock.close()
            stream.sock = None
            return
        elif name == "trailers":
            kind, text = value
            body = base64.b64encode(text.encode()).decode()
            trailers = (
                f"Lambda-Runtime-Function-Error-Type: {kind}\r\n"
                f"Lambda-Runtime-Function-Error-Body: {body}\r\n"
            )
        elif name == "buffered":
            post(f"/invocation/{request_id}/response", value.encode())
        elif name == "error":
            extra = f"Lambda-Runtime-Function-Error-Type: {value}\r\n"
            body = json.dumps({"errorType": value, "errorMessage": "told to fail"})
            post(f"/invocation/{request_id}/error", body.encode(), extra)
    stream.end(trailers)
    if gate is not None:
        gate.close()


if __name__ == "__main__":
    print("toy runtime", *sys.argv[1:], flush=True)
    while True:
        run(*next_invocation())
