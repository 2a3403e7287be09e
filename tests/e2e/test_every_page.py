"""Every page, as anybody meets it: both themes, a phone, both languages; small, whole, readable."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]

from tests.e2e.chromium import Window, chromium
from tests.e2e.furnished import EMPTY, PUBLIC, Furnished, furnish
from tests.e2e.visitor import Visitor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, StorageState

    from tests.e2e.conftest import Harness

PARAMETERS = {"TrialAmount": "5"}
HTML_BYTES_MAX = 50_000
ASSETS_BYTES_MAX = 150_000
# What a page's visitor can't get past.
GRAVE = ("serious", "critical")
LOOKS: dict[str, dict[str, object]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}},
    "phone-id": {"viewport": {"width": 390, "height": 844}, "locale": "id-ID"},
    "tablet-id": {"viewport": {"width": 768, "height": 1024}, "locale": "id-ID"},
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def account(browser: Browser, harness: Harness) -> tuple[Furnished, StorageState]:
    """An account with something on every page, and the cookies that open it."""
    window = Window(browser)
    visitor = Visitor(window, harness.stack)
    visitor.sign_up(f"eve-{os.urandom(4).hex()}@example.com")
    made = furnish(visitor, harness)
    kept = window.context.storage_state()
    assert window.wrong == []
    window.close()
    return made, kept


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("area", ["public", "account"])
def test_every_page_can_be_read_by_everybody(
    browser: Browser,
    harness: Harness,
    account: tuple[Furnished, StorageState],
    look: str,
    area: str,
) -> None:
    """axe-core finds nothing grave, nothing goes wrong, no page is wide or heavy."""
    made, kept = account
    paths = PUBLIC if area == "public" else made.paths
    signed_in: dict[str, object] = {} if area == "public" else {"storage_state": kept}
    window = Window(browser, **LOOKS[look], **signed_in)
    problems: list[str] = []
    for path in paths:
        answer = window.page.goto(harness.stack.url + path)
        assert answer is not None
        size = len(answer.body())
        if size > HTML_BYTES_MAX:
            problems.append(f"{path}: {size} bytes of HTML")
        problems += wrong(window, look)
    assert problems == []
    assert window.wrong == []
    window.close()


@pytest.mark.parametrize("look", LOOKS)
def test_a_new_accounts_pages_can_be_read_by_everybody(
    browser: Browser, harness: Harness, look: str
) -> None:
    """They say what to do next; the first key's secret is shown by a page that is seen once."""
    first = Window(browser)
    Visitor(first, harness.stack).sign_up(f"new-{os.urandom(4).hex()}@example.com")
    window = Window(browser, **LOOKS[look], storage_state=first.context.storage_state())
    first.close()
    visitor = Visitor(window, harness.stack)
    problems: list[str] = []
    for path in reversed(EMPTY):
        visitor.go(path)
        assert window.page.locator(".empty").count() == 1, path
        problems += wrong(window, look)
    visitor.create_first_key()
    assert problems + wrong(window, look) == []
    assert window.wrong == []
    window.close()


def wrong(window: Window, look: str) -> list[str]:
    """What is wrong with the page that is open."""
    path = window.page.url.partition("://")[2].partition("/")[2]
    problems = [f"/{path}: {problem}" for problem in grave(window)]
    if window.page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
        problems.append(f"/{path}: wider than its window")
    language = window.page.locator("html").get_attribute("lang")
    if language != ("id" if look.endswith("id") else "en"):
        problems.append(f"/{path}: in {language}")
    return problems


def grave(window: Window) -> list[str]:
    """What axe-core (WCAG 2 and its best practices) finds serious or critical, and where."""
    found: list[dict[str, Any]] = Axe().run(window.page).response["violations"]
    return [
        f"{violation['id']} at {', '.join(str(node['target']) for node in violation['nodes'][:3])}"
        for violation in found
        if violation["impact"] in GRAVE
    ]


def test_a_first_visit_loads_little(browser: Browser, harness: Harness) -> None:
    """Style, script and icon come compressed, and never again while they are the same."""
    window = Window(browser)
    assets: dict[str, int] = {}
    window.page.on(
        "response",
        lambda answer: (
            assets.update(
                {answer.url: int(answer.headers.get("content-length", 0)) or len(answer.body())}
            )
            if "/assets/" in answer.url
            else None
        ),
    )
    window.page.goto(harness.stack.url + "/")
    window.page.wait_for_load_state("networkidle")
    assert assets
    assert sum(assets.values()) < ASSETS_BYTES_MAX
    before = dict(assets)
    assets.clear()
    window.page.goto(harness.stack.url + "/billing")
    window.page.wait_for_load_state("networkidle")
    served_again = [url for url in assets if url in before]
    timings = window.page.evaluate(
        "performance.getEntriesByType('resource').map(each => each.transferSize)"
    )
    assert served_again == [] or set(timings) == {0}
    window.close()
