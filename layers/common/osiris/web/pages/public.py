"""Pages for everybody: nothing in them is read but the catalogue, which each process keeps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from osiris.app.providers import NONE
from osiris.errors import RouteNotFound, StoreUnavailable
from osiris.flows.quote import on_sale
from osiris.http.errors import error_json
from osiris.http.messages import Answer
from osiris.ledger.key import ACCOUNT_KEYS_MAX
from osiris.money import NANO_PER_DOLLAR, nano_from_dollars
from osiris.usage import MINIMUM_CHARGE_NANO
from osiris.web.assets import by_public_name
from osiris.web.examples import NO_MODEL, example_model
from osiris.web.pages import billing, legal, limits, models
from osiris.web.rendering import public_page, takes_gzip

if TYPE_CHECKING:
    from collections.abc import Callable

    from osiris.web.visit import Visit

_FOR_EVER = "public, max-age=31536000, immutable"


def start(visit: Visit) -> Answer:
    """What Osiris is."""
    settings = visit.app.settings
    return public_page(
        visit,
        "start.html",
        base_url=visit.url("/v1"),
        model=_named_model(visit),
        minimum_nano=MINIMUM_CHARGE_NANO,
        keys_max=ACCOUNT_KEYS_MAX,
        has_qris=settings.qris_provider != NONE,
        has_crypto=settings.crypto_provider != NONE,
        least_nano=min(on_sale(visit.app)) * NANO_PER_DOLLAR,
        trial_nano=nano_from_dollars(settings.trial_amount),
        trial_days=settings.trial_days,
    )


def getting_started(visit: Visit) -> Answer:
    """From signing in to the first answer, and what it cost."""
    return public_page(
        visit,
        "getting_started.html",
        base_url=visit.url("/v1"),
        model=_named_model(visit),
        trial_nano=nano_from_dollars(visit.app.settings.trial_amount),
        trial_days=visit.app.settings.trial_days,
    )


# By path; API Gateway has one route for all of them.
PUBLIC: dict[str, Callable[[Visit], Answer]] = {
    "/models": models.catalogue,
    "/getting-started": getting_started,
    "/billing": billing.rules,
    "/limits": limits.limits,
    "/terms": legal.terms,
    "/privacy": legal.privacy,
    "/refunds": legal.refunds,
}


def by_path(visit: Visit) -> Answer:
    """The page of this path. Programs that ask below the API's paths get the API's answer."""
    found = PUBLIC.get(visit.request.path)
    if found is not None:
        return found(visit)
    if visit.request.path.startswith(("/v1/", "/api/", "/webhooks/")):
        body = json.dumps(error_json(RouteNotFound()), separators=(",", ":")).encode()
        headers = [
            ("Content-Type", "application/json"),
            ("Access-Control-Allow-Origin", "*"),
            ("Cache-Control", "no-store"),
        ]
        return Answer(RouteNotFound.status, headers, (body,))
    raise RouteNotFound


def asset(visit: Visit) -> Answer:
    """A style sheet, a script or an icon, by the name that has its content's hash in it."""
    found = by_public_name().get(visit.parameter("name"))
    if found is None:
        raise RouteNotFound
    headers = [
        ("Content-Type", found.media_type),
        ("Cache-Control", _FOR_EVER),
        ("Vary", "Accept-Encoding"),
    ]
    if takes_gzip(visit.request.headers.get("accept-encoding", "")):
        return Answer(200, [*headers, ("Content-Encoding", "gzip")], (found.compressed,))
    return Answer(200, headers, (found.content,))


def _named_model(visit: Visit) -> str:
    """The model that examples name. A catalogue that can't be read keeps nobody from reading."""
    try:
        models = visit.app.models.all(visit.app.now_ms())
    except StoreUnavailable:
        return NO_MODEL
    return example_model(models) or NO_MODEL
