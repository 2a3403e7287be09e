"""The front's plain rules, without a socket: gateway responses, token buckets, schedules."""

import json

import pytest

from local import gateway_responses as refusals
from local.gateway_responses import Refusal, render
from local.intrinsics import TemplateError
from local.rest_api import GatewayResponse, Route, Throttle
from local.routes import Throttles
from local.schedules import Schedules, interval_s
from local.template import Schedule

CONTEXT = {"requestId": "r-1", "path": "/a"}


def response(status: int | None = None, text: str = "$context.error.message") -> GatewayResponse:
    return GatewayResponse(status, {}, {"application/json": text})


@pytest.mark.parametrize(
    ("refusal", "status", "body"),
    [
        (refusals.UNKNOWN_ROUTE, 403, '{"message":"Missing Authentication Token"}'),
        (refusals.THROTTLED, 429, '{"message":"Too Many Requests"}'),
        (refusals.TIMED_OUT, 504, '{"message":"Endpoint request timed out"}'),
        (refusals.FUNCTION_FAILED, 502, '{"message":"Internal server error"}'),
        (refusals.FUNCTION_THROTTLED, 500, '{"message":"Internal server error"}'),
        (refusals.EVENT_TOO_LARGE, 413, '{"message":"Request Too Long"}'),
        (refusals.body_too_large("Too long."), 413, "Too long."),
        (refusals.unreadable(400, "Bad."), 400, "Bad."),
    ],
)
def test_without_a_template_the_answers_are_awss(refusal: Refusal, status: int, body: str) -> None:
    """Status and body of API Gateway's own answers."""
    rendered = render(refusal, {}, CONTEXT)
    assert (rendered.status, rendered.body.decode()) == (status, body)


def test_a_type_goes_before_its_class() -> None:
    """DEFAULT_4XX and DEFAULT_5XX answer what has no type of its own, and keep its status."""
    responses = {
        "THROTTLED": response(420, "slow"),
        "DEFAULT_4XX": response(None, "ours: $context.error.responseType"),
        "DEFAULT_5XX": response(None, "sorry"),
    }
    assert render(refusals.THROTTLED, responses, CONTEXT)[::2] == (420, b"slow")
    assert render(refusals.UNSIGNED, responses, CONTEXT)[::2] == (403, b"ours: INVALID_SIGNATURE")
    assert render(refusals.FUNCTION_THROTTLED, responses, CONTEXT)[::2] == (500, b"sorry")


def test_what_is_no_http_and_10_mb_have_no_class() -> None:
    """AWS's table of types: an unspecified REQUEST_TOO_LARGE keeps its text."""
    responses = {"DEFAULT_4XX": response(None, "ours")}
    assert render(refusals.body_too_large("10 MB"), responses, CONTEXT).body == b"10 MB"
    assert render(refusals.unreadable(400, "Bad."), responses, CONTEXT).body == b"Bad."
    responses["REQUEST_TOO_LARGE"] = response(None, "large")
    assert render(refusals.body_too_large("10 MB"), responses, CONTEXT).body == b"large"


def test_context_variables_are_replaced_in_bodies_and_headers() -> None:
    """`$context.…` in a body, `context.…` or quoted text in a header; the unknown is empty."""
    text = (
        '{"m": $context.error.messageString, "p": "$context.path", '
        '"i": "$context.requestId", "x": "$context.authorizer.none"}'
    )
    given = GatewayResponse(
        None, {"X-Id": "context.requestId", "X-Text": "'text'"}, {"application/json": text}
    )
    rendered = render(refusals.UNSIGNED, {"INVALID_SIGNATURE": given}, CONTEXT)
    body = json.loads(rendered.body)
    assert body["m"] == refusals.UNSIGNED.message
    assert (body["p"], body["i"], body["x"]) == ("/a", "r-1", "")
    assert rendered.headers[:2] == [("X-Id", "r-1"), ("X-Text", "text")]


def test_a_token_bucket_fills_at_its_rate() -> None:
    """The burst is there at first, then one request for each 1/rate seconds, never above it."""
    now_s = [100.0]
    throttles = Throttles(clock_s=lambda: now_s[0])
    route = Route("GET", "/a", "F", None, False, 29_000, Throttle(rate_per_s=2.0, burst=3))
    other = route._replace(path="/b")
    assert [throttles.admits(route) for _ in range(5)] == [True, True, True, False, False]
    assert throttles.admits(other)
    now_s[0] += 0.5
    assert [throttles.admits(route) for _ in range(2)] == [True, False]
    now_s[0] += 60
    assert [throttles.admits(route) for _ in range(4)] == [True, True, True, False]


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [
        ("rate(1 minute)", 60),
        ("rate(5 minutes)", 300),
        ("rate(1 hour)", 3600),
        ("rate(2 days)", 172_800),
    ],
)
def test_rates_are_read(expression: str, seconds: int) -> None:
    """EventBridge's rate expressions, in seconds."""
    assert interval_s(expression) == seconds


@pytest.mark.parametrize("expression", ["cron(0 * * * ? *)", "rate(0 hours)", "rate(1 week)", ""])
def test_other_schedules_are_refused_by_name(expression: str) -> None:
    """Better an error than a function that is never called."""
    with pytest.raises(TemplateError, match="only rates run here"):
        interval_s(expression)


def test_a_schedule_without_input_sends_eventbridges_event() -> None:
    """Rule and Scheduler differ in source, resource and how they write the empty detail."""
    schedules = Schedules(
        [
            Schedule("R", "aws.events", "rate(1 hour)", "F", None, True),
            Schedule("S", "aws.scheduler", "rate(1 hour)", "F", None, True),
        ],
        call=None,  # type: ignore[arg-type]  # nothing is called here
        region="eu-west-3",
    )
    rule, schedule = json.loads(schedules.event("R")), json.loads(schedules.event("S"))
    assert rule["detail-type"] == schedule["detail-type"] == "Scheduled Event"
    assert (rule["source"], rule["detail"]) == ("aws.events", {})
    assert (schedule["source"], schedule["detail"]) == ("aws.scheduler", "{}")
    assert rule["resources"] == ["arn:aws:events:eu-west-3:000000000000:rule/R"]
    assert schedule["resources"] == ["arn:aws:scheduler:eu-west-3:000000000000:schedule/default/S"]
