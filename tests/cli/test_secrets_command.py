"""`osiris secrets set`: the text comes from standard input, and goes to SSM alone."""

from itertools import pairwise

import pytest
from cryptography.fernet import Fernet

from osiris.store.secrets import SECRET_BYTES_MAX
from tests.cli.command import Run, WorldOperator

TEXT = "sk-proj-0123456789"


@pytest.mark.parametrize("given", [TEXT, f"{TEXT}\n", f"  {TEXT}\r\n"])
def test_set_puts_a_secure_string(operator: WorldOperator, run: Run, given: str) -> None:
    """Under the path of the stack's secrets, without the line's end, and over what stood there."""
    ran = run("secrets", "set", "openai", given=given)
    assert operator.ssm.put == [
        {"Name": "/osiris/openai", "Value": TEXT, "Type": "SecureString", "Overwrite": True}
    ]
    assert ran == (0, "", "Set openai, version 1. It is used within five minutes.\n")


def test_set_for_programs(run: Run) -> None:
    """The answer does not hold the text."""
    run("secrets", "set", "openai", given=TEXT)
    ran = run("secrets", "set", "openai", "--json", given=TEXT)
    assert ran.json() == {"name": "openai", "version": 2}
    assert TEXT not in ran.stdout + ran.stderr


@pytest.mark.parametrize(
    "given", ["", "\n", "two\nlines", "tab\there", "kéy", "x" * (SECRET_BYTES_MAX + 1)]
)
def test_what_is_no_secret_is_refused(operator: WorldOperator, run: Run, given: str) -> None:
    """Nothing is set, and the text is not repeated."""
    ran = run("secrets", "set", "openai", given=given)
    assert ran == (
        1,
        "",
        "Error: A secret is 1 to 4096 printable ASCII characters on one line.\n",
    )
    assert operator.ssm.put == []


@pytest.mark.parametrize("arguments", [("a/b",), ("",), ("openai", TEXT), ("--value", TEXT)])
def test_the_text_is_never_an_argument(
    operator: WorldOperator, run: Run, arguments: tuple[str, ...]
) -> None:
    """A name is a name, and there is no place for the text on the command line."""
    assert run("secrets", "set", *arguments, given=TEXT).exit_code == 2
    assert operator.ssm.put == []


def test_session_keys_are_made_and_change_without_a_break(
    operator: WorldOperator, run: Run
) -> None:
    """What sealed before still opens, and what seals next was known a change before."""
    texts = []
    for version in range(1, 5):
        ran = run("secrets", "rotate-session-keys")
        assert ran == (
            0,
            "",
            f"Set session-keys, version {version}. It is used within five minutes.\n",
        )
        texts.append(operator.ssm.put[-1]["Value"].split())
    assert len(texts[0]) == 2
    for before, after in pairwise(texts):
        assert after[0] == before[1]
        assert after[-1] == before[0]
        assert after[1] not in before
        assert len(set(after)) == 3


def test_session_keys_are_never_told(operator: WorldOperator, run: Run) -> None:
    """Programs learn the version alone."""
    ran = run("secrets", "rotate-session-keys", "--json")
    assert ran.json() == {"name": "session-keys", "version": 1}
    for key in operator.ssm.put[-1]["Value"].split():
        assert key not in ran.stdout + ran.stderr
        Fernet(key)
