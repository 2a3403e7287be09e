"""What a developer or a test asks a simulator to let happen, by `POST /simulate` or by the page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

WAYS = {
    "normal": "each event once, in order, repeated by the provider's table until it is taken",
    "lost": "the state changes, and no webhook ever tells of it",
    "duplicate": "each event several times at once",
    "disorder": "the last event first, then the earlier ones",
    "forged": "nothing happens, but a badly signed webhook claims that it did",
    "wrong_key": "nothing happens, but a webhook signed with another key claims that it did",
    "tampered_amount": "nothing happens; a genuine webhook comes with ten times the amount",
    "tampered_status": "nothing happens; a webhook claims a success under an older signature",
}
FALSE_WAYS = frozenset({"forged", "wrong_key", "tampered_amount", "tampered_status"})


class Refused(Exception):
    """The wish cannot be fulfilled; `body` is the JSON that says why."""

    def __init__(self, status: int, error: str, **more: Any) -> None:
        super().__init__(error)
        self.status = status
        self.body = {"error": error, **more}


@dataclass(frozen=True)
class Wish:
    """One wish. The payment is named by `payment_id`, or as part `part` of the order `order`.

    `amount` (in the payment's currency), `coin` and `paid_ago_s` (how long before now the customer
    paid) are for those `what` that can use them.
    """

    what: str
    way: str = "normal"
    order: str = ""
    part: int = 1
    payment_id: str = ""
    amount: str | None = None
    coin: str | None = None
    paid_ago_s: float = 0.0

    @property
    def copies(self) -> bool:
        """Whether each event is told several times."""
        return self.way == "duplicate"


def wish_of(body: Any, whats: Mapping[str, str]) -> Wish:
    """Read a wish from JSON or a form. Errors: Refused, with what is known."""
    if not isinstance(body, dict):
        raise Refused(400, "a JSON object is needed", known=known(whats))
    what, way = body.get("what"), body.get("webhook", "normal")
    if not isinstance(what, str) or what not in whats or way not in WAYS:
        raise Refused(400, f"unknown wish: what={what!r}, webhook={way!r}", known=known(whats))
    try:
        return Wish(
            what=what,
            way=way,
            order=str(body.get("order") or ""),
            part=int(body.get("part") or 1),
            payment_id=str(body.get("payment_id") or ""),
            amount=_text(body.get("amount")),
            coin=_text(body.get("coin")),
            paid_ago_s=float(body.get("paid_ago_s") or 0),
        )
    except (TypeError, ValueError) as exc:
        raise Refused(400, f"a field has the wrong type: {exc}", known=known(whats)) from exc


def known(whats: Mapping[str, str]) -> dict[str, Any]:
    """What can be wished for, with its meaning."""
    return {"what": dict(whats), "webhook": WAYS}


def _text(value: Any) -> str | None:
    return None if value in (None, "") else str(value)


def newest_reference(references: Iterable[str], order: str, part: int) -> str | None:
    """The reference of the order's part with the highest attempt, as `order-part[-attempt]`."""
    pattern = re.compile(rf"{re.escape(f'{order}-{part}')}(?:-([0-9]+))?")
    found = [
        (int(match[1] or 0), reference)
        for reference in references
        if (match := pattern.fullmatch(reference))
    ]
    return max(found)[1] if found else None
