"""Holds: what an admitted request may cost, kept from other requests until it is settled."""

from collections.abc import Mapping
from typing import NamedTuple

from osiris.catalogue import Model
from osiris.ids import made_at_ms
from osiris.money import ceil_div
from osiris.usage import MINIMUM_CHARGE_NANO, TOKENS_PER_MTOK

# Ordinary text in any language has fewer tokens than this; rows of rare signs may have more.
HOLD_BYTES_PER_TOKEN = 2


class Demand(NamedTuple):
    """What a request asks for, as far as its cost depends on it.

    `unmeasured` says that it has a part whose tokens its bytes don't bound, such as a PDF.
    """

    text_bytes: int
    images: int
    choices: int
    output_tokens_max: int | None
    unmeasured: bool = False


def hold_nano(demand: Demand, model: Model) -> int:
    """The most the request should cost, at least the minimum charge.

    It never refuses its own request; it only makes later ones see it.
    """
    input_tokens = ceil_div(demand.text_bytes, HOLD_BYTES_PER_TOKEN)
    input_tokens += demand.images * model.image_tokens_max
    input_tokens = min(input_tokens, model.context_tokens)
    if demand.unmeasured:
        input_tokens = model.context_tokens
    output_tokens = model.output_tokens
    if demand.output_tokens_max is not None:
        output_tokens = min(output_tokens, demand.output_tokens_max)
    total = input_tokens * model.prices.dearest_input_nano_per_mtok
    total += demand.choices * output_tokens * model.prices.output_nano_per_mtok
    return max(MINIMUM_CHARGE_NANO, ceil_div(total, TOKENS_PER_MTOK))


def lapsed(holds: Mapping[str, int], *, lapse_ms: int, now_ms: int) -> dict[str, int]:
    """The holds whose function is lost: a request's id tells when it was admitted."""
    return {
        request_id: amount_nano
        for request_id, amount_nano in holds.items()
        if made_at_ms(request_id) <= now_ms - lapse_ms
    }
