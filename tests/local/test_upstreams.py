"""Which upstream answers a model on this machine."""

from __future__ import annotations

import pytest

from local.upstreams import Upstreams, UpstreamUnusable
from osiris.catalogue import Model, prices_from_dollars
from osiris.flows.models import served_at

SIMULATOR = "http://127.0.0.1:9/v1"


def _model(upstream: str) -> Model:
    return Model(
        id="m",
        name="M",
        upstream=upstream,
        base_url=f"https://api.{upstream}.example/v1",
        upstream_model="m-1",
        secret=f"{upstream}-key",
        prices=prices_from_dollars(input="1", output="2"),
        context_tokens=1000,
        output_tokens=1000,
        image_tokens_max=0,
        created_at_s=0,
    )


@pytest.mark.parametrize(
    ("environ", "base_url", "secret"),
    [
        ({}, SIMULATOR, "simulated"),
        ({"ANTHROPIC_API_KEY": ""}, SIMULATOR, "simulated"),
        ({"OPENAI_API_KEY": "sk-1"}, SIMULATOR, "simulated"),
        ({"ANTHROPIC_BASE_URL": "https://other.example"}, SIMULATOR, "simulated"),
        ({"ANTHROPIC_API_KEY": "sk-1"}, "https://api.anthropic.example/v1", "sk-1"),
        (
            {"ANTHROPIC_API_KEY": "sk-1", "ANTHROPIC_BASE_URL": "https://other.example/"},
            "https://other.example/v1",
            "sk-1",
        ),
        (
            {"ANTHROPIC_API_KEY": "sk-1", "ANTHROPIC_BASE_URL": "http://127.0.0.1:8/api/v1/"},
            "http://127.0.0.1:8/api/v1",
            "sk-1",
        ),
    ],
)
def test_an_upstream_is_real_when_its_key_is_known(
    environ: dict[str, str], base_url: str, secret: str
) -> None:
    """Its own key decides, nothing else; the address is models.yaml's unless another is named."""
    model = _model("anthropic")
    upstreams = Upstreams(simulator_url=SIMULATOR, environ=environ)
    (served,) = served_at([model], upstreams.base_urls)
    assert served == model._replace(base_url=base_url)
    assert upstreams.secrets([model]) == {"anthropic-key": secret}


@pytest.mark.parametrize("named", ["http://other.example/v1", "ftp://other.example", "nonsense"])
def test_an_address_that_would_give_the_key_away_is_refused(named: str) -> None:
    """The API key goes over TLS or not at all; the variable is named."""
    environ = {"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": named}
    with pytest.raises(UpstreamUnusable, match=r"^OPENAI_BASE_URL: .* https://"):
        _ = Upstreams(simulator_url=SIMULATOR, environ=environ).base_urls


def test_the_greeting_names_the_real_upstreams() -> None:
    """Nobody spends real money without being told."""
    environ = {"DEEPSEEK_API_KEY": "sk-1", "OPENAI_API_KEY": "sk-2"}
    words = Upstreams(simulator_url=SIMULATOR, environ=environ).in_words()
    assert words.startswith("openai, deepseek for real, at their own price")
