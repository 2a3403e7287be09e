"""docs/cli.md is the command's own help."""

import re
from pathlib import Path

import click
import pytest

from osiris.cli.docs import page
from osiris.cli.root import osiris

ROOT = Path(__file__).parents[2]


def test_the_page_is_fresh() -> None:
    """Made by one command: `.venv/bin/python -m osiris.cli.docs > docs/cli.md`."""
    stale = "docs/cli.md is stale: .venv/bin/python -m osiris.cli.docs > docs/cli.md"
    assert (ROOT / "docs/cli.md").read_text(encoding="utf-8") == page(), stale


@pytest.mark.parametrize("path", sorted(ROOT.glob("docs/*.md")), ids=lambda path: path.name)
def test_commands_in_the_docs_are_there(path: Path) -> None:
    """Each `osiris …` line of a code block names a command, with options that it has."""
    blocks = re.findall(r"```(?:sh|text)?\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    called = [line.split(" osiris ")[-1].removeprefix("osiris ") for line in lines]
    for line, words in zip(lines, map(str.split, called), strict=True):
        if re.match(r"(\w+=\S+ )*osiris [a-z-]", line):
            assert_callable(words)


def assert_callable(words: list[str]) -> None:
    """Follow the words through the groups; what follows must be options of the command."""
    command: click.Command = osiris
    if words[0] == "--stack":
        words = words[2:]
    while isinstance(command, click.Group):
        assert words, f"a whole command: {command.name}"
        assert words[0] in command.commands, words
        command, words = command.commands[words[0]], words[1:]
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options, words
