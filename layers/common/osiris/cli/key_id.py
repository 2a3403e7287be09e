"""The argument KEY of many commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from osiris import ids

if TYPE_CHECKING:
    from osiris.app.full import FullApp
    from osiris.ledger.key import Key


class KeyId(click.ParamType[str]):
    """A key's id. What is none is not repeated in the answer: it may be a secret."""

    name = "key id"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """The id. Fails for a text that has not its form."""
        if not ids.is_key_id(value):
            self.fail("a key's id is 12 letters and digits, see `osiris keys list`", param, ctx)
        return str(value)


KEY = KeyId()


def key_of(app: FullApp, key_id: str) -> Key:
    """The key as it is stored. Ends the command when there is none."""
    key = app.keys.read_as_stored(key_id)
    if key is None:
        raise click.ClickException(f"There is no key {key_id}.")
    return key
