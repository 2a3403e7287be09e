"""Credits and billing: numbers from settings, examples by the ledger's own rules."""

from __future__ import annotations

import re

import pytest

from tests.web.browser import REPOSITORY, Browser
from tests.web.stock import stocked


@pytest.fixture
def passer() -> Browser:
    """Somebody who is not signed in, where models are on sale."""
    return Browser(stocked(), None)


def test_billing_takes_its_numbers_from_the_settings() -> None:
    """What an operator sets is what the page says."""
    variables = {
        "OSIRIS_PACKAGES": "30 60",
        "OSIRIS_QUOTE_MINUTES": "17",
        "OSIRIS_RATE_MARGIN_PERCENT": "1.5",
        "OSIRIS_RATE_DIFFERENCE_PERCENT": "4.5",
        "OSIRIS_RATE_AGE_HOURS": "31",
        "OSIRIS_RATE_LIMIT": "33",
        "OSIRIS_OPEN_REQUESTS_MAX": "22",
        "OSIRIS_TRIAL_AMOUNT": "0.75",
        "OSIRIS_TRIAL_DAYS": "9",
        "OSIRIS_MAIL_FROM": "osiris@example.com",
    }
    text = Browser(stocked(variables), None).get("/billing").text
    for part in (
        "$30.00, $60.00",
        "for 17 minutes",
        "1.5 % are added",
        "more than 4.5 % apart",
        "older than 31 hours",
        "Fewer than 33 requests",
        "Fewer than 22 requests",
        "$0.75 for 9 days",
        "by mail 7 days and 1 day before",
    ):
        assert part in text


def test_billing_tells_no_rule_of_a_method_that_is_not_offered() -> None:
    """Without QRIS nothing is said of rupiah, without crypto nothing of coins."""
    no_qris = Browser(stocked({"OSIRIS_QRIS_PROVIDER": "none"}), None).get("/billing").text
    assert "upiah" not in no_qris
    no_crypto = Browser(stocked({"OSIRIS_CRYPTO_PROVIDER": "none"}), None).get("/billing").text
    assert "coin" not in no_crypto


def test_billings_examples_are_computed(passer: Browser) -> None:
    """The ordinary request, the minimum, cached input, a cancelled one, an error."""
    text = passer.get("/billing").text
    for part in (
        "An ordinary request 10,000 × $5.00 + 2,000 × $25.00 $0.10 $0.10",
        "the minimum 50 × $5.00 + 10 × $25.00 $0.0005 $0.001",
        "2,000 × $5.00 + 8,000 × $0.50 + 2,000 × $25.00 $0.064 $0.064",
        "the model had gone on 10,000 × $5.00 + 2,000 × $25.00 $0.10 $0.10",
        "An error, ours or the provider's – – $0.00",
    ):
        assert part in text


def test_billings_expiries_are_those_of_the_documents(passer: Browser) -> None:
    """Four purchases on 31 January: a month each, and no later than three months from then."""
    text = passer.get("/billing").text
    days = ["28 Feb 2027", "28 Mar 2027", "28 Apr 2027", "30 Apr 2027"]
    shown = re.findall(r"\d (\d\d \w{3} 2027), 10:00", text)
    assert shown[-len(days) :] == days
    documents = (REPOSITORY / "docs/billing.md").read_text()
    for day in ("28 February 2027", "28 March 2027", "28 April 2027", "30 April 2027"):
        assert day in documents
