"""Mails out by SES, over a boto3 client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from osiris.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable


class Mails:
    """Mails from one sender. `client` makes its client when the first mail is sent."""

    def __init__(self, client: Callable[[], Any], sender: str) -> None:
        self._client = client
        self._sender = sender

    def send(self, to: str, *, subject: str, text: str) -> None:
        """Send a plain text to one address; a call repeated after a lost reply sends it twice.

        Raises StoreUnavailable, whichever of SES and the network did not take it.
        """
        assert self._sender
        try:
            self._client().send_email(
                FromEmailAddress=self._sender,
                Destination={"ToAddresses": [to]},
                Content={"Simple": {"Subject": _utf8(subject), "Body": {"Text": _utf8(text)}}},
            )
        except ClientError as error:
            reason = error.response.get("Error", {}).get("Code", "")
        except BotoCoreError as error:
            reason = type(error).__name__
        else:
            return
        # Not from within the handlers, and from nothing: SES's own text names the address.
        raise StoreUnavailable(details=f"SendEmail: {reason}")


def _utf8(text: str) -> dict[str, str]:
    return {"Data": text, "Charset": "UTF-8"}
