"""Log lines and metrics: one JSON object a line, metrics in CloudWatch's embedded metric format.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
Prompts, answers and secrets are never logged: callers pass facts, not texts.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NAMESPACE = "Osiris"

SETTLEMENT_FAILED = "SettlementFailed"
HOLDS_LAPSED = "HoldsLapsed"
USAGE_ESTIMATED = "UsageEstimated"
USAGE_OUT_OF_BOUNDS = "UsageOutOfBounds"
UPSTREAM_REFUSED = "UpstreamRefused"
UPSTREAM_FAILED = "UpstreamFailed"
WEBHOOK_REFUSED = "WebhookRefused"
PAYMENT_UNDECIDED = "PaymentUndecided"
PROVIDER_FAILED = "ProviderFailed"
RATE_FAILED = "RateFailed"


class Telemetry:
    """Writes lines to where the platform collects them."""

    def __init__(self, write: Callable[[str], Any], now_ms: Callable[[], int]) -> None:
        self._write = write
        self._now_ms = now_ms

    def line(self, event: str, *, metrics: Sequence[str] = (), **facts: Any) -> None:
        """One line about an event, counting each metric named once."""
        now_ms = self._now_ms()
        line: dict[str, Any] = {"event": event, "at_ms": now_ms, **facts}
        if metrics:
            counted = sorted(set(metrics))
            line["_aws"] = {
                "Timestamp": now_ms,
                "CloudWatchMetrics": [
                    {
                        "Namespace": NAMESPACE,
                        "Dimensions": [[]],
                        "Metrics": [{"Name": metric, "Unit": "Count"} for metric in counted],
                    }
                ],
            }
            line |= dict.fromkeys(counted, 1)
        self._write(json.dumps(line, separators=(",", ":"), default=str) + "\n")
