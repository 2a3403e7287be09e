"""The models page in a real browser: search and calculator renew themselves as one types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e.chromium import Window, chromium

if TYPE_CHECKING:
    from tests.e2e.conftest import Harness


def test_search_and_calculator_live(harness: Harness) -> None:
    """Both parts follow what is typed, keep each other's fields, and the address keeps it all."""
    with chromium() as browser:
        window = Window(browser)
        window.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = window.page
        page.goto(f"{harness.stack.url}/models")
        page.get_by_label("Search").press_sequentially("deepseek")
        page.get_by_text("3 models", exact=True).wait_for()
        page.get_by_label("Tokens in").fill("50000")
        page.get_by_label("Tokens out").fill("5000")
        page.get_by_label("Model", exact=True).select_option("deepseek-v3")
        page.locator("#sum tfoot").get_by_text("$0.019", exact=True).wait_for()
        assert page.get_by_role("row").filter(has=page.locator("code")).count() == 3
        page.locator("tr", has_text="deepseek-v3").get_by_role("button", name="Copy").click()
        assert page.evaluate("navigator.clipboard.readText()") == "deepseek-v3"
        page.reload()
        assert page.get_by_label("Search").input_value() == "deepseek"
        assert "$0.019" in page.locator("#sum").inner_text()
        page.get_by_label("Tokens in").fill("many")
        page.get_by_text("Tokens are whole numbers").wait_for()
        assert window.wrong == []
        window.close()
