"""DynamoDB's JSON protocol over one kept-alive connection, for the hot path.

The SDK's layers cost five times the CPU of a call and most of a cold start; what the proxy needs
of them is here: sign, post, and explain the answer. Credentials come from the environment, as
Lambda gives them. Protocol: DynamoDB Developer Guide, "DynamoDB low-level API".
"""

from __future__ import annotations

import json
import os
import time
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from osiris.errors import StoreUnavailable
from osiris.store.transport import (
    CALL_TRIES_MAX,
    ConditionFailed,
    TransactionCanceled,
    TransactionConflict,
)
from osiris.wire.connection import Connection, WireError
from osiris.wire.sigv4 import sign

if TYPE_CHECKING:
    from collections.abc import Callable

    from osiris.store.transport import Payload
    from osiris.wire.connection import Response
    from osiris.wire.sigv4 import Credentials

CONNECT_TIMEOUT_MS = 1_000
# Above DynamoDB's usual worst; three tries still fit well before a client loses patience.
ANSWER_TIMEOUT_MS = 3_000
# DynamoDB closes idle connections after about a minute.
IDLE_MS_MAX = 50_000
# A Query's or Scan's page is 1 MB of items, larger as JSON.
ANSWER_BYTES_MAX = 8 * 1024 * 1024
BACKOFF_MS = 25

_AGAIN = frozenset(
    {
        "InternalServerError",
        "ItemCollectionSizeLimitExceededException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)


class AwsJson:
    """Calls of one AWS service that speaks JSON over POST (DynamoDB, SSM)."""

    def __init__(
        self,
        *,
        service: str,
        target: str,
        version: str,
        region: str,
        endpoint_url: str,
        credentials: Credentials,
        now_ms: Callable[[], int],
        tls: Callable[[], Any],
    ) -> None:
        self._service = service
        self._target = target
        self._content_type = f"application/x-amz-json-{version}"
        self._region = region
        self._credentials = credentials
        self._now_ms = now_ms
        origin = endpoint_url.rstrip("/") or f"https://{service}.{region}.amazonaws.com"
        self._host = origin.partition("://")[2]
        self._connection = Connection(
            origin, tls=tls, connect_timeout_ms=CONNECT_TIMEOUT_MS, idle_ms_max=IDLE_MS_MAX
        )

    def post(self, operation: str, payload: Payload) -> tuple[int, Payload]:
        """The answer's status and JSON, of a call repeated while no usable answer came.

        Raises StoreUnavailable after the last try.
        """
        body = json.dumps(payload, default=_base64, separators=(",", ":")).encode()
        problem = ""
        for tried in range(CALL_TRIES_MAX):
            if tried:
                time.sleep((BACKOFF_MS << tried) * (128 + os.urandom(1)[0]) / 256_000)
            try:
                response = self._request(operation, body)
                answer = json.loads(response.read(ANSWER_BYTES_MAX) or b"{}")
            except (WireError, ValueError) as error:
                problem = repr(error)
                continue
            if response.status < 500 and exception_name(answer) not in _AGAIN:
                return response.status, answer
            problem = f"{response.status} {exception_name(answer)}"
        if problem.endswith("TransactionConflictException"):
            raise TransactionConflict(details=operation)
        raise StoreUnavailable(details=f"{operation}: {problem}")

    def _request(self, operation: str, body: bytes) -> Response:
        headers = sign(
            method="POST",
            host=self._host,
            path="/",
            query="",
            headers={
                "content-type": self._content_type,
                "x-amz-target": f"{self._target}.{operation}",
            },
            body=body,
            service=self._service,
            region=self._region,
            credentials=self._credentials,
            now_ms=self._now_ms(),
        )
        return self._connection.request("POST", "/", headers, body, timeout_ms=ANSWER_TIMEOUT_MS)


class LeanTransport:
    """A transport of the store over `AwsJson`."""

    def __init__(self, dynamodb: AwsJson) -> None:
        self._dynamodb = dynamodb

    def call(self, operation: str, payload: Payload) -> Payload:
        """One operation; see `Transport`."""
        status, answer = self._dynamodb.post(operation, payload)
        if status == 200:
            return answer
        match exception_name(answer):
            case "ConditionalCheckFailedException":
                raise ConditionFailed(answer.get("Item"))
            case "TransactionCanceledException":
                reasons = answer.get("CancellationReasons", [])
                raise TransactionCanceled(
                    [(reason.get("Code", "None"), reason.get("Item")) for reason in reasons]
                )
        raise StoreUnavailable(details=f"{operation}: {status} {exception_name(answer)}")


def exception_name(answer: Payload) -> str:
    """The short name of the exception in an answer; empty when it is none."""
    return str(answer.get("__type", "")).rpartition("#")[2]


def _base64(value: object) -> str:
    assert isinstance(value, bytes), type(value).__name__
    return b64encode(value).decode("ascii")
