"""Mails to keys' owners about events of the outbox, for operators who want them.

An event comes at least once, and so does its mail; the line "Event:" tells repeats apart. Addresses
are kept by `flows.topup`, and never logged.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from osiris.errors import StoreUnavailable
from osiris.flows.expiry import CREDIT_EXPIRING
from osiris.flows.payment import ORDER_CREDITED
from osiris.flows.reconcile import BALANCE_LOW

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris.app.full import FullApp

# By the event's type: subject and first sentence, of which the event's detail is the rest.
_TEXTS = {
    ORDER_CREDITED: (
        "${amount} of credit has arrived",
        "Your payment has arrived: ${amount} of credit is on your key {key_id}.",
    ),
    CREDIT_EXPIRING: (
        "Your credit expires in {days} {day_or_days}",
        "${available} of credit on your key {key_id} expires in {days} {day_or_days}.",
    ),
    BALANCE_LOW: (
        "Your balance is low",
        "The balance of your key {key_id} is ${balance}.",
    ),
}
TYPES = tuple(_TEXTS)


def tell(app: FullApp, type: str, detail: Mapping[str, Any]) -> bool:
    """Mail the event to the account's owner; False when no address of theirs is known.

    Stacks of one account and region share the bus: an event about a key of another stack is left to
    that one. Raises StoreUnavailable, when it should come again.
    """
    facts = {"event_id": detail["id"], "type": type, "account_id": detail["account_id"]}
    is_ours = app.keys.read(detail["key_id"]) is not None
    to = app.accounts.email(detail["account_id"]) if is_ours else ""
    if not to:
        details = "no address is known" if is_ours else "not a key of this stack"
        app.telemetry.line("not_mailed", **facts, details=details)
        return False
    subject, text = written(type, detail)
    try:
        app.mails.send(to, subject=subject, text=text)
    except StoreUnavailable as error:
        app.telemetry.line("mail_failed", **facts, details=error.details)
        raise
    app.telemetry.line("mailed", **facts)
    return True


def written(type: str, detail: Mapping[str, Any]) -> tuple[str, str]:
    """Subject and text of an event's mail."""
    subject, sentence = _TEXTS[type]
    words = {**detail, "day_or_days": "day" if detail.get("days") == 1 else "days"}
    ends = time.strftime("%Y-%m-%d %H:%M", time.gmtime(detail["expires_at_ms"] // 1000))
    lines = [
        sentence.format_map(words),
        f"It can be spent until {ends} UTC. What is left then is forfeited, unless a top-up comes"
        " before.",
        "",
    ]
    if "order_id" in detail:
        lines.append(f"Order: {detail['order_id']}")
    lines.append(f"Event: {detail['id']}")
    return subject.format_map(words), "\n".join(lines) + "\n"
