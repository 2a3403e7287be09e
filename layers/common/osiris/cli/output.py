"""What commands write: tables on a terminal, tab-separated lines into a pipe, JSON when asked.

Answers go to standard output; notes and progress to standard error.
"""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence


def note(text: str) -> None:
    """A line beside the answer."""
    click.echo(text.rstrip("\n"), err=True)


def show_json(document: Mapping[str, Any]) -> None:
    """The whole answer, as one JSON document."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def show_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: Collection[str] = ()
) -> None:
    """Rows under headings; `right` names those whose cells are numbers."""
    if not sys.stdout.isatty():
        for row in (headings, *rows):
            click.echo("\t".join(row))
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        justify: Any = "right" if heading in right else "left"
        table.add_column(heading, justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)


def show_fields(fields: Mapping[str, str]) -> None:
    """Names and values, one a line."""
    if not sys.stdout.isatty():
        for name, value in fields.items():
            click.echo(f"{name}\t{value}")
        return
    width = max(map(len, fields))
    for name, value in fields.items():
        click.echo(click.style(name.ljust(width), bold=True) + f"  {value}")


@contextmanager
def progress(what: str) -> Iterator[Callable[[int], None]]:
    """Takes the number of things done, and shows it while work is under way, on a terminal."""
    if not sys.stderr.isatty():
        yield lambda _count: None
        return
    from rich.console import Console

    with Console(stderr=True).status(what) as status:
        yield lambda count: status.update(f"{what}: {count:,}")


def dollars(text: str) -> str:
    """An amount for people to read: "$0.1", "-$2"."""
    return f"-${text[1:]}" if text.startswith("-") else f"${text}"
