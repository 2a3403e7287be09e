"""What a subject needs around it: a stand-in to speak to, a certificate, an environment, an event.

`PYTHONPYCACHEPREFIX` leads into a folder of the bench's own, so bytecode is compiled once, by a
first start that is not measured, as the layer's build does for Lambda.
"""

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from bench import answers, certificate
from bench.runtime_api import RuntimeApi
from bench.stand_in import HOST
from bench.subject import LAYER, OTHERS_CPU, ROOT, Subject, pinned

PROXY = ROOT / "functions" / "proxy"
HEAVY = ROOT / "bench" / "heavy"
WRAPPER = LAYER / "osiris" / "runtime" / "exec_wrapper"
# 1.6 KB of messages: a short conversation.
_TEXT = "The quick brown fox jumps over the lazy dog. " * 9


class Surroundings(NamedTuple):
    """A running stand-in, and the environment in which a subject finds it."""

    stand_in: Subject
    tls_port: int
    plain_port: int
    bundle: Path
    environment: dict[str, str]


@contextlib.contextmanager
def surroundings() -> Iterator[Surroundings]:
    """Start the stand-in, on the other CPU, where the bench itself stays as well."""
    with tempfile.TemporaryDirectory() as made, pinned(OTHERS_CPU):
        folder = Path(made)
        server, bundle = certificate.make(folder)
        base = _environment(folder / "bytecode", bundle)
        command = [sys.executable, "-m", "bench.stand_in", str(server)]
        with Subject(command, base, cpu=OTHERS_CPU) as stand_in:
            tls_port, plain_port = map(int, stand_in.hear().split())
            aws = {"AWS_ENDPOINT_URL": f"https://{HOST}:{tls_port}"}
            yield Surroundings(stand_in, tls_port, plain_port, bundle, base | aws)


@contextlib.contextmanager
def function(around: Surroundings, api: RuntimeApi, task: Path = PROXY) -> Iterator[Subject]:
    """A function started as Lambda starts it; it has not asked for an invocation yet."""
    environment = around.environment | {
        "AWS_LAMBDA_RUNTIME_API": api.address,
        "LAMBDA_TASK_ROOT": str(task),
        "_HANDLER": "handler.lambda_handler",
    }
    log = around.bundle.with_name(f"{task.name}.log")
    with Subject([WRAPPER, sys.executable, "bootstrap.py"], environment, log=log) as subject:
        yield subject


def event(*, tokens: int, model: str = answers.MODELS[0]) -> bytes:
    """A REST proxy event of a chat request that is answered with so many tokens."""
    headers = {
        "Accept": "application/json",
        "Accept-Encoding": "gzip, deflate",
        "Authorization": f"Bearer {answers.SECRET}",
        "Content-Type": "application/json",
        "Host": "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com",
        "User-Agent": "OpenAI/Python 3.54.0",
        "X-Amzn-Trace-Id": "Root=1-6743a1c0-0123456789abcdef01234567",
        "X-Forwarded-For": "203.0.113.7",
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
        "X-Stainless-Lang": "python",
    }
    content: dict[str, Any] = {
        "resource": "/v1/chat/completions",
        "path": "/v1/chat/completions",
        "httpMethod": "POST",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": "/v1/chat/completions",
            "httpMethod": "POST",
            "path": "/v1/v1/chat/completions",
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "identity": {"sourceIp": "203.0.113.7", "userAgent": "OpenAI/Python 3.54.0"},
        },
        "body": json.dumps(chat(tokens=tokens, model=model)),
        "isBase64Encoded": False,
    }
    return json.dumps(content).encode()


def chat(*, tokens: int, model: str) -> dict[str, Any]:
    """The body of a chat request."""
    said = [{"role": role, "content": _TEXT} for role in ("system", "user", "assistant", "user")]
    return {
        "model": model,
        "messages": said,
        "max_tokens": tokens,
        "temperature": 0.7,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def _environment(bytecode: Path, bundle: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT}:{LAYER}",
        "PYTHONPYCACHEPREFIX": str(bytecode),
        "SSL_CERT_FILE": str(bundle),
        "AWS_CA_BUNDLE": str(bundle),
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "AWS_SESSION_TOKEN": "x" * 700,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "OSIRIS_KEYS_TABLE": "osiris-KeysTable-1EXAMPLE",
        "OSIRIS_LEDGER_TABLE": "osiris-LedgerTable-1EXAMPLE",
        "OSIRIS_CATALOGUE_TABLE": "osiris-CatalogueTable-1EXAMPLE",
        "POWERTOOLS_SERVICE_NAME": "proxy",
    }
