"""A person in a real browser, through the whole stack: from signing up to signing out."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from tests.e2e.chromium import Window, chromium
from tests.e2e.visitor import Visitor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.e2e.conftest import Harness

PARAMETERS = {"TrialAmount": "5"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def ann(browser: Browser, harness: Harness) -> Iterator[Visitor]:
    """Somebody new, signed up and in; nothing may go wrong in her window."""
    window = Window(browser)
    window.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor = Visitor(window, harness.stack)
    visitor.sign_up(f"ann-{os.urandom(4).hex()}@example.com")
    yield visitor
    assert window.wrong == []
    window.close()


def test_a_key_is_made_shown_once_copied_and_used(ann: Visitor, harness: Harness) -> None:
    """The secret is seen once, the button copies it, it opens /v1, and the page tells the cost."""
    page = ann.page
    secret = ann.create_key("try", kind="trial")
    page.get_by_role("button", name="Copy the secret").click()
    assert page.evaluate("navigator.clipboard.readText()") == secret
    page.get_by_role("button", name="Send", exact=True).click()
    page.get_by_text("Cost:").wait_for()
    told = page.locator("[data-try-answer]").inner_text()
    cost = re.search(r"Cost: \$([0-9.]+)", told)
    assert cost is not None
    entry = harness.charges(secret)[0]
    assert harness.get(secret, f"requests/{entry.id}").json()["cost"] == cost[1]
    assert entry.id in told
    page.reload()
    assert "The secret was shown once" in page.inner_text("main")
    assert secret not in page.content()
