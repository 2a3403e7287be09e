"""Webhooks that lie, by seed: what somebody may send who wants credit and has paid nothing.

Each is made of a genuine webhook, as an eavesdropper or a former customer may have it, and claims
that another payment was made, or a larger one, or that one was given back.
"""

from __future__ import annotations

import hashlib
import json
import random
from typing import TYPE_CHECKING, Any, NamedTuple

from local.payments.midtrans.record import signature as midtrans_signature
from local.payments.nowpayments.javascript import signature as nowpayments_signature

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MIDTRANS, NOWPAYMENTS = "midtrans", "nowpayments"
SIGNATURE = "x-nowpayments-sig"
TOO_LARGE = 65 * 1024
_HEX = "0123456789abcdef"
_CLAIMS: dict[str, Sequence[tuple[str, Any]]] = {
    MIDTRANS: (
        ("transaction_status", "settlement"),
        ("transaction_status", "refund"),
        ("transaction_status", "paid_twice"),
        ("status_code", "200"),
        ("gross_amount", "99999999.00"),
        ("gross_amount", "NaN"),
        ("gross_amount", "-1.00"),
        ("currency", "USD"),
        ("fraud_status", "challenge"),
    ),
    NOWPAYMENTS: (
        ("payment_status", "finished"),
        ("payment_status", "refunded"),
        ("payment_status", "under_review"),
        ("actually_paid", 1_000_000),
        ("price_amount", 100_000),
        ("price_amount", "Infinity"),
        ("pay_currency", "shib"),
        ("price_currency", "eur"),
        ("parent_payment_id", 1),
    ),
}


class Webhook(NamedTuple):
    """A request to `/webhooks/{provider}`."""

    provider: str
    headers: dict[str, str]
    body: bytes

    @property
    def members(self) -> dict[str, Any]:
        """What its body says."""
        return dict(json.loads(self.body))

    @property
    def signature(self) -> str:
        """The signature that it carries."""
        if self.provider == MIDTRANS:
            return str(self.members["signature_key"])
        return self.headers[SIGNATURE]

    def saying(self, **members: Any) -> Webhook:
        """The same with other members, under the same signature."""
        return self._replace(body=json.dumps(self.members | members).encode())

    def signed(self, text: str) -> Webhook:
        """The same with another signature."""
        if self.provider == MIDTRANS:
            return self.saying(signature_key=text)
        return self._replace(headers={**self.headers, SIGNATURE: text})

    def signed_with(self, secret: str) -> Webhook:
        """The same, signed rightly with some secret."""
        if self.provider == NOWPAYMENTS:
            return self.signed(nowpayments_signature(self.body, secret))
        said = [str(self.members[name]) for name in ("order_id", "status_code", "gross_amount")]
        return self.signed(midtrans_signature(said[0], said[1], said[2], secret))


class Forger:
    """Forges by a seed. `genuine` are webhooks seen; `unpaid` names payments that nobody made.

    These are members that make a body one about that payment: its id and its order's.
    """

    def __init__(
        self, seed: int, genuine: Sequence[Webhook], unpaid: dict[str, list[dict[str, Any]]]
    ) -> None:
        self._chance = random.Random(seed)
        self._genuine = genuine
        self._unpaid = unpaid
        self._ways: dict[str, Callable[[Webhook], Webhook]] = {
            "flipped signature": self._flipped,
            "altered": self._altered,
            "wrong key": lambda one: self._claiming(one).signed_with(self._text(20)),
            "empty secret": lambda one: self._claiming(one).signed_with(""),
            "plain hash": lambda one: one.signed(hashlib.sha512(one.body).hexdigest()),
            "no signature": self._unsigned,
            "short signature": lambda one: one.signed(one.signature[: self._chance.randrange(127)]),
            "other provider": self._of_another,
            "truncated": lambda one: one._replace(
                body=one.body[: self._chance.randrange(len(one.body))]
            ),
            "spelled anew": self._spelled_anew,
            "more members": lambda one: one.saying(**{self._text(6): self._text(6)}),
            "another order": self._claiming,
            "large": lambda one: one.saying(note="x" * TOO_LARGE),
            "not JSON": lambda one: one._replace(body=self._chance.randbytes(300)),
            "no object": lambda one: one._replace(body=b"[" + one.body + b"]"),
            "a name twice": lambda one: one._replace(body=b'{"order_id":"x",' + one.body[1:]),
            "empty": lambda one: one._replace(body=b""),
            "replayed": lambda one: one,
        }

    def forged(self, count: int) -> Iterator[tuple[str, Webhook]]:
        """So many, each with the way in which it lies."""
        names = list(self._ways)
        for _ in range(count):
            name = self._chance.choice(names)
            yield name, self._ways[name](self._chance.choice(self._genuine))

    def _text(self, length: int) -> str:
        return "".join(self._chance.choices("abcdefgh", k=length))

    def _flipped(self, one: Webhook) -> Webhook:
        digits = list(one.signature)
        at = self._chance.randrange(len(digits))
        digits[at] = self._chance.choice(_HEX.replace(digits[at], ""))
        return self._maybe_claiming(one).signed("".join(digits))

    def _altered(self, one: Webhook) -> Webhook:
        name, value = self._chance.choice(_CLAIMS[one.provider])
        return self._maybe_claiming(one).saying(**{name: value})

    def _claiming(self, one: Webhook) -> Webhook:
        """As told of a payment that was never made."""
        return one.saying(**self._chance.choice(self._unpaid[one.provider]))

    def _maybe_claiming(self, one: Webhook) -> Webhook:
        return self._claiming(one) if self._chance.random() < 0.5 else one

    def _unsigned(self, one: Webhook) -> Webhook:
        if one.provider == NOWPAYMENTS:
            return one._replace(headers={})
        said = self._claiming(one).members
        del said["signature_key"]
        return one._replace(body=json.dumps(said).encode())

    def _of_another(self, one: Webhook) -> Webhook:
        """One provider's webhook at the other's door, with whatever signature it has."""
        other = NOWPAYMENTS if one.provider == MIDTRANS else MIDTRANS
        said = one.saying(signature_key=one.signature, **self._unpaid[other][0])
        return Webhook(other, {**one.headers, SIGNATURE: one.signature}, said.body)

    def _spelled_anew(self, one: Webhook) -> Webhook:
        """Numbers as texts, texts as numbers: the same to a careless reader."""
        said = {
            name: str(value) if isinstance(value, int | float) else value
            for name, value in one.members.items()
        }
        if one.provider == MIDTRANS:
            said["gross_amount"] = float(said["gross_amount"])
        return self._maybe_claiming(one._replace(body=json.dumps(said).encode()))
