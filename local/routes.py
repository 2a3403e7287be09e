"""Which route of the REST API a request meets, and the token bucket of each method.

Source: API Gateway Developer Guide, "API Gateway resources" (a literal segment is preferred to
`{name}`, and that to the greedy `{name+}`) and "Throttle requests to your REST APIs": settings of
a stage apply to each of its methods by itself.
"""

import re
import time
import urllib.parse
from collections.abc import Callable, Iterable
from typing import NamedTuple

from local.rest_api import Route

_PARAMETER = re.compile(r"\{([^}+]+)(\+?)\}")


class Match(NamedTuple):
    """A route and what stands in the path for its parameters, decoded."""

    route: Route
    path_parameters: dict[str, str]


class Routes:
    """The routes of an API."""

    def __init__(self, routes: Iterable[Route]) -> None:
        resources: dict[str, dict[str, Route]] = {}
        for route in routes:
            resources.setdefault(route.path, {})[route.method] = route
        self._resources = [
            (_pattern(path), resources[path]) for path in sorted(resources, key=_rank)
        ]

    def find(self, method: str, path: str) -> Match | None:
        """The route for a request's method and raw path: first the resource, then its method."""
        path = path.rstrip("/") or "/"
        for pattern, methods in self._resources:
            found = pattern.fullmatch(path)
            if found is None:
                continue
            route = methods.get(method) or methods.get("ANY")
            if route is None:
                return None
            names = [name for name, _ in _PARAMETER.findall(route.path)]
            values = [urllib.parse.unquote(value) for value in found.groups()]
            return Match(route, dict(zip(names, values, strict=True)))
        return None


def _pattern(path: str) -> re.Pattern[str]:
    parts = []
    for segment in path.strip("/").split("/"):
        parameter = _PARAMETER.fullmatch(segment)
        if parameter is None:
            parts.append(re.escape(segment))
        else:
            parts.append("(.+)" if parameter[2] else "([^/]+)")
    return re.compile("/" + "/".join(parts))


def _rank(path: str) -> tuple[int, ...]:
    """Sorts literal segments before parameters before greedy ones, from left to right."""
    return tuple(
        2 if segment.endswith("+}") else 1 if segment.startswith("{") else 0
        for segment in path.strip("/").split("/")
    )


class Throttles:
    """A token bucket for each method that has throttling in the template."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}

    def admits(self, route: Route) -> bool:
        """Whether the method takes one more request now; if so, it counts."""
        if route.throttle is None:
            return True
        now_s = self._clock_s()
        key = (route.method, route.path)
        tokens, then_s = self._buckets.get(key, (float(route.throttle.burst), now_s))
        filled = tokens + (now_s - then_s) * route.throttle.rate_per_s
        tokens = min(float(route.throttle.burst), filled)
        admitted = tokens >= 1
        self._buckets[key] = (tokens - 1 if admitted else tokens, now_s)
        return admitted
