"""What a stack is given so that the first request works: models, secrets, a funded key.

Nothing is done twice: the key and its credit live on over restarts, and are renewed once the
credit is spent or has expired.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import yaml

from local.problems import CannotStart
from osiris import secrets_text
from osiris.app.full import wired
from osiris.app.lean import now_ms, sleep_ms
from osiris.errors import InvalidRequest
from osiris.flows import credit, keys, models
from osiris.identity.session_keys import KEYS_SECRET, rotated
from osiris.ledger.key import LIVE
from osiris.money import dollars_from_nano, nano_from_dollars
from osiris.settings import from_environ
from osiris.store.secret_writes import SecretWrites
from osiris.store.transport_boto3 import Boto3Transport
from osiris.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.cloud import LocalCloud
    from local.state import StateDirectory
    from local.upstreams import Upstreams
    from osiris.app.full import FullApp
    from osiris.catalogue import Model
    from osiris.ledger.key import Key

_MODELS_FILE = Path(__file__).parents[1] / "models.yaml"
_KEY_NAME = "demo"
_KEY_FILE = "demo-key"
_SESSION_KEYS_FILE = "session-keys"
_CREDIT_NANO = nano_from_dollars("100")
_CREDIT_DAYS = 30
_MODEL = "deepseek-v3"  # the cheapest of the mission's two examples


class Demo(NamedTuple):
    """What the stack's greeting tells of it."""

    secret: str
    credit: str
    models: str
    model: str


class ModelsUnreadable(CannotStart):
    """models.yaml can't be applied; the text says why."""


NO_DEMO = Demo("", "", "", "")


def seed_demo(
    cloud: LocalCloud,
    state: StateDirectory,
    *,
    environment: Mapping[str, str],
    account_id: str,
    upstreams: Upstreams,
    payment_secrets: Mapping[str, str],
) -> Demo:
    """Apply models.yaml, store everybody's secrets, and fund the demo account's key."""
    app = _app(cloud, environment)
    served = _apply_models(app, upstreams)
    writes = SecretWrites(cloud.client("ssm"), app.settings)
    given = {
        **upstreams.secrets(served),
        **payment_secrets,
        KEYS_SECRET: _session_keys(state),
    }
    for name, text in given.items():
        writes.put(name, text)
    secret = _usable_secret(app, state, account_id)
    key = _funded(app, secret)
    return Demo(secret, _credit_in_words(key), upstreams.in_words(), _MODEL)


def _apply_models(app: FullApp, upstreams: Upstreams) -> list[Model]:
    try:
        listed = models.models_from(yaml.safe_load(_MODELS_FILE.read_text(encoding="utf-8")))
    except (InvalidRequest, yaml.YAMLError) as error:
        raise ModelsUnreadable(f"models.yaml: {error}") from error
    served = models.served_at(listed, upstreams.base_urls)
    models.apply(app, models.plan(app, served))
    return served


def _app(cloud: LocalCloud, environment: Mapping[str, str]) -> FullApp:
    return wired(
        from_environ(environment, needs=("keys_table", "ledger_table", "catalogue_table")),
        Boto3Transport(cloud.client("dynamodb")),
        telemetry=Telemetry(lambda _line: None, now_ms),
        now_ms=now_ms,
        entropy=os.urandom,
        sleep_ms=sleep_ms,
    )


def _session_keys(state: StateDirectory) -> str:
    """What sessions are sealed with: kept, so that a restart signs nobody out."""
    kept = state.read(_SESSION_KEYS_FILE)
    if kept is None:
        kept = rotated("")
        state.write(_SESSION_KEYS_FILE, kept)
    return kept


def _usable_secret(app: FullApp, state: StateDirectory, account_id: str) -> str:
    """The demo key's secret: the one of last time if it still opens a key of the account."""
    kept = state.read(_KEY_FILE) or ""
    parsed = secrets_text.parse(kept)
    key = None if parsed is None else app.keys.read(parsed.key_id)
    if (
        parsed is not None
        and key is not None
        and (key.account_id, key.status) == (account_id, LIVE)
        and key.accepts(parsed.hash, app.now_ms())
    ):
        return kept
    fresh = _issue(app, account_id)
    state.write(_KEY_FILE, fresh)
    return fresh


def _issue(app: FullApp, account_id: str) -> str:
    """A new secret, of the demo key that is there if there is one: accounts have few keys."""
    for key in keys.list_keys(app, account_id):
        if (key.name, key.status) == (_KEY_NAME, LIVE):
            return keys.rotate(app, account_id, key.id, overlap_hours=0).secret
    return keys.create(app, account_id, name=_KEY_NAME).secret


def _funded(app: FullApp, secret: str) -> Key:
    parsed = secrets_text.parse(secret)
    assert parsed is not None
    key = app.keys.read(parsed.key_id)
    assert key is not None
    if key.balance_nano > 0 and key.expires_at_ms > app.now_ms():
        return key
    credit.grant(app, key.id, amount_nano=_CREDIT_NANO, days=_CREDIT_DAYS, reason="demo credit")
    funded = app.keys.read(key.id)
    assert funded is not None
    return funded


def _credit_in_words(key: Key) -> str:
    day = datetime.fromtimestamp(key.expires_at_ms // 1000, UTC)
    return f"${dollars_from_nano(key.balance_nano)} until {day:%Y-%m-%d}"
