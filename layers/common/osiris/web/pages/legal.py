"""Terms, privacy, refunds: drafts that say what the product does; an operator completes them.

The texts are in `templates/terms.html`, `privacy.html` and `refunds.html`. What only an operator
can say stands in square brackets there; `templates/draft.html` is the note that says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris.app.providers import NONE
from osiris.flows.expiry import WARNING_DAYS
from osiris.ledger.expiry import MONTHS_MAX
from osiris.money import nano_from_dollars
from osiris.times import DAY_MS, HOUR_MS
from osiris.usage import MINIMUM_CHARGE_NANO
from osiris.web.order_words import PROVIDERS
from osiris.web.rendering import public_page
from osiris.web.session import IDLE_MS_MAX, SESSION_MS_MAX

if TYPE_CHECKING:
    from osiris.http.messages import Answer
    from osiris.web.visit import Visit


def terms(visit: Visit) -> Answer:
    """What one may expect, and must not do."""
    return public_page(
        visit,
        "terms.html",
        minimum_nano=MINIMUM_CHARGE_NANO,
        months_max=MONTHS_MAX,
        trial_nano=nano_from_dollars(visit.app.settings.trial_amount),
    )


def privacy(visit: Visit) -> Answer:
    """What is stored of whom, where it goes, which cookies there are."""
    settings = visit.app.settings
    return public_page(
        visit,
        "privacy.html",
        keeps_addresses=bool(settings.mail_from),
        warning_days=WARNING_DAYS,
        providers=_providers(visit),
        idle_hours=IDLE_MS_MAX // HOUR_MS,
        session_days=SESSION_MS_MAX // DAY_MS,
    )


def refunds(visit: Visit) -> Answer:
    """When money is given back, and what happens to the credit then."""
    settings = visit.app.settings
    return public_page(
        visit,
        "refunds.html",
        has_qris=settings.qris_provider != NONE,
        has_crypto=settings.crypto_provider != NONE,
    )


def _providers(visit: Visit) -> list[str]:
    settings = visit.app.settings
    names = (settings.qris_provider, settings.crypto_provider)
    return [PROVIDERS.get(name, name) for name in names if name != NONE]
