"""The rupiah's rate: two sources, kept for an hour, and relied on only while they agree."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from osiris.ledger.rate import Quoted, relied_on
from osiris.payment_errors import RateUnavailable
from osiris.store.rates import KeptRate
from osiris.telemetry import RATE_FAILED
from osiris.times import HOUR_MS, MINUTE_MS

if TYPE_CHECKING:
    from osiris.app.full import FullApp
    from osiris.rates import Source

FRESH_MS = HOUR_MS
# A source that failed is not asked at each order.
TRY_AGAIN_MS = MINUTE_MS

_NEVER = Decimal(0)


def current(app: FullApp) -> Quoted:
    """The rate to sell at now, margin included. Raises RateUnavailable."""
    kept = refreshed(app)
    settings = app.settings
    return relied_on(
        [(rate.source, rate.rupiah_per_dollar, rate.at_ms) for rate in kept if rate.at_ms],
        margin_percent=Decimal(settings.rate_margin_percent),
        difference_percent_max=Decimal(settings.rate_difference_percent),
        age_ms_max=settings.rate_age_hours * HOUR_MS,
        now_ms=app.now_ms(),
    )


def refreshed(app: FullApp) -> list[KeptRate]:
    """Each source's rate, first source first, read anew when it was kept for long."""
    kept, now_ms = app.kept_rates.all(), app.now_ms()
    rates = []
    for source in app.rate_sources:
        rate = kept.get(source.name) or KeptRate(source.name, _NEVER, 0, 0)
        if _is_due(rate, now_ms):
            rate = _read(app, source, rate, now_ms)
            app.kept_rates.put(rate)
        rates.append(rate)
    return rates


def _is_due(rate: KeptRate, now_ms: int) -> bool:
    """After a failure `tried_at_ms` is set so that the next try is due soon."""
    return now_ms >= rate.tried_at_ms + FRESH_MS


def _read(app: FullApp, source: Source, kept: KeptRate, now_ms: int) -> KeptRate:
    try:
        read = source.read()
    except RateUnavailable as error:
        app.telemetry.line(
            "rate_failed", metrics=[RATE_FAILED], source=source.name, details=error.details
        )
        return kept._replace(tried_at_ms=now_ms - FRESH_MS + TRY_AGAIN_MS)
    return KeptRate(source.name, read.rupiah_per_dollar, read.at_ms, now_ms)
