"""HTTP requests as REST proxy events (payload version 1.0), and function answers as HTTP.

Source: API Gateway Developer Guide, "Lambda proxy integrations", "Set up a Lambda proxy
integration with payload response streaming", and "Important notes for REST APIs" for the headers
that API Gateway drops or renames.
"""

import json
import time
import urllib.parse
from datetime import UTC, datetime
from typing import Any, NamedTuple

from local.http11 import Head
from local.limits import PRELUDE_BYTES_MAX
from local.rest_api import Route

DELIMITER = b"\0" * 8
_BUFFERED_KEYS = {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"}
_STREAM_KEYS = {"statusCode", "headers", "multiValueHeaders", "cookies"}

# "Important notes for REST APIs", the columns of Lambda integrations.
_DROPPED_IN = {
    *("connection", "content-md5", "expect", "max-forwards", "proxy-authenticate", "server"),
    *("te", "trailer", "transfer-encoding", "upgrade", "www-authenticate"),
}
_DROPPED_OUT = {
    *("expect", "host", "proxy-authenticate", "te", "trailer", "transfer-encoding", "upgrade"),
    "via",
}
_REMAPPED_OUT = {
    *("authorization", "connection", "content-md5", "date", "max-forwards", "server"),
    *("user-agent", "www-authenticate"),
}


# What a request's identity holds when no authorizer has told more.
_UNKNOWN_IDENTITY = (
    *("accessKey", "accountId", "caller", "cognitoAuthenticationProvider"),
    *("cognitoAuthenticationType", "cognitoIdentityId", "cognitoIdentityPoolId"),
    *("principalOrgId", "user", "userArn"),
)


class MalformedAnswer(Exception):
    """The function's answer is not in the form that API Gateway takes."""


class Call(NamedTuple):
    """One HTTP request on its way to a function."""

    request_id: str
    trace_id: str
    head: Head
    path: str
    query: str
    route: Route
    path_parameters: dict[str, str]
    body: bytes
    source_ip: str
    stage: str
    api_id: str


class Answer(NamedTuple):
    """A function's answer: what is known before its body."""

    status: int
    headers: list[tuple[str, str]]


def event(call: Call) -> bytes:
    """The event as Lambda gets it, in JSON.

    The API has no binary media types, so a body is text: bytes that are not UTF-8 become U+FFFD,
    as API Gateway does it.
    """
    headers = _request_headers(call)
    query = urllib.parse.parse_qsl(call.query, keep_blank_values=True)
    document = {
        "resource": call.route.path,
        "path": call.path,
        "httpMethod": call.head.method,
        "headers": _last(headers),
        "multiValueHeaders": _all(headers),
        "queryStringParameters": _last(query) or None,
        "multiValueQueryStringParameters": _all(query) or None,
        "pathParameters": call.path_parameters or None,
        "stageVariables": None,
        "requestContext": _context(call),
        "body": call.body.decode("utf-8", "replace") or None,
        "isBase64Encoded": False,
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _request_headers(call: Call) -> list[tuple[str, str]]:
    kept = [(name, value) for name, value in call.head.headers if name.lower() not in _DROPPED_IN]
    added = {
        "X-Amzn-Trace-Id": call.trace_id,
        "X-Forwarded-For": ", ".join(
            filter(None, [call.head.get("x-forwarded-for"), call.source_ip])
        ),
        "X-Forwarded-Port": (call.head.get("host") or "").partition(":")[2] or "80",
        "X-Forwarded-Proto": "http",
    }
    names = {name.lower() for name in added}
    return [pair for pair in kept if pair[0].lower() not in names] + list(added.items())


def _last(pairs: list[tuple[str, str]]) -> dict[str, str]:
    return dict(pairs)


def _all(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def _context(call: Call) -> dict[str, Any]:
    now = datetime.now(UTC)
    host = call.head.get("host") or ""
    return {
        "accountId": "000000000000",
        "apiId": call.api_id,
        "domainName": host,
        "domainPrefix": host.split(".")[0],
        "extendedRequestId": call.request_id,
        "httpMethod": call.head.method,
        "identity": {
            **dict.fromkeys(_UNKNOWN_IDENTITY),
            "sourceIp": call.source_ip,
            "userAgent": call.head.get("user-agent"),
        },
        "path": call.path,
        "protocol": "HTTP/1.1",
        "requestId": call.request_id,
        "requestTime": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "requestTimeEpoch": int(time.time() * 1000),
        "resourceId": call.route.path.strip("/").replace("/", "-"),
        "resourcePath": call.route.path,
        "stage": call.stage,
    }


def buffered_answer(payload: bytes) -> tuple[Answer, bytes]:
    """What a buffered method answers. Errors: MalformedAnswer (API Gateway then says 502).

    An answer in the streaming form loses its body here, as API Gateway's table of combinations has
    it ("returns the HTTP headers and status code but not the response body").
    """
    if DELIMITER in payload[:PRELUDE_BYTES_MAX]:
        return prelude(payload[: payload.index(DELIMITER)]), b""
    document = _json_object(payload)
    unknown = set(document) - _BUFFERED_KEYS
    if unknown:
        raise MalformedAnswer(f"unknown keys: {', '.join(sorted(unknown))}")
    body = document.get("body")
    if body is None:
        body = ""
    if not isinstance(body, str):
        raise MalformedAnswer("the body is not text")
    # Without binary media types API Gateway passes base64 on as the text it is.
    return _answer(document), body.encode("utf-8", "surrogatepass")


def prelude(metadata: bytes) -> Answer:
    """What a streamed answer says before its body. Errors: MalformedAnswer (then 500)."""
    document = _json_object(metadata)
    unknown = set(document) - _STREAM_KEYS
    if unknown:
        raise MalformedAnswer(f"unknown keys: {', '.join(sorted(unknown))}")
    answer = _answer(document)
    cookies = document.get("cookies") or []
    if not isinstance(cookies, list):
        raise MalformedAnswer("cookies is not a list")
    answer.headers.extend(("Set-Cookie", str(cookie)) for cookie in cookies)
    return answer


def _json_object(text: bytes) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as exc:
        raise MalformedAnswer("not JSON") from exc
    if not isinstance(document, dict):
        raise MalformedAnswer("not an object")
    return document


def _answer(document: dict[str, Any]) -> Answer:
    status = document.get("statusCode", 200)
    if isinstance(status, str) and status.isdecimal():
        status = int(status)
    if not isinstance(status, int) or isinstance(status, bool) or not 100 <= status <= 599:
        raise MalformedAnswer("statusCode is no status")
    single = document.get("headers") or {}
    multi = document.get("multiValueHeaders") or {}
    if not isinstance(single, dict) or not isinstance(multi, dict):
        raise MalformedAnswer("the headers are not an object")
    listed = {name.lower() for name in multi}
    pairs = [(name, value) for name, value in single.items() if name.lower() not in listed]
    for name, values in multi.items():
        if not isinstance(values, list):
            raise MalformedAnswer(f"multiValueHeaders.{name} is not a list")
        pairs += [(name, value) for value in values]
    return Answer(status, [(name, _header_text(name, value)) for name, value in pairs])


def _header_text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        raise MalformedAnswer(f"the header {name} is not text")
    return str(value)


def client_headers(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """A function's headers as the client gets them: some dropped, some renamed, a type added."""
    kept = []
    for name, value in headers:
        if name.lower() in _REMAPPED_OUT:
            kept.append((f"x-amzn-Remapped-{name}", value))
        elif name.lower() not in _DROPPED_OUT:
            kept.append((name, value))
    if not any(name.lower() == "content-type" for name, _ in kept):
        kept.append(("Content-Type", "application/json"))
    return kept
