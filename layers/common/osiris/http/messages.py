"""What a handler takes and gives; nothing above this seam knows about Lambda's shapes.

The event is a REST proxy event, payload version 1.0, "Lambda proxy integrations in API Gateway":
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

import re
from binascii import a2b_base64
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

# The last part of a route such as "/files/{path+}": it stands for one segment or more.
_GREEDY = re.compile(r"\{([^{}]+)\+\}$")


class Request(NamedTuple):
    """One HTTP request, decoded."""

    method: str
    route: str
    """The route as the template names it, such as "/v1/requests/{id}"."""
    path_parameters: dict[str, str]
    query: dict[str, str]
    headers: dict[str, str]
    """Names in lower case; of a repeated header the last value."""
    body: bytes
    origin: str = ""
    """Where the caller found us, with the stage or base path: "https://api.example.com/live"."""
    path: str = ""
    """The path below that: "/v1/requests/req_…"."""

    def url_of(self, path: str) -> str:
        """The URL of another of our paths, as this caller would write it; empty if not known."""
        return f"{self.origin}{path}" if self.origin else ""

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> "Request":
        """Read a REST proxy event. What is missing or null is empty."""
        headers = _last_values(event, "multiValueHeaders", "headers")
        origin, path = _place(event, headers)
        return cls(
            method=event.get("httpMethod") or "",
            route=event.get("resource") or "",
            path_parameters=dict(event.get("pathParameters") or {}),
            query=_last_values(event, "multiValueQueryStringParameters", "queryStringParameters"),
            headers={name.lower(): value for name, value in headers.items()},
            body=_body(event),
            origin=origin,
            path=path,
        )


class Answer(NamedTuple):
    """One HTTP answer; `body` is a generator for a stream, else a tuple of one bytes object."""

    status: int
    headers: list[tuple[str, str]]
    body: Iterable[bytes]


def _last_values(event: Mapping[str, Any], multi_name: str, single_name: str) -> dict[str, str]:
    multi = event.get(multi_name)
    if multi:
        pairs = {name: values[-1] for name, values in multi.items() if values}
    else:
        pairs = event.get(single_name) or {}
    return {name: value for name, value in pairs.items() if value is not None}


def _place(event: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[str, str]:
    """The origin and the path: API Gateway's own word for the domain that was called, and what its
    path has before ours: the stage, or the base path of a domain's mapping.
    """
    context = event.get("requestContext") or {}
    domain, whole_path = context.get("domainName") or "", context.get("path") or ""
    route = event.get("resource") or ""
    path = _own_path(event, route, whole_path)
    ending = path.rstrip("/")
    whole_path = whole_path.rstrip("/")
    if not domain or not whole_path.endswith(ending):
        return "", path
    schemes = [value for name, value in headers.items() if name.lower() == "x-forwarded-proto"]
    # On AWS it is always https; on one's own machine the front says http.
    scheme = "http" if schemes[-1:] == ["http"] else "https"
    return f"{scheme}://{domain}{whole_path.removesuffix(ending)}", path


def _own_path(event: Mapping[str, Any], route: str, whole_path: str) -> str:
    """As many segments as the route has, a greedy parameter as many as its value.

    The event's own `path` has the base path of a domain's mapping in it, so it serves only where
    nothing else is known.
    """
    if "{" not in route:
        return route
    if not whole_path:
        return event.get("path") or ""
    length = route.count("/")
    greedy = _GREEDY.search(route)
    if greedy is not None:
        value = (event.get("pathParameters") or {}).get(greedy[1]) or ""
        length += value.strip("/").count("/")
    return "/" + "/".join(whole_path.rstrip("/").split("/")[-length:])


def _body(event: Mapping[str, Any]) -> bytes:
    body = event.get("body") or ""
    if event.get("isBase64Encoded"):
        return a2b_base64(body)
    # A lone surrogate is not UTF-8; as bytes it is refused where the body is read.
    return str(body).encode("utf-8", "surrogatepass")
