"""A key: what is bought for and spent from."""

from typing import NamedTuple

PAID = "paid"
TRIAL = "trial"

LIVE = "live"
DISABLED = "disabled"
DELETED = "deleted"

NAME_LENGTH_MAX = 64
# Disabled keys count, deleted ones don't.
ACCOUNT_KEYS_MAX = 10


class Account(NamedTuple):
    """An account as it is stored: its keys that are not deleted, and when it had its trial (0)."""

    id: str
    keys: frozenset[str]
    trial_granted_at_ms: int


class Key(NamedTuple):
    """One key as it is stored.

    `available_nano` is `balance_nano` less all holds. `expires_at_ms` is 0 while the key never had
    credit. `spent_nano` and `requests` sum up its settled charges, `forfeited_nano` its forfeitures
    less those taken back. `window` has as many slots as
    the key may make requests in 60 s, since `limit_set_at_ms`; `holds` maps a request's id to the
    amount held for it.
    """

    id: str
    account_id: str
    name: str
    kind: str
    status: str
    created_at_ms: int
    last_used_at_ms: int
    secret_hash: bytes
    old_secret_hash: bytes
    old_secret_until_ms: int
    balance_nano: int
    available_nano: int
    spent_nano: int
    requests: int
    forfeited_nano: int
    expires_at_ms: int
    limit_set_at_ms: int
    window: list[int]
    holds: dict[str, int]

    @property
    def held_nano(self) -> int:
        """What open requests hold."""
        return self.balance_nano - self.available_nano

    def accepts(self, secret_hash: bytes, now_ms: int) -> bool:
        """Whether this is its secret, or its old one in the time of overlap."""
        return secret_hash == self.secret_hash or (
            secret_hash == self.old_secret_hash and self.old_secret_until_ms > now_ms
        )


def new_key(
    *,
    id: str,
    account_id: str,
    name: str,
    kind: str,
    secret_hash: bytes,
    rate_limit: int,
    now_ms: int,
    grant_nano: int = 0,
    expires_at_ms: int = 0,
) -> Key:
    """A key that nobody used yet, with the credit of its trial, if any."""
    return Key(
        id=id,
        account_id=account_id,
        name=name,
        kind=kind,
        status=LIVE,
        created_at_ms=now_ms,
        last_used_at_ms=0,
        secret_hash=secret_hash,
        old_secret_hash=b"",
        old_secret_until_ms=0,
        balance_nano=grant_nano,
        available_nano=grant_nano,
        spent_nano=0,
        requests=0,
        forfeited_nano=0,
        expires_at_ms=expires_at_ms,
        limit_set_at_ms=0,
        window=[0] * rate_limit,
        holds={},
    )
