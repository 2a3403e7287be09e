"""Credits and billing: the rules in words, their numbers from settings, the examples computed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from osiris.app.providers import NONE
from osiris.catalogue import prices_from_dollars
from osiris.flows.expiry import WARNING_DAYS
from osiris.flows.keys import OVERLAP_HOURS_MAX
from osiris.flows.payment import BESIDE_PACKAGES_MAX
from osiris.flows.quote import QRIS_RUPIAH_MAX, on_sale
from osiris.flows.topup import ASK_AGAIN_MS
from osiris.ledger.expiry import MONTHS_MAX, extended
from osiris.ledger.key import ACCOUNT_KEYS_MAX
from osiris.ledger.order import WATCHED_AFTER_END_MS
from osiris.ledger.purchase import COVER_SHARE_MAX, FEE_SHARE_MAX, SEEN_LATE_MS_MAX
from osiris.money import NANO_PER_DOLLAR, nano_from_dollars
from osiris.times import DAY_MS, MINUTE_MS
from osiris.usage import (
    ESTIMATE_BYTES_PER_TOKEN,
    MINIMUM_CHARGE_NANO,
    Tokens,
    charge_nano,
    cost_nano,
)
from osiris.web.rendering import public_page
from osiris.web.words import N_
from osiris.window import WINDOW_MS

if TYPE_CHECKING:
    from decimal import Decimal

    from osiris.http.messages import Answer
    from osiris.web.visit import Visit
    from osiris.web.words import Words

# A model's usual prices, for examples that stay when the catalogue changes.
EXAMPLE_PRICES = prices_from_dollars(
    input="5", output="25", cache_read="0.50", cache_write_5m="6.25", cache_write_1h="10"
)
# The end of a month, where calendar months show what they are.
EXAMPLE_PURCHASE_AT_MS = int(datetime(2027, 1, 31, 10, tzinfo=UTC).timestamp()) * 1000


class _Example(NamedTuple):
    what: str
    tokens: Tokens


_EXAMPLES = (
    _Example(N_("An ordinary request"), Tokens(input=10_000, output=2_000)),
    _Example(N_("A small one: the minimum"), Tokens(input=50, output=10)),
    _Example(
        N_("The same input again, most of it cached"),
        Tokens(input=2_000, cache_read=8_000, output=2_000),
    ),
    _Example(
        N_("Cancelled after the first words: the model had gone on"),
        Tokens(input=10_000, output=2_000),
    ),
)


def rules(visit: Visit) -> Answer:
    """All that happens to money, from the purchase to the expiry."""
    return public_page(
        visit,
        "billing.html",
        **_purchase_terms(visit),
        minimum_nano=MINIMUM_CHARGE_NANO,
        estimate_bytes=ESTIMATE_BYTES_PER_TOKEN,
        prices=EXAMPLE_PRICES,
        examples_of_cost=[_worked(visit.words, example) for example in _EXAMPLES],
        months_max=MONTHS_MAX,
        purchased_at_ms=EXAMPLE_PURCHASE_AT_MS,
        expiries_ms=_expiries_ms(),
        keys_max=ACCOUNT_KEYS_MAX,
        overlap_hours_max=OVERLAP_HOURS_MAX,
        rate_limit=visit.app.settings.rate_limit,
        open_requests_max=visit.app.settings.open_requests_max,
        window_s=WINDOW_MS // 1000,
    )


def _purchase_terms(visit: Visit) -> dict[str, Any]:
    """What the settings and the rules of payments say of buying credit."""
    settings, words = visit.app.settings, visit.words
    return {
        "packages": ", ".join(
            words.dollars(dollars * NANO_PER_DOLLAR) for dollars in on_sale(visit.app)
        ),
        "has_qris": settings.qris_provider != NONE,
        "has_crypto": settings.crypto_provider != NONE,
        "quote_minutes": settings.quote_minutes,
        "qris_rupiah_max": QRIS_RUPIAH_MAX,
        "margin": words.decimal(settings.rate_margin_percent),
        "has_margin": nano_from_dollars(settings.rate_margin_percent) > 0,
        "difference": words.decimal(settings.rate_difference_percent),
        "rate_age_hours": settings.rate_age_hours,
        "asked_every_s": ASK_AGAIN_MS // 1000,
        "watched_days": WATCHED_AFTER_END_MS // DAY_MS,
        "seen_late_minutes": SEEN_LATE_MS_MAX // MINUTE_MS,
        "fee": _percent(words, FEE_SHARE_MAX),
        "cover": _percent(words, COVER_SHARE_MAX),
        "beside_packages": BESIDE_PACKAGES_MAX,
        "trial_nano": nano_from_dollars(settings.trial_amount),
        "trial_days": settings.trial_days,
        "sends_mails": bool(settings.mail_from),
        "warning_days": WARNING_DAYS,
    }


def _worked(words: Words, example: _Example) -> dict[str, Any]:
    """An example with its formula filled in, for a million tokens."""
    tokens = example.tokens
    terms = [
        f"{words.number(count)} × {words.dollars(price)}"
        for count, price in zip(tokens, EXAMPLE_PRICES, strict=True)
        if count
    ]
    return {
        "what": words.text(example.what),
        "tokens": tokens,
        "formula": " + ".join(terms),
        "cost_nano": cost_nano(tokens, EXAMPLE_PRICES),
        "charge_nano": charge_nano(tokens, EXAMPLE_PRICES),
    }


def _expiries_ms() -> list[int]:
    """The key's expiry after each of so many purchases at one moment that the cap is reached."""
    expiries = [extended(0, EXAMPLE_PURCHASE_AT_MS)]
    for _ in range(MONTHS_MAX):
        expiries.append(extended(expiries[-1], EXAMPLE_PURCHASE_AT_MS))
    return expiries


def _percent(words: Words, share: Decimal) -> str:
    return words.decimal(str(share.scaleb(2)))
