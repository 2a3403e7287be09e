"""A person in a real browser, through the whole stack: from signing up to signing out."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from tests.e2e.chromium import Window, chromium
from tests.e2e.furnished import pay
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


def visitor(browser: Browser, harness: Harness, **options: object) -> Visitor:
    """Somebody new, signed up and in."""
    visitor = Visitor(Window(browser, **options), harness.stack)
    visitor.sign_up(f"ann-{os.urandom(4).hex()}@example.com")
    return visitor


@pytest.fixture
def ann(browser: Browser, harness: Harness) -> Iterator[Visitor]:
    """Somebody new, signed up and in; nothing may go wrong in her window."""
    ann = visitor(browser, harness)
    ann.window.context.grant_permissions(["clipboard-read", "clipboard-write"])
    yield ann
    assert ann.window.wrong == []
    ann.window.close()


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


def test_a_request_shows_on_every_page_about_it(ann: Visitor, harness: Harness) -> None:
    """Usage, the table, its own page and the ledger have the cost that the answer had."""
    page = ann.page
    secret = ann.create_key("try", kind="trial")
    answer = harness.chat(secret, "[sim input=10000 output=2000]")
    assert answer.json()["usage"]["cost"] == 0.1
    request_id = answer.headers["x-request-id"]
    key_id = harness.key(secret).id
    ann.go("/usage")
    assert "$0.10" in page.inner_text("main")
    ann.go(f"/keys/{key_id}/requests")
    page.get_by_role("link", name=request_id).click()
    assert "$0.10" in page.inner_text("main")
    assert "claude-opus-4.6" in page.inner_text("main")
    ann.go(f"/keys/{key_id}/ledger")
    assert page.get_by_text("-$0.10").count()
    page.keyboard.press("/")
    page.keyboard.type(request_id)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/requests/{request_id}")


def test_a_qris_payment_turns_the_page_to_credited(ann: Visitor, harness: Harness) -> None:
    """Nobody reloads: the webhook credits, and the page that shows the code says so."""
    page = ann.page
    key_id = harness.key(ann.create_key("Production")).id
    order_id = ann.order(key_id, "100", "qris")
    assert page.locator(".qr svg").count() == 1
    page.reload()
    assert page.locator(".qr svg").count() == 1
    pay(harness, order_id)
    page.get_by_role("link", name="Receipt").wait_for()
    assert "$100.00 went to the key." in page.inner_text("main")
    assert page.locator(".qr svg").count() == 0
    ann.go(f"/keys/{key_id}")
    assert "$100.00" in page.inner_text("main")
    ann.go(f"/orders/{order_id}/receipt")
    assert order_id in page.inner_text("main")


def test_a_package_in_parts_is_credited_part_by_part(ann: Visitor, harness: Harness) -> None:
    """Each code is followed by the next, until the whole package is there."""
    page = ann.page
    key_id = harness.key(ann.create_key("Production")).id
    order_id = ann.order(key_id, "1000", "qris")
    parts = page.locator("ol.parts > li")
    assert parts.count() == 2
    pay(harness, order_id, part=1)
    page.get_by_text("Partly").or_(page.locator("ol.parts .tag.good")).first.wait_for()
    pay(harness, order_id, part=2)
    page.get_by_role("link", name="Receipt").wait_for()
    page.locator("ol.steps li.done").nth(3).wait_for()
    ann.go(f"/keys/{key_id}")
    assert "$1,000.00" in page.inner_text("main")


def test_a_coin_is_found_paid_and_credited(ann: Visitor, harness: Harness) -> None:
    """The search finds the coin; address and exact amount are there to copy; the credit follows."""
    page = ann.page
    key_id = harness.key(ann.create_key("Production")).id
    order_id = ann.order(key_id, "250", "crypto", coin="usdttrc20")
    page.get_by_role("button", name="Copy the address").click()
    address = page.evaluate("navigator.clipboard.readText()")
    assert address in page.inner_text("main")
    pay(harness, order_id, provider="nowpayments")
    page.get_by_role("link", name="Receipt").wait_for()
    ann.go(f"/keys/{key_id}")
    assert "$250.00" in page.inner_text("main")


def test_rotation_deletion_and_the_end_of_a_session(ann: Visitor, harness: Harness) -> None:
    """A rotated key answers to its new secret, a deleted one to none; signed out, all is closed."""
    page = ann.page
    old = ann.create_key("try", kind="trial")
    key_id = harness.key(old).id
    ann.go(f"/keys/{key_id}")
    page.get_by_label("The old secret ends").select_option(label="at once")
    page.get_by_role("button", name="Rotate").click()
    new = page.locator("#secret").inner_text()
    assert (harness.get(old, "key").status_code, harness.get(new, "key").status_code) == (401, 200)
    ann.go(f"/keys/{key_id}")
    delete = page.get_by_role("button", name="Delete", exact=True)
    assert delete.is_disabled()
    page.get_by_label("Type the key's name to confirm").fill("try")
    delete.click()
    page.get_by_text("The key is deleted").wait_for()
    assert harness.get(new, "key").status_code == 401
    kept = ann.window.context.cookies()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("link", name="Sign in").first.wait_for()
    assert page.url == f"{harness.stack.url}/"
    for path in ("/keys", f"/keys/{key_id}", "/topup", "/orders", "/usage"):
        ann.go(path)
        assert "/oauth2/authorize" in page.url
    # Nor does a copy of the cookie open anything.
    ann.window.context.add_cookies(kept)  # type: ignore[arg-type]
    ann.go("/keys")
    assert "/oauth2/authorize" in page.url


def test_everything_needed_works_without_scripts(browser: Browser, harness: Harness) -> None:
    """Signing in, keys, a top-up by reloading, usage and the public pages."""
    ann = visitor(browser, harness, java_script_enabled=False)
    page = ann.page
    secret = ann.create_key("Production")
    key_id = harness.key(secret).id
    ann.go("/topup")
    page.locator("#package-100").check()
    page.locator(f"#key-{key_id}").check()
    page.locator("#method-qris").check()
    page.get_by_role("button", name="Show the sum").click()
    page.get_by_role("button", name="Order $").click()
    page.wait_for_url("**/orders/ord_*")
    order_id = page.url.rpartition("/")[2]
    assert page.locator(".qr svg").count() == 1
    pay(harness, order_id)
    for _ in range(20):
        page.reload()
        if page.get_by_role("link", name="Receipt").count():
            break
        page.wait_for_timeout(500)
    assert "$100.00 went to the key." in page.inner_text("main")
    assert harness.chat(secret, "[sim input=10000 output=2000]").status_code == 200
    ann.go("/usage")
    assert "$0.10" in page.inner_text("main")
    ann.go(f"/keys/{key_id}")
    page.get_by_label("Name", exact=True).fill("Renamed")
    page.get_by_role("button", name="Rename").click()
    page.get_by_role("heading", name="Renamed").wait_for()
    page.get_by_label("Type the key's name to confirm").fill("Renamed")
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_text("The key is deleted").wait_for()
    for path, text in (
        ("/models?model=deepseek-v3&input=50000&output=5000", "$0.019"),
        ("/models?q=claude", "claude-opus-4.6"),
        ("/getting-started", f"{harness.stack.url}/v1"),
        ("/billing", "$0.001"),
        ("/limits", "429"),
        ("/terms", "What you get"),
        ("/privacy", "What is stored"),
        ("/refunds", "How to ask"),
    ):
        ann.go(path)
        assert text in page.inner_text("main")
    page.get_by_role("link", name="Bahasa Indonesia").click()
    assert page.locator("html").get_attribute("lang") == "id"
    page.get_by_role("button", name="Keluar").click()
    ann.go("/keys")
    assert "/oauth2/authorize" in page.url
    assert ann.window.wrong == []
    ann.window.close()
