"""The rules of money in with one taken out, as in `tests.simulation.mutations`."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from osiris.flows import expiry, payment
from osiris.ledger import credit, purchase
from osiris.ledger.payment import RECEIVED, PaymentStatus

if TYPE_CHECKING:
    import pytest

    from osiris.ledger.credit import Posting
    from osiris.ledger.key import Key
    from osiris.payments import Hint


def purchase_without_its_payment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key is credited, and the payment's and the order's figures are not moved with it."""
    monkeypatch.setattr(payment, "_payment_writes", lambda *_, **__: [])


def credit_by_the_webhooks_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """A webhook that says that a payment is finished is believed."""

    def believe(hint: Hint, status: PaymentStatus) -> None:
        believed["finished"] = hint.told == "finished" and status.received <= 0

    def move(*arguments: Any) -> None:
        if believed.pop("finished", False):
            arguments = tuple(map(as_finished, arguments))
        moved(*arguments)

    def as_finished(argument: Any) -> Any:
        if not isinstance(argument, PaymentStatus):
            return argument
        return argument._replace(state=RECEIVED, received=argument.asked, paid_at_ms=1)

    believed: dict[str, bool] = {}
    moved = payment._move
    monkeypatch.setattr(payment, "_check_hint", believe)
    monkeypatch.setattr(payment, "_move", move)


def take_back_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was forfeited is not given back before a take-back."""
    monkeypatch.setattr(payment, "_entries_since", lambda *_: ())


def forfeit_what_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of the balance of an expired key is forfeited, though some of it is held."""
    swept = credit.swept

    def all_of_it(key: Key, *, entry_id: str, now_ms: int) -> Posting:
        return swept(
            key._replace(available_nano=key.balance_nano), entry_id=entry_id, now_ms=now_ms
        )

    monkeypatch.setattr(expiry, "swept", all_of_it)


def extend_by_each_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every part of an order moves the expiry."""

    def extending(*arguments: Any, extends: bool, **more: Any) -> Posting:
        return purchased(*arguments, extends=True, **more)

    purchased = credit.purchased
    monkeypatch.setattr(payment, "purchased", extending)


def paid_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts is when a payment was told, not when it was made."""

    def late(*arguments: Any, paid_at_ms: int, now_ms: int, **more: Any) -> Posting:
        return purchased(*arguments, paid_at_ms=now_ms, now_ms=now_ms, **more)

    purchased = credit.purchased
    monkeypatch.setattr(payment, "purchased", late)


def expired_credit_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A purchase forfeits nothing of what had expired before it."""
    forfeited = credit._forfeited

    def none(key: Key, entry_id: str, reason: str, now_ms: int) -> Any:
        if reason == credit.EXPIRED:
            return ()
        return forfeited(key, entry_id, reason, now_ms)

    monkeypatch.setattr(credit, "_forfeited", none)


def reckoned_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """What came beside the quote is valued again each time that it is looked at."""
    bought = purchase.bought

    def anew(order: Any, part: Any, status: Any, before: Any) -> Any:
        unreckoned = before._replace(received=Decimal(0), bought_nano=0)
        return bought(order, part, status, unreckoned)

    monkeypatch.setattr(purchase, "bought", anew)


MONEY_PROTOCOL = (
    purchase_without_its_payment,
    credit_by_the_webhooks_word,
    take_back_alone,
    forfeit_what_is_held,
    extend_by_each_part,
    paid_when_told,
    expired_credit_comes_back,
    reckoned_anew,
)
