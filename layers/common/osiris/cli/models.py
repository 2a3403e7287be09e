"""`osiris models`: what is sold, and at which prices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import yaml

from osiris.catalogue import UPSTREAM_KINDS
from osiris.cli.operator import Operator, as_json
from osiris.cli.output import note, show_json, show_table
from osiris.errors import InvalidRequest
from osiris.flows.model_fields import checked_base_url, model_fields
from osiris.flows.models import apply, doubts, models_from, plan, served_at

if TYPE_CHECKING:
    from osiris.flows.models import Plan

FILE_BYTES_MAX = 10_000_000
_PRICES = ("input", "cache_read", "output")


@click.group()
def models() -> None:
    """What is sold, and at which prices."""


@models.command("apply")
@click.argument("file", type=click.File("rb"), default="models.yaml")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--base-url",
    "base_urls",
    multiple=True,
    metavar="KIND=URL",
    envvar="OSIRIS_UPSTREAM_URLS",
    help="Send all models of an upstream kind elsewhere: openai=http://127.0.0.1:9000/v1 "
    "[env: OSIRIS_UPSTREAM_URLS, which `make run` sets to its simulator]",
)
@as_json
@click.pass_obj
def apply_models(
    operator: Operator, file: Any, dry_run: bool, yes: bool, base_urls: tuple[str, ...]
) -> None:
    """Make the catalogue equal to FILE (models.yaml), after showing the difference.

    Requests see it within a minute. A model that is not in FILE is removed; what was charged keeps
    its prices.

    \b
    osiris models apply --dry-run
    osiris models apply models.yaml --yes
    """
    wanted = served_at(models_from(_read(file)), dict(map(_base_url, base_urls)))
    for doubt in doubts(wanted):
        note(f"Look again: {doubt}")
    app = operator.app("catalogue_table")
    planned = plan(app, wanted)
    if not operator.wants_json:
        _show_plan(planned)
    applied = False
    if not (dry_run or planned.is_empty) and operator.may_change("Apply this?", yes=yes):
        apply(app, planned)
        applied = True
    if operator.wants_json:
        show_json(_plan_json(planned) | {"applied": applied})
    elif applied:
        note("Applied. Requests see it within a minute.")
    elif not planned.is_empty:
        note("Nothing was changed.")


@models.command("list")
@as_json
@click.pass_obj
def list_models(operator: Operator) -> None:
    """The models on sale, as the catalogue has them.

    Prices are dollars per million tokens.
    """
    shown = [
        model_fields(model) for model in operator.app("catalogue_table").models.read().values()
    ]
    if operator.wants_json:
        show_json({"data": shown})
        return
    headings = ("id", "upstream", *_PRICES, "context", "most output", "base URL")
    rows = [
        (
            str(model["id"]),
            str(model["upstream"]),
            *(str(model.get(price, "")) for price in _PRICES),
            str(model["context_tokens"]),
            str(model["output_tokens"]),
            str(model["base_url"]),
        )
        for model in shown
    ]
    show_table(headings, rows, right=headings[2:7])


class _StrictLoader(yaml.SafeLoader):
    """YAML in which a name that stands twice is an error: the second price would silently win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [self.construct_object(name, deep=True) for name, _ in node.value]
        twice = {str(name) for name in names if names.count(name) > 1}
        if twice:
            line = node.start_mark.line + 1
            raise InvalidRequest(
                f"{sorted(twice)[0]!r} stands twice in what begins at line {line}."
            )
        return super().construct_mapping(node, deep)


def _read(file: Any) -> object:
    text = file.read(FILE_BYTES_MAX)
    try:
        return yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise InvalidRequest(f"{file.name} is not YAML: {problem}") from error


def _base_url(text: str) -> tuple[str, str]:
    kind, _, url = text.partition("=")
    if kind not in UPSTREAM_KINDS:
        raise click.BadParameter(f"{kind!r} is none of {', '.join(UPSTREAM_KINDS)}.")
    try:
        return kind, checked_base_url(url)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from error


def _show_plan(planned: Plan) -> None:
    for model in planned.added:
        _line("+", f"{model.id}  " + _in_words(model_fields(model)), "green")
    for model, changes in planned.changed:
        _line("~", model.id, "yellow")
        for change in changes:
            click.echo(f"    {change.field}: {_or_none(change.old)} → {_or_none(change.new)}")
    for model in planned.removed:
        _line("-", model.id, "red")
    counts = f"{len(planned.added)} to add, {len(planned.changed)} to change, "
    click.echo(f"{counts}{len(planned.removed)} to remove, {planned.unchanged} as they are.")


def _line(sign: str, text: str, color: str) -> None:
    click.secho(f"{sign} {text}", fg=color)


def _in_words(fields: dict[str, str | int]) -> str:
    return ", ".join(f"{price} {fields[price]}" for price in _PRICES if price in fields)


def _or_none(value: str | int | None) -> str:
    return "not given" if value is None else str(value)


def _plan_json(planned: Plan) -> dict[str, Any]:
    return {
        "added": [model_fields(model) for model in planned.added],
        "changed": [
            {"id": model.id, "changes": [change._asdict() for change in changes]}
            for model, changes in planned.changed
        ],
        "removed": [model.id for model in planned.removed],
        "unchanged": planned.unchanged,
    }
