"""The store's transport over boto3: for everything but the hot path."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from osiris.errors import StoreUnavailable
from osiris.settings import SettingMissing
from osiris.store.transport import (
    CALL_TRIES_MAX,
    ConditionFailed,
    TransactionCanceled,
    TransactionConflict,
)

if TYPE_CHECKING:
    from osiris.store.transport import Payload

CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": CALL_TRIES_MAX},
    connect_timeout=1,
    read_timeout=3,
)
CONFLICT_WAIT_S = 0.05


def client_of(service: str) -> Any:
    """A client with our time limits; region, credentials and endpoint are boto3's own affair.

    Raises SettingMissing when these don't make a client: no region, an unknown profile.
    """
    try:
        return boto3.client(service, config=CONFIG)
    except (BotoCoreError, ValueError) as error:
        raise SettingMissing(f"AWS can't be reached so: {error}") from error


class Boto3Transport:
    """A transport of the store over a boto3 client."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def call(self, operation: str, payload: Payload) -> Payload:
        """One operation; see `Transport`. boto3 repeats all but conflicts by itself."""
        for tries_left in reversed(range(CALL_TRIES_MAX)):
            try:
                return self._once(operation, payload)
            except TransactionConflict:
                if not tries_left:
                    raise
                time.sleep(CONFLICT_WAIT_S * (1 + random.random()))  # noqa: S311 - jitter
        raise AssertionError("unreachable")

    def _once(self, operation: str, payload: Payload) -> Payload:
        try:
            answer: Payload = getattr(self._client, xform_name(operation))(**payload)
        except ClientError as error:
            raise _translated(operation, error) from error
        except BotoCoreError as error:
            raise StoreUnavailable(details=f"{operation}: {error}") from error
        return answer


def _translated(operation: str, error: ClientError) -> Exception:
    answer: Payload = dict(error.response)
    code = answer.get("Error", {}).get("Code", "")
    match code:
        case "ConditionalCheckFailedException":
            return ConditionFailed(answer.get("Item"))
        case "TransactionConflictException":
            return TransactionConflict(details=operation)
        case "TransactionCanceledException":
            reasons = answer.get("CancellationReasons", [])
            return TransactionCanceled(
                [(reason.get("Code", "None"), reason.get("Item")) for reason in reasons]
            )
    return StoreUnavailable(details=f"{operation}: {code}")
