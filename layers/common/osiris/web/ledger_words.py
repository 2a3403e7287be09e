"""Entries and requests in the words of the pages: what a state means, what it cost and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from osiris.ledger.credit import EXPIRED, KEY_DELETED, TRIAL_CREDIT
from osiris.ledger.entry import (
    ADJUSTMENT,
    CHARGE,
    CHARGEBACK,
    COMPLETED,
    DEADLINE,
    EMPTY,
    FORFEITURE,
    GRANT,
    LAPSED,
    PURCHASE,
    REFUND,
    UPSTREAM_FAILED,
    UPSTREAM_REFUSED,
    UPSTREAM_REJECTED,
    UPSTREAM_SILENT,
)
from osiris.money import decimal_text
from osiris.web.words import N_

if TYPE_CHECKING:
    from osiris.ledger.entry import Entry
    from osiris.web.words import Words

# Those of credit that expired name the day: they are told by `reason_of`.
_REASONS = {
    TRIAL_CREDIT: N_("trial credit"),
    KEY_DELETED: N_("the key was deleted"),
}

TYPES = {
    CHARGE: N_("Charge"),
    PURCHASE: N_("Purchase"),
    GRANT: N_("Grant"),
    FORFEITURE: N_("Forfeiture"),
    REFUND: N_("Refund"),
    CHARGEBACK: N_("Chargeback"),
    ADJUSTMENT: N_("Adjustment"),
}


class RequestStateWords(NamedTuple):
    """How a request ended: its label, the class of its tag, what happened, and why it costs so.

    `charged` is empty where such a request never costs anything, `free` where it always does.
    """

    label: str
    kind: str
    meaning: str
    charged: str = ""
    free: str = ""


REQUEST_STATES = {
    COMPLETED: RequestStateWords(
        N_("complete"),
        "good",
        N_("The model answered to the end."),
        charged=N_("A complete answer is charged by its tokens."),
    ),
    DEADLINE: RequestStateWords(
        N_("cut at the time limit"),
        "warn",
        N_("The answer took longer than one request may, so it was cut."),
        charged=N_("What was answered until then is charged."),
        free=N_("Nothing was answered until then, so nothing is charged."),
    ),
    EMPTY: RequestStateWords(
        N_("empty answer"),
        "warn",
        N_("The model's provider sent no output, and no reason for finishing."),
        free=N_("An empty answer is not charged."),
    ),
    LAPSED: RequestStateWords(
        N_("lost"),
        "bad",
        N_(
            "Our service lost this request: by a crash, or because its database was out of reach."
            " What it held was given back."
        ),
        free=N_("A request that we lose is not charged."),
    ),
    UPSTREAM_FAILED: RequestStateWords(
        N_("provider failed"),
        "bad",
        N_("The model's provider answered with an error, or broke off in the middle."),
        charged=N_("The tokens that it had reported until then are charged."),
        free=N_("It had reported no tokens until then, so nothing is charged."),
    ),
    UPSTREAM_REFUSED: RequestStateWords(
        N_("provider refused"),
        "bad",
        N_("The model's provider took no request from us at that moment. It was not your request."),
        free=N_("An error is not charged."),
    ),
    UPSTREAM_REJECTED: RequestStateWords(
        N_("rejected"),
        "warn",
        N_("The model's provider found something wrong in the request; its answer said what."),
        free=N_("An error is not charged."),
    ),
    UPSTREAM_SILENT: RequestStateWords(
        N_("provider silent"),
        "bad",
        N_("The model's provider sent nothing for as long as we wait."),
        charged=N_("The tokens that it had reported until then are charged."),
        free=N_("It had reported no tokens until then, so nothing is charged."),
    ),
}


def state_of(words: Words, entry: Entry) -> RequestStateWords:
    """How a request ended, by its entry, in this language."""
    state = LAPSED if entry.charge is None else entry.charge.state
    found = REQUEST_STATES.get(state)
    if found is None:
        # A newer version may know more of them.
        return RequestStateWords(state, "", "")
    meaning, charged, free = found[2:]
    return RequestStateWords(
        words.text(found.label),
        found.kind,
        words.text(meaning),
        charged=words.text(charged) if charged else "",
        free=words.text(free) if free else "",
    )


def reason_of(words: Words, entry: Entry) -> str:
    """Why an entry that names neither a request nor an order is there; empty when nobody said."""
    if entry.reason == EXPIRED and entry.expired_at_ms:
        return words.text("credit that expired on %(day)s", day=words.day(entry.expired_at_ms))
    if entry.type == GRANT and not entry.reason:
        return words.text("by the operator")
    told = _REASONS.get(entry.reason)
    return words.text(told) if told else entry.reason


def seconds(words: Words, duration_ms: int) -> str:
    """A duration: "1.25 s"."""
    return words.decimal(decimal_text(duration_ms, 3)) + " s"
