"""Who runs the command: the environment, what is wired from it, and how answers are wanted."""

from __future__ import annotations

import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from osiris.app.full import FullApp
    from osiris.store.secret_writes import SecretWrites


class Operator:
    """One run of the command. What needs boto3 is imported when it is used: `--help` is quick."""

    def __init__(self, given: Mapping[str, str], *, stack: str | None = None) -> None:
        self._given = given
        self.stack = stack
        self.wants_json = False

    @cached_property
    def environ(self) -> Mapping[str, str]:
        """The environment, with what the stack names on top: who names one means that one."""
        if not self.stack:
            return self._given
        from osiris.store.stack import operator_environment
        from osiris.store.transport_boto3 import client_of

        return {**self._given, **operator_environment(client_of("cloudformation"), self.stack)}

    def app(self, *needs: str, write: Callable[[str], object] | None = None) -> FullApp:
        """The app; `needs` names the settings used. Its log lines go to `write`, or nowhere.

        What asks a payment provider needs "region": its secret is read by the lean client.
        """
        from osiris.app.full import full_app

        environ = self._signing_environ() if "region" in needs else self.environ
        return full_app(environ, needs=needs, write=write or _nowhere)

    def _signing_environ(self) -> Mapping[str, str]:
        """The environment, with credentials in it wherever the operator keeps them."""
        if self.environ.get("AWS_ACCESS_KEY_ID"):
            return self.environ
        from osiris.store.operator_credentials import operator_credentials

        return {**operator_credentials(), **self.environ}

    def secret_writes(self) -> SecretWrites:
        """Where secrets are set."""
        from osiris.settings import from_environ
        from osiris.store.secret_writes import SecretWrites
        from osiris.store.transport_boto3 import client_of

        return SecretWrites(client_of("ssm"), from_environ(self.environ, needs=()))

    def may_change(self, question: str, *, yes: bool) -> bool:
        """Whether the operator agrees: by option, or when asked on a terminal."""
        if yes:
            return True
        if self.wants_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise click.UsageError("Nobody can be asked here. Give --yes to go ahead.")
        return click.confirm(question, err=True)


def as_json[F: Callable[..., Any]](command: F) -> F:
    """The option `--json` of a command."""

    def chosen(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
        context.find_root().obj.wants_json = value

    option = click.option(
        "--json",
        is_flag=True,
        expose_value=False,
        callback=chosen,
        help="Write one JSON document, for programs.",
    )
    return option(command)


def _nowhere(_line: str) -> None:
    """Nobody collects metrics here."""
