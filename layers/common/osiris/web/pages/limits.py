"""Errors and limits of /v1: what each means, what to do, and whether it is charged."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from osiris import errors
from osiris.chat import BODY_BYTES_MAX, CHOICES_MAX
from osiris.http.errors import error_json
from osiris.ledger.key import ACCOUNT_KEYS_MAX, NAME_LENGTH_MAX
from osiris.sse import EVENT_BYTES_MAX
from osiris.upstream import ANSWER_BYTES_MAX
from osiris.web.rendering import public_page
from osiris.web.words import N_
from osiris.window import WINDOW_MS

if TYPE_CHECKING:
    from osiris.errors import OsirisError
    from osiris.http.messages import Answer
    from osiris.web.visit import Visit

# Lambda's longest run, all of which template.yaml gives to the function that serves /v1.
MINUTES_MAX = 15
_MIB = 1024 * 1024

NOTHING = N_("nothing")
UNTIL_THEN = N_("what was answered until then")
UNLESS_TOLD = N_("nothing, unless the message says otherwise")
REPORTED = N_("what the provider had reported until then, else nothing")


class Row(NamedTuple):
    """An error in words: its meaning, what to do, what is charged."""

    error: type[OsirisError]
    meaning: str
    remedy: str
    charged: str = NOTHING


ROWS = (
    Row(
        errors.InvalidJson,
        N_("The body is not one JSON object in UTF-8."),
        N_("Mend the body; the message says where it breaks."),
    ),
    Row(
        errors.InvalidRequest,
        N_("A member of the body is missing, or is not what it must be."),
        N_("Mend the member that “param” names."),
    ),
    Row(
        errors.MissingKey,
        N_("No secret was sent."),
        N_("Send it as “Authorization: Bearer sk-osiris-…”."),
    ),
    Row(
        errors.InvalidKey,
        N_("The secret opens no key: mistyped, replaced, or its key was deleted."),
        N_("Copy it again, or rotate the key for a new one."),
    ),
    Row(
        errors.InsufficientBalance,
        N_("The key's balance is $0 or less."),
        N_("Top the key up."),
    ),
    Row(
        errors.CreditExpired,
        N_("The key's credit has passed its expiry."),
        N_("Top the key up."),
    ),
    Row(
        errors.KeyDisabled,
        N_("The key is switched off."),
        N_("Enable it on its page, or use another key."),
    ),
    Row(
        errors.ModelNotFound,
        N_("No model on sale has this id."),
        N_("Take an id from the models page."),
    ),
    Row(
        errors.RequestNotFound,
        N_("This key has no settled request with this id."),
        N_("Ask with the key that sent it, once its answer has ended."),
    ),
    Row(
        errors.RouteNotFound,
        N_("There is no such path and method."),
        N_("Check the base URL and the path."),
    ),
    Row(
        errors.RequestTooLarge,
        N_("The body is larger than we take."),
        N_("Send less, or smaller images."),
    ),
    Row(
        errors.RateLimitExceeded,
        N_("The key has made as many requests in the last minute as it may."),
        N_("Wait for as long as “Retry-After” says. SDKs do."),
    ),
    Row(
        errors.TooManyOpenRequests,
        N_("As many requests of the key are open as may be at once."),
        N_("Wait for one to end. SDKs do."),
    ),
    Row(
        errors.BalanceHeld,
        N_("There is a balance, but open requests may use all of it."),
        N_("Wait for one to end, lower “max_completion_tokens”, or top the key up."),
    ),
    Row(
        errors.InternalError,
        N_("Something broke on our side."),
        N_("Try again. If it stays, send us the request's id."),
    ),
    Row(
        errors.UpstreamFailed,
        N_("The model's provider answered with an error, or its answer broke off."),
        N_("Try again."),
        REPORTED,
    ),
    Row(
        errors.UpstreamRefusedUs,
        N_("The model's provider takes no requests from us now."),
        N_("Try later, or another model."),
    ),
    Row(
        errors.StoreUnavailable,
        N_("Our database is out of reach, so that the request could not be accounted for."),
        N_("Try again."),
        UNLESS_TOLD,
    ),
    Row(
        errors.UpstreamSilent,
        N_("The model's provider sent nothing for as long as we wait."),
        N_("Try again, or ask for less in one request."),
        REPORTED,
    ),
    Row(
        errors.DeadlineExceeded,
        N_("The answer took longer than we may run, and was cut."),
        N_("Ask for a shorter answer."),
        UNTIL_THEN,
    ),
    Row(
        errors.UpstreamRejected,
        N_("The model's provider does not take the request as it is; its own words are passed on."),
        N_("Mend the request as the message says."),
    ),
)


def limits(visit: Visit) -> Answer:
    """The rate limit with its headers, all other limits, all errors."""
    settings, text = visit.app.settings, visit.words.text
    return public_page(
        visit,
        "limits.html",
        rate_limit=settings.rate_limit,
        window_s=WINDOW_MS // 1000,
        open_requests_max=settings.open_requests_max,
        body_mib=BODY_BYTES_MAX // _MIB,
        answer_mib=ANSWER_BYTES_MAX // _MIB,
        event_mib=EVENT_BYTES_MAX // _MIB,
        choices_max=CHOICES_MAX,
        keys_max=ACCOUNT_KEYS_MAX,
        name_length_max=NAME_LENGTH_MAX,
        silence_s=settings.upstream_silence_ms // 1000,
        keep_alive_s=settings.keep_alive_ms // 1000,
        minutes_max=MINUTES_MAX,
        example=json.dumps(error_json(errors.InsufficientBalance()), indent=2),
        rows=[
            {
                "status": _status(row.error),
                "code": row.error.code,
                "meaning": text(row.meaning),
                "remedy": text(row.remedy),
                "charged": text(row.charged),
            }
            for row in ROWS
        ],
    )


def _status(error: type[OsirisError]) -> str:
    """The statuses of a provider's own word are the provider's."""
    return "400, 404, 413, 422" if error is errors.UpstreamRejected else str(error.status)
