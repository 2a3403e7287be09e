"""The command itself: its groups, its options, and errors as one line each."""

from __future__ import annotations

import os
from typing import Any

import click

from osiris.cli.checks import audit, reconcile
from osiris.cli.credit import grant, ledger
from osiris.cli.expire import expire
from osiris.cli.keys import keys
from osiris.cli.models import models
from osiris.cli.operator import Operator
from osiris.cli.orders import orders
from osiris.cli.rates import rates
from osiris.cli.refunds import refund
from osiris.cli.secrets import secrets
from osiris.errors import OsirisError, StoreUnavailable
from osiris.settings import SettingMissing

_WHERE = "Name the stack with --stack; on this machine: source .local/env"


class _Edge(click.Group):
    """Errors that can happen in operation end the command with one line and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SettingMissing as error:
            hint = "" if ctx.obj is not None and ctx.obj.stack else f" {_WHERE}"
            raise click.ClickException(f"{error}{hint}") from error
        except StoreUnavailable as error:
            raise click.ClickException(
                f"AWS is out of reach or refuses: {error.details}"
            ) from error
        except OsirisError as error:
            # Who operates may read what customers are not told.
            more = f" ({error.details})" if error.details else ""
            raise click.ClickException(f"{error.message}{more}") from error


@click.group(cls=_Edge, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--stack",
    envvar="OSIRIS_STACK",
    metavar="NAME",
    help="The CloudFormation stack to work on; its outputs name the tables. [env: OSIRIS_STACK]",
)
@click.pass_context
def osiris(context: click.Context, stack: str | None) -> None:
    """Operate Osiris: models, keys, credit, orders, and the proof that the books are right.

    Works on AWS with your credentials and --stack, and on this machine after `make run` and
    `source .local/env`. Answers go to standard output (--json for programs), notes to standard
    error. The exit code is 0 when all is well, 1 when something is not, 2 for a wrong call.

    \b
    A new stack, to its first request:
      osiris --stack osiris secrets set anthropic
      osiris --stack osiris models apply
      osiris --stack osiris keys create --account me --name first
      osiris --stack osiris grant KEY 5 --days 30
    """
    if context.obj is None:
        context.obj = Operator(os.environ, stack=stack)


COMMANDS = (
    models,
    keys,
    grant,
    secrets,
    ledger,
    orders,
    refund,
    rates,
    expire,
    audit,
    reconcile,
)
for command in COMMANDS:
    osiris.add_command(command)


def main() -> None:
    """Run the command with the process's arguments, and exit."""
    osiris(prog_name="osiris")
