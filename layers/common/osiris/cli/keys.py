"""`osiris keys`: the keys of all accounts, in the operator's hands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from osiris.cli.key_id import KEY, key_of
from osiris.cli.operator import Operator, as_json
from osiris.cli.output import dollars, note, progress, show_fields, show_json, show_table
from osiris.flows.keys import create, list_keys, set_enabled, set_rate_limit
from osiris.http.shapes import key_json
from osiris.ledger.key import DELETED, Key

if TYPE_CHECKING:
    from osiris.app.full import FullApp

# The template's own bound on a rate limit: a key's item grows with it.
RATE_LIMIT_MAX = 300
_ACCOUNT = re.compile(r"[A-Za-z0-9._@:-]{1,100}", re.ASCII)


class _Account(click.ParamType[str]):
    name = "account"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        if _ACCOUNT.fullmatch(value) is None:
            self.fail("an account is 1 to 100 letters, digits and . _ @ : -", param, ctx)
        return str(value)


@click.group()
def keys() -> None:
    """The keys of all accounts."""


@keys.command("create")
@click.option(
    "--account",
    required=True,
    type=_Account(),
    help="Whose key it is: an id as `keys list` shows it, or any word for keys of your own.",
)
@click.option("--name", required=True, help="1 to 64 characters, to know the key by.")
@as_json
@click.pass_obj
def create_key(operator: Operator, account: str, name: str) -> None:
    """Create a key without credit. Its secret is shown this once, and stored nowhere.

    \b
    osiris keys create --account me --name laptop
    osiris grant KEY 5 --days 30
    """
    app = operator.app("keys_table", "ledger_table")
    issued = create(app, account, name=name)
    document = _document(app, issued.key) | {"secret": issued.secret}
    _show(operator, document)
    if not operator.wants_json:
        note("The secret is shown this once: keep it now.")


@keys.command("show")
@click.argument("key_id", type=KEY, metavar="KEY")
@as_json
@click.pass_obj
def show_key(operator: Operator, key_id: str) -> None:
    """A key with its balance, limit and usage; deleted ones, too."""
    app = operator.app("keys_table")
    _show(operator, _document(app, key_of(app, key_id)))


@keys.command("list")
@click.option("--account", type=_Account(), help="Of this account alone.")
@as_json
@click.pass_obj
def list_all(operator: Operator, account: str | None) -> None:
    """The keys that are not deleted, oldest first. Without --account the whole table is read."""
    app = operator.app("keys_table")
    found = _all_keys(app) if account is None else list_keys(app, account)
    documents = [_document(app, key) for key in found]
    if operator.wants_json:
        show_json({"data": documents})
        return
    headings = ("id", "account", "name", "kind", "status", "balance", "held", "expires", "requests")
    rows = [
        (
            *(str(key[field]) for field in ("id", "account", "name", "kind", "status")),
            dollars(key["balance"]),
            dollars(key["held"]),
            key["expires_at"] or "",
            str(key["usage"]["requests"]),
        )
        for key in documents
    ]
    show_table(headings, rows, right=("balance", "held", "requests"))


@keys.command("disable")
@click.argument("key_id", type=KEY, metavar="KEY")
@as_json
@click.pass_obj
def disable_key(operator: Operator, key_id: str) -> None:
    """Let a key make no more requests; those under way end as ever."""
    _switch(operator, key_id, enabled=False)


@keys.command("enable")
@click.argument("key_id", type=KEY, metavar="KEY")
@as_json
@click.pass_obj
def enable_key(operator: Operator, key_id: str) -> None:
    """Let a disabled key be used again."""
    _switch(operator, key_id, enabled=True)


@keys.command("limit")
@click.argument("key_id", type=KEY, metavar="KEY")
@click.argument("requests", type=click.IntRange(1, RATE_LIMIT_MAX))
@as_json
@click.pass_obj
def limit_key(operator: Operator, key_id: str, requests: int) -> None:
    """Let a key make so many REQUESTS in any 60 seconds, from now on."""
    app = operator.app("keys_table")
    _show(operator, _document(app, set_rate_limit(app, key_of(app, key_id).id, requests)))


def _switch(operator: Operator, key_id: str, *, enabled: bool) -> None:
    app = operator.app("keys_table")
    account_id = key_of(app, key_id).account_id
    _show(operator, _document(app, set_enabled(app, account_id, key_id, enabled=enabled)))


def _all_keys(app: FullApp) -> list[Key]:
    found: list[Key] = []
    with progress("Reading keys") as tell:
        for item in app.scans.keys_and_accounts():
            if isinstance(item, Key) and item.status != DELETED:
                found.append(item)
                tell(len(found))
    return sorted(found, key=lambda key: (key.created_at_ms, key.id))


def _document(app: FullApp, key: Key) -> dict[str, Any]:
    shown = key_json(key, app.now_ms())
    return {"id": shown.pop("id"), "account": key.account_id, **shown}


def _show(operator: Operator, document: dict[str, Any]) -> None:
    if operator.wants_json:
        show_json(document)
        return
    limit, usage = document["rate_limit"], document["usage"]
    fields = {name: document[name] for name in ("id", "account", "name", "kind", "status")}
    fields |= {name: dollars(document[name]) for name in ("balance", "available", "held")}
    fields["expires"] = document["expires_at"] or "never had credit"
    fields["limit"] = f"{limit['limit']} in {limit['window_s']} s, {limit['remaining']} free now"
    fields["used"] = f"{dollars(usage['cost'])} in {usage['requests']} charged requests"
    fields["created"] = document["created_at"]
    fields["last used"] = document["last_used_at"] or "never"
    if "secret" in document:
        fields["secret"] = document["secret"]
    show_fields(fields)
