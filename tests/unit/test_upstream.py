"""What an upstream's answers are to us, and what of them a client may see."""

from __future__ import annotations

import json

import pytest

from osiris.errors import UpstreamRefusedUs, UpstreamRejected
from osiris.upstream import Upstreams, error_of
from osiris.wire.tls import shared_context
from tests.flows.scripted_upstream import MODEL


@pytest.mark.parametrize(
    "message",
    [
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing "
        "to upgrade or purchase credits.",
        "You have reached your specified API usage limits. You will regain access on 2026-12-01 at "
        "00:00 UTC.",
        "This organization has been disabled.",
    ],
)
def test_what_is_about_us_is_not_told_whatever_its_status(message: str) -> None:
    """Anthropic's 400 about our account is the operator's matter, not the customer's."""
    told = {"error": {"type": "invalid_request_error", "message": message}}
    error = error_of(400, json.dumps(told).encode(), hidden=())
    assert type(error) is UpstreamRefusedUs
    assert error.message == UpstreamRefusedUs.message


def test_what_is_about_the_request_is_told() -> None:
    """A 400 about the request reaches the client in the upstream's words."""
    told = {"error": {"type": "invalid_request_error", "message": "max_tokens: too large"}}
    error = error_of(400, json.dumps(told).encode(), hidden=())
    assert type(error) is UpstreamRejected
    assert error.message == "max_tokens: too large"


@pytest.mark.parametrize(
    ("secret", "base_url"),
    [
        ("sk-upstreams-own\n", "http://127.0.0.1:9/v1"),
        ("sk-\N{EN DASH}", "http://127.0.0.1:9/v1"),
        ("sk-upstreams-own", "127.0.0.1:9/v1"),
        ("sk-upstreams-own", "http://127.0.0.1:none/v1"),
        ("sk-upstreams-own", "http://127.0.0.1:9/v 1"),
    ],
)
def test_what_can_not_be_sent_ends_the_request(secret: str, base_url: str) -> None:
    """A mistake of the operator's is told as one; the request ends, and is settled, as any other.

    Else its hold stayed open until it lapsed, and a customer's balance was held by requests that
    never left.
    """
    model = MODEL._replace(base_url=base_url)
    with pytest.raises(UpstreamRefusedUs) as refused:
        Upstreams(shared_context).open(model, secret=secret, body=b"{}", timeout_ms=1_000)
    assert secret.strip() not in str(refused.value.details)
