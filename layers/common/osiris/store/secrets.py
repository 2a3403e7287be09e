"""Upstreams' API keys: SSM SecureString parameters, read by the lean client, kept five minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris.errors import StoreUnavailable, UpstreamRefusedUs
from osiris.store.transport_lean import exception_name

if TYPE_CHECKING:
    from osiris.store.transport_lean import AwsJson

CACHE_MS = 300_000
# Between two tries of SSM while it is out of reach and a secret's earlier text is used, and for a
# secret that was not there: whoever may ask for it, SSM is not asked each time.
READ_AGAIN_MS = 10_000
# What a parameter of the standard tier holds, which costs nothing.
SECRET_BYTES_MAX = 4_096


class Secrets:
    """Secrets by name, below one path of parameters."""

    def __init__(self, ssm: AwsJson, path: str) -> None:
        self._ssm = ssm
        self._path = path.rstrip("/")
        self._cached: dict[str, tuple[int, str]] = {}
        self._missing: dict[str, tuple[int, UpstreamRefusedUs]] = {}

    def read(self, name: str, now_ms: int) -> str:
        """The secret's text, as read before while SSM is out of reach.

        Raises UpstreamRefusedUs when there is none: nobody takes requests from us without it.
        Raises StoreUnavailable when SSM was never in reach.
        """
        until_ms, text = self._cached.get(name, (0, ""))
        if now_ms < until_ms:
            return text
        missing_until_ms, missing = self._missing.get(name, (0, UpstreamRefusedUs()))
        if now_ms < missing_until_ms:
            raise UpstreamRefusedUs(details=missing.details)
        try:
            status, answer = self._ssm.post(
                "GetParameter", {"Name": f"{self._path}/{name}", "WithDecryption": True}
            )
        except StoreUnavailable:
            if not text:
                raise
            self._cached[name] = (now_ms + READ_AGAIN_MS, text)
            return text
        if status != 200:
            refused = UpstreamRefusedUs(details=f"secret {name}: {status} {exception_name(answer)}")
            self._missing[name] = (now_ms + READ_AGAIN_MS, refused)
            raise refused
        text = str(answer["Parameter"]["Value"])
        self._cached[name] = (now_ms + CACHE_MS, text)
        return text
