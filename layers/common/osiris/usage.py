"""Tokens: how each upstream reports them, and what they cost.

Reported usage is brought into disjoint buckets, so that cost is one sum over (tokens x price) and
anyone can recompute it from a ledger entry. What an upstream reports is not trusted: numbers
outside the model's limits are bounded to them, and that this was needed is told.

Forms (fields named as the upstreams document them):
- OpenAI chat completions, and Anthropic's OpenAI-compatible endpoint: `prompt_tokens` includes
  `prompt_tokens_details.cached_tokens` and `.cache_write_tokens`; `completion_tokens` includes
  reasoning.
- DeepSeek: the same, with `prompt_tokens = prompt_cache_hit_tokens + prompt_cache_miss_tokens`.
- Anthropic messages: `input_tokens` excludes `cache_read_input_tokens` and
  `cache_creation_input_tokens`; `cache_creation` splits the latter by lifetime. In a stream,
  `message_delta` carries cumulative figures that replace those of `message_start`.
"""

from typing import Any, NamedTuple

from osiris.catalogue import Prices
from osiris.money import ceil_div

MINIMUM_CHARGE_NANO = 1_000_000
TOKENS_PER_MTOK = 1_000_000
# An upstream that reports no usage is estimated at one token for every four bytes of text.
ESTIMATE_BYTES_PER_TOKEN = 4


class Tokens(NamedTuple):
    """Tokens in disjoint buckets, in the order of `Prices`."""

    input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 0


class Usage(NamedTuple):
    """What a request used. `bounded`: the upstream's figures were impossible and were cut."""

    tokens: Tokens
    bounded: bool = False
    estimated: bool = False


def cost_nano(tokens: Tokens, prices: Prices) -> int:
    """The formula: one fraction over all buckets, rounded up once. No minimum."""
    total = sum(count * price for count, price in zip(tokens, prices, strict=True))
    return ceil_div(total, TOKENS_PER_MTOK)


def charge_nano(tokens: Tokens, prices: Prices) -> int:
    """What an answered request is charged: its cost, at least $0.001."""
    return max(MINIMUM_CHARGE_NANO, cost_nano(tokens, prices))


def estimate(*, input_bytes: int, output_bytes: int, limits: tuple[int, int]) -> Usage:
    """Usage by the bytes of text sent and received, within the limits (input, output)."""
    input_max, output_max = limits
    tokens = Tokens(
        input=min(input_max, ceil_div(input_bytes, ESTIMATE_BYTES_PER_TOKEN)),
        output=min(output_max, ceil_div(output_bytes, ESTIMATE_BYTES_PER_TOKEN)),
    )
    return Usage(tokens, estimated=True)


def usage_object(event: dict[str, Any]) -> dict[str, Any] | None:
    """The usage that a whole answer, or one event of a stream, carries."""
    found = event.get("usage")
    if found is None and isinstance(message := event.get("message"), dict):
        found = message.get("usage")
    return found if isinstance(found, dict) else None


def merged(earlier: dict[str, Any] | None, later: dict[str, Any]) -> dict[str, Any]:
    """Figures of a stream so far: cumulative, so the later replace the earlier, name by name."""
    return later if earlier is None else {**earlier, **_without_nulls(later)}


def read_usage(reported: dict[str, Any], limits: tuple[int, int]) -> Usage | None:
    """Tokens from an upstream's usage object, within the limits (input, output).

    None when the object has none of the figures: then there is no usage to speak of.
    """
    # OpenAI's names first: servers that speak its form may send Anthropic's beside it, as zeros.
    if "prompt_tokens" in reported or "completion_tokens" in reported:
        buckets, doubtful = _openai(reported)
    elif "input_tokens" in reported or "cache_read_input_tokens" in reported:
        buckets, doubtful = _anthropic(reported)
    else:
        return None
    bounded = _within(buckets, limits)
    return Usage(bounded, bounded=doubtful or bounded != buckets)


def _openai(reported: dict[str, Any]) -> tuple[Tokens, bool]:
    details = reported.get("prompt_tokens_details")
    details = details if isinstance(details, dict) else {}
    cached = reported.get("prompt_cache_hit_tokens", details.get("cached_tokens"))
    prompt, wrong_prompt = _count(reported.get("prompt_tokens"))
    read, wrong_read = _count(cached, 0)
    write, wrong_write = _count(details.get("cache_write_tokens"), 0)
    output, wrong_output = _count(reported.get("completion_tokens"))
    known_read = min(read, prompt)
    known_write = min(write, prompt - known_read)
    wrong = wrong_prompt or wrong_read or wrong_write or wrong_output
    tokens = Tokens(
        input=prompt - known_read - known_write,
        cache_read=known_read,
        cache_write_5m=known_write,
        output=output,
    )
    return tokens, wrong or known_read + known_write != read + write


def _anthropic(reported: dict[str, Any]) -> tuple[Tokens, bool]:
    split = reported.get("cache_creation")
    split = split if isinstance(split, dict) else {}
    uncached, wrong_input = _count(reported.get("input_tokens"))
    read, wrong_read = _count(reported.get("cache_read_input_tokens"), 0)
    written, wrong_written = _count(reported.get("cache_creation_input_tokens"), 0)
    one_hour, wrong_hour = _count(split.get("ephemeral_1h_input_tokens"), 0)
    output, wrong_output = _count(reported.get("output_tokens"))
    known_hour = min(one_hour, written)
    wrong = wrong_input or wrong_read or wrong_written or wrong_hour or wrong_output
    tokens = Tokens(
        input=uncached,
        cache_read=read,
        cache_write_5m=written - known_hour,
        cache_write_1h=known_hour,
        output=output,
    )
    return tokens, wrong or known_hour != one_hour


def _count(figure: Any, default: int | None = None) -> tuple[int, bool]:
    """The figure as a count, and whether it was none (negative, not a whole number, missing)."""
    if figure is None and default is not None:
        return default, False
    if isinstance(figure, int) and not isinstance(figure, bool) and figure >= 0:
        return figure, False
    return 0, True


def _within(tokens: Tokens, limits: tuple[int, int]) -> Tokens:
    room, output_max = limits
    counts = []
    for count in tokens[:4]:
        counts.append(min(count, room))
        room -= counts[-1]
    return Tokens._make([*counts, min(tokens.output, output_max)])


def _without_nulls(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: figure for name, figure in figures.items() if figure is not None}
