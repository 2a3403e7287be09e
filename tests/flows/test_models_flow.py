"""The operator's list of models: what is refused, what changes, and that nothing else does."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from osiris.errors import InvalidRequest
from osiris.flows.model_fields import model_fields, model_from
from osiris.flows.models import MODELS_MAX, Change, apply, doubts, models_from, plan, served_at
from osiris.money import NANO_PER_DOLLAR

if TYPE_CHECKING:
    from tests.builders import World

GIVEN: dict[str, Any] = {
    "id": "m-1",
    "name": "M 1",
    "upstream": "openai",
    "base_url": "https://api.example/v1",
    "upstream_model": "m-1-2026",
    "secret": "example",
    "input": "0.27",
    "output": "1.10",
    "cache_read": "0.07",
    "context_tokens": 65536,
    "output_tokens": 8192,
    "created": "2026-01-02",
}


def given(*, without: str = "", **changes: Any) -> dict[str, Any]:
    """The model above with some fields changed, and one taken out."""
    return {name: value for name, value in (GIVEN | changes).items() if name != without}


def document(*models: Any) -> dict[str, Any]:
    return {"models": list(models)}


def test_a_model_is_read_exactly() -> None:
    """Prices become whole nano-dollars, without a cache price the input's; days become seconds."""
    (model,) = models_from(document(GIVEN))
    assert model.prices == (270_000_000, 70_000_000, 270_000_000, 270_000_000, 1_100_000_000)
    assert (model.context_tokens, model.output_tokens, model.image_tokens_max) == (65536, 8192, 0)
    assert model.created_at_s == 1_767_312_000


def test_the_files_models_are_read_and_shown_again() -> None:
    """Every model of models.yaml is valid without doubts, and its fields are those in the file."""
    text = (Path(__file__).parents[2] / "models.yaml").read_text(encoding="utf-8")
    models = models_from(yaml.safe_load(text))
    assert len(models) > 10
    assert doubts(models) == []
    assert [model_from(model_fields(model), 1) for model in models] == models


WRONG = [
    (given(without="input"), "m-1: input is missing."),
    (given(without="secret"), "m-1: secret is missing."),
    (given(cache="1"), "m-1: there is no field 'cache'."),
    (given(input=0.27), 'm-1: input must be dollars in quotes, such as "0.27", not 0.27.'),
    (given(input="0,27"), "m-1: not an amount in dollars with up to nine decimals: '0,27'."),
    (given(output="1e3"), "m-1: not an amount in dollars with up to nine decimals: '1e3'."),
    (given(output="1000.01"), "m-1: output must be $0 to $1000 per million tokens, not '1000.01'."),
    (given(input="-1"), "m-1: input must be $0 to $1000 per million tokens, not '-1'."),
    (given(context_tokens=0), "m-1: context_tokens must be a number from 1 to 100000000, not 0."),
    (given(output_tokens="1"), "m-1: output_tokens must be a number from 1 to 100000000, not '1'."),
    (
        given(output_tokens=True),
        "m-1: output_tokens must be a number from 1 to 100000000, not True.",
    ),
    (given(output_tokens=65537), "m-1: output_tokens is above context_tokens."),
    (
        given(upstream="acme"),
        "m-1: upstream must be one of openai, anthropic, deepseek, not 'acme'.",
    ),
    (given(created="yesterday"), 'm-1: created must be a day in quotes, such as "2026-02-05".'),
    (given(created=20260205), 'm-1: created must be a day in quotes, such as "2026-02-05".'),
    (given(secret="a/b"), "m-1: a secret's name is letters, digits and . _ -, not 'a/b'."),
    (given(name=" x"), "m-1: name has spaces around it, or characters that can't be seen."),
    (given(name=""), "m-1: name must be a text of at most 200 characters."),
    (given(id="a/b"), "Model 1: an id is letters, digits and . _ : @ -, not 'a/b'."),
    (given(without="id"), "Model 1: it must have an 'id', a text."),
    ("m-1", "Model 1: it must have an 'id', a text."),
]


@pytest.mark.parametrize(("wrong", "message"), WRONG, ids=[message for _, message in WRONG])
def test_what_is_wrong_is_named(wrong: object, message: str) -> None:
    """The first thing that is wrong is told with its model and field."""
    with pytest.raises(InvalidRequest) as refused:
        models_from(document(wrong))
    assert refused.value.message == message


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example",
        "https://api.example:8443/v1",
        "http://127.0.0.1:9/v1",
        "http://localhost/v1",
        "http://[::1]:9",
    ],
)
def test_base_urls_that_are_taken(url: str) -> None:
    """HTTPS anywhere, plain HTTP on this machine; the slash at the end goes."""
    (model,) = models_from(document(given(base_url=url + "/")))
    assert model.base_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example/v1",
        "ftp://api.example",
        "api.example/v1",
        "https://",
        "https://user:pw@api.example",
        "https://a.b/?key=1",
        "https://a.b/#x",
        "https://a.b:port/",
        "http://127.0.0.1.evil/",
    ],
)
def test_base_urls_that_are_refused(url: str) -> None:
    """An API key is never sent in the clear, and never part of the URL."""
    with pytest.raises(InvalidRequest):
        models_from(document(given(base_url=url)))


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        {},
        {"models": []},
        {"models": {}},
        {"models": [GIVEN], "more": 1},
        {"models": [GIVEN] * (MODELS_MAX + 1)},
    ],
)
def test_documents_of_another_form_are_refused(wrong: object) -> None:
    """An empty list is one, too: it would take all models off sale."""
    with pytest.raises(InvalidRequest, match="models"):
        models_from(wrong)


def test_ids_are_unique() -> None:
    """Two models of one id are refused."""
    with pytest.raises(InvalidRequest, match="m-1: two models have this id"):
        models_from(document(GIVEN, given(name="other")))


def test_slips_are_pointed_out_and_taken() -> None:
    """A price far from any other, or the wrong way round, is worth a second look."""
    models = models_from(document(given(input="300", cache_read="0.0001")))
    assert doubts(models) == [
        "m-1: input is $300 per million tokens, which is unusual.",
        "m-1: cache_read is $0.0001 per million tokens, which is unusual.",
        "m-1: input is dearer than output.",
    ]


def test_a_plan_shows_each_difference(world: World) -> None:
    """Added, changed field by field from old to new, removed, and how many stay."""
    before = models_from(document(GIVEN, given(id="gone"), given(id="same")))
    apply(world.app, plan(world.app, before))
    changed = given(output="2", base_url="https://b.example", without="cache_read")
    wanted = models_from(document(changed, given(id="new"), given(id="same")))
    planned = plan(world.app, wanted)
    assert [model.id for model in planned.added] == ["new"]
    assert [model.id for model in planned.removed] == ["gone"]
    ((model, changes),) = planned.changed
    assert model.prices.output_nano_per_mtok == 2 * NANO_PER_DOLLAR
    assert changes == (
        Change("base_url", "https://api.example/v1", "https://b.example"),
        Change("cache_read", "0.07", None),
        Change("output", "1.1", "2"),
    )
    assert (planned.unchanged, planned.is_empty) == (1, False)


def test_applying_makes_the_catalogue_equal(world: World) -> None:
    """After it there is nothing left to do; what stays is not written again."""
    apply(world.app, plan(world.app, models_from(document(GIVEN, given(id="gone")))))
    wanted = models_from(document(given(name="M"), given(id="new")))
    world.transport.calls.clear()
    apply(world.app, plan(world.app, wanted))
    assert world.transport.calls == ["Query", "PutItem", "PutItem", "DeleteItem"]
    assert list(world.app.models.read().values()) == wanted
    again = plan(world.app, wanted)
    assert (again.is_empty, again.unchanged) == (True, 2)


def test_planning_changes_nothing(world: World) -> None:
    """A plan is one reading."""
    plan(world.app, models_from(document(GIVEN)))
    assert world.transport.calls == ["Query"]


def test_upstream_kinds_can_be_served_elsewhere() -> None:
    """The base URL alone changes, and of the named kinds alone."""
    claude = given(id="c", upstream="anthropic")
    models = models_from(document(copy.copy(GIVEN), claude))
    served = served_at(models, {"openai": "http://127.0.0.1:9/v1"})
    assert served == [models[0]._replace(base_url="http://127.0.0.1:9/v1"), models[1]]
