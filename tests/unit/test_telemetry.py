"""Log lines: one JSON object each; metrics in CloudWatch's embedded format.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
from typing import Any

from osiris.telemetry import HOLDS_LAPSED, NAMESPACE, USAGE_ESTIMATED, Telemetry

NOW_MS = 1_795_514_400_000


def written(*args: Any, **facts: Any) -> str:
    """What one line writes."""
    lines: list[str] = []
    Telemetry(lines.append, lambda: NOW_MS).line(*args, **facts)
    [line] = lines
    return line


def test_a_line_is_one_object() -> None:
    """A line ends where it ends, whatever its facts hold."""
    line = written("request", note="two\nlines", tokens=(1, 2), nothing=None)
    assert line.endswith("}\n")
    assert line.count("\n") == 1
    assert json.loads(line) == {
        "event": "request",
        "at_ms": NOW_MS,
        "note": "two\nlines",
        "tokens": [1, 2],
        "nothing": None,
    }


def test_metrics_have_the_embedded_form() -> None:
    """Each metric is counted once, without dimensions, under the one namespace."""
    line = json.loads(written("x", metrics=[USAGE_ESTIMATED, HOLDS_LAPSED, USAGE_ESTIMATED]))
    assert line[HOLDS_LAPSED] == line[USAGE_ESTIMATED] == 1
    assert line["_aws"] == {
        "Timestamp": NOW_MS,
        "CloudWatchMetrics": [
            {
                "Namespace": NAMESPACE,
                "Dimensions": [[]],
                "Metrics": [
                    {"Name": HOLDS_LAPSED, "Unit": "Count"},
                    {"Name": USAGE_ESTIMATED, "Unit": "Count"},
                ],
            }
        ],
    }


def test_what_has_no_json_is_told_as_text() -> None:
    """A fact of another kind does not stop a line from being written."""
    assert json.loads(written("x", fact={1}))["fact"] == "{1}"
