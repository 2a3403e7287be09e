"""Events out to EventBridge's default bus, over a boto3 client."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from osiris.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from osiris.store.outbox import Event

SOURCE = "osiris"
# What PutEvents takes at once.
ENTRIES_MAX = 10


class EventBus:
    """The default event bus. `client` makes its client when the first event is sent."""

    def __init__(self, client: Callable[[], Any]) -> None:
        self._client = client

    def send(self, events: Sequence[Event]) -> list[Event]:
        """Send up to ten events; returns those that were taken. Raises StoreUnavailable."""
        assert 0 < len(events) <= ENTRIES_MAX
        entries = [
            {
                "Source": SOURCE,
                "DetailType": event.type,
                "Detail": json.dumps({"id": event.id, **event.detail}),
            }
            for event in events
        ]
        try:
            answer = self._client().put_events(Entries=entries)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            raise StoreUnavailable(details=f"PutEvents: {code}") from error
        except BotoCoreError as error:
            raise StoreUnavailable(details=f"PutEvents: {type(error).__name__}") from error
        return [
            event
            for event, told in zip(events, answer["Entries"], strict=True)
            if "ErrorCode" not in told
        ]
