"""The models on sale, from the operator's list into the catalogue.

`models_from` checks a list as it stands in models.yaml, `plan` compares it with the catalogue, and
`apply` makes the catalogue equal to it. What was charged before keeps its prices: they are in the
entries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from osiris.errors import InvalidRequest
from osiris.flows.model_fields import model_doubts, model_fields, model_from

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from osiris.app.full import FullApp
    from osiris.catalogue import Model

# The catalogue is one partition that every process reads whole.
MODELS_MAX = 1_000


class Change(NamedTuple):
    """One field of a model that is to change; None where it is not given."""

    field: str
    old: str | int | None
    new: str | int | None


class Plan(NamedTuple):
    """What is to be done to the catalogue, in the order of ids."""

    added: tuple[Model, ...]
    changed: tuple[tuple[Model, tuple[Change, ...]], ...]
    removed: tuple[Model, ...]
    unchanged: int

    @property
    def is_empty(self) -> bool:
        """Whether the catalogue is as it shall be."""
        return not (self.added or self.changed or self.removed)


def models_from(document: object) -> list[Model]:
    """The models of a document like models.yaml, as plain Python values.

    Raises InvalidRequest for the first thing that is wrong: its message names model and field.
    """
    if not isinstance(document, dict) or set(document) != {"models"}:
        raise InvalidRequest("The file must have 'models', a list, and nothing else.")
    listed = document["models"]
    if not isinstance(listed, list) or not 0 < len(listed) <= MODELS_MAX:
        raise InvalidRequest(f"'models' must be a list of 1 to {MODELS_MAX} models.")
    models: dict[str, Model] = {}
    for place, given in enumerate(listed, 1):
        model = model_from(given, place)
        if model.id in models:
            raise InvalidRequest(f"{model.id}: two models have this id.")
        models[model.id] = model
    return list(models.values())


def served_at(models: Sequence[Model], base_urls: Mapping[str, str]) -> list[Model]:
    """The same models, with other base URLs for the upstream kinds that are named."""
    return [
        model._replace(base_url=base_urls.get(model.upstream, model.base_url)) for model in models
    ]


def plan(app: FullApp, models: Sequence[Model]) -> Plan:
    """What makes the catalogue, as it is now, equal to these models."""
    standing = app.models.read()
    wanted = {model.id: model for model in models}
    both = sorted(wanted.keys() & standing.keys())
    changed = tuple(
        (wanted[id], _changes(standing[id], wanted[id]))
        for id in both
        if wanted[id] != standing[id]
    )
    return Plan(
        added=tuple(wanted[id] for id in sorted(wanted.keys() - standing.keys())),
        changed=changed,
        removed=tuple(standing[id] for id in sorted(standing.keys() - wanted.keys())),
        unchanged=len(both) - len(changed),
    )


def apply(app: FullApp, planned: Plan) -> None:
    """Do it, model by model; requests see it within a minute. Interrupted, it can be repeated."""
    for model in (*planned.added, *(model for model, _ in planned.changed)):
        app.models.put(model)
    for model in planned.removed:
        app.models.remove(model.id)


def doubts(models: Sequence[Model]) -> list[str]:
    """What is allowed but looks like a slip, one sentence each."""
    return [doubt for model in models for doubt in model_doubts(model)]


def _changes(old: Model, new: Model) -> tuple[Change, ...]:
    before, after = model_fields(old), model_fields(new)
    names = [*before, *(name for name in after if name not in before)]
    return tuple(
        Change(name, before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    )
