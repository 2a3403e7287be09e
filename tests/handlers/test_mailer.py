"""The mailer's function, and an address's way to it: from a token, by an order, never logged."""

from __future__ import annotations

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from osiris.flows import keys
from osiris.http.topups import topups_api
from osiris.identity import IdTokens
from osiris.identity.jwks import IssuerKeys, reader
from osiris.settings import SettingMissing
from osiris.store.mail import Mails
from osiris.wire.tls import shared_context
from tests.builders import World
from tests.handlers.caller import ADA, RSA
from tests.issuer import AUDIENCE, ISSUER, JwksServer, jwks_server, public_jwk, token
from tests.scripted_provider import with_scripted_money

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

REPOSITORY = Path(__file__).parents[2]
SENDER = "credit@osiris.example"
ADDRESS = "ada@example.com"


class Ses:
    """Stands in for boto3's client of SES."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send_email(self, **given: Any) -> dict[str, str]:
        self.sent.append(given)
        return {"MessageId": "1"}


@pytest.fixture
def server() -> Iterator[JwksServer]:
    with jwks_server() as server:
        server.publish(public_jwk(RSA, "one"))
        yield server


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """What Lambda gives the function."""
    monkeypatch.setenv("OSIRIS_KEYS_TABLE", "KeysTable")
    monkeypatch.setenv("OSIRIS_MAIL_FROM", SENDER)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-east-1")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    return monkeypatch


def cold_started() -> ModuleType:
    """The handler's module, imported as at a cold start."""
    path = REPOSITORY / "functions/mailer/handler.py"
    spec = spec_from_file_location("cold_mailer", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def ordered(world: World, server: JwksServer, **claims: Any) -> None:
    """Ada orders over the API, by a token with these claims."""
    with_scripted_money(world.app, lambda: world.now_ms)
    id_tokens = IdTokens(
        IssuerKeys(reader(server.url, shared_context), world.app.now_ms),
        issuer=ISSUER,
        audience=AUDIENCE,
    )
    key_id = keys.create(world.app, ADA, name="laptop").key.id
    event = json.loads((REPOSITORY / "events/topups_broken_token.json").read_text())
    event["multiValueHeaders"]["Authorization"] = [f"Bearer {token(RSA, **claims)}"]
    event["body"] = json.dumps({"package": "100", "key_id": key_id, "method": "qris"})
    answer = topups_api(world.app, id_tokens).answer(event, None)
    assert answer["statusCode"] == 201, answer["body"]


def mailed(environment: pytest.MonkeyPatch, world: World, ses: Ses) -> Any:
    """What the function answers to an event about Ada."""
    world.app.mails = Mails(lambda: ses, SENDER)
    module = cold_started()
    environment.setattr(module, "APP", world.app)
    event = json.loads((REPOSITORY / "events/mailer_balance_low.json").read_text())
    (key_id,) = world.app.accounts.read(ADA).keys
    event["detail"] |= {"account_id": ADA, "key_id": key_id}
    return module.lambda_handler(event, None)


def test_whoever_ordered_is_mailed(environment: pytest.MonkeyPatch, server: JwksServer) -> None:
    """The token's verified address gets the mail, and no log line on its way holds it."""
    world, ses = World({"OSIRIS_MAIL_FROM": SENDER}), Ses()
    ordered(world, server, email=ADDRESS, email_verified=True)
    assert mailed(environment, world, ses) == {"mailed": True}
    assert [sent["Destination"] for sent in ses.sent] == [{"ToAddresses": [ADDRESS]}]
    assert ADDRESS not in json.dumps(world.lines)


@pytest.mark.parametrize("claims", [{}, {"email": ADDRESS}])
def test_nobody_else_is(
    environment: pytest.MonkeyPatch, server: JwksServer, claims: dict[str, Any]
) -> None:
    """Without a verified address the event is done, and nothing is sent."""
    world, ses = World({"OSIRIS_MAIL_FROM": SENDER}), Ses()
    ordered(world, server, **claims)
    assert mailed(environment, world, ses) == {"mailed": False}
    assert ses.sent == []


def test_a_missing_table_is_named_at_the_start(environment: pytest.MonkeyPatch) -> None:
    """The function does not start without it."""
    environment.delenv("OSIRIS_KEYS_TABLE")
    with pytest.raises(SettingMissing, match="OSIRIS_KEYS_TABLE"):
        cold_started()
