"""docs/cli.md from the command's own help: `python -m osiris.cli.docs > docs/cli.md`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from osiris.cli.root import osiris

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = """\
# The command `osiris`

Written by `python -m osiris.cli.docs` from the command's own help. How a stack is operated with it
stands in [operations.md](operations.md).
"""
# What the help is wrapped to.
WIDTH = 92


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_sections(osiris, "osiris", None)])


def _sections(command: click.Command, path: str, parent: click.Context | None) -> Iterator[str]:
    context = click.Context(
        command,
        info_name=command.name if parent else path,
        parent=parent,
        terminal_width=WIDTH,
        help_option_names=["-h", "--help"],
    )
    yield f"## {path}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            yield from _sections(command.commands[name], f"{path} {name}", context)


if __name__ == "__main__":
    click.echo(page(), nl=False)
