"""AWS Signature Version 4 of one request, as a pure function.

Source: "Create a signed AWS API request", AWS IAM User Guide,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import functools
import hashlib
import hmac
from time import gmtime, strftime
from typing import NamedTuple
from urllib.parse import quote

_ALGORITHM = "AWS4-HMAC-SHA256"


class Credentials(NamedTuple):
    """What AWS hands a function in its environment."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None


def sign(
    *,
    method: str,
    host: str,
    path: str,
    query: str,
    headers: dict[str, str],
    body: bytes,
    service: str,
    region: str,
    credentials: Credentials,
    now_ms: int,
) -> dict[str, str]:
    """Return `headers` with Host, X-Amz-Date, the session token and Authorization added.

    `path` and `query` are as they go on the wire. A path with dot segments or doubled slashes
    must be normalised by the caller (every service but S3 wants that); ours are all "/".
    All headers given are signed.
    """
    stamp = strftime("%Y%m%dT%H%M%SZ", gmtime(now_ms // 1000))
    sent = {**headers, "Host": host, "X-Amz-Date": stamp}
    if credentials.session_token:
        sent["X-Amz-Security-Token"] = credentials.session_token
    lines = sorted((name.lower(), " ".join(value.split())) for name, value in sent.items())
    signed_names = ";".join([name for name, _ in lines])
    canonical = "\n".join(
        (
            method,
            quote(path, safe="/~"),
            _ordered(query),
            *[f"{name}:{value}" for name, value in lines],
            "",
            signed_names,
            hashlib.sha256(body).hexdigest(),
        )
    )
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = _signing_key(credentials.secret_access_key, stamp[:8], region, service)
    signature = _mac(key, f"{_ALGORITHM}\n{stamp}\n{scope}\n{digest}").hex()
    sent["Authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key_id}/{scope}, "
        f"SignedHeaders={signed_names}, Signature={signature}"
    )
    return sent


def _ordered(query: str) -> str:
    """The query's parts by name, then value, each with its equals sign."""
    if not query:
        return ""
    parts = sorted(part.partition("=")[::2] for part in query.split("&"))
    return "&".join([f"{name}={value}" for name, value in parts])


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


# A process signs for two services (DynamoDB, SSM) and may do so over midnight: four keys.
@functools.lru_cache(maxsize=4)
def _signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    key = _mac(f"AWS4{secret}".encode(), day)
    for part in (region, service, "aws4_request"):
        key = _mac(key, part)
    return key
