"""docs/operations.md names all that the template gives an operator, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

from osiris import telemetry

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs/operations.md").read_text()
CODE = re.compile(r"`([^`\n]+)`")


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return dict(yaml_parse((REPOSITORY / "template.yaml").read_text()))


def section(title: str) -> str:
    """The text below a heading, up to the next heading."""
    return re.split(r"^#+ ", PAGE.partition(f" {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def first_cells(title: str) -> Iterator[tuple[list[str], str]]:
    """(the names in the first cell, the rest of the row) of each row of a section's table."""
    for line in section(title).splitlines():
        if line.startswith("| `"):
            first, _, rest = line.removeprefix("| ").partition(" | ")
            yield CODE.findall(first), rest


def names_in_table(title: str) -> set[str]:
    return {name for names, _ in first_cells(title) for name in names}


def test_every_parameter_is_explained_with_its_default(template: dict[str, Any]) -> None:
    """The table of parameters is the template's, defaults included."""
    assert names_in_table("Parameters") == set(template["Parameters"])
    for names, rest in first_cells("Parameters"):
        told = [cell.strip("` ") for cell in rest.partition(" | ")[0].split(",")]
        for position, name in enumerate(names):
            default = str(template["Parameters"][name]["Default"])
            assert told[min(position, len(told) - 1)] == (default or "empty"), name


def test_every_alarm_is_explained(template: dict[str, Any]) -> None:
    """Each alarm has a row that says what it means and what to do."""
    alarms = {
        name
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }
    assert names_in_table("Alarms") == alarms


def test_every_metric_is_explained() -> None:
    """The table of metrics holds those that Osiris writes."""
    constants = {
        value
        for name, value in vars(telemetry).items()
        if name.isupper() and isinstance(value, str)  # TYPE_CHECKING is none
    }
    assert names_in_table("Metrics") == constants - {telemetry.NAMESPACE}
    assert f"namespace `{telemetry.NAMESPACE}`" in PAGE


def test_every_output_is_named(template: dict[str, Any]) -> None:
    """Whoever reads the stack's outputs finds each of them here."""
    for name in template["Outputs"]:
        assert f"`{name}`" in PAGE or f"OutputKey=='{name}'" in PAGE, name


def test_the_events_named_are_there() -> None:
    """Each event of the table is a file of events/, named after its function."""
    for (name,), rest in first_cells("Try a function in a container"):
        json.loads((REPOSITORY / "events" / name).read_text())
        function = CODE.findall(rest)[0]
        assert name.startswith(function.removesuffix("Function").lower() + "_")
