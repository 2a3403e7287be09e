"""A real browser: Debian's Chromium, headless, driven by Playwright.

It reaches nothing but this machine: what else a page asked for would fail, and be a test's failure.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, Request

PATH = shutil.which("chromium")
# Without these Chromium looks for its maker's hosts at every start.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
TIMEOUT_MS = 20_000


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser; the test is skipped where there is none, but never in CI."""
    if PATH is None:
        assert not os.environ.get("CI"), "CI must have Chromium: .ci/run installs it"
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PATH, headless=True, args=ARGUMENTS)
        yield browser
        browser.close()


class Window:
    """One person's window: `page`, and all that went wrong in it."""

    def __init__(self, browser: Browser, **options: object) -> None:
        options = {"locale": "en-GB", "viewport": {"width": 1280, "height": 900}, **options}
        self.context = browser.new_context(**options)  # type: ignore[arg-type]
        self.context.set_default_timeout(TIMEOUT_MS)
        self.page: Page = self.context.new_page()
        self.wrong: list[str] = []
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", self._asked)

    def close(self) -> None:
        self.context.close()

    def _said(self, message: object) -> None:
        kind, text = message.type, message.text  # type: ignore[attr-defined]
        # The emulated sign-in pages have no icon.
        if kind == "error" and "404" not in text:
            self.wrong.append(text)

    def _asked(self, request: Request) -> None:
        if urlsplit(request.url).hostname not in ("127.0.0.1", None):
            self.wrong.append(f"asked for {request.url}")
