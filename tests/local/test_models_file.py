"""models.yaml says what each model costs, and nothing in it is off by a factor of thousands."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from osiris.catalogue import UPSTREAM_KINDS, prices_from_dollars
from osiris.money import nano_from_dollars

MODELS: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parents[2] / "models.yaml").read_text(encoding="utf-8")
)["models"]
BASE_URLS = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com/v1",
    "deepseek": "https://api.deepseek.com/v1",
}
PRICES = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
REQUIRED = {
    *("id", "name", "upstream", "base_url", "upstream_model", "secret", "input", "output"),
    *("context_tokens", "output_tokens", "created"),
}
OPTIONAL = {"cache_read", "cache_write_5m", "cache_write_1h", "image_tokens_max"}

each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model["id"])


def test_ids_are_unique() -> None:
    """Two models never share an id."""
    ids = [model["id"] for model in MODELS]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("id", "input", "output"), [("claude-opus-4.6", "5", "25"), ("deepseek-v3", "0.27", "1.10")]
)
def test_the_promised_models_have_the_promised_prices(id: str, input: str, output: str) -> None:
    """The two models of the price examples are on sale at exactly those prices."""
    (model,) = [model for model in MODELS if model["id"] == id]
    assert (model["input"], model["output"]) == (input, output)


@each_model
def test_fields_are_known_and_complete(model: dict[str, Any]) -> None:
    """A model has every field it needs and none that nobody reads."""
    assert set(model) >= REQUIRED
    assert set(model) <= REQUIRED | OPTIONAL
    assert model["upstream"] in UPSTREAM_KINDS
    assert model["secret"] == model["upstream"]
    assert model["base_url"] == BASE_URLS[model["upstream"]]
    datetime.date.fromisoformat(model["created"])


@each_model
def test_prices_are_plausible(model: dict[str, Any]) -> None:
    """Each price is text, between a cent and $200, and cache reads never cost more than input."""
    given = {name: model[name] for name in PRICES if name in model}
    for text in given.values():
        assert isinstance(text, str)
        assert nano_from_dollars("0.01") <= nano_from_dollars(text) <= nano_from_dollars("200")
    prices = prices_from_dollars(**given)
    assert prices.cache_read_nano_per_mtok <= prices.input_nano_per_mtok
    assert prices.input_nano_per_mtok <= prices.output_nano_per_mtok


@each_model
def test_limits_are_plausible(model: dict[str, Any]) -> None:
    """Limits are whole numbers of tokens, and an answer fits into the context."""
    assert 1_000 <= model["output_tokens"] <= model["context_tokens"] <= 2_000_000
    assert 0 < model.get("image_tokens_max", 1) <= 50_000
