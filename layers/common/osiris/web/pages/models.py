"""The models on sale with their prices, and what a request would cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from osiris.usage import MINIMUM_CHARGE_NANO, TOKENS_PER_MTOK, Tokens, charge_nano
from osiris.web.examples import example_model
from osiris.web.price import Price, price_of
from osiris.web.rendering import public_page
from osiris.web.words import N_

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from osiris.catalogue import Model
    from osiris.http.messages import Answer
    from osiris.web.visit import Visit

# What the table's last column is the price of: a question with some context, and its answer.
TYPICAL = Tokens(input=1_000, output=500)
# Above any model's context; a request of more is many requests.
TOKENS_MAX = 10_000_000
# As long as a model's id may be.
SEARCH_LENGTH_MAX = 100

UPSTREAMS = {"openai": "OpenAI", "anthropic": "Anthropic", "deepseek": "DeepSeek"}

_SORTS: dict[str, tuple[str, Callable[[Model], tuple[int | str, ...]]]] = {
    "name": (N_("Name"), lambda model: (model.name.casefold(), model.id)),
    "input": (
        N_("Input price, lowest first"),
        lambda model: (model.prices.input_nano_per_mtok, model.id),
    ),
    "output": (
        N_("Output price, lowest first"),
        lambda model: (model.prices.output_nano_per_mtok, model.id),
    ),
    "context": (N_("Context, largest first"), lambda model: (-model.context_tokens, model.id)),
}
_MISTAKE_MODEL = N_("Choose a model from the list.")
_MISTAKE_TOKENS = N_("Tokens are whole numbers from 0 to %(most)s.")


class Preset(NamedTuple):
    """A calculation to begin with."""

    model_id: str
    tokens: Tokens


PRESETS = (
    Preset("claude-opus-4.6", Tokens(input=10_000, output=2_000)),
    Preset("deepseek-v3", Tokens(input=50_000, output=5_000)),
)


class Calculation(NamedTuple):
    """What a request would cost, and how that comes about."""

    model: Model
    tokens: Tokens
    price: Price

    @property
    def is_too_long(self) -> bool:
        """Whether the model takes no such request."""
        tokens = self.tokens
        return tokens.input > self.model.context_tokens or tokens.output > self.model.output_tokens


class _Asked(NamedTuple):
    """The calculator's fields, named as in the form, as they are shown."""

    model: str
    input: str
    output: str


def catalogue(visit: Visit) -> Answer:
    """All models, searched and sorted, and the calculator. Raises StoreUnavailable."""
    models = visit.app.models.all(visit.app.now_ms())
    search = visit.query("q").strip()[:SEARCH_LENGTH_MAX]
    sort = visit.query("sort") if visit.query("sort") in _SORTS else next(iter(_SORTS))
    presets = [preset for preset in PRESETS if preset.model_id in models]
    asked = _asked(visit, models, presets)
    calculation, mistake = _calculated(visit, models, asked)
    return public_page(
        visit,
        "models.html",
        models=sorted(_found(models.values(), search), key=_SORTS[sort][1]),
        all_models=models,
        upstreams=UPSTREAMS,
        search=search,
        search_length_max=SEARCH_LENGTH_MAX,
        sort=sort,
        sorts={name: visit.words.text(label) for name, (label, _) in _SORTS.items()},
        typical=TYPICAL,
        charge_nano=charge_nano,
        minimum_nano=MINIMUM_CHARGE_NANO,
        tokens_per_mtok=TOKENS_PER_MTOK,
        tokens_max=TOKENS_MAX,
        asked=asked,
        calculation=calculation,
        mistake=mistake,
        presets=presets,
    )


def calculated(model: Model, tokens: Tokens) -> Calculation:
    """The formula with its numbers: what the ledger would charge for these tokens."""
    charged_nano = charge_nano(tokens, model.prices)
    return Calculation(model, tokens, price_of(tokens, model.prices, charged_nano))


def _found(models: Collection[Model], search: str) -> list[Model]:
    wanted = search.casefold()
    return [
        model
        for model in models
        if wanted in model.id.casefold() or wanted in model.name.casefold()
    ]


def _asked(visit: Visit, models: Mapping[str, Model], presets: list[Preset]) -> _Asked:
    """What was asked for; at first the first preset, so that the formula is seen at work."""
    given = _Asked(*(visit.query(name).strip()[:SEARCH_LENGTH_MAX] for name in _Asked._fields))
    if any(given):
        return given
    first = presets[0] if presets else Preset(example_model(models), TYPICAL)
    return _Asked(first.model_id, str(first.tokens.input), str(first.tokens.output))


def _calculated(
    visit: Visit, models: Mapping[str, Model], asked: _Asked
) -> tuple[Calculation | None, str]:
    """The calculation, or else what is wrong with what was asked for, in words."""
    if not models:
        return None, ""
    model = models.get(asked.model)
    if model is None:
        return None, visit.words.text(_MISTAKE_MODEL)
    input, output = _count(asked.input), _count(asked.output)
    if input is None or output is None:
        most = visit.words.number(TOKENS_MAX)
        return None, visit.words.text(_MISTAKE_TOKENS, most=most)
    return calculated(model, Tokens(input=input, output=output)), ""


def _count(text: str) -> int | None:
    """A number of tokens; an empty text is 0, and None whatever is none."""
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(TOKENS_MAX))):
        return None
    return int(text) if int(text) <= TOKENS_MAX else None
