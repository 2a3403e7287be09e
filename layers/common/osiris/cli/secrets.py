"""`osiris secrets`: what upstreams and payment providers know us by."""

from __future__ import annotations

import sys
from typing import Any

import click

from osiris.cli.operator import Operator, as_json
from osiris.cli.output import note, show_json
from osiris.flows.model_fields import checked_secret_name
from osiris.store.secrets import SECRET_BYTES_MAX


class _SecretName(click.ParamType[str]):
    name = "secret name"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        try:
            return checked_secret_name(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.group()
def secrets() -> None:
    """The API keys of upstreams, and the secrets of payment providers."""


@secrets.command("set")
@click.argument("name", type=_SecretName())
@as_json
@click.pass_obj
def set_secret(operator: Operator, name: str) -> None:
    """Set the secret that models.yaml calls NAME, or a payment provider's, an SSM SecureString.

    Midtrans needs midtrans-server-key; NOWPayments needs nowpayments-api-key and
    nowpayments-ipn-secret. Without them no payment is taken, and no webhook is listened to.

    The text is asked for, unseen, or read from standard input; never from the command line, which
    others can read. It is used within five minutes.

    \b
    osiris secrets set anthropic
    osiris secrets set anthropic < key.txt
    osiris secrets set midtrans-server-key
    """
    writes = operator.secret_writes()
    version = writes.put(name, _text())
    if operator.wants_json:
        show_json({"name": name, "version": version})
    else:
        note(f"Set {name}, version {version}. It is used within five minutes.")


@secrets.command("rotate-session-keys")
@as_json
@click.pass_obj
def rotate_session_keys(operator: Operator) -> None:
    """Make the keys that the pages seal sessions with, or change them.

    The pages let nobody sign in before they are made. A change signs nobody out: sessions are
    sealed with a key that was made by the last change, and the next one is made ready. Wait a day
    between two changes. After a leak run it three times at once: no key of before opens anything
    then, and everybody signs in again.
    """
    from osiris.identity.session_keys import KEYS_SECRET, rotated

    writes = operator.secret_writes()
    version = writes.put(KEYS_SECRET, rotated(writes.read(KEYS_SECRET)))
    if operator.wants_json:
        show_json({"name": KEYS_SECRET, "version": version})
    else:
        note(f"Set {KEYS_SECRET}, version {version}. It is used within five minutes.")


def _text() -> str:
    if sys.stdin.isatty():
        text = click.prompt("Secret", hide_input=True, err=True)
    else:
        text = sys.stdin.read(SECRET_BYTES_MAX * 2)
    text = text.strip()
    if not (text.isascii() and text.isprintable() and 0 < len(text) <= SECRET_BYTES_MAX):
        problem = f"A secret is 1 to {SECRET_BYTES_MAX} printable ASCII characters on one line."
        raise click.ClickException(problem)
    return str(text)
