"""Usage as upstreams document it, in disjoint buckets; and what it costs, to the nano-dollar.

Payloads, apart from their figures, are those of:
- OpenAI, "The chat completion object" (`usage`, `prompt_tokens_details`,
  `completion_tokens_details`): https://platform.openai.com/docs/api-reference/chat/object
- DeepSeek, "Create Chat Completion" (`prompt_cache_hit_tokens`, `prompt_cache_miss_tokens`):
  https://api-docs.deepseek.com/api/create-chat-completion
- Anthropic, "Messages" (`usage`, `cache_creation`) and "Streaming messages" (`message_start`,
  cumulative `message_delta`): https://docs.claude.com/en/api/messages,
  https://docs.claude.com/en/docs/build-with-claude/streaming
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris.catalogue import Prices, prices_from_dollars
from osiris.usage import (
    MINIMUM_CHARGE_NANO,
    Tokens,
    charge_nano,
    cost_nano,
    estimate,
    merged,
    read_usage,
    usage_object,
)

LIMITS = (200_000, 64_000)

OPENAI = {
    "prompt_tokens": 1117,
    "completion_tokens": 46,
    "total_tokens": 1163,
    "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 20,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}
DEEPSEEK = {
    "completion_tokens": 10,
    "prompt_tokens": 16,
    "prompt_cache_hit_tokens": 12,
    "prompt_cache_miss_tokens": 4,
    "total_tokens": 26,
    "completion_tokens_details": {"reasoning_tokens": 3},
}
ANTHROPIC = {
    "input_tokens": 2095,
    "cache_creation_input_tokens": 248,
    "cache_read_input_tokens": 1800,
    "cache_creation": {"ephemeral_5m_input_tokens": 148, "ephemeral_1h_input_tokens": 100},
    "output_tokens": 503,
    "service_tier": "standard",
}
DOCUMENTED = {
    "openai": (OPENAI, Tokens(input=93, cache_read=1024, output=46)),
    "openai without details": (
        {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21},
        Tokens(input=9, output=12),
    ),
    "openai, details null": (
        {
            "prompt_tokens": 9,
            "completion_tokens": 12,
            "prompt_tokens_details": None,
            "completion_tokens_details": None,
        },
        Tokens(input=9, output=12),
    ),
    "openai, cache written": (
        {
            "prompt_tokens": 100,
            "completion_tokens": 1,
            "prompt_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 30},
        },
        Tokens(input=50, cache_read=20, cache_write_5m=30, output=1),
    ),
    # As Go servers write it whose one usage type serves several APIs.
    "openai, with anthropic's names as zeros": (
        {
            "prompt_tokens": 9,
            "completion_tokens": 12,
            "total_tokens": 21,
            "input_tokens": 0,
            "output_tokens": 0,
            "input_tokens_details": None,
        },
        Tokens(input=9, output=12),
    ),
    "deepseek": (DEEPSEEK, Tokens(input=4, cache_read=12, output=10)),
    "anthropic": (
        ANTHROPIC,
        Tokens(input=2095, cache_read=1800, cache_write_5m=148, cache_write_1h=100, output=503),
    ),
    "anthropic without a split": (
        {name: figure for name, figure in ANTHROPIC.items() if name != "cache_creation"},
        Tokens(input=2095, cache_read=1800, cache_write_5m=248, output=503),
    ),
    "anthropic without cache": (
        {
            "input_tokens": 12,
            "cache_creation_input_tokens": None,
            "cache_read_input_tokens": None,
            "output_tokens": 6,
        },
        Tokens(input=12, output=6),
    ),
}


@pytest.mark.parametrize(("reported", "tokens"), DOCUMENTED.values(), ids=DOCUMENTED)
def test_documented_payloads(reported: dict[str, Any], tokens: Tokens) -> None:
    """Each documented form is read into buckets that do not overlap, and needs no bounding."""
    usage = read_usage(reported, LIMITS)
    assert usage is not None
    assert usage.tokens == tokens
    assert (usage.bounded, usage.estimated) == (False, False)


def test_a_cumulative_stream_replaces() -> None:
    """Anthropic's running figures replace, name by name, those of the start; the split stays."""
    start = {
        "type": "message_start",
        "message": {
            "usage": {
                "input_tokens": 25,
                "cache_read_input_tokens": 5,
                "cache_creation_input_tokens": 10,
                "cache_creation": {
                    "ephemeral_5m_input_tokens": 0,
                    "ephemeral_1h_input_tokens": 10,
                },
                "output_tokens": 1,
            }
        },
    }
    first = {"type": "message_delta", "usage": {"output_tokens": 9}}
    last = {"type": "message_delta", "usage": {"output_tokens": 15, "input_tokens": None}}
    reported: dict[str, Any] | None = None
    for event in (start, first, last):
        found = usage_object(event)
        assert found is not None
        reported = merged(reported, found)
    assert reported is not None
    usage = read_usage(reported, LIMITS)
    assert usage is not None
    assert usage.tokens == Tokens(input=25, cache_read=5, cache_write_1h=10, output=15)
    assert not usage.bounded


WRONG: dict[str, tuple[dict[str, Any], Tokens]] = {
    "negative": ({"prompt_tokens": -5, "completion_tokens": -7}, Tokens()),
    "one negative": ({"prompt_tokens": 5, "completion_tokens": -7}, Tokens(input=5)),
    "huge": (
        {"prompt_tokens": 10**30, "completion_tokens": 10**30},
        Tokens(input=200_000, output=64_000),
    ),
    "a float": ({"prompt_tokens": 5.0, "completion_tokens": 7}, Tokens(output=7)),
    "a boolean": ({"prompt_tokens": True, "completion_tokens": 7}, Tokens(output=7)),
    "a text": ({"prompt_tokens": "5", "completion_tokens": 7}, Tokens(output=7)),
    "a list": ({"prompt_tokens": [5], "completion_tokens": 7}, Tokens(output=7)),
    "one missing": ({"completion_tokens": 7}, Tokens(output=7)),
    "null": ({"prompt_tokens": None, "completion_tokens": 7}, Tokens(output=7)),
    "more cached than sent": (
        {
            "prompt_tokens": 5,
            "completion_tokens": 7,
            "prompt_tokens_details": {"cached_tokens": 9},
        },
        Tokens(cache_read=5, output=7),
    ),
    "more read and written than sent": (
        {
            "prompt_tokens": 10,
            "completion_tokens": 0,
            "prompt_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 8},
        },
        Tokens(cache_read=8, cache_write_5m=2),
    ),
    "negative cache": (
        {"prompt_tokens": 5, "completion_tokens": 7, "prompt_cache_hit_tokens": -1},
        Tokens(input=5, output=7),
    ),
    "more of an hour than written": (
        {
            "input_tokens": 1,
            "output_tokens": 1,
            "cache_creation_input_tokens": 5,
            "cache_creation": {"ephemeral_1h_input_tokens": 9},
        },
        Tokens(input=1, cache_write_1h=5, output=1),
    ),
    "anthropic above the context": (
        {"input_tokens": 150_000, "cache_read_input_tokens": 100_000, "output_tokens": 1},
        Tokens(input=150_000, cache_read=50_000, output=1),
    ),
}


@pytest.mark.parametrize(("reported", "tokens"), WRONG.values(), ids=WRONG)
def test_impossible_figures_are_bounded(reported: dict[str, Any], tokens: Tokens) -> None:
    """What can't be is bounded to the model's limits, never below zero, and told."""
    usage = read_usage(reported, LIMITS)
    assert usage is not None
    assert usage.tokens == tokens
    assert usage.bounded


@pytest.mark.parametrize("reported", [{}, {"total_tokens": 5}, {"usage": 1}])
def test_no_figures_are_no_usage(reported: dict[str, Any]) -> None:
    """An object without any of the figures is no usage: the answer is estimated."""
    assert read_usage(reported, LIMITS) is None


@pytest.mark.parametrize(
    ("event", "found"),
    [
        ({"usage": None}, None),
        ({}, None),
        ({"usage": [1]}, None),
        ({"message": "text"}, None),
        ({"message": {"usage": {"a": 1}}}, {"a": 1}),
        ({"usage": {"a": 1}, "message": {"usage": {"b": 1}}}, {"a": 1}),
    ],
)
def test_where_usage_stands(event: dict[str, Any], found: dict[str, Any] | None) -> None:
    """Usage stands in the event, or in Anthropic's message; null is none."""
    assert usage_object(event) == found


FIGURES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.lists(st.none())
)
REPORTS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(
            [
                *("prompt_tokens", "completion_tokens", "prompt_cache_hit_tokens"),
                *("input_tokens", "output_tokens", "cache_read_input_tokens"),
                "cache_creation_input_tokens",
            ],
            FIGURES,
        ),
        "prompt_tokens_details": st.one_of(
            FIGURES,
            st.fixed_dictionaries({"cached_tokens": FIGURES, "cache_write_tokens": FIGURES}),
        ),
        "cache_creation": st.one_of(
            FIGURES, st.fixed_dictionaries({"ephemeral_1h_input_tokens": FIGURES})
        ),
    },
)


@given(REPORTS, st.integers(0, 1000), st.integers(0, 1000))
def test_whatever_is_reported_stays_within_the_limits(
    reported: dict[str, Any], input_max: int, output_max: int
) -> None:
    """No report, however absurd, leads to a bucket below zero or above what the model can do."""
    usage = read_usage(reported, (input_max, output_max))
    if usage is not None:
        assert min(usage.tokens) >= 0
        assert sum(usage.tokens[:4]) <= input_max
        assert usage.tokens.output <= output_max


OPUS = prices_from_dollars(input="5", output="25")
DEEPSEEK_V3 = prices_from_dollars(input="0.27", output="1.10")


@pytest.mark.parametrize(
    ("tokens", "prices", "nano"),
    [
        (Tokens(input=10_000, output=2_000), OPUS, 100_000_000),
        (Tokens(input=50_000, output=5_000), DEEPSEEK_V3, 19_000_000),
        (Tokens(input=1, output=1), OPUS, MINIMUM_CHARGE_NANO),
        (Tokens(), OPUS, MINIMUM_CHARGE_NANO),
        (Tokens(input=200), OPUS, 1_000_000),
        (Tokens(input=201), OPUS, 1_005_000),
    ],
)
def test_charges(tokens: Tokens, prices: Prices, nano: int) -> None:
    """The promised examples: $0.100, $0.019, and $0.001 at least."""
    assert charge_nano(tokens, prices) == nano


COUNTS = st.tuples(*[st.integers(0, 2_000_000)] * 5).map(Tokens._make)
PRICES = st.tuples(*[st.integers(0, 10**12)] * 5).map(Prices._make)


@given(COUNTS, PRICES)
def test_the_cost_is_one_fraction_rounded_up(tokens: Tokens, prices: Prices) -> None:
    """Rounded up once, over all buckets: less than a nano-dollar above the exact cost."""
    exact = sum(
        (Fraction(count * price, 1_000_000) for count, price in zip(tokens, prices, strict=True)),
        Fraction(0),
    )
    assert 0 <= cost_nano(tokens, prices) - exact < 1
    assert charge_nano(tokens, prices) == max(MINIMUM_CHARGE_NANO, cost_nano(tokens, prices))


@pytest.mark.parametrize(
    ("input_bytes", "output_bytes", "tokens"),
    [
        (0, 0, Tokens()),
        (1, 4, Tokens(input=1, output=1)),
        (8, 9, Tokens(input=2, output=3)),
        (10**9, 10**9, Tokens(input=200_000, output=64_000)),
    ],
)
def test_estimates(input_bytes: int, output_bytes: int, tokens: Tokens) -> None:
    """Where nothing is reported: a token for every four bytes begun, within the limits, flagged."""
    usage = estimate(input_bytes=input_bytes, output_bytes=output_bytes, limits=LIMITS)
    assert usage.tokens == tokens
    assert usage.estimated
