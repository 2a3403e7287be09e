"""Mails to keys' owners: whom they reach, what they say, and what stays out of the log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.stub import Stubber

from osiris.errors import StoreUnavailable
from osiris.flows import keys, mail, topup
from osiris.ledger.order import QRIS
from osiris.store.mail import Mails
from tests.builders import World
from tests.scripted_provider import with_scripted_money

if TYPE_CHECKING:
    from collections.abc import Callable

SENDER = "credit@osiris.example"
ADDRESS = "ada@example.com"
EXPIRES_AT_MS = 1_798_106_400_000  # 2026-12-24 10:00 UTC
LOW = {
    "id": "low-k-1",
    "account_id": "ada",
    "key_id": "k",
    "balance": "4.2",
    "expires_at_ms": EXPIRES_AT_MS,
}


class Ses:
    """Stands in for boto3's client of SES; fails when it is given an error."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.error: Exception | None = None

    def send_email(self, **given: Any) -> dict[str, str]:
        if self.error is not None:
            raise self.error
        self.sent.append(given)
        return {"MessageId": "1"}


def mailing_world(ses: Ses, sender: str = SENDER) -> World:
    """A world in which Ada has ordered, signed in with a verified address."""
    world = World({"OSIRIS_MAIL_FROM": sender})
    world.app.mails = Mails(lambda: ses, sender)
    with_scripted_money(world.app, lambda: world.now_ms)
    order(world, keys.create(world.app, "ada", name="laptop").key.id, ADDRESS)
    return world


def low(world: World) -> dict[str, Any]:
    """An event about Ada's key."""
    (key_id,) = world.app.accounts.read("ada").keys
    return LOW | {"key_id": key_id}


def order(world: World, key_id: str, email: str) -> None:
    wish = topup.Wish("100", key_id, QRIS, "")
    made = topup.create(
        world.app, "ada", wish, idempotency_key="", webhooks_url="", email=email
    ).order
    topup.cancel(world.app, "ada", made.id)


def test_the_owner_is_mailed_a_plain_text() -> None:
    """One mail to the one address, from the operator's, with the event's id in a line."""
    ses = Ses()
    world = mailing_world(ses)
    assert mail.tell(world.app, "balance.low", low(world))
    (sent,) = ses.sent
    assert sent["FromEmailAddress"] == SENDER
    assert sent["Destination"] == {"ToAddresses": [ADDRESS]}
    simple = sent["Content"]["Simple"]
    assert simple["Subject"]["Data"] == "Your balance is low"
    text = simple["Body"]["Text"]["Data"]
    assert "$4.2." in text
    assert "2026-12-24 10:00 UTC" in text
    assert text.splitlines()[-1] == "Event: low-k-1"
    assert simple["Body"].keys() == {"Text"}


@pytest.mark.parametrize(
    ("type", "detail", "subject", "words"),
    [
        (
            "order.credited",
            {"amount": "100", "order_id": "ord_1"},
            "$100 of credit has arrived",
            ["$100", "Order: ord_1"],
        ),
        (
            "credit.expiring",
            {"days": 7, "available": "12.5"},
            "Your credit expires in 7 days",
            ["$12.5", "in 7 days."],
        ),
        (
            "credit.expiring",
            {"days": 1, "available": "12.5"},
            "Your credit expires in 1 day",
            ["in 1 day."],
        ),
    ],
)
def test_each_event_has_its_words(
    type: str, detail: dict[str, Any], subject: str, words: list[str]
) -> None:
    """Figures, the key, and when the credit ends are in every text."""
    told, text = mail.written(type, LOW | detail)
    assert told == subject
    for word in [*words, " k", "2026-12-24 10:00 UTC", "forfeited"]:
        assert word in text


def test_the_call_is_one_that_sess_client_takes() -> None:
    """boto3's own model of SES finds nothing wrong with its members."""
    client = boto3.client(
        "sesv2", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    with Stubber(client) as stub:
        stub.add_response("send_email", {"MessageId": "1"})
        Mails(lambda: client, SENDER).send(ADDRESS, subject="Credit", text="It has arrived.\n")
        stub.assert_no_pending_responses()
    client.close()


def test_nobodys_address_is_kept_without_need() -> None:
    """Where no sender is set, an order keeps no address."""
    world = mailing_world(Ses(), sender="")
    assert world.app.accounts.email("ada") == ""


def test_a_later_order_brings_a_later_address() -> None:
    """What the issuer last called verified is where mails go; nothing takes its place."""
    world = mailing_world(Ses())
    (key_id,) = world.app.accounts.read("ada").keys
    order(world, key_id, "lovelace@example.com")
    assert world.app.accounts.email("ada") == "lovelace@example.com"
    order(world, key_id, "")
    assert world.app.accounts.email("ada") == "lovelace@example.com"
    assert world.app.accounts.read("ada").keys == {key_id}


def test_without_an_address_there_is_no_mail() -> None:
    """It is no failure, and the log says it."""
    ses = Ses()
    world = mailing_world(ses)
    assert not mail.tell(world.app, "balance.low", low(world) | {"account_id": "bob"})
    assert ses.sent == []
    assert world.lines[-1]["details"] == "no address is known"


def test_another_stacks_event_is_left_to_it() -> None:
    """Stacks that share a bus, and even an issuer, mail nobody twice."""
    ses = Ses()
    world = mailing_world(ses)
    assert not mail.tell(world.app, "balance.low", LOW)
    assert ses.sent == []
    assert world.lines[-1]["details"] == "not a key of this stack"


def rejected() -> Exception:
    told = f"Email address is not verified: {ADDRESS}"
    return ClientError({"Error": {"Code": "MessageRejected", "Message": told}}, "SendEmail")


def silent() -> Exception:
    return ReadTimeoutError(endpoint_url=f"https://email.example/{ADDRESS}")


@pytest.mark.parametrize(
    ("failure", "details"),
    [(rejected, "SendEmail: MessageRejected"), (silent, "SendEmail: ReadTimeoutError")],
)
def test_a_mail_that_was_not_taken_comes_again(
    failure: Callable[[], Exception], details: str
) -> None:
    """Lambda repeats the event; neither the error nor what led to it holds the address."""
    ses = Ses()
    ses.error = failure()
    world = mailing_world(ses)
    with pytest.raises(StoreUnavailable) as raised:
        mail.tell(world.app, "balance.low", low(world))
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None
    assert world.lines[-1]["details"] == details
    ses.error = None
    assert mail.tell(world.app, "balance.low", low(world))


def test_no_address_is_ever_logged() -> None:
    """Neither when it is kept nor when it is mailed to."""
    world = mailing_world(Ses())
    mail.tell(world.app, "balance.low", low(world))
    assert ADDRESS not in json.dumps(world.lines)
