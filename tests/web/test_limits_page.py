"""Errors and limits: the page has what the error tree, the constants and the template have."""

from __future__ import annotations

import re

from osiris import errors
from osiris.errors import OsirisError
from osiris.web.pages.limits import MINUTES_MAX, ROWS
from tests.web.browser import REPOSITORY, Browser
from tests.web.stock import stocked

# Raised on the pages or by the dashboard's API, never by /v1.
NOT_OF_V1 = {
    errors.ChangedMeanwhile,
    errors.ConfirmationRequired,
    errors.FormRefused,
    errors.IdentityUnavailable,
    errors.InvalidToken,
    errors.KeyNotFound,
    errors.SignInFailed,
    errors.TooManyKeys,
    errors.TrialAlreadyGranted,
    errors.TrialNotToppedUp,
    errors.TrialsNotOffered,
}


def leaves(error: type[OsirisError]) -> set[type[OsirisError]]:
    """The classes of `osiris.errors` that are raised."""
    below = [part for part in error.__subclasses__() if part.__module__ == errors.__name__]
    return {error} if not below else {leaf for part in below for leaf in leaves(part)}


def test_each_error_of_v1_is_explained_once() -> None:
    """A new leaf of the tree is either on the page or named above."""
    explained = [row.error for row in ROWS]
    assert set(explained) == leaves(OsirisError) - NOT_OF_V1
    assert len(set(explained)) == len(explained)


def test_the_errors_are_shown_with_code_and_status() -> None:
    """As the error tree has them, in the order of their statuses."""
    html = Browser(stocked(), None).get("/limits").html
    for row in ROWS[:-1]:
        shown = rf'<code>{row.error.code}</code></th><td data-label="Status">{row.error.status}<'
        assert re.search(shown, html)
    statuses = [row.error.status for row in ROWS[:-1]]
    assert statuses == sorted(statuses)
    assert "400, 404, 413, 422" in html


def test_the_limits_are_those_that_hold() -> None:
    """Numbers from settings and constants; the longest request is the template's."""
    variables = {"OSIRIS_RATE_LIMIT": "33", "OSIRIS_OPEN_REQUESTS_MAX": "22"}
    text = Browser(stocked(variables), None).get("/limits").text
    for part in (
        "33 requests in any 60 seconds",
        "open at once 22",
        "Body of a request 4 MiB",
        "(“n”) 8",
        "32 MiB, and 270 seconds",
        "One event of a stream 8 MiB",
        "after each 15 of them",
        "less than 15 minutes",
        "Keys of one account 10",
    ):
        assert part in text
    template = (REPOSITORY / "template.yaml").read_text()
    proxy = template[template.index("ProxyFunction:") :]
    found = re.search(r"\bTimeout: (\d+)", proxy)
    assert found
    assert int(found[1]) == MINUTES_MAX * 60
