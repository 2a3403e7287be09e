"""Why a key was not created: a rule over the items that refused it."""

import pytest

from osiris.errors import OsirisError, TooManyKeys, TrialAlreadyGranted
from osiris.ledger.creation import creation_refusal
from osiris.ledger.key import PAID, TRIAL, Account, Key, new_key

FULL = frozenset(f"key {number}" for number in range(10))


def a_key(kind: str) -> Key:
    return new_key(
        id="new",
        account_id="ada",
        name="k",
        kind=kind,
        secret_hash=b"hash",
        rate_limit=1,
        now_ms=1,
    )


@pytest.mark.parametrize(
    ("kind", "account", "stands", "refused"),
    [
        (PAID, Account("ada", FULL, 0), False, TooManyKeys),
        (TRIAL, Account("ada", FULL, 0), False, TooManyKeys),
        (TRIAL, Account("ada", frozenset(), 1), False, TrialAlreadyGranted),
        (TRIAL, Account("ada", FULL, 1), False, TrialAlreadyGranted),
        (PAID, Account("ada", FULL, 1), False, TooManyKeys),
        # An earlier try of this very creation was done.
        (PAID, Account("ada", FULL | {"new"}, 0), False, None),
        (TRIAL, Account("ada", frozenset({"new"}), 1), False, None),
        (PAID, None, True, None),
        (TRIAL, Account("ada", FULL, 1), True, None),
    ],
)
def test_the_reason_is_read_from_the_items(
    kind: str, account: Account | None, stands: bool, refused: type[OsirisError] | None
) -> None:
    """A key that stands was created; else a trial given before counts before a full account."""
    key = a_key(kind)
    error = creation_refusal(key, account=account, stored=key if stands else None)
    assert (None if error is None else type(error)) is refused


def test_another_key_of_the_same_id_is_our_mistake() -> None:
    """It has never happened, and must not pass for a success."""
    other = a_key(PAID)._replace(secret_hash=b"other")
    with pytest.raises(AssertionError):
        creation_refusal(a_key(PAID), account=None, stored=other)
